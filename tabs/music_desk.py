"""The desk of the Compose page: one piece for each person, with its mixer and its sound, kept between visits; what the page's script asks for. No gradio."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from studio.api import BadInput, NotFound, Output, Studio

COMPOSE, RENDER, EXPORT = "music.compose", "music.render", "music.export"
SLOT = "music.desk"
FOLDER = Path(__file__).parent / "samples" / "music"
SCRIPTS = ("music_roll.js", "music_edit.js", "music_play.js", "music_desk.js")
MIXER = ("volume", "pan", "mute", "solo")
SOUND_FILES = ("WAV", "FLAC", "MP3", "OGG")
SCORES = ("MusicXML", "Score")  # formats of music.export


def script() -> str:
    """One module of the page's scripts, which share a scope."""
    parts = [(Path(__file__).parent / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return "export function start(element, trigger) {\n" + "\n".join(parts) + "\n}\n"


def version() -> str:
    return hashlib.sha256(script().encode()).hexdigest()[:12]


@dataclass
class Desk:
    """What a person has before them: {"piece", "mix", "sound", "made", "taken"}, all as the page's script keeps them; `taken` is the newest job whose piece came here."""

    studio: Studio

    # -- kept ------------------------------------------------------------------------------------------------

    def recall(self, owner: str) -> dict[str, Any]:
        """The person's desk; at a first visit a piece that comes along, ready to play."""
        kept = self.studio.store.recall(owner, SLOT)
        return kept if isinstance(kept, dict) and kept.get("piece") else self.first()

    def keep(self, owner: str, given: dict[str, Any]) -> dict[str, Any]:
        """What of its piece is new: the names of its chords, where they are found in its notes. Raises BadInput for what is no piece."""
        self.midi(given.get("piece"))
        piece = self.compose.named(given["piece"])
        self.studio.store.remember(owner, SLOT, {name: given.get(name) for name in ("mix", "sound", "made", "taken")} | {"piece": piece})
        return {name: piece[name] for name in ("chords", "facts")} if piece["facts"] != given["piece"].get("facts") or piece["chords"] != given["piece"].get("chords") else {}

    def first(self) -> dict[str, Any]:
        path = FOLDER / "first.mid"
        if not path.is_file() or COMPOSE not in self.studio.pipelines:
            return {"piece": None, "mix": {}, "sound": None, "made": {}, "taken": ""}
        return {"piece": self.piece(path), "mix": {}, "sound": {"src": "/api/v1/music/samples/first.ogg", "output": "", "first": True}, "made": {}, "taken": ""}

    # -- pieces ----------------------------------------------------------------------------------------------

    @property
    def compose(self) -> Any:
        if COMPOSE not in self.studio.pipelines:
            raise NotFound("The music pipelines are not installed.")
        return self.studio.pipelines[COMPOSE]

    def piece(self, path: Path) -> dict[str, Any]:
        """Of a MIDI file. Raises BadInput."""
        found: dict[str, Any] = self.compose.piece(path)
        return found

    def opened(self, path: Path) -> dict[str, Any]:
        """A MIDI file's piece, with what could not be kept of the file. Raises BadInput."""
        return {"piece": self.piece(path), "notes": self.compose.lost(path)}

    def midi(self, piece: Any) -> bytes:
        """Raises BadInput for what is no piece."""
        if not isinstance(piece, dict):
            raise BadInput("This is no piece of music.", field="piece")
        try:
            data: bytes = self.compose.midi(piece)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BadInput("This is no piece of music.", field="piece") from error
        return data

    def key(self, owner: str, piece: Any) -> str:
        """The piece among the inputs of jobs. Raises BadInput."""
        return self.studio.inputs(owner).keep(self.midi(piece), "piece")

    def output(self, owner: str, output_id: str) -> Output:
        """One's own MIDI output. Raises NotFound."""
        output = self.studio.store.output(output_id)
        if output.owner != owner or output.kind != "midi" or not Path(output.path).is_file():
            raise NotFound("There is no such piece.")
        return output

    def open(self, owner: str, output_id: str) -> None:
        """An output's piece comes on the desk, with the sound that was made with it."""
        output = self.output(owner, output_id)
        sounds = [one for one in self.studio.store.outputs_of(output.job_id) if one.kind == "audio" and not one.trashed]
        sound = {"src": f"/api/v1/outputs/{sounds[0].id}/file", "output": sounds[0].id, "first": True} if sounds else None
        self.keep(owner, {"piece": self.piece(Path(output.path)), "mix": {}, "sound": sound, "made": {"job": output.job_id, "midi": output.id}, "taken": self.recall(owner).get("taken")})

    # -- jobs ------------------------------------------------------------------------------------------------

    def mixed(self, mix: Any) -> dict[str, Any]:
        """The mixer as music.render wants it; what was never touched stays the piece's own."""
        mix = mix if isinstance(mix, dict) else {}
        held = {name: mix[name] for name in MIXER if isinstance(mix.get(name), list)}
        return held | {name: mix[name] for name in ("engine", "reverb") if mix.get(name) is not None}

    def sound(self, owner: str, given: dict[str, Any], more: dict[str, Any] | None = None) -> str:
        """A job that sounds the piece; its id."""
        values = {"piece": self.key(owner, given.get("piece")), "loop": bool(given.get("loop")), **self.mixed(given.get("mix")), **(more or {})}
        return str(self.studio.submit(RENDER, values, owner=owner).id)

    def export(self, owner: str, given: dict[str, Any]) -> str:
        """A job that writes the file that was asked for; its id. Raises BadInput."""
        what = str(given.get("what", ""))
        if what == "Stems":
            return self.sound(owner, given, {"stems": True})
        if what in SCORES and EXPORT in self.studio.pipelines:
            return str(self.studio.submit(EXPORT, {"piece": self.key(owner, given.get("piece")), "format": what}, owner=owner).id)
        if what not in SOUND_FILES:
            raise BadInput("A piece can't be written like that.", field="what")
        return self.sound(owner, given, {"format": what})

    def words(self) -> dict[str, Any]:
        """What the script draws menus from: only what is there."""
        render = self.studio.pipelines.get(RENDER)
        instruments = list(getattr(render or self.compose, "instruments", list)())[:128]
        engines = list(get_args(render.Params.model_fields["engine"].annotation)) if render else []
        exports = [("MIDI", "MIDI")]
        exports += [(name, name if name == "MusicXML" else "Score as a picture") for name in self._scores()]
        exports += [(name, name) for name in SOUND_FILES] + [("Stems", "One file for each voice (zip)")] if render else []
        return {"instruments": instruments, "engines": engines, "room": bool(render), "exports": exports}

    def _scores(self) -> list[str]:
        """A score needs a library that may not be there."""
        export: Any = self.studio.pipelines.get(EXPORT)
        return [name for name in SCORES if name != "Score" or export.draws_scores()] if export else []
