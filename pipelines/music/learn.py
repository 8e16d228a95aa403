"""music.learn: the composer goes on learning from a person's own MIDI files; the result is a style, one small file."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from pipelines.music import midi
from pipelines.music.composer import measure, play, sample, styles
from pipelines.music.composer.pieces import cut, song_of
from pipelines.music.composer.shape import RESUME
from pipelines.music.composer.training.data import Ready, Song
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Params, Result, RunContext, ui

if TYPE_CHECKING:
    from pipelines.music.composer.training.fit import Fit

MOST_FILES = 200
LEAST_NOTES, LEAST_STEPS = 32, 64
HELD = 0.2  # of the files, or of one file's bars
LOOKS = 16  # how often the held-out pieces are heard on the way
SIZE, STEPS, RATE, AVERAGE = 16, 96, 6e-4, 0.96
SAMPLES = 4  # pieces that the imitation check composes
WORKING = 700 * 2**20


class LearnParams(Params):
    pieces: list[str] = Field([], max_length=MOST_FILES, title="MIDI files", description="The pieces to learn from, by their keys.", json_schema_extra=ui(widget="hidden"))
    name: str = Field("My style", min_length=1, max_length=60, title="Name", description="What the style is called as a model in Compose.")
    updates: int = Field(160, ge=2, le=2000, title="Learning steps", description="At most so many. How many are best is found out beforehand: each half of your pieces is learnt and the other half listened to.")
    strength: float = Field(1.0, ge=0.1, le=3.0, title="Strength", description="How far each step moves the composer towards your pieces.", json_schema_extra=ui(step=0.1))
    seed: int = Field(-1, ge=-1, le=2**31 - 1, title="Seed", description="-1: a new one each time.")
    resume: str = Field("", max_length=300, title="Go on from", description="The key of a style that learning goes on from.", json_schema_extra=ui(widget="hidden"))


@dataclass
class _Course:
    """How it went: (step, loss) of what is learnt from and of what is held out, and what was learnt. Nothing is chosen by what is held out."""

    curve: list[list[float]] = field(default_factory=list)
    held: list[list[float]] = field(default_factory=list)
    weights: dict[str, Any] = field(default_factory=dict)
    before: float = 0.0
    after: float = 0.0
    done: int = 0  # steps
    until: int = 0  # steps that were found best; 0 where that was not found out yet
    notes: list[str] = field(default_factory=list)

    @property
    def stats(self) -> dict[str, Any]:
        return {"curve": self.curve, "held_out": self.held}


class Learn:
    """Stop keeps what was learnt, with the optimizer's state, so that learning can go on from it."""

    id: ClassVar[str] = "music.learn"
    title: ClassVar[str] = "Learn my style"
    lane: ClassVar[Lane] = "cpu"
    Params: ClassVar[type[Params]] = LearnParams

    def need(self, params: LearnParams, catalog: Catalog) -> Need:
        if not params.pieces:
            return Need(missing="There are no pieces to learn from.")
        return Need(play.CHORALES.stat().st_size * 6, WORKING)

    def pace_key(self, params: LearnParams, catalog: Catalog) -> str:
        return "learn"

    def seconds(self, params: LearnParams, catalog: Catalog, pace: dict[str, float]) -> float:
        return params.updates * pace.get("update", 0.0)

    def settle(self, params: LearnParams, desk: Desk) -> LearnParams:
        """Reads every piece. Raises StudioErrors with the field."""
        if not params.pieces:
            raise BadInput("There are no pieces to learn from.", hint="Give some MIDI files, five or more work well.", field="pieces")
        split([read(desk.inputs.path(key, "pieces"), number) for number, key in enumerate(params.pieces)])
        if params.resume:
            styles.header(Path(desk.catalog.find(params.resume).path))
        return params

    def run(self, params: LearnParams, ctx: RunContext) -> Result:
        songs = [read(ctx.input(key), number) for number, key in enumerate(params.pieces)]
        train, held = split(songs)
        begun = time.monotonic()
        ctx.loading("Loading the composer")
        course = self._train(params, train, held, ctx)
        pace = {"update": (time.monotonic() - begun) / params.updates}
        facts = self._facts(params, train, course)
        copied = self._imitation(course, facts, train, ctx)
        facts["copied_quarters"] = f"{copied:g}"
        ctx.output(Artifact("model", _file(course.weights, facts), ".safetensors", params.name, facts))
        notes = course.notes + (["One file: its last bars were held out, so the figure says little about other pieces."] if len(songs) == 1 else [])
        told = {"held_out_before": course.before, "held_out_after": course.after, "copied_quarters": copied, "held_out_pieces": len(held), "pieces": len(train)}
        return Result([], {**course.stats, **told, "notes": notes, "pace": pace} if ctx.stopping == "none" else {**course.stats, **told, "notes": notes})

    def keep(self, file: Path, models: Path) -> Path:
        """A result among the models of Compose."""
        return styles.keep(file, models)

    def key(self, file: Path) -> str:
        """What `resume` calls a result in the gallery."""
        return styles.result_key(file)

    def _train(self, params: LearnParams, train: list[Song], held: list[Song], ctx: RunContext) -> _Course:
        from pipelines.music.composer.training.fit import Fit, Plan, held_out, seeded
        from pipelines.music.composer.training.recalled import teach
        from pipelines.music.nets.composer import from_file

        start = Path(ctx.model(params.resume).path) if params.resume else play.CHORALES
        known = styles.header(start)
        plan = Plan(0, SIZE, STEPS, RATE * params.strength, AVERAGE, ctx.seed, updates=params.updates)
        course = _Course()

        def begin(pieces: list[Ready]) -> Fit:
            model, state = from_file(start)
            if not model.recall.learnt:
                teach(model, pieces)
            model.recall.requires_grad_(False)
            fit = Fit(model, pieces, plan)
            if state:
                fit.take_up(state)
            return fit

        with seeded(ctx.seed, ctx.threads):
            heard = [Ready.of(song, recalls=True) for song in held]
            course.before = held_out(from_file(start)[0], heard)
            until = self._until(params, train, known, begin, course, ctx)
            fit = begin([Ready.of(song, recalls=True) for song in train])
            course.held = [[fit.steps, round(course.before, 4)]]
            ctx.stats(**course.stats)
            begun = fit.steps
            while fit.steps < until and ctx.stopping == "none":
                self._step(fit, until, heard, course, ctx)
            course.weights, course.after, course.done = _weights(fit), held_out(fit.average, heard), fit.steps - begun
            if ctx.stopping != "none" and course.until:
                course.weights |= fit.moments()
        return course

    def _until(self, params: LearnParams, train: list[Song], known: dict[str, str], begin: Callable[[list[Ready]], Fit], course: _Course, ctx: RunContext) -> int:
        """How many steps are learnt; tells it to the course once it is certain."""
        from contextlib import suppress

        from pipelines.music.composer.training.rehearsal import best_steps
        from studio.api import Stopped

        course.until = min(int(known.get("until", "0")), params.updates)
        if course.until and int(known.get("stopped", "0")):
            return course.until
        if course.until and set(known.get("learnt", "").split()) & {_mark(song) for song in train}:
            course.notes.append("The style had learnt from some of these pieces before, so nothing could tell when to stop: it learnt all the steps that you allowed.")
            course.until = params.updates
            return course.until

        def tell(steps: int) -> None:
            ctx.progress(steps, params.updates, "Finding out how long to learn", 0.5 * steps / params.updates)

        with suppress(Stopped):  # then nothing but how the pieces repeat themselves is learnt
            course.until = best_steps(train, begin, params.updates, tell)
        return course.until

    def _step(self, fit: Fit, until: int, heard: list[Ready], course: _Course, ctx: RunContext) -> None:
        from contextlib import suppress

        from pipelines.music.composer.training.fit import held_out
        from studio.api import Stopped

        course.curve.append([fit.steps + 1, round(fit.step(), 4)])
        if fit.steps % max(until // LOOKS, 1) == 0 or fit.steps == until:
            course.held.append([fit.steps, round(held_out(fit.average, heard), 4)])
        ctx.stats(**course.stats)
        with suppress(Stopped):  # the loop sees it, and what was learnt is kept
            ctx.progress(fit.steps, until, "Learning", 0.5 + 0.45 * fit.steps / until)

    def _facts(self, params: LearnParams, train: list[Song], course: _Course) -> dict[str, str]:
        voices = [any(song.voices[voice] for song in train) for voice in range(sample.VOICES)]
        rests = max(float((song.tokens[list(song.voices)] == sample.REST).mean()) for song in train)
        base = play.load().facts
        stopped = any(name.startswith(RESUME) for name in course.weights)
        return {
            "format": play.FORMAT, "title": params.name, "shape": base["shape"], "base": params.resume or base["title"], "pieces": str(len(train)),
            "updates": str(course.done), "until": str(course.until), "stopped": str(int(stopped)), "learnt": " ".join(_mark(song) for song in train),
            "voices": "".join(str(int(there)) for there in voices), "rests": str(int(rests > 0.02)),
            "held_out_before": f"{course.before:.4f}", "held_out_after": f"{course.after:.4f}",
        }  # fmt: skip

    def _imitation(self, course: _Course, facts: dict[str, str], train: list[Song], ctx: RunContext) -> float:
        """Quarters of the longest run that some composed pieces took over from those that were learnt from."""
        player = play.Player(course.weights, facts)
        sources = measure.Sources([song.tokens for song in train], player.voices)
        longest = 0.0
        for number in range(SAMPLES if ctx.stopping == "none" else 1):
            song = train[number % len(train)]
            frame = cut(song, 0, min(song.frame.steps, 128)).frame
            made = sample.sample(frame, seed=ctx.seed + number, player=player)
            longest = max(longest, measure.copied(made, sources))
        return longest


def read(path: Path, number: int = 0) -> Song:
    """Raises BadInput, naming which file it is."""
    try:
        piece = midi.read_file(path, "pieces")
    except BadInput as error:
        raise BadInput(f"File {number + 1}: {error.message}", hint=error.hint, field="pieces") from error
    song = song_of(piece, path.stem)
    if not any(song.voices):
        raise BadInput(f"File {number + 1} has no notes but drums.", hint="Take it out of the list.", field="pieces")
    return song


def split(songs: list[Song]) -> tuple[list[Song], list[Song]]:
    """Which are learnt from, which are held out; of one piece its last bars. Raises BadInput where that is too little.

    What the pieces hold decides, neither chance nor their order: going on with the same pieces must hold out the same.
    """
    notes = sum(int((song.tokens < sample.REST).sum()) for song in songs)
    if notes < LEAST_NOTES or sum(song.frame.steps for song in songs) < LEAST_STEPS:
        raise BadInput(f"There are only {notes} notes in these pieces.", hint=f"Give at least {LEAST_NOTES} notes in four bars.", field="pieces")
    if len(songs) > 1:
        order = sorted(range(len(songs)), key=lambda number: hashlib.sha256(songs[number].tokens.tobytes()).digest())
        count = max(round(HELD * len(songs)), 1)
        return [songs[number] for number in order[count:]], [songs[number] for number in order[:count]]
    song = songs[0]
    bar = int(song.frame.bar[0])
    middle = max(round(song.frame.steps * (1 - HELD) / bar), 1) * bar
    middle = middle if middle < song.frame.steps else song.frame.steps * 4 // 5
    return [cut(song, 0, middle)], [cut(song, middle, song.frame.steps)]


def _mark(song: Song) -> str:
    """By which a style knows a piece again."""
    return hashlib.sha256(song.tokens.tobytes()).hexdigest()[:12]


def _weights(fit: Fit) -> dict[str, Any]:
    from pipelines.music.nets.composer import halved

    return halved(fit.average)


def _file(weights: dict[str, Any], facts: dict[str, str]) -> bytes:
    from safetensors.numpy import save

    return save(weights, metadata=facts)
