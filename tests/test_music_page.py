"""The Compose and Learn pages without a browser: the desk, what its script asks for, the form, the pictures, the words."""

from __future__ import annotations

import base64
import io
import json
import re
import xml.dom.minidom
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import Field
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pipelines.music.score import Note, Piece, Voice
from pipelines.music.sound.soundfont import shipped
from studio import ui
from studio.api import Artifact, BadInput, ModelEntry, NotFound, Params, Stats, Studio, Taken
from studio.api import ui as hints
from studio.catalog import Catalog
from studio.downloads import Downloads
from studio.executor import InlineExecutor
from studio.i18n import Words, read_catalogue
from studio.jobs import JobQueue
from studio.plugins import Hooks
from studio.rest import Api, mount
from studio.restore import restore_metadata
from studio.settings import Settings
from studio.simulation import Simulations
from studio.store import Store
from tabs.job_follow import Run
from tabs.music_compose import ComposePage
from tabs.music_desk import COMPOSE, EXPORT, FOLDER, GONE, RENDER, SCRIPTS, Desk, script
from tabs.music_desk_routes import routes
from tabs.music_form import MusicForm, picture
from tabs.music_learn import LEARN, LearnPage
from tabs.music_picture import drawn, loss_curve
from tests.house import finish, worker_config

QUARTER = 480


def tune(pitch: int = 60, name: str = "Flute") -> Voice:
    return Voice(name, tuple(Note(number * QUARTER, pitch + number % 5, QUARTER, 70) for number in range(16)))


NESTED: dict[str, Any] = json.loads('{"a":' * 400 + "1" + "}" * 400)
PIECE = Piece((tune(72, "Soprano"), tune(60, "Bass")), 16 * QUARTER, keys=((0, "C"),), chords=((0, "C"),), title="Two lines").to_json()


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    hooks = Hooks()
    hooks.load_builtin("pipelines.music")
    config = worker_config(tmp_path / "data") | {"builtins": ["pipelines.music"], "budget": 2**34}
    data = tmp_path / "data"
    pipelines = {item.id: item for item in hooks.collect("register_pipelines", simulations=Simulations(hooks.collect("register_simulations")))}
    queue = JobQueue(
        pipelines=pipelines, executors={"cpu": InlineExecutor(config), "device": InlineExecutor(config)}, store=Store(data), hooks=hooks, catalog=Catalog([]), settings=Settings(data_dir=str(data)), spool=data / "spool", budget=lambda settings: 2**34,
    )  # fmt: skip
    yield Studio(queue.settings, queue.hooks, queue.pipelines, queue.catalog, queue, queue.store, Words(), Downloads(lambda: queue.settings, queue.catalog.refresh))
    finish(queue)


def saved(studio: Studio, piece: dict[str, Any], owner: str = "me", job: str = "j1") -> list[Any]:
    """Outputs as a composition leaves them."""
    artifacts = [Artifact("midi", Desk(studio).midi(piece), ".mid", title="A piece"), Artifact("audio", b"RIFF\0\0\0\0WAVE", ".wav", title="A piece")]
    return studio.store.save(job_id=job, owner=owner, pipeline_id=COMPOSE, artifacts=artifacts, metadata={"pipeline": COMPOSE, "params": {}})


# -- the desk ------------------------------------------------------------------------------------------------


def test_what_is_opened_on_the_roll_and_is_no_midi_file_is_told_so_and_not_kept(studio: Studio) -> None:
    client = TestClient(Starlette(routes=[mount(route, studio.words) for route in routes(studio)]), headers={"x-seisei-owner": "me", "x-seisei-host": "0"})
    for data in (b"", b"hello", b"\x89PNG" + b"a" * 80):
        told = client.post("/api/v1/music/read", content=data).json()["error"]
        assert (told["message"], told["field"]) == ("This is no MIDI file.", "piece") and ".mid" in told["hint"]
    assert not list(studio.inputs("me").folder.glob("*"))
    assert client.post("/api/v1/music/read", content=(FOLDER / "first.mid").read_bytes()).json()["key"].endswith(".mid")


def test_a_first_visit_has_a_piece_of_four_voices_and_sixteen_bars_with_its_sound(studio: Studio) -> None:
    import soundfile

    found = Desk(studio).recall("somebody new")
    piece = found["piece"]
    assert len(piece["voices"]) == 4 and all(len(voice["notes"]) > 16 for voice in piece["voices"])
    assert piece["length"] == 16 * 4 * QUARTER and found["sound"]["src"] == "/api/v1/music/samples/first.ogg"
    samples, rate = soundfile.read(FOLDER / "first.ogg")
    seconds = piece["length"] / QUARTER * 60 / piece["tempos"][0][1]
    assert seconds <= len(samples) / rate < seconds + 8 and 0.05 < abs(samples).max() < 1.0


