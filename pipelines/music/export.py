"""music.export: a piece for other programs: MusicXML, a score as pictures (where verovio is installed), or MIDI."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from pipelines.music import midi
from pipelines.music.musicxml import musicxml
from pipelines.music.params import PIECE
from pipelines.music.score import Piece
from pipelines.music.theory import chords_of
from studio.api import Artifact, BadInput, Catalog, Desk, Lane, Need, Params, Result, RunContext, ui

Format = Literal["MusicXML", "Score", "MIDI"]
PAGE = (2100, 2970)  # A4, tenths of a millimetre
WORKING = 128 * 2**20


class ExportParams(Params):
    piece: str = Field("", pattern=PIECE, title="Piece", description="A MIDI file.", json_schema_extra=ui(widget="hidden"))
    format: Format = Field("MusicXML", title="Format", description="MusicXML for notation programs; a score as SVG pages; MIDI with another title.")
    title: str = Field("", max_length=200, title="Title", description="What stands above it; empty: the piece's own.")
    chords: bool = Field(True, title="Chord names", description="With the chords' names: as written, else found in the notes.")
    scale: int = Field(40, ge=15, le=100, title="Size of the score", description="Of the pages of a score: smaller puts more bars on one.", json_schema_extra=ui(step=5))


class Export:
    id: ClassVar[str] = "music.export"
    title: ClassVar[str] = "Export"
    lane: ClassVar[Lane] = "cpu"
    Params: ClassVar[type[Params]] = ExportParams

    def draws_scores(self) -> bool:
        """Whether verovio is there."""
        return importlib.util.find_spec("verovio") is not None

    def score(self, given: dict[str, Any], scale: int = 40) -> str:
        """The first page of a piece's JSON as SVG, for the page. Raises BadInput."""
        from pipelines.music.compose import _piece

        return next(pages(_piece(given), scale, chords=True))

    def need(self, params: ExportParams, catalog: Catalog) -> Need:
        if not params.piece:
            return Need(missing="There is no piece to export.")
        return Need(working_bytes=WORKING)

    def settle(self, params: ExportParams, desk: Desk) -> ExportParams:
        if not params.piece:
            raise BadInput("There is no piece to export.", hint="Compose one, or give a MIDI file.", field="piece")
        if params.format == "Score" and not self.draws_scores():
            raise no_verovio()
        midi.read_file(desk.inputs.path(params.piece))
        return params

    def run(self, params: ExportParams, ctx: RunContext) -> Result:
        started = time.monotonic()
        ctx.progress(0, 1, "Writing")
        piece = midi.read_file(ctx.input(params.piece))
        piece = replace(piece, title=params.title or piece.title)
        notes: list[str] = []
        if params.format == "Score":
            for number, page in enumerate(pages(piece, params.scale, chords=params.chords, notes=notes), 1):
                ctx.progress(number, number + 1, f"Page {number}")
                ctx.output(Artifact("text", page.encode(), ".svg", f"{piece.title or 'Score'} {number}", {"page": number}))
            return Result([], {"notes": notes, "seconds": time.monotonic() - started})
        if params.format == "MIDI":
            named = replace(piece, chords=_named(piece) if params.chords else ())
            made = Artifact("midi", midi.write(named), ".mid", piece.title or "Piece")
        else:
            data, notes = musicxml(piece, chords=params.chords)
            made = Artifact("text", data, ".musicxml", piece.title or "Piece")
        return Result([made], {"notes": notes, "seconds": time.monotonic() - started})


def _named(piece: Piece) -> tuple[tuple[int, str], ...]:
    found = chords_of(piece)
    return tuple(found if not found or found[0][0] == 0 else [(0, "N.C."), *found])


def no_verovio() -> BadInput:
    return BadInput("Scores are drawn by verovio, which is not installed.", hint="Install it with: python -m pip install verovio. MusicXML needs nothing.", field="format")


def pages(piece: Piece, scale: int, *, chords: bool, notes: list[str] | None = None) -> Iterator[str]:
    """SVG pages of A4. Raises BadInput."""
    try:
        import verovio
    except ImportError as error:
        raise no_verovio() from error
    data, told = musicxml(piece, chords=chords)
    if notes is not None:
        notes += told
    verovio.setDefaultResourcePath(str(Path(verovio.__file__).parent / "data"))  # its own setting holds for one thread only
    toolkit = verovio.toolkit()
    toolkit.setOptions({"scale": scale, "pageWidth": PAGE[0] * 40 // scale, "pageHeight": PAGE[1] * 40 // scale, "adjustPageHeight": True, "footer": "none"})
    if not toolkit.loadData(data.decode()):
        raise BadInput("This piece can't be drawn as a score.", hint="Export it as MusicXML.", field="piece")
    for number in range(1, toolkit.getPageCount() + 1):
        yield str(toolkit.renderToSVG(number))
