"""music.compose: pieces note by note, as a MIDI file and, where the sound is there, as a recording."""

from __future__ import annotations

import base64
import importlib
import importlib.util
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from pipelines.music import midi
from pipelines.music.models.harmony import progressions
from pipelines.music.params import ComposeParams
from pipelines.music.plan import Plan, plan_of
from pipelines.music.presets import ENSEMBLES, MODEL_TOLD, MODELS, PRESETS
from pipelines.music.score import STEP, Piece, piece_from_json
from pipelines.music.sound.programs import PROGRAM_NAMES
from pipelines.music.theory import named
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, NotFound, Params, Result, RunContext, StudioError

WORKING = 64 * 2**20
SILENT = "The piece was written, but not played: {0}"


class Compose:
    """The notes are kept before they are played: Stop loses no piece."""

    id: ClassVar[str] = "music.compose"
    title: ClassVar[str] = "Compose"
    lane: ClassVar[Lane] = "cpu"
    Params: ClassVar[type[Params]] = ComposeParams

    # -- for the page ------------------------------------------------------------------------------------------

    def presets(self) -> list[dict[str, Any]]:
        return [{"name": name, "about": preset.about, "values": {"preset": name}} for name, preset in PRESETS.items()]

    def models(self) -> list[dict[str, str]]:
        return [{"name": name, "about": MODEL_TOLD.get(name, "")} for name in MODELS]

    def ensembles(self) -> dict[str, list[int]]:
        return {name: list(programs) for name, programs in ENSEMBLES.items()}

    def instruments(self) -> list[str]:
        return list(PROGRAM_NAMES)

    def progressions(self) -> list[dict[str, str]]:
        return progressions()

    def piece(self, path: Path) -> dict[str, Any]:
        """Of any MIDI file, as JSON, with the names of its chords. Raises BadInput."""
        piece = named(midi.read_file(path))
        return replace(piece, facts={name: value for name, value in piece.facts.items() if name != "left_out"}).to_json()

    def lost(self, path: Path) -> list[str]:
        """Sentences: what a MIDI file holds that a piece does not. Raises BadInput."""
        return midi.lost(midi.read_file(path))

    def midi(self, given: dict[str, Any]) -> bytes:
        """A piece's JSON as a MIDI file. Raises BadInput."""
        return midi.write(_piece(given))

    def named(self, given: dict[str, Any]) -> dict[str, Any]:
        """A piece's JSON with the names of its chords: as written, else found in its notes as they are now, which `facts["chords"]` tells. Raises BadInput."""
        piece = named(midi.check(_piece(given)))
        return given | {"chords": [list(item) for item in piece.chords], "facts": piece.facts}

    # -- the job -----------------------------------------------------------------------------------------------

    def need(self, params: ComposeParams, catalog: Catalog) -> Need:
        if params.mode != "New" and not params.piece:
            return Need(missing=f"There is no piece for “{params.mode}”.")
        try:
            bars = len(plan_of(params, None, [name for name, _ in learnt(catalog)]).bars) if params.mode == "New" and not params.piece else params.bars
        except BadInput as error:
            return Need(missing=error.message)
        return Need(working_bytes=WORKING, facts={"bars": bars})

    def pace_key(self, params: ComposeParams, catalog: Catalog) -> str:
        return f"{params.preset} {params.model} {params.sound}"

    def seconds(self, params: ComposeParams, catalog: Catalog, pace: dict[str, float]) -> float:
        return (params.bars or PRESETS[params.preset].bars) * pace.get("bar", 0.0)

    def settle(self, params: ComposeParams, desk: Desk) -> ComposeParams:
        """Reads the piece and the whole plan, so that what can't be written is told now. Raises StudioErrors with the field."""
        given = _read(desk.inputs.path(params.piece)) if params.piece else None
        plan_of(params, given, [name for name, _ in learnt(desk.catalog)])
        return params

    def run(self, params: ComposeParams, ctx: RunContext) -> Result:
        started = time.monotonic()
        written, plan = self.write(params, ctx)
        ctx.output(written)
        notes = list(plan.notes) + (midi.lost(plan.given) if plan.given else [])
        sounds = self.sound(params, written.data, notes, ctx)
        return Result(sounds, {"piece": written.facts, "notes": notes, "pace": {"bar": (time.monotonic() - started) / len(plan.bars)}})

    def write(self, params: ComposeParams, ctx: RunContext) -> tuple[Artifact, Plan]:
        """The MIDI file with its facts, and the plan that it was written after."""
        given = _read(ctx.input(params.piece)) if params.piece else None
        styles = dict(learnt(ctx.catalog))
        plan = plan_of(params, given, list(styles))

        def check(share: float) -> None:
            ctx.progress(round(share * 60), 100, "Composing", share * 0.6)

        check(0.0)
        from pipelines.music.writing import compose

        piece = midi.check(compose(plan, params.seed, styles.get(plan.model), check))
        return Artifact("midi", midi.write(piece), ".mid", piece.title, told(piece, plan)), plan

    def sound(self, params: ComposeParams, data: bytes, notes: list[str], ctx: RunContext) -> list[Artifact]:
        """By music.render, where there is one; a piece that can't be played stays a piece."""
        if params.sound == "No sound":
            return []
        ctx.progress(60, 100, "Playing it", 0.6)
        values: dict[str, Any] = {"midi": base64.b64encode(data).decode(), "loop": params.loop}
        if params.sound != "Automatic":
            values["engine"] = params.sound
        try:
            made = ctx.call("music.render", values)
        except NotFound:
            return []
        except StudioError as error:
            notes.append(SILENT.format(error.message))
            return []
        return [replace(artifact, origin={}) for artifact in made.artifacts[:1]]


def learnt(catalog: Catalog) -> list[tuple[str, Path]]:
    """Key and file of each style that was learnt."""
    if not importlib.util.find_spec("pipelines.music.composer.styles"):
        return []
    styles = importlib.import_module("pipelines.music.composer.styles")
    return [(str(key), Path(path)) for key, _, path in styles.find(catalog)]


def told(piece: Piece, plan: Plan) -> dict[str, Any]:
    """Small facts for page and metadata."""
    bars = len(plan.bars)
    return {
        "title": piece.title, "key": plan.key.name, "tempo": piece.tempos[0][1], "metre": f"{piece.metres[0][1]}/{piece.metres[0][2]}", "bars": bars, "model": plan.model,
        "seconds": round(piece.seconds(piece.length), 2), "voices": [voice.name for voice in piece.voices], "notes": sum(len(voice.notes) for voice in piece.voices),
        "chords": [[tick // STEP, name] for tick, name in piece.chords][:400],
    }  # fmt: skip


def _read(path: Path) -> Piece:
    return midi.read_file(path, "piece")


def _piece(given: dict[str, Any]) -> Piece:
    try:
        return piece_from_json(given)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadInput("This is no piece that can be read.", hint="Load the piece again.", field="piece") from error
