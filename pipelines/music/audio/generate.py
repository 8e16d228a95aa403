"""music.audio: words to sound. Each sound is kept as soon as it is finished; what was left to the model is told in its facts."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipelines.image.memory import ran_out
from pipelines.music.audio.families import Family, audio_model, family_of
from pipelines.music.audio.memory import PARTS_WORDS, Placement, item_bytes, plan
from pipelines.music.audio.params import AudioParams
from pipelines.music.audio.settle import HEARD, SOME, settled
from pipelines.music.audio.tape import Samples, Tape
from pipelines.music.sound.files import decode, encode, resampled
from studio.api import Artifact, Catalog, Desk, Lane, ModelBroken, ModelEntry, ModelSpec, ModelTooLarge, Need, Params, Result, RunContext, StudioError

if TYPE_CHECKING:
    from pipelines.music.audio.nets.load import AudioModel

SEEDS = 2**31
TITLE_LETTERS = 60
USUAL_STRENGTH = 0.7
EARLY = "It was finished early: this is what was there."
DECODING_SHARE = 0.1  # of a denoised sound's time, before it is measured


class MakeAudio:
    """The same params, seed and device give the same samples. "Finish" keeps what sounds so far, of models that write tokens."""

    id: ClassVar[str] = "music.audio"
    title: ClassVar[str] = "Audio"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = AudioParams
    some: ClassVar[tuple[str, ...]] = SOME  # fields that not every family has, for a page

    def need(self, params: AudioParams, catalog: Catalog) -> Need:
        return self.place(params, catalog, "cpu", sys.maxsize)

    def place(self, params: AudioParams, catalog: Catalog, device: str, room: int) -> Need:
        """Also, as facts, the family, what it can be told and how it would go."""
        try:
            entry = audio_model(params.model, catalog)
            family = family_of(entry)
            placed = plan(params.model_copy(update={"seconds": _long(params, family)}), entry, family, device, room)
        except StudioError as error:
            return Need(missing=error.message)
        except (OSError, ValueError, KeyError, TypeError) as error:
            return Need(missing=f"The model can't be read ({type(error).__name__}).")
        facts = {"family": family.title, "longest": family.longest, "placement": [PARTS_WORDS] if placed.parts else []}
        return Need(placed.weights, placed.working, facts=facts)

    def families(self, catalog: Catalog) -> dict[str, dict[str, Any]]:
        """For a page: what each model that is there can be told, by its key."""
        found = {}
        for entry in catalog.entries("audio"):
            try:
                family = family_of(entry) if not entry.problem else None
            except StudioError:
                continue
            if family is not None:
                found[entry.key] = {
                    "title": family.title,
                    "kind": family.kind,
                    "modes": list(family.modes),
                    "fields": list(family.fields),
                    "longest": family.longest,
                    "usual": family.usual,
                    "schedulers": list(family.schedulers),
                }
        return found

    def pace_key(self, params: AudioParams, catalog: Catalog) -> str:
        try:
            return audio_model(params.model, catalog).key
        except StudioError:
            return params.model

    def seconds(self, params: AudioParams, catalog: Catalog, pace: dict[str, float]) -> float:
        """By steps and seconds of sound; -1 where nothing was measured."""
        try:
            family = family_of(audio_model(params.model, catalog))
        except StudioError:
            return -1.0
        work = (params.steps or family.steps or 1) * _long(params, family) * params.count
        return work * pace["work"] if "work" in pace else -1.0

    def settle(self, params: AudioParams, desk: Desk) -> AudioParams:
        return settled(params, desk)

    def map_text(self, params: AudioParams, change: Callable[[str], str]) -> AudioParams:
        return params.model_copy(update={name: change(value) for name in ("prompt", "negative_prompt", "lyrics") if (value := getattr(params, name))})

    def run(self, params: AudioParams, ctx: RunContext) -> Result:
        entry = ctx.model(params.model)
        family = family_of(entry)
        placed = plan(params, entry, family, ctx.device, ctx.models.room)
        going = Going(params, family, ctx)
        sound = given_sound(params, family, ctx) if params.sound else None
        try:
            with ctx.models.use(model_spec(entry, family, params, placed, ctx), working=placed.working) as model:
                for number in range(len(ctx.kept), params.count):
                    going.begin(number)
                    ctx.output(self._one(model, going, (ctx.seed + number) % SEEDS, sound))
                    if ctx.stopping == "finish":
                        break
        except Exception as error:
            if isinstance(error, StudioError) or not ran_out(error):
                raise
            raise ModelTooLarge("There was not enough memory to make this sound.", hint="Choose a shorter length, half precision or a smaller model.", field="seconds") from error
        return Result([], {"notes": going.notes, "pace": going.pace})

    def _one(self, model: AudioModel, going: Going, seed: int, sound: Samples | None) -> Artifact:
        params, family = going.params, going.family
        suffix = f".{params.format.lower()}"
        told = going.values
        if family.kind == "tokens":
            data, seconds = written(model, going, seed, sound, suffix)
        else:
            from pipelines.music.audio.nets.denoise import make

            samples = make(model, told, seed, going.step, going.ctx.check, sound)
            going.measured()
            data, seconds = encode(samples, family.rate, suffix), samples.shape[1] / family.rate
        facts = {"seed": seed, "seconds": round(seconds, 3), "rate": family.rate, "channels": family.channels, "family": family.title} | {
            name: told[name] for name in ("guidance", "steps", "temperature", "top_k") if name in told and told[name]
        }
        return Artifact("audio", data, suffix, title_of(params.prompt), facts)


class Going:
    """How far a job is, and what it was left to."""

    def __init__(self, params: AudioParams, family: Family, ctx: RunContext) -> None:
        self.params, self.family, self.ctx = params, family, ctx
        self.notes: list[str] = []
        self.pace: dict[str, float] = {}
        self.values = values_of(params, family)
        self._number, self._begun = 0, 0.0

    def begin(self, number: int) -> None:
        self._number, self._begun = number, time.monotonic()

    def step(self, step: int) -> None:
        """A step of denoising is done; decoding follows."""
        self._tell(step / self.values["steps"] * (1 - DECODING_SHARE))

    def token(self, frames: int, of: int) -> bool:
        """A token is drawn; whether that is enough."""
        self._tell(frames / max(1, of))
        if self.ctx.stopping == "finish" and frames < of:
            self.notes = [EARLY]
            return True
        return False

    def _tell(self, share: float) -> None:
        """Steps are tenths of seconds of all the sounds, so that a page can say how much is there."""
        tenths = max(1, round(10 * _long(self.params, self.family)))
        note = f"Sound {self._number + 1} of {self.params.count}" if self.params.count > 1 else "Making the sound"
        self.ctx.progress(round((self._number + min(share, 0.999)) * tenths), tenths * self.params.count, note, (self._number + share) / self.params.count)

    def measured(self) -> None:
        self.pace = {"work": (time.monotonic() - self._begun) / ((self.values.get("steps") or 1) * _long(self.params, self.family))}


def _long(params: AudioParams, family: Family) -> float:
    """Seconds of sound that are worked on."""
    return params.seconds or max(1.0, params.repaint_to - params.repaint_from) if params.mode == "Repaint" else params.seconds or family.usual


def values_of(params: AudioParams, family: Family) -> dict[str, Any]:
    """The params with the family's own values where they were left to it."""
    told = params.model_dump() | {"guidance": params.guidance or family.guidance, "strength": params.strength or USUAL_STRENGTH}
    if family.kind == "tokens":
        return told | {"temperature": params.temperature or 1.0, "top_k": params.top_k or 250, "overlap": params.overlap or 10.0}
    return told | {"steps": params.steps or family.steps}


