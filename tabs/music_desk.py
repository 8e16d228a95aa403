"""The desk of the Compose page: one piece for each person, with its mixer and its sound, kept between visits; what the page's script asks for. No gradio."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from studio.api import BadInput, NotFound, Output, Studio, Taken
from studio.metadata import extract

COMPOSE, RENDER, EXPORT = "music.compose", "music.render", "music.export"
SLOT = "music.desk"
FOLDER = Path(__file__).parent / "samples" / "music"
SCRIPTS = ("music_roll.js", "music_edit.js", "music_play.js", "music_desk.js", "music_voices.js")
KEPT = ("piece", "mix", "sound", "made", "taken", "again", "loop")
MIXER, WHOLE = ("volume", "pan", "mute", "solo"), ("engine", "reverb", "soundfont", "loudness")  # of each voice, of them all
ENGINES = ("Synthesiser", "SoundFont")
DRUM_KIT = 128  # among music.render's instruments
AGAIN = ("mode", "piece", "repaint_bars", "repaint_voices")  # what only the desk's buttons give a job
NO_CONTROL, GONE = "the desk has no control for it", "it is not here any more"
SOUND_FILES, EXACT = ("WAV", "FLAC", "MP3", "OGG"), ("WAV", "FLAC")
SCORES = ("MusicXML", "Score")  # formats of music.export


def script() -> str:
    """One module of the page's scripts, which share a scope."""
    parts = [(Path(__file__).parent / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return "export function start(element, trigger) {\n" + "\n".join(parts) + "\n}\n"


def version() -> str:
    return hashlib.sha256(script().encode()).hexdigest()[:12]


@dataclass
class Desk:
    """What a person has before them, all as the page's script keeps it: the piece with its mixer and its sound, `made` by which job, `again` what can be done once more, `loop` whether it repeats.

    `taken` is the newest job whose piece came here. A sound has a `key`, which tells of which notes it is; without one it is of those that stand here.
    """

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
        self.studio.store.remember(owner, SLOT, {name: given.get(name) for name in KEPT} | {"piece": piece})
        return {name: piece[name] for name in ("chords", "facts")} if piece["facts"] != given["piece"].get("facts") or piece["chords"] != given["piece"].get("chords") else {}

    def first(self) -> dict[str, Any]:
        path = FOLDER / "first.mid"
        if not path.is_file() or COMPOSE not in self.studio.pipelines:
            return {"piece": None, "mix": {}, "sound": None, "made": {}, "taken": ""}
        return {"piece": self.piece(path), "mix": {}, "sound": {"src": "/api/v1/music/samples/first.ogg", "output": ""}, "made": {}, "taken": ""}

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
        params, made = output.metadata.get("params", {}), self._sound_of(output)
        sound = {"src": f"/api/v1/outputs/{made.id}/file", "output": made.id, "loop": bool(params.get("loop"))} if made else None
        self._put(owner, self.piece(Path(output.path)), mix=self._engine(params), sound=sound, made={"job": output.job_id, "midi": output.id}, loop=bool(params.get("loop")))

    def _sound_of(self, midi: Output) -> Output | None:
        """Of all that its job made: a grid's cells share one."""
        made = self.studio.store.outputs_of(midi.job_id)
        behind = made[[one.id for one in made].index(midi.id) + 1 :] if midi.id in [one.id for one in made] else []
        following = next((one for one in behind if one.kind in ("midi", "audio")), None)
        return following if following and following.kind == "audio" and following.metadata.get("params") == midi.metadata.get("params") else None

    def _put(self, owner: str, piece: dict[str, Any], **more: Any) -> None:
        """Something else lies on the desk; which job came last is still known, or it would come once more."""
        self.keep(owner, {"mix": {}, "made": {}} | more | {"piece": piece, "taken": self.recall(owner).get("taken")})

    # -- settings that come back -----------------------------------------------------------------------------

    def ours(self, path: Path) -> bool:
        """Whether a MIDI file carries settings that belong here."""
        try:
            return extract(path)["pipeline"] in (COMPOSE, EXPORT)
        except BadInput:
            return False

    def take(self, owner: str, values: dict[str, Any], file: Path | None) -> Taken:
        """Of music.compose: a MIDI file's notes, else the piece that was given; and what its task was, to be done again."""
        key, left = str(values.get("piece", "")), dict[str, str]()
        try:
            given = self.studio.jobs.desk.inputs.path(key) if key else None
        except NotFound:
            given, left = None, {"piece": GONE}
        notes = file if file and file.suffix.lower() in (".mid", ".midi") else given
        if notes:
            again = {name: values.get(name, "") for name in AGAIN} if given else None
            self._put(owner, self.piece(notes), mix=self._engine(values), again=again, loop=bool(values.get("loop")))
        return Taken(bool(notes), left)

    def take_sound(self, owner: str, values: dict[str, Any], file: Path | None) -> Taken:
        """Of music.render: the piece with its mixer. Raises NotFound where the piece is gone, BadInput where it can't be read."""
        if values.get("piece"):
            piece = self.piece(self.studio.jobs.desk.inputs.path(str(values["piece"])))
        else:
            try:
                data = base64.b64decode(str(values.get("midi", "")), validate=True)
            except (binascii.Error, ValueError) as error:
                raise BadInput("This is no piece of music.", field="piece") from error
            piece = self.piece(self.studio.jobs.desk.inputs.path(self.studio.inputs(owner).keep(data, "piece")))
        for voice, program in zip(piece["voices"], values.get("instruments") or [], strict=False):
            voice |= {"drums": True} if program == DRUM_KIT else {"drums": False, "program": program} if program >= 0 else {}
        mix = {name: values[name] for name in (*MIXER, *WHOLE, "bits") if name in values and values[name] != []}
        self._put(owner, piece, mix=mix, loop=bool(values.get("loop")))
        return Taken(True)

    def take_export(self, owner: str, values: dict[str, Any], file: Path | None) -> Taken:
        """Of music.export: the piece with its title. Raises NotFound where it is gone."""
        piece = self.piece(self.studio.jobs.desk.inputs.path(str(values.get("piece", ""))))
        self._put(owner, piece | {"title": values.get("title") or piece["title"]})
        fields = self.studio.pipelines[EXPORT].Params.model_fields
        return Taken(True, {name: NO_CONTROL for name in ("chords", "scale") if values.get(name, fields[name].default) != fields[name].default})

    def again(self, desk: dict[str, Any]) -> dict[str, Any]:
        """The task that came back, as parameters. Raises BadInput where there is none."""
        again = desk.get("again")
        if not isinstance(again, dict) or not again.get("piece"):
            raise BadInput("There is nothing to do once more.", hint="Drop a file that was made from a piece.")
        return {name: again[name] for name in AGAIN if name in again}

    def _engine(self, params: dict[str, Any]) -> dict[str, Any]:
        """The mixer of a piece that was composed with a sound."""
        return {"engine": params["sound"]} if params.get("sound") in ENGINES else {}

    # -- jobs ------------------------------------------------------------------------------------------------

    def mixed(self, mix: Any) -> dict[str, Any]:
        """The mixer as music.render wants it; what was never touched stays the piece's own."""
        mix = mix if isinstance(mix, dict) else {}
        held = {name: mix[name] for name in MIXER if isinstance(mix.get(name), list)}
        return held | {name: mix[name] for name in WHOLE if mix.get(name) is not None}

    def sound(self, owner: str, given: dict[str, Any], more: dict[str, Any] | None = None) -> str:
        """A job that sounds the piece; its id."""
        values = {"piece": self.key(owner, given.get("piece")), "loop": bool(given.get("loop")), **self.mixed(given.get("mix")), **(more or {})}
        return str(self.studio.submit(RENDER, values, owner=owner).id)

    def export(self, owner: str, given: dict[str, Any]) -> str:
        """A job that writes the file that was asked for; its id. Raises BadInput."""
        what, mix = str(given.get("what", "")), given.get("mix")
        bits = {"bits": mix["bits"]} if isinstance(mix, dict) and mix.get("bits") is not None else {}
        if what == "Stems":
            return self.sound(owner, given, {"stems": True} | bits)
        if what in SCORES and EXPORT in self.studio.pipelines:
            return str(self.studio.submit(EXPORT, {"piece": self.key(owner, given.get("piece")), "format": what}, owner=owner).id)
        if what not in SOUND_FILES:
            raise BadInput("A piece can't be written like that.", field="what")
        return self.sound(owner, given, {"format": what} | (bits if what in EXACT else {}))

    def words(self) -> dict[str, Any]:
        """What the script draws menus from: only what is there."""
        render: Any = self.studio.pipelines.get(RENDER)
        instruments = list((render or self.compose).instruments())[:DRUM_KIT]
        exports = [("MIDI", "MIDI")]
        exports += [(name, name if name == "MusicXML" else "Score as a picture") for name in self._scores()]
        exports += [(name, name) for name in SOUND_FILES] + [("Stems", "One file for each voice (zip)")] if render else []
        return {"instruments": instruments, "exports": exports, "room": bool(render)} | (self._sounding(render) if render else {"engines": []})

    def _sounding(self, render: Any) -> dict[str, Any]:
        """What the whole is made to sound by: the choices that music.render has."""
        fields, schema = render.Params.model_fields, render.Params.model_json_schema()["properties"]
        loudness = {name: schema["loudness"][name] for name in ("minimum", "maximum", "default")}
        fonts = [[key, title] for title, key in render.soundfonts(self.studio.catalog)]
        return {"engines": list(get_args(fields["engine"].annotation)), "soundfonts": fonts, "loudness": loudness, "bits": list(get_args(fields["bits"].annotation))}

    def _scores(self) -> list[str]:
        """A score needs a library that may not be there."""
        export: Any = self.studio.pipelines.get(EXPORT)
        return [name for name in SCORES if name != "Score" or export.draws_scores()] if export else []