def test_the_desk_keeps_each_person_s_piece_note_for_note(studio: Studio) -> None:
    desk = Desk(studio)
    kept = {"piece": PIECE, "mix": {"volume": [0, -6]}, "sound": None, "made": {"job": "j"}, "taken": "j", "again": None, "loop": True}
    desk.keep("me", kept)
    assert desk.recall("me") == json.loads(json.dumps(kept))
    assert desk.recall("you")["piece"] != desk.recall("me")["piece"]
    path = studio.jobs.desk.inputs.path(desk.key("me", PIECE))
    assert [[note["start"], note["pitch"], note["length"], note["velocity"]] for note in desk.piece(path)["voices"][0]["notes"]] == [[n.start, n.pitch, n.length, n.velocity] for n in tune(72).notes]


def test_chords_without_written_names_are_named_and_named_anew_when_notes_change(studio: Studio) -> None:
    desk = Desk(studio)
    third = Voice("Third", tuple(Note(number * 4 * QUARTER, pitch, 4 * QUARTER, 70) for number, pitch in enumerate((64, 69, 62, 64))))
    roots = [Voice("Root", tuple(Note(number * 4 * QUARTER, pitch, 4 * QUARTER, 70) for number, pitch in enumerate(line))) for line in ((48, 41, 43, 48), (55, 60, 59, 55))]
    bare = json.loads(json.dumps(Piece((third, *roots), 16 * QUARTER).to_json()))
    told = desk.keep("me", {"piece": bare})
    assert [name for _, name in told["chords"]] == ["C", "F", "G", "C"] and told["facts"] == {"chords": "found"}
    kept = desk.recall("me")["piece"]
    assert kept["chords"] == told["chords"] and desk.keep("me", {"piece": kept}) == {}, "nothing is new"
    kept["voices"][1]["notes"][1]["pitch"] = 45
    kept["voices"][0]["notes"][1]["pitch"] = 64
    assert [name for _, name in desk.keep("me", {"piece": kept})["chords"]] == ["C", "Am", "G", "C"]
    written = json.loads(json.dumps(PIECE))
    assert desk.keep("me", {"piece": written}) == {} and desk.recall("me")["piece"]["chords"] == [[0, "C"]], "what was written stays as it was written"


def test_an_opened_file_comes_with_its_names_and_with_what_was_left_out(studio: Studio, tmp_path: Path) -> None:
    import mido

    path = tmp_path / "other.mid"
    file = mido.MidiFile(file=io.BytesIO(Desk(studio).midi(PIECE | {"chords": []})))
    file.tracks[0] = mido.MidiTrack(message for message in file.tracks[0] if message.type != "text")
    file.tracks[1].insert(0, mido.Message("pitchwheel", pitch=20))
    file.save(path)
    found = Desk(studio).opened(path)
    assert found["notes"] == ["Bends of pitch were left out of this MIDI file."] and found["piece"]["chords"] and found["piece"]["facts"] == {"chords": "found"}


def test_the_verdict_tells_the_memory_and_how_long_a_piece_takes_once_one_was_made(studio: Studio) -> None:
    studio.jobs.start()
    page = ComposePage(studio)
    page.form = formed(studio)
    request: Any = SimpleNamespace(headers={"accept-language": "en"}, cookies={})
    given = {name: control.value for name, control in page.form.controls.items()} | {"preset": "Waltz", "bars": 2, "sound": "No sound"}
    assert re.fullmatch(r"Fits: \d+ MB of 16.0 GB", page.on_measure(request, **given))
    assert studio.submit(COMPOSE, {"preset": "Waltz", "bars": 1, "sound": "No sound"}, owner="me").wait().state == "done"
    assert re.fullmatch(r"Fits: \d+ MB of 16.0 GB · about \d+ s", page.on_measure(request, **given))


@pytest.mark.parametrize("given", [None, [], "x", {}, {"voices": 3}, {"voices": [{"name": "x"}], "length": 4}, PIECE | {"voices": [{"name": "x", "notes": [{"start": 0, "pitch": 300, "length": 10, "velocity": 5}]}]}, PIECE | {"facts": {"a": float("nan")}}, PIECE | {"facts": {"a": "\ud800"}}, PIECE | {"facts": NESTED}, PIECE | {"facts": [1]}])
def test_what_is_no_piece_is_refused_in_a_sentence_and_the_old_one_stays(studio: Studio, given: Any) -> None:
    desk = Desk(studio)
    desk.keep("me", {"piece": PIECE})
    with pytest.raises(BadInput) as told:
        desk.keep("me", {"piece": given})
    assert told.value.message.endswith(".") and desk.recall("me")["piece"]["title"] == "Two lines"