def written(model: AudioModel, going: Going, seed: int, sound: Samples | None, suffix: str) -> tuple[bytes, float]:
    """(file, seconds) of a sound that grows token by token on a tape."""
    import torch

    from pipelines.music.audio.nets.tokens import Ask, encoded, write

    params, family, told = going.params, going.family, going.values
    ask = Ask(params.prompt, params.seconds, told["guidance"], told["temperature"], told["top_k"], told["overlap"])
    tape, codes, melody = Tape(family.channels, family.rate), None, None
    try:
        if params.mode == "Continue" and sound is not None:
            tape.append(sound)
            codes = encoded(model, sound, ask.overlap)
        if params.mode == "Melody" and sound is not None:
            melody = resampled(sound.mean(0, keepdims=True), family.rate, int((model.heard or {}).get("sampling_rate", 32000)))[0]
        with torch.random.fork_rng(devices=[torch.cuda.current_device()] if model.device == "cuda" else []):
            torch.manual_seed(seed)
            with model.watched(going.ctx.check):
                write(model, ask, tape, going.token, codes=codes, melody=melody)
        going.measured()
        return tape.file(suffix), tape.seconds
    finally:
        tape.close()


def given_sound(params: AudioParams, family: Family, ctx: RunContext) -> Samples:
    """The sound that was given at the model's rate, with its channels: the sides of a stereo sound are mixed for a model of one."""
    samples, rate = decode(ctx.input(params.sound), "sound", HEARD)
    if samples.shape[0] != family.channels:
        samples = samples.mean(0, keepdims=True) if family.channels == 1 else np.repeat(samples.mean(0, keepdims=True), family.channels, 0)
    return np.ascontiguousarray(resampled(samples, rate, family.rate), dtype=np.float32)


def model_spec(entry: ModelEntry, family: Family, params: AudioParams, placed: Placement, ctx: RunContext) -> ModelSpec[Any]:
    """How the worker loads it; precision and placement are part of the model's identity."""
    half = item_bytes(ctx.device, params.precision) == 2

    def load_it(report: Any) -> Any:
        import torch

        from pipelines.music.audio.nets.load import load

        torch.set_num_threads(ctx.threads)
        try:
            return load(Path(entry.path), family, device=ctx.device, half=half, parts=placed.parts, report=report)
        except Exception as error:  # whatever two libraries say to a folder that is not quite one of theirs
            if ran_out(error):
                raise
            reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
            raise ModelBroken(f"“{entry.title}” can't be loaded: {reason}.", hint="Download it again, or choose another model.", field="model") from error

    how = [word for word, on in (("parts", placed.parts), (params.precision, params.precision != "Automatic")) if on]
    return ModelSpec(" @ ".join([entry.key, *how]), placed.weights, load_it, group=entry.key)


def title_of(prompt: str) -> str:
    words = " ".join(prompt.split())
    return words if len(words) <= TITLE_LETTERS else words[: TITLE_LETTERS - 1] + "…"
