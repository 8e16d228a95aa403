"""Grids of sounds: a piece, a speech or a sound for each combination of two or three settings' values, each kept with its own settings, and a table of them all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from pydantic import Field

from pipelines.axes import WHICH, Axes, Part, at_axis, axis, axis_values, cells_of, fields_of, read_axes, seeded
from pipelines.music.audio.generate import MakeAudio
from pipelines.music.compose import Compose
from pipelines.music.speech.speech import Speech
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Params, Result, RunContext, StudioError, ui

AXIS_TOLD = "What changes along it: the title of one of the settings."
VALUES_TOLD = "With commas between, and quotes around what has commas in it; numbers also as 60-120 (+20) or 60-120 [4]."


class MusicGridParams(Params):
    settings: dict[str, Any] = Field({}, title="Its settings", description="Those of the method: what no axis changes.", json_schema_extra=ui(widget="json"))
    x_axis: str = axis("x", AXIS_TOLD)
    x_values: str = axis_values("x", VALUES_TOLD)
    y_axis: str = axis("y", AXIS_TOLD)
    y_values: str = axis_values("y", VALUES_TOLD)
    z_axis: str = axis("z", AXIS_TOLD)
    z_values: str = axis_values("z", VALUES_TOLD)


@dataclass(frozen=True)
class Kind:
    """What a grid makes. `fixed` are settings that are the same in all grids, so that each cell gives as many outputs as `outputs` says."""

    method: Any
    no_axis: tuple[str, ...]
    fixed: dict[str, Any]
    told: tuple[str, ...]  # facts of a cell's first output that the table has

    def outputs(self, values: dict[str, Any]) -> int:
        return 2 if isinstance(self.method, Compose) and values.get("sound") != "No sound" else 1


PIECES = Kind(Compose(), ("piece", "mode", "repaint_bars", "repaint_voices"), {}, ("title", "key", "tempo", "metre", "bars", "seconds", "notes"))
SPEECHES = Kind(Speech(), ("text", "speakers", "dictionary", "subtitles", "each_line", "each_sentence"), {"subtitles": "None", "each_line": False, "each_sentence": False}, ("seconds",))
SOUNDS = Kind(MakeAudio(), ("sound", "count"), {"count": 1}, ("seconds",))


class MusicGrid:
    """Each cell is kept as soon as it is made; a grid that was broken off goes on after the last one."""

    id: ClassVar[str] = "music.grid"
    title: ClassVar[str] = "Music grid"
    lane: ClassVar[Lane] = "cpu"
    Params: ClassVar[type[Params]] = MusicGridParams
    kind: ClassVar[Kind] = PIECES

    @property
    def fields(self) -> dict[str, str]:
        """Of each title the setting's name."""
        return fields_of(self.kind.method.Params, self.kind.no_axis)

    def axes(self) -> list[str]:
        return list(self.fields)

    def labels(self, values: dict[str, Any]) -> list[tuple[str, str, str]]:
        """Of each cell of a job, in their order: for the page. Raises BadInput."""
        return [labels for labels, _ in self.cells(MusicGridParams.parse(values))]

    def cells(self, params: MusicGridParams) -> Iterator[tuple[tuple[str, str, str], dict[str, Any]]]:
        """(labels, the method's settings): x quickest, z slowest. Raises BadInput."""
        return cells_of(self._axes(params), self.kind.method.Params, self.fields, params.settings | self.kind.fixed)

    def _axes(self, params: MusicGridParams) -> Axes:
        return read_axes(params, self.kind.method.Params, self.fields)

    def need(self, params: MusicGridParams, catalog: Catalog) -> Need:
        """What the cell takes that takes most; as a fact how many cells there are."""
        method = self.kind.method
        try:
            found = [method.need(method.Params.parse(values), catalog) for _, values in self.cells(params)]
        except StudioError as error:
            return Need(missing=error.message)
        if missing := next((one.missing for one in found if one.missing), ""):
            return Need(missing=missing)
        largest = max(found, key=lambda one: one.weight_bytes + one.working_bytes)
        return replace(largest, facts={"cells": len(found)})

    def settle(self, params: MusicGridParams, desk: Desk) -> MusicGridParams:
        """Every cell is checked before the first is made. Raises StudioErrors at "settings", or at the axis whose value is wrong."""
        method = self.kind.method
        try:
            first = seeded(method.Params.parse(params.settings | self.kind.fixed))
        except BadInput as error:
            error.field = "settings"
            raise
        whole = params.model_copy(update={"settings": first.model_dump(mode="json")})
        for _, values in self.cells(whole):
            try:
                method.settle(method.Params.parse(values), desk)
            except StudioError as error:
                raise at_axis(error, params, self.fields, "settings") from error
        return whole

    def run(self, params: MusicGridParams, ctx: RunContext) -> Result:
        todo, rows, notes, before = list(self.cells(params)), list[list[str]](), list[str](), 0
        for number, (labels, values) in enumerate(todo):
            made = self.kind.outputs(values)
            there = min(max(len(ctx.kept) - before, 0), made)
            before += made
            facts: dict[str, Any] = {}
            if there < made:
                facts = self._make(labels, values, there, notes, Part(ctx, number, len(todo), f"Cell {number + 1} of {len(todo)}: {_told(labels)}"))
            rows.append([*labels, *(str(facts.get(name, "")) for name in self.kind.told)])
            if ctx.stopping == "finish":
                break
        table = Artifact("table", self._table(params, rows), ".csv", "Grid", {"cells": len(rows)})
        return Result([table], {"cells": len(rows), "of": len(todo), "notes": list(dict.fromkeys(notes))})

    def _make(self, labels: tuple[str, str, str], values: dict[str, Any], there: int, notes: list[str], part: Any) -> dict[str, Any]:
        """One cell without those of its outputs that are kept already; facts of its first."""
        method = self.kind.method
        made: list[Artifact] = []

        def keep(artifact: Artifact) -> None:
            made.append(artifact)
            if len(made) > there:
                output(replace(artifact, title=_told(labels), origin={"pipeline": method.id, "params": values}))

        output = part.output
        part.output, part.kept, part.seed = keep, [], int(values["seed"])
        part.progress(0, 1)
        result = method.run(method.Params.parse(values), part)
        for artifact in result.artifacts:
            keep(artifact)
        notes += result.summary.get("notes", [])
        return made[0].facts if made else {}

    def _table(self, params: MusicGridParams, rows: list[list[str]]) -> bytes:
        """One line for each cell, its axes first."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*(getattr(params, f"{which}_axis") or which.upper() for which in WHICH), *self.kind.told])
        writer.writerows(rows)
        return out.getvalue().encode()


def _told(labels: tuple[str, str, str]) -> str:
    return " · ".join(label for label in labels if label)


class SpeechGrid(MusicGrid):
    id: ClassVar[str] = "music.speech_grid"
    title: ClassVar[str] = "Speech grid"
    kind: ClassVar[Kind] = SPEECHES


class AudioGrid(MusicGrid):
    id: ClassVar[str] = "music.audio_grid"
    title: ClassVar[str] = "Audio grid"
    lane: ClassVar[Lane] = MakeAudio.lane
    kind: ClassVar[Kind] = SOUNDS