def test_an_output_opens_on_the_desk_with_its_sound_and_only_one_s_own(studio: Studio) -> None:
    made = saved(studio, PIECE)
    desk = Desk(studio)
    desk.open("me", made[0].id)
    found = desk.recall("me")
    assert found["piece"]["title"] == "Two lines" and found["sound"]["output"] == made[1].id and found["made"] == {"job": "j1", "midi": made[0].id}
    for owner, output in (("you", made[0].id), ("me", made[1].id)):
        with pytest.raises(NotFound):
            desk.open(owner, output)


def test_a_cell_of_a_grid_opens_with_its_own_sound(studio: Studio) -> None:
    """All cells are outputs of one job."""
    desk = Desk(studio)

    def cell(tempo: int, *kinds: str, **more: Any) -> list[Any]:
        artifacts = [Artifact("midi", desk.midi(PIECE), ".mid") if kind == "midi" else Artifact("audio", b"RIFF\0\0\0\0WAVE", ".wav") for kind in kinds]
        return studio.store.save(job_id="grid", owner="me", pipeline_id=COMPOSE, artifacts=artifacts, metadata={"pipeline": COMPOSE, "params": {"tempo": tempo} | more})

    first, second, silent = cell(60, "midi", "audio"), cell(90, "midi", "audio", sound="SoundFont", loop=True), cell(120, "midi", sound="No sound")
    alike, last = cell(150, "midi", "audio"), cell(150, "midi", "audio")
    for midi, sound in (first, second, alike, last):
        desk.open("me", midi.id)
        assert desk.recall("me")["sound"]["output"] == sound.id
    desk.open("me", silent[0].id)
    assert desk.recall("me")["sound"] is None
    desk.open("me", second[0].id)
    found = desk.recall("me")
    assert found["mix"] == {"engine": "SoundFont"} and found["loop"] and found["sound"]["loop"], "sounded anew, it sounds the same"
    studio.store.trash([first[1].id], owner="me")
    desk.open("me", first[0].id)
    assert desk.recall("me")["sound"] is None, "not the next cell's"


# -- settings that come back -------------------------------------------------------------------------------------


def asker(**headers: str) -> Any:
    return SimpleNamespace(headers={"x-seisei-owner": "me"} | headers, cookies={}, query_params={})


@pytest.fixture
def api(studio: Studio) -> Api:
    """As the page registers itself with a studio."""
    desk = Desk(studio)
    for pipeline, take in {COMPOSE: desk.take, RENDER: desk.take_sound, EXPORT: desk.take_export}.items():
        studio.places[pipeline], studio.takers[pipeline] = ["music", "compose"], take
    return Api(studio, list, lambda model: None)


def back(api: Api, pipeline: str, file: Path | None = None, lang: str = "en", **params: Any) -> dict[str, Any]:
    restored = restore_metadata({"pipeline": pipeline, "params": params}, api.studio)
    return dict(api._hand_over(restored, asker(**{"accept-language": lang}), file))


def test_the_piece_and_the_task_of_a_repaint_come_back_and_can_be_done_again(studio: Studio, api: Api) -> None:
    desk, page = Desk(studio), ComposePage(studio)
    desk.keep("me", desk.first() | {"taken": "an earlier job"})
    given = desk.key("me", PIECE)
    told = back(api, COMPOSE, mode="Repaint", piece=given, repaint_bars="2-3", repaint_voices="2", loop=True, sound="SoundFont", tempo=90)
    found = desk.recall("me")
    assert told["changed"] and told["told"] == "The settings are in their tab again." and told["place"] == ["music", "compose"]
    assert found["piece"]["title"] == "Two lines" and found["loop"] and found["mix"] == {"engine": "SoundFont"} and found["taken"] == "an earlier job"
    again = page.acted("me", {"mode": "Again"})
    assert again == {"mode": "Repaint", "piece": given, "repaint_bars": "2-3", "repaint_voices": "2"}
    assert studio.store.recall("me", f"restore:{COMPOSE}")["tempo"] == 90, "the form is as it was"


def test_a_dropped_midi_file_gives_its_notes_and_its_settings(studio: Studio, api: Api, tmp_path: Path) -> None:
    desk, file = Desk(studio), tmp_path / "dropped.mid"
    file.write_bytes(desk.midi(PIECE | {"title": "What came of it"}))
    given = desk.key("me", PIECE)
    assert back(api, COMPOSE, file, mode="Continue", piece=given)["changed"]
    assert desk.recall("me")["piece"]["title"] == "What came of it" and desk.recall("me")["again"]["piece"] == given
    assert back(api, COMPOSE, file, preset="Waltz")["changed"] and desk.recall("me")["again"] is None
    with pytest.raises(BadInput, match="nothing to do once more"):
        ComposePage(studio).acted("me", {"mode": "Again"})


def test_what_could_not_come_back_is_said(studio: Studio, api: Api, tmp_path: Path) -> None:
    desk, gone = Desk(studio), "0" * 64 + ".mid"
    desk.keep("me", {"piece": PIECE})
    told = back(api, COMPOSE, mode="Continue", piece=gone, preset="Waltz")
    assert told["told"] == "The settings are in their tab again. Not taken: Piece (it is not here any more)" and not told["changed"]
    assert "楽曲 (もうここにありません)" in back(api, COMPOSE, lang="ja", mode="Continue", piece=gone)["told"]
    for pipeline in (RENDER, EXPORT):
        with pytest.raises(NotFound, match="not here any more"):
            back(api, pipeline, piece=gone)
    assert desk.recall("me")["piece"]["title"] == "Two lines"
    told = back(api, EXPORT, piece=desk.key("me", PIECE), title="In print", scale=60)
    assert "Not taken: Size of the score (the desk has no control for it)" in told["told"] and desk.recall("me")["piece"]["title"] == "In print"
    del studio.places[EXPORT]
    told = back(api, COMPOSE, model="gone", VAE="sharp")["told"]
    assert told.startswith("The settings are in their tab again. The model gone is not on this computer. Not taken: VAE (not known here)"), "whole sentences first"
    assert back(api, EXPORT, piece=desk.key("me", PIECE))["told"].startswith("No page shows the settings of “Export”.")


def test_a_sound_from_the_desk_brings_its_piece_and_mixer_back(studio: Studio, api: Api) -> None:
    desk, studio.catalog._extra = Desk(studio), shipped
    mix: dict[str, Any] = {"volume": [0, -6.0], "mute": [False, True], "engine": "SoundFont", "soundfont": "", "loudness": -20.0, "reverb": 0.5, "bits": 24}
    job = studio.jobs.get(desk.export("me", {"piece": PIECE, "mix": mix, "what": "FLAC"}))
    params = job.params.model_dump(mode="json")
    assert params["bits"] == 24 and params["loudness"] == -20
    desk.keep("me", desk.first())
    assert back(api, RENDER, **params)["changed"]
    found = desk.recall("me")
    assert found["mix"] == mix and found["piece"]["voices"] == json.loads(json.dumps(PIECE["voices"])) and found["sound"] is None
    told = back(api, RENDER, midi=base64.b64encode(desk.midi(PIECE)).decode(), instruments=[40, 128], loop=True)
    found = desk.recall("me")
    assert told["changed"] and found["loop"] and [(voice["program"], voice["drums"]) for voice in found["piece"]["voices"]] == [(40, False), (0, True)]
    with pytest.raises(BadInput):
        back(api, RENDER, midi="no base64!")


def test_a_file_with_settings_of_this_page_is_told_from_others(studio: Studio, tmp_path: Path) -> None:
    desk, foreign = Desk(studio), tmp_path / "foreign.mid"
    foreign.write_bytes(desk.midi(PIECE))
    assert not desk.ours(foreign) and desk.ours(Path(saved(studio, PIECE)[0].path))


def test_a_job_says_how_far_it_is(studio: Studio) -> None:
    studio.jobs.start()
    job = studio.jobs.get(Desk(studio).sound("me", {"piece": PIECE})).wait()
    request = asker()
    request.path_params = {"id": job.id}
    found = Api(studio, list, lambda model: None).job(request)
    assert (found["state"], found["step"], found["total"], found["note"]) == ("done", 99, 100, "Saving")


def test_the_mixer_is_passed_on_and_what_was_never_touched_stays_the_piece_s_own(studio: Studio) -> None:
    desk = Desk(studio)
    assert desk.mixed({}) == {} == desk.mixed(None)
    mix = {"volume": [0, -6.0], "mute": [False, True], "engine": "SoundFont", "reverb": 0.0, "soundfont": "Mine", "loudness": -20, "bits": 24, "unknown": 3}
    assert desk.mixed(mix) == {"volume": [0, -6.0], "mute": [False, True], "engine": "SoundFont", "reverb": 0.0, "soundfont": "Mine", "loudness": -20}
    studio.pipelines[RENDER].Params.parse(desk.mixed(mix))


def test_a_changed_piece_is_sounded_by_a_job_that_hears_the_mixer(studio: Studio) -> None:
    import soundfile

    studio.jobs.start()
    desk = Desk(studio)
    lengths = []
    for mix in ({"mute": [False, True], "pan": [-1, 0]}, {"mute": [True, False], "pan": [0, 1]}):
        job = studio.jobs.get(desk.sound("me", {"piece": PIECE, "mix": mix})).wait()
        assert job.state == "done", job.error
        samples, _ = soundfile.read(studio.store.output(job.outputs[0]).path)
        lengths.append((abs(samples) ** 2).mean(0))
    assert lengths[0][0] > 3 * lengths[0][1] and lengths[1][1] > 3 * lengths[1][0], "left, then right"


def test_exports_are_what_the_pipelines_write_and_nothing_else(studio: Studio) -> None:
    desk = Desk(studio)
    offered = [what for what, _ in desk.words()["exports"]]
    assert offered[0] == "MIDI" and {"MusicXML", "WAV", "FLAC", "MP3", "OGG", "Stems"} <= set(offered)
    for what in set(offered) - {"MIDI"}:
        job = studio.jobs.get(desk.export("me", {"piece": PIECE, "what": what}))
        assert job.params.model_dump().get("format") == {"Stems": "WAV"}.get(what, what) and job.params.model_dump().get("stems", False) is (what == "Stems")
    with pytest.raises(BadInput):
        desk.export("me", {"piece": PIECE, "what": "EXE"})
    assert len(desk.words()["instruments"]) == 128
    for what, bits in (("WAV", 24), ("FLAC", 24), ("Stems", 24), ("OGG", 16)):
        assert studio.jobs.get(desk.export("me", {"piece": PIECE, "mix": {"bits": 24}, "what": what})).params.model_dump()["bits"] == bits
    with pytest.raises(BadInput, match="FLAC files have no 32 bits"):
        desk.export("me", {"piece": PIECE, "mix": {"bits": 32}, "what": "FLAC"})


def test_the_sound_s_choices_are_those_of_the_renderer_with_one_s_own_soundfonts(studio: Studio) -> None:
    studio.catalog._extra = lambda: [*shipped(), ModelEntry("Mine", "/x/mine.sf2", "soundfont", "soundfont", 9, "My flutes", "SF2"), ModelEntry("Bad", "/x/bad.sf2", "soundfont", "soundfont", 9, "Bad", "SF2", problem="it is damaged")]
    studio.catalog.refresh()
    words = Desk(studio).words()
    assert words["soundfonts"] == [["FluidR3Mono_GM", "FluidR3 Mono"], ["Mine", "My flutes"]]
    assert words["bits"] == [16, 24, 32] and words["loudness"] == {"minimum": -30, "maximum": -10, "default": -16}
    for mix in ({"soundfont": word[0], "loudness": -30, "engine": "SoundFont"} for word in words["soundfonts"]):
        studio.pipelines[RENDER].Params.parse(Desk(studio).mixed(mix))
    del studio.pipelines[RENDER]
    assert not Desk(studio).words()["room"] and Desk(studio).words()["engines"] == []


# -- going on from the piece -----------------------------------------------------------------------------------


def test_wishes_of_the_script_become_parameters(studio: Studio) -> None:
    page, desk = ComposePage(studio), Desk(studio)
    desk.keep("me", {"piece": PIECE})
    whole = desk.key("me", PIECE)
    assert page.acted("me", {"mode": "Continue"}) == {"mode": "Continue", "piece": whole}
    assert page.acted("me", {"mode": "Repaint", "bars": "2-3", "voices": [1]}) == {"mode": "Repaint", "piece": whole, "repaint_bars": "2-3", "repaint_voices": "2"}
    assert page.acted("me", {"mode": "Loop", "bars": "3-4"}) == {"mode": "Repaint", "piece": whole, "loop": True, "repaint_bars": "3-4"}
    one = page.acted("me", {"mode": "Harmonise", "voice": 1})
    assert [voice["name"] for voice in desk.piece(studio.jobs.desk.inputs.path(one["piece"]))["voices"]] == ["Bass"]
    melody = page.acted("me", {"mode": "New", "voice": 1})
    assert melody == {"mode": "New", "piece": one["piece"]}, "the chosen voice opens the new piece"
    for mode in ("Continue", "Variation", "Harmonise", "New"):
        studio.pipelines[COMPOSE].Params.parse(page.acted("me", {"mode": mode}))


def test_without_notes_there_is_nothing_to_go_on_from(studio: Studio) -> None:
    page = ComposePage(studio)
    empty = PIECE | {"voices": [PIECE["voices"][0], PIECE["voices"][1] | {"notes": []}]}
    Desk(studio).keep("me", {"piece": empty})
    with pytest.raises(BadInput, match="no notes"):
        page.acted("me", {"mode": "Harmonise", "voice": 1})
    assert page.acted("me", {"mode": "Harmonise", "voice": 0})["mode"] == "Harmonise"


def test_a_repaint_leaves_every_other_note_as_it_was(studio: Studio) -> None:
    studio.jobs.start()
    page, desk = ComposePage(studio), Desk(studio)
    desk.keep("me", desk.first())
    before = desk.recall("me")["piece"]
    values = page.acted("me", {"mode": "Repaint", "bars": "5-8", "voices": [1]})
    job = studio.submit(COMPOSE, values | {"sound": "No sound", "seed": 8}, owner="me").wait()
    assert job.state == "done", job.error
    after = desk.piece(Path(studio.store.output(job.outputs[0]).path))
    bar = 4 * QUARTER
    for number, (old, new) in enumerate(zip(before["voices"], after["voices"], strict=True)):
        outside = [[note for note in voice["notes"] if number != 1 or not 4 * bar <= note["start"] < 8 * bar] for voice in (old, new)]
        assert outside[0] == outside[1], old["name"]
    assert before["voices"][1]["notes"] != after["voices"][1]["notes"]


def test_a_new_piece_opens_with_the_melody_that_was_chosen(studio: Studio) -> None:
    studio.jobs.start()
    page, desk = ComposePage(studio), Desk(studio)
    short = PIECE["voices"][1] | {"notes": PIECE["voices"][1]["notes"][:8]}
    desk.keep("me", {"piece": PIECE | {"voices": [PIECE["voices"][0], short]}})
    job = studio.submit(COMPOSE, page.acted("me", {"mode": "New", "voice": 1}) | {"preset": "Waltz", "bars": 8, "sound": "No sound", "seed": 3}, owner="me").wait()
    assert job.state == "done", job.error
    made = desk.piece(Path(studio.store.output(job.outputs[0]).path))
    assert made["voices"][0]["name"] == "Bass" and len(made["voices"]) > 1 and made["metres"][0][1:] == (3, 4)
    assert [(note["start"], note["pitch"], note["length"]) for note in made["voices"][0]["notes"][:8]] == [(note["start"], note["pitch"], note["length"]) for note in short["notes"]]


def test_a_finished_job_hands_its_piece_over_and_a_running_one_does_not(studio: Studio) -> None:
    page = ComposePage(studio)
    midi, sound = saved(studio, PIECE)
    done = page.stage(Run("j1", [midi.id, sound.id], notes=["<b>"]), "me", "en")
    told = json.loads(re.search(r'data-made="([^"]*)"', done)[1].replace("&quot;", '"'))  # type: ignore[index]
    assert told["midi"] == midi.id and told["audio"] == sound.id and "&lt;b&gt;" in done
    assert "data-made" not in page.stage(Run("j1", [midi.id], running=True, step=1, total=4), "me", "ja")
    assert 'role="alert"' in page.stage(Run("j1", problem="<x>"), "me", "en") and "<x>" not in page.stage(Run("j1", problem="<x>"), "me", "en")


# -- the form --------------------------------------------------------------------------------------------------


def formed(studio: Studio) -> MusicForm:
    """The form with a stand-in for each component: gr.Blocks leaves event loops open."""
    form = MusicForm(studio)
    form.preset, form.cards, form.extras = SimpleNamespace(), SimpleNamespace(), {}
    names = ["bars", "instruments", *(name for names in form.groups().values() for name in names)]
    form.controls = {name: SimpleNamespace(value=ui.show_value(form.fields[name].get_default(call_default_factory=True))) for name in names}
    return form


def test_three_controls_are_in_sight_and_every_other_field_is_under_advanced_or_set_by_the_desk(studio: Studio) -> None:
    form = formed(studio)
    advanced = {name for names in form.groups().values() for name in names}
    assert {"preset", "bars", "instruments"} | advanced | {"mode", "piece", "repaint_bars", "repaint_voices"} == set(form.Params.model_fields)
    given = {name: control.value for name, control in form.controls.items()} | {"preset": "Waltz"}
    assert form.Params.parse(form.values(given)) == form.Params(preset="Waltz")  # type: ignore[call-arg]
    assert form.Params.parse(form.values(given | {"bars": "12"})).model_dump()["bars"] == 12, "a length of one's own"


def test_moods_have_cards_with_pictures_and_settings_that_parse(studio: Studio) -> None:
    form = formed(studio)
    assert len(form.moods) >= 10
    for name in form.moods:
        assert picture(name).is_file(), "python tabs/samples/music/make.py"
        xml.dom.minidom.parse(str(picture(name)))
        assert form.mood(name)[0] == name
    pressed = form.drawn("Waltz", "ja")
    assert pressed.count('aria-pressed="true"') == 1 and 'aria-label="雰囲気"' in pressed
    shown = dict(zip([id(item) for item in form.filled], form.shown({"preset": "Blues", "tempo": 90.0}, "en"), strict=True))
    assert shown[id(form.preset)] == "Blues" and shown[id(form.controls["tempo"])] == 90.0


# -- learning --------------------------------------------------------------------------------------------------


class LearnParams(Params):
    pieces: list[str] = Field([], title="MIDI files", description="Keys.", json_schema_extra=hints(widget="hidden"))
    name: str = Field("My style", title="Name", description="Of the style.")
    updates: int = Field(160, ge=2, title="Learning steps", description="How many.")
    resume: str = Field("", title="Go on from", description="A style.", json_schema_extra=hints(widget="hidden"))


@pytest.fixture
def learn(studio: Studio) -> LearnPage:
    """The page over a method that is only asked."""
    studio.pipelines[LEARN] = SimpleNamespace(id=LEARN, title="Learn", lane="cpu", Params=LearnParams)  # type: ignore[assignment]
    page = LearnPage(studio)
    page.controls = {"name": SimpleNamespace(), "updates": SimpleNamespace()}
    return page


def test_files_become_keys_and_what_is_no_midi_file_is_named(studio: Studio, learn: LearnPage, tmp_path: Path) -> None:
    given = {"files": [], "kept": [], "name": "Mine", "updates": 20}
    with pytest.raises(BadInput, match="no pieces"):
        learn.asked("me", given)
    one, other = tmp_path / "one.mid", tmp_path / "holiday.png"
    one.write_bytes(Desk(studio).midi(PIECE))
    other.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    (tmp_path / "words.mid").write_bytes(b"no music")
    with pytest.raises(BadInput, match="“words.mid” is no MIDI file"):
        learn.asked("me", given | {"files": [str(one), str(tmp_path / "words.mid")]})
    values, _ = learn.asked("me", given | {"files": [str(one)]})
    assert values["pieces"] == [Desk(studio).key("me", PIECE)] and values["name"] == "Mine" and LearnParams.parse(values)
    with pytest.raises(BadInput, match="holiday.png"):
        learn.asked("me", given | {"files": [str(one), str(other)]})


def test_a_file_that_the_pipeline_refuses_by_its_number_is_called_by_its_name(learn: LearnPage) -> None:
    given, damaged = {"files": ["/x/one.mid", "/x/my waltz.mid"]}, "File 2: This MIDI file is damaged."
    told = [learn.told(BadInput(said, field="pieces"), given, "en") for said in (damaged, "File 1 has no notes but drums.", "File 3: Gone.")]
    assert ["“my waltz.mid”: This MIDI file is damaged." in told[0], "“one.mid” has no notes but drums." in told[1], "File 3: Gone." in told[2]] == [True] * 3
    assert "「one.mid」にはドラム以外の音がありません。" in learn.told(BadInput("File 1 has no notes but drums.", field="pieces"), given, "ja")
    assert "File 2: " in learn.told(BadInput(damaged, field="pieces"), {"files": None}, "en"), "of pieces that came back only the number is known"


def test_a_run_s_settings_come_back_with_its_pieces_and_what_it_went_on_from(studio: Studio, learn: LearnPage) -> None:
    learn.controls |= {"resume": SimpleNamespace()}
    key, gone = Desk(studio).key("me", PIECE), "0" * 64 + ".mid"
    values = {"pieces": [key, gone], "name": "Mine", "updates": 20, "resume": "learnt/earlier"}
    assert learn.take("me", values, None) == Taken(left={"pieces": GONE, "resume": GONE})
    studio.catalog._extra = lambda: [ModelEntry("learnt/earlier", "/x/earlier.safetensors", "other", "safetensors", 9, "Earlier", source="outputs")]
    assert learn.take("me", values | {"pieces": [key]}, None) == Taken()
    studio.store.remember("local", f"restore:{LEARN}", values)
    name, updates, resume, kept, note = learn.on_restore(None)  # type: ignore[arg-type]
    assert (name, updates, resume, kept) == ("Mine", 20, "learnt/earlier", [key]) and note.startswith("1 pieces came back")
    asked, _ = learn.asked("me", {"files": None, "kept": kept, "name": name, "updates": updates, "resume": resume})
    assert LearnParams.parse(asked).model_dump() == LearnParams(pieces=[key], name="Mine", updates=20, resume="learnt/earlier").model_dump()
    assert learn.asked("me", {"files": None, "kept": kept, "name": name, "updates": updates, "resume": None})[0]["resume"] == ""


def test_only_runs_at_work_are_measured(studio: Studio, learn: LearnPage) -> None:
    """What ended is known from its summary: a studio that runs for months holds no curves."""
    for number in range(30):
        learn.follower._take(Run(), Stats({"curve": [[number, 1.0]]}), SimpleNamespace(id=f"ended {number}"), "en")
    assert list(learn.follower.measured) == ["ended 29"]
    waiting = studio.jobs.get(Desk(studio).sound("me", {"piece": PIECE}))
    for job in (waiting, SimpleNamespace(id="new")):
        learn.follower._take(Run(), Stats({"curve": [[1, 1.0]]}), job, "en")
    assert list(learn.follower.measured) == [waiting.id, "new"]


def test_learning_shows_its_curve_and_says_what_came_of_it(learn: LearnPage) -> None:
    job = SimpleNamespace(id="j", params=LearnParams(), state="running")
    run = Run("j", running=True, step=3, total=9)
    learn.follower._take(run, Stats({"curve": [[0, 2.0], [10, 1.0]], "held_out": [[0, 2.0], [10, 1.5]]}), job, "en")
    assert learn.stage(run, "me", "en").count("<polyline") == 2 and "aria-busy" in learn.stage(run, "me", "en")
    learn.follower.measured["j"] |= {"held_out_before": 2.0, "held_out_after": 1.5, "copied_quarters": 5}
    done = learn.stage(Run("j"), "me", "ja")
    assert "25 %" in done and "5 個分" in done and "aria-busy" not in done
    learn.follower.measured["j"] |= {"held_out_after": 2.1}
    assert "no better" in learn.stage(Run("j"), "me", "en") and "lower" not in learn.stage(Run("j"), "me", "en")
    assert "Give MIDI files" in learn.stage(Run(), "me", "en")


# -- pictures and words ----------------------------------------------------------------------------------------


def test_a_picture_of_a_piece_shows_each_voice_and_takes_no_text_from_a_file() -> None:
    hostile = PIECE | {"title": "<script>", "voices": [voice | {"name": '"><script>'} for voice in PIECE["voices"]]}
    found = drawn(hostile)
    assert "script" not in found and len(xml.dom.minidom.parseString(found).getElementsByTagName("path")) == 2
    assert len(xml.dom.minidom.parseString(drawn(PIECE | {"voices": []})).getElementsByTagName("path")) == 0
    many = PIECE | {"voices": [{"notes": [{"start": n, "pitch": 60, "length": 1} for n in range(50_000)]}], "length": 50_000}
    assert len(drawn(many)) < 400_000


def test_a_loss_curve_goes_down_where_the_loss_does() -> None:
    found = xml.dom.minidom.parseString(loss_curve([[0, 2.0], [50, 1.0], [100, 0.5]], [[0, 2.1], [100, 0.9]], "Loss & more"))
    own = next(line for line in found.getElementsByTagName("polyline") if line.getAttribute("class") == "own")
    heights = [float(point.split(",")[1]) for point in own.getAttribute("points").split()]
    assert heights == sorted(heights) and heights[0] < heights[-1] and found.documentElement.getAttribute("aria-label") == "Loss & more"


def test_every_word_of_the_script_has_its_japanese() -> None:
    text, known = "".join((FOLDER.parent.parent / name).read_text(encoding="utf-8") for name in SCRIPTS), read_catalogue("ja")
    said = set(re.findall(r"say\('((?:[^'\\]|\\.)+)'[,)]", text)) | set(re.findall(r"(?:plain|choice|lamp|slid|labelled)\((?:'\w', )?'([^']+)'", text)) | set(re.findall(r"button\('\w+', '([^']+)'", text))
    for conditional in re.findall(r"say\(\w+ \? '([^']+)' : '([^']+)'\)", text):
        said |= set(conditional)
    said |= {label for _, label in re.findall(r"\[(\d+), '([A-Z][a-z]+)'\]", text)}
    assert len(said) > 50 and sorted(word for word in said if word not in known and word != "MIDI") == []
    assert script().startswith("export function start(element, trigger)")
