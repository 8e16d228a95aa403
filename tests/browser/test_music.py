"""The Compose page as a person uses it: a piece that plays at the first look, Generate, notes drawn and moved, a voice painted anew, files, a reload, a phone."""

from __future__ import annotations

import io
import json
import time
import wave
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.music.midi import read
from tests.browser.driving import any_tab, eventually, needs_browser, open_page, settled, tab
from tests.learning import waltzes
from tests.running import Running

pytestmark = needs_browser
WAIT = 120_000
ROLL = "#music-roll canvas.roll"
KEYS, BARS, CHORDS = 46, 24, 20  # as in music_roll.js
DESK = "() => fetch('/api/v1/music/desk').then((answer) => answer.json())"
SOUND = "() => { window.__loud = 0; const start = AudioBufferSourceNode.prototype.start; AudioBufferSourceNode.prototype.start = function (...all) { const data = this.buffer.getChannelData(0); for (let i = 0; i < data.length; i += 97) window.__loud = Math.max(window.__loud, Math.abs(data[i])); return start.apply(this, all); }; }"


@pytest.fixture(scope="module")
def opened(chrome: Any, studio: Running) -> Iterator[Any]:
    """One page for the whole file, as a person keeps it open."""
    page = open_page(chrome, studio.url)
    page.set_default_timeout(WAIT)
    page.evaluate(SOUND)
    compose(page)
    yield page
    assert page.problems == []
    page.context.close()


def compose(page: Any) -> None:
    tab(page, "Music")
    page.locator(ROLL).wait_for()
    page.wait_for_function("() => document.querySelector('#music-roll .time').textContent.endsWith('0:00') === false")


def piece(page: Any) -> dict[str, Any]:
    page.evaluate("() => window.seisei.music.save()")
    return dict(page.evaluate(DESK)["piece"])


def notes(page: Any) -> list[int]:
    return [len(voice["notes"]) for voice in piece(page)["voices"]]


def generated(page: Any, act: Any) -> dict[str, Any]:
    """Do it, wait for the new piece on the desk."""
    before = page.evaluate(DESK)["taken"]
    act()
    deadline = time.monotonic() + 180
    while (found := page.evaluate(DESK))["taken"] == before:
        assert time.monotonic() < deadline, page.locator("#music-view").inner_text()
        page.wait_for_timeout(100)
    settled(page)
    return dict(found)


def at(page: Any, tick: float, pitch: int) -> tuple[float, float]:
    """Where a note lies on the page: the whole piece is in sight, as after opening."""
    box = page.locator(ROLL).bounding_box()
    found = page.evaluate("() => window.seisei.music.view()")
    return box["x"] + KEYS + (tick - found["at"]) * found["px"], box["y"] + BARS + CHORDS + (found["top"] - pitch - 0.5) * found["row"]


def test_a_first_visit_sees_a_piece_in_four_voices_that_plays_and_nothing_was_computed(opened: Any, studio: Running) -> None:
    found = piece(opened)
    assert len(found["voices"]) == 4 and found["length"] == 16 * 4 * 480
    assert studio.get("/api/v1/outputs?limit=5") == []
    opened.click("#music-roll [data-do='Play']")
    opened.wait_for_function("() => parseFloat(document.querySelector('.desk .time').textContent.split(':')[1]) >= 1")
    assert opened.evaluate("() => window.__loud") > 0.05, "it is heard"
    opened.wait_for_selector("#music-roll .play[aria-label='Pause']")
    opened.click("#music-roll .play")
    opened.wait_for_selector("#music-roll .play[aria-label='Play']")
    shown = opened.locator("#music-moods img").evaluate_all("(all) => Promise.all(all.map((img) => { img.loading = 'eager'; return img.decode().then(() => img.naturalWidth); }))")
    assert len(shown) >= 10 and min(shown) > 100, "every mood has its picture"
    left = opened.locator("#music-go").locator("xpath=ancestor::*[contains(@class, 'studio-left')]")
    assert left.locator("[data-testid=block-info] >> visible=true").count() + 1 <= 3, "no wall of controls"


def test_one_click_gives_sixteen_bars_in_four_voices_as_notes_and_sound(opened: Any, studio: Running) -> None:
    found = generated(opened, lambda: opened.click("#music-go"))
    assert len(found["piece"]["voices"]) == 4 and found["piece"]["length"] == 16 * 4 * 480
    made = {output["kind"]: output for output in studio.get("/api/v1/outputs?limit=5")}
    assert set(made) == {"midi", "audio"}
    path = next((studio.data / "outputs").rglob(f"*{made['audio']['id'][:8]}.wav"))
    with wave.open(io.BytesIO(path.read_bytes())) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
        seconds = sound.getnframes() / sound.getframerate()
    beats = found["piece"]["length"] / 480 * 60 / found["piece"]["tempos"][0][1]
    assert beats <= seconds < beats + 8 and 1000 < abs(samples.astype(int)).max() < 32767
    assert found["sound"]["output"] == made["audio"]["id"], "it plays what was made with it"


def test_notes_are_drawn_moved_made_longer_deleted_and_everything_can_be_undone(opened: Any) -> None:
    before = piece(opened)
    high = int(opened.evaluate("() => window.seisei.music.view().top")) - 2  # above all notes
    opened.click("#music-roll [data-do='Draw notes']")
    x, y = at(opened, 480 * 4 * 3, high)
    opened.mouse.move(x + 2, y)
    opened.mouse.down()
    opened.mouse.move(x + 30, y, steps=4)
    opened.mouse.up()
    drawn = piece(opened)
    added = [note for note in drawn["voices"][0]["notes"] if note not in before["voices"][0]["notes"]]
    assert len(added) == 1 and added[0]["pitch"] == high and added[0]["start"] == 480 * 4 * 3 and added[0]["length"] >= 240
    opened.click("#music-roll [data-do='Select and move']")
    x, y = at(opened, added[0]["start"] + 60, high)
    target = at(opened, added[0]["start"] + 60 + 480, high - 3)
    opened.mouse.move(x, y)
    opened.mouse.down()
    opened.mouse.move(*target, steps=6)
    opened.mouse.up()
    moved = next(note for note in piece(opened)["voices"][0]["notes"] if note not in before["voices"][0]["notes"])
    assert (moved["start"], moved["pitch"], moved["length"]) == (added[0]["start"] + 480, high - 3, added[0]["length"])
    opened.locator(ROLL).press("Alt+ArrowRight")
    assert next(note for note in piece(opened)["voices"][0]["notes"] if note not in before["voices"][0]["notes"])["length"] == added[0]["length"] + 120
    opened.locator(ROLL).press("Delete")
    assert piece(opened)["voices"] == before["voices"]
    opened.locator(ROLL).press("Control+z")
    assert notes(opened)[0] == len(before["voices"][0]["notes"]) + 1
    for _ in range(3):
        opened.click("#music-roll [data-do='Undo']")
    assert piece(opened)["voices"] == before["voices"]
    opened.click("#music-roll [data-do='Redo']")
    assert piece(opened)["voices"] == drawn["voices"]


def test_a_changed_piece_is_sounded_anew_when_it_is_played(opened: Any, studio: Running) -> None:
    before = opened.evaluate(DESK)["sound"]
    opened.evaluate("() => { window.__loud = 0; }")
    opened.click("#music-roll .play")
    opened.wait_for_function("() => window.__loud > 0.02")
    opened.click("#music-roll .play")
    opened.evaluate("() => window.seisei.music.save()")
    after = opened.evaluate(DESK)["sound"]
    assert after["output"] != before["output"] and after["own"]
    assert studio.get(f"/api/v1/outputs/{after['output']}")["pipeline"] == "music.render"


def test_a_sound_on_its_way_is_made_once_and_of_the_notes_as_they_are_when_it_plays(opened: Any, studio: Running) -> None:
    before, asked = piece(opened), list[str]()
    opened.on("request", lambda request: asked.append(request.url) if request.url.endswith("/music/sound") else None)
    opened.evaluate("""() => { const plain = window.fetch; window.__plain = plain; window.__held = new Promise((go) => { window.__go = go; });
      window.fetch = async (...all) => { const answer = await plain(...all); if (String(all[0]).endsWith('/music/sound')) await window.__held; return answer; }; }""")
    try:
        opened.locator(ROLL).press(".")
        opened.locator(ROLL).press("ArrowUp")
        opened.locator("#music-roll .play").dblclick()
        opened.locator("#music-roll .works .told").wait_for()
        assert len(asked) == 1, "pressed again: it is on its way"
        opened.locator(ROLL).press("ArrowUp")
        opened.evaluate("() => window.__go()")
        opened.wait_for_selector("#music-roll .play[aria-label='Pause']")
        assert len(asked) == 2, "the first sound was of other notes"
        opened.evaluate("() => window.seisei.music.save()")

        def sounds() -> list[str]:
            return [output["id"] for output in studio.get("/api/v1/outputs?limit=50") if output["pipeline"] == "music.render"]

        assert eventually(opened, sounds, lambda found: len(found) == 1) == [opened.evaluate(DESK)["sound"]["output"]], "only the one that is heard is kept"
        opened.click("#music-roll .play")
    finally:
        opened.evaluate("() => { window.fetch = window.__plain; }")
    opened.locator(".desk .which", has_text="bar 1 ·").wait_for()
    assert "bar 1" in opened.locator(".desk .status").inner_text()
    for _ in range(2):
        opened.click("#music-roll [data-do='Undo']")
    assert piece(opened)["voices"] == before["voices"] and opened.locator(".desk .status").inner_text() == "", "no note is picked any more"


def test_what_is_mixed_while_it_plays_goes_on_and_sounds_as_it_was_mixed(opened: Any) -> None:
    before, mute = opened.evaluate(DESK)["sound"], opened.locator("#music-roll .voice:not(.header) [title='Mute']")
    opened.click("#music-roll .play")
    opened.wait_for_selector("#music-roll .play[aria-label='Pause']")
    opened.evaluate("() => { window.__loud = 0; }")
    mute.first.click()
    opened.wait_for_function("() => window.__loud > 0.02")  # another sound was begun
    assert opened.locator("#music-roll .play").get_attribute("aria-label") == "Pause" and opened.evaluate(DESK)["sound"]["output"] != before["output"]
    for number in range(1, mute.count()):
        mute.nth(number).click()
    opened.locator("#seisei-told", has_text="Nothing of this piece would sound").wait_for()
    opened.wait_for_selector("#music-roll .play[aria-label='Play']")
    for number in range(mute.count()):
        mute.nth(number).click()
    opened.evaluate("() => scrollTo(0, 0)")


def test_bars_of_one_voice_are_painted_anew_and_every_other_note_stays(opened: Any) -> None:
    before = piece(opened)
    box = opened.locator(ROLL).bounding_box()
    opened.mouse.move(at(opened, 480 * 4 * 4 + 100, 60)[0], box["y"] + 10)
    opened.mouse.down()
    opened.mouse.move(at(opened, 480 * 4 * 8 - 100, 60)[0], box["y"] + 10, steps=5)
    opened.mouse.up()
    opened.locator(".desk .which", has_text="5–8").wait_for()
    opened.select_option("[aria-label='Voices to repaint']", "2")
    generated(opened, lambda: opened.click("#music-roll [data-do='Repaint']"))
    after, bar = piece(opened), 4 * 480
    for number, (old, new) in enumerate(zip(before["voices"], after["voices"], strict=True)):
        outside = [[note for note in voice["notes"] if number != 2 or not 4 * bar <= note["start"] < 8 * bar] for voice in (old, new)]
        assert outside[0] == outside[1], old["name"]
    assert before["voices"][2]["notes"] != after["voices"][2]["notes"]
    opened.click("#music-roll [data-do='Undo']")
    assert piece(opened)["voices"] == before["voices"], "Undo takes a generation back, too"


def test_a_piece_is_continued_varied_and_made_a_loop(opened: Any) -> None:
    before = piece(opened)
    longer = generated(opened, lambda: opened.click("#music-roll [data-do='Continue']"))["piece"]
    assert longer["length"] > before["length"]
    for old, new in zip(before["voices"], longer["voices"], strict=True):
        assert [note for note in new["notes"] if note["start"] < before["length"]] == old["notes"], "what was there stays"
    opened.click("#music-roll [data-do='Undo']")
    other = generated(opened, lambda: opened.click("#music-roll [data-do='Variation']"))["piece"]
    assert other["length"] == before["length"] and len(other["voices"]) == len(before["voices"]) and other["voices"] != before["voices"]
    opened.click("#music-roll [data-do='Undo']")
    looped = generated(opened, lambda: opened.click("#music-roll [data-do='Make it a loop']"))["piece"]
    seam = before["length"] - 2 * 4 * 480
    for old, new in zip(before["voices"], looped["voices"], strict=True):
        assert [note for note in new["notes"] if note["start"] + note["length"] <= seam] == [note for note in old["notes"] if note["start"] + note["length"] <= seam]
    assert looped["length"] == before["length"] and opened.locator("#music-roll [data-do='Repeat']").get_attribute("aria-pressed") == "true"
    opened.click("#music-roll [data-do='Repeat']")
    opened.click("#music-roll [data-do='Undo']")
    assert piece(opened)["voices"] == before["voices"]


def test_a_melody_of_one_s_own_is_harmonised_and_stays_as_it_is(opened: Any, tmp_path: Path) -> None:
    from pipelines.music.midi import write
    from pipelines.music.score import Note, Piece, Voice

    line = Voice("Tune", tuple(Note(480 * number, pitch, 480, 80) for number, pitch in enumerate([67, 69, 71, 72, 74, 72, 71, 69, 67, 71, 74, 79, 76, 74, 69, 67])))
    path = tmp_path / "tune.mid"
    path.write_bytes(write(Piece((line,), 16 * 480, keys=((0, "G"),))))
    opened.set_input_files("#music-roll input[type=file]", path)
    opened.wait_for_function("() => document.querySelectorAll('#music-roll .voice .name').length === 1")
    found = generated(opened, lambda: opened.click("#music-roll [data-do='Harmonise']"))
    assert len(found["piece"]["voices"]) >= 3
    assert any([(n["start"], n["pitch"], n["length"]) for n in voice["notes"]] == [(n.start, n.pitch, n.length) for n in line.notes] for voice in found["piece"]["voices"])


def test_the_piece_is_written_as_midi_and_as_sound(opened: Any) -> None:
    opened.click("#music-roll summary")
    with opened.expect_download() as waiting:
        opened.click("#music-roll .list [data-do='MIDI']")
    written = read(Path(waiting.value.path()).read_bytes())
    assert [len(voice.notes) for voice in written.voices] == notes(opened)
    opened.click("#music-roll summary")
    with opened.expect_download() as waiting:
        opened.click("#music-roll .list [data-do='FLAC']")
    assert Path(waiting.value.path()).read_bytes().startswith(b"fLaC")


def test_what_repeats_is_written_as_a_loop_and_what_an_export_changed_is_told(opened: Any) -> None:
    found = piece(opened)
    opened.click("#music-roll [data-do='Repeat']")
    opened.click("#music-roll summary")
    with opened.expect_download() as waiting:
        opened.click("#music-roll .list [data-do='WAV']")
    with wave.open(str(waiting.value.path()), "rb") as sound:
        assert sound.getnframes() == round(found["length"] / 480 * 60 / found["tempos"][0][1] * sound.getframerate()), "it ends where it begins, nothing rings on behind"
    opened.click("#music-roll [data-do='Repeat']")
    opened.select_option("#music-roll [aria-label='Grid']", "10")
    opened.locator(ROLL).press(".")
    opened.locator(ROLL).press("Alt+ArrowRight")
    opened.click("#music-roll summary")
    with opened.expect_download():
        opened.click("#music-roll .list [data-do='MusicXML']")
    opened.locator("#seisei-told", has_text="Notes off the sixteenth grid were moved to it").wait_for()
    opened.select_option("#music-roll [aria-label='Grid']", "120")
    opened.click("#music-roll [data-do='Undo']")
    assert piece(opened)["voices"] == found["voices"]


def test_each_voice_is_written_as_a_file_of_its_own(opened: Any) -> None:
    opened.click("#music-roll summary")
    with opened.expect_download() as waiting:
        opened.click("#music-roll .list [data-do='One file for each voice (zip)']")
    with zipfile.ZipFile(waiting.value.path()) as stems:
        sounds = [stems.read(name) for name in stems.namelist() if name.endswith(".wav")]
    assert len(sounds) == sum(1 for count in notes(opened) if count) and len(set(sounds)) == len(sounds)


def test_the_score_is_shown_on_pages(opened: Any) -> None:
    opened.click("#music-roll summary")
    if not opened.locator("#music-roll .list [data-do='Score as a picture']").count():
        pytest.skip("verovio is not installed")
    opened.click("#music-roll .list [data-do='Score as a picture']")
    opened.locator(".score-pages img.score").first.wait_for()
    assert opened.locator(".score-pages img.score").first.evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 300
    opened.keyboard.press("Escape")
    opened.locator(".score-pages").wait_for(state="hidden")


def test_a_played_line_is_recorded_on_the_beat(opened: Any) -> None:
    before = notes(opened)
    opened.click("#music-roll [data-do='Play keys']")
    opened.click("#music-roll [data-do='Record']")
    opened.wait_for_function("() => parseFloat(document.querySelector('.desk .time').textContent.split(':')[1]) >= 1")  # one bar was counted in, by the clock of the sound
    for key in "adg":
        opened.keyboard.down(key)
        opened.wait_for_timeout(350)
        opened.keyboard.up(key)
        opened.wait_for_timeout(100)
    opened.click("#music-roll [data-do='Stop recording']")
    opened.click("#music-roll [data-do='Play keys']")
    assert sum(notes(opened)) == sum(before) + 3
    voice = max(range(len(before)), key=lambda number: notes(opened)[number] - before[number])
    assert all(note["start"] % 120 == 0 for note in piece(opened)["voices"][voice]["notes"])


def test_a_reload_brings_the_piece_back_as_it_was_changed(opened: Any) -> None:
    opened.locator(ROLL).press(".")
    opened.locator(ROLL).press("Shift+ArrowUp")
    opened.locator("#music-roll .voice").nth(1).locator("select").select_option("40")
    before = piece(opened)
    opened.reload()
    opened.wait_for_selector("#seisei-line >> text=CPU")
    opened.evaluate(SOUND)
    compose(opened)
    settled(opened, 1500)  # the last job is followed again and changes nothing
    assert piece(opened) == before and before["voices"][0]["program"] == 40


def test_the_gallery_shows_the_piece_and_opens_it_again(opened: Any) -> None:
    tab(opened, "Gallery")
    opened.locator("#gallery-grid button", has_text="Chorale").first.wait_for()
    settled(opened)
    opened.locator("#gallery-grid .cell", has=opened.locator(".icon", has_text="♫")).last.locator("button").click()
    picture = opened.locator("#gallery-large img.roll-picture")
    picture.wait_for()
    assert picture.evaluate("(img) => img.decode().then(() => img.naturalWidth)") > 300
    opened.click("#gallery-large [data-piece]")
    opened.locator(ROLL).wait_for()
    opened.wait_for_function("() => document.querySelectorAll('#music-roll .voice .name').length === 4")
    assert len(piece(opened)["voices"]) == 4


def restored(page: Any, output: str) -> None:
    page.evaluate("(id) => window.seisei.use('/api/v1/outputs/' + id + '/restore')", output)


def voice_names(page: Any) -> list[str]:
    return list(page.locator("#music-roll .voice .name").all_inner_texts())


def test_voices_come_are_named_and_go_and_the_piece_has_another_tempo_metre_and_key(opened: Any) -> None:
    before = piece(opened)
    opened.select_option("[aria-label='Voices to repaint']", str(len(before["voices"]) - 1))
    opened.select_option("[aria-label='Add a voice']", "drums")
    opened.select_option("[aria-label='Add a voice']", "73")
    opened.locator(ROLL).press("Home")
    opened.locator(ROLL).press("Enter")
    row = opened.locator("#music-roll .voice:not(.header)").last
    row.locator("[data-do='Rename']").click()
    row.locator("input[type=text]").fill("Bird")
    row.locator("input[type=text]").press("Enter")
    assert voice_names(opened)[-2:] == ["Drums", "Bird"]
    tempo = opened.locator("#music-roll [aria-label='Tempo']")
    tempo.fill("144")
    tempo.press("Enter")
    opened.select_option("#music-roll [aria-label='Metre']", "3/4")
    opened.select_option("#music-roll [aria-label='Key']", "F#m")
    grown = piece(opened)
    assert [(voice["name"], voice["drums"], voice["program"], len(voice["notes"])) for voice in grown["voices"][-2:]] == [("Drums", True, 0, 0), ("Bird", False, 73, 1)]
    assert grown["tempos"] == [[0, 144]] and grown["metres"] == [[0, 3, 4]] and grown["keys"] == [[0, "F#m"]] and grown["facts"]["key"] == "F# minor"
    assert grown["length"] % (3 * 480) == 0 and grown["length"] >= before["length"]
    opened.locator("#music-roll .voice:not(.header)").first.locator("[data-do='Remove this voice']").click()
    assert [voice["name"] for voice in piece(opened)["voices"]] == [voice["name"] for voice in grown["voices"][1:]]
    opened.click("#music-roll [data-do='Undo']")
    assert piece(opened) == grown
    opened.click("#music-roll summary >> nth=0")
    with opened.expect_download() as waiting:
        opened.click("#music-roll .list [data-do='MIDI']")
    written = read(Path(waiting.value.path()).read_bytes())
    assert [voice.name for voice in written.voices][-2:] == ["Drums", "Bird"] and written.voices[-2].drums and written.tempos == ((0, 144.0),) and written.keys == ((0, "F#m"),)
    for _ in range(7):
        opened.click("#music-roll [data-do='Undo']")
    assert piece(opened) == before
    for _ in range(7):
        opened.click("#music-roll [data-do='Redo']")
    assert piece(opened) == grown
    tempo.fill("2000")
    tempo.press("Enter")
    opened.locator("#seisei-told", has_text="from 4 to 900").wait_for()
    tempo.fill("3000")
    tempo.press("Enter")
    assert opened.locator("#seisei-told p", has_text="from 4 to 900").count() == 1, "told once more, not twice"
    assert piece(opened)["tempos"] == [[0, 144]]
    opened.select_option("[aria-label='Voices to repaint']", str(len(grown["voices"]) - 1))
    for _ in range(7):
        opened.click("#music-roll [data-do='Undo']")
    assert piece(opened) == before, "the chosen voice was one that is gone now"


def test_a_new_piece_is_begun_with_the_melody_that_is_chosen(opened: Any) -> None:
    opened.locator("#music-roll .voice .name").first.click()
    melody = piece(opened)["voices"][0]["notes"]
    made = generated(opened, lambda: opened.click("#music-roll [data-do='New piece from this melody']"))["piece"]
    assert any([(n["start"], n["pitch"]) for n in voice["notes"]][: len(melody)] == [(n["start"], n["pitch"]) for n in melody] for voice in made["voices"])
    opened.click("#music-roll [data-do='Undo']")


def test_a_sound_can_be_stopped_while_it_is_made(opened: Any, studio: Running) -> None:
    """By its own Stop, and by the page's, which Escape presses."""
    opened.evaluate("""() => { const plain = window.fetch; window.__plain = plain; window.fetch = async (...all) => {
      const answer = await plain(...all); if (!/[/]jobs[/]\\w+$/.test(String(all[0]))) return answer;
      const found = await answer.json(); window.__seen = { ...found, state: 'running', step: 40, total: 100, eta_seconds: 7, note: 'Playing' };
      return new Response(JSON.stringify(['cancelled', 'failed'].includes(found.state) || window.__halted ? { ...found, state: 'cancelled' } : window.__seen)); }; }""")
    try:
        for stop in (lambda: opened.click("#music-roll .works [data-do='Stop']"), lambda: opened.keyboard.press("Escape")):
            opened.locator(ROLL).press("End")
            opened.locator(ROLL).press("Enter")  # a changed piece is sounded anew
            opened.locator(ROLL).press("Escape")
            opened.click("#music-roll .play")
            opened.locator("#music-roll .works .told", has_text="Playing · 40 % · about 7 s left").wait_for()
            assert opened.locator("#music-roll .works progress").evaluate("(bar) => bar.value / bar.max") == 0.4
            with opened.expect_request("**/cancel") as asked:
                stop()
            assert asked.value.method == "POST"
            opened.evaluate("() => { window.__halted = true; }")
            opened.locator("#music-roll .works .told").wait_for(state="detached")
            assert opened.locator("#music-roll .play").get_attribute("aria-label") == "Play"
            opened.evaluate("() => { window.__halted = false; }")
            opened.click("#music-roll [data-do='Undo']")
    finally:
        opened.evaluate("() => { window.fetch = window.__plain; }")


def test_a_task_comes_back_with_its_piece_and_gives_the_same_notes_again(opened: Any, studio: Running, tmp_path: Path) -> None:
    from playwright.sync_api import expect

    before = piece(opened)
    made = generated(opened, lambda: opened.click("#music-roll [data-do='Continue']"))
    output, bar = studio.get(f"/api/v1/outputs/{made['made']['midi']}"), opened.locator("#music-roll .again")
    opened.click("#music-roll [data-do='Blank piece']")
    restored(opened, output["id"])
    bar.locator("text=Continue").wait_for()
    assert piece(opened)["voices"] == before["voices"], "the piece that was given"
    settled(opened)  # the form is filled, too
    again = generated(opened, lambda: bar.locator("button").click())
    assert again["piece"]["voices"] == made["piece"]["voices"]
    expect(bar).to_be_hidden()
    opened.click("#music-roll [data-do='Blank piece']")
    path = tmp_path / "back.mid"
    path.write_bytes(next((studio.data / "outputs").rglob(f"*{output['id'][:8]}.mid")).read_bytes())
    opened.set_input_files("#music-roll input[type=file]", path)
    bar.locator("text=Continue").wait_for()
    assert piece(opened)["voices"] == made["piece"]["voices"], "a file's own notes"
    opened.reload()
    opened.wait_for_selector("#seisei-line >> text=CPU")
    opened.evaluate(SOUND)
    compose(opened)
    bar.locator("text=Continue").wait_for()


def test_a_sound_brings_its_piece_and_its_mixer_back_to_the_desk(opened: Any, studio: Running) -> None:
    opened.click("#music-roll .fold summary")
    opened.select_option("#music-roll [aria-label='Sound made by']", "SoundFont")
    opened.locator("#music-roll [aria-label='SoundFont']").wait_for()
    opened.get_by_label("Loudness (LUFS)").fill("-20")
    opened.get_by_label("Loudness (LUFS)").press("Enter")
    opened.select_option("#music-roll [aria-label='Bits in WAV and FLAC']", "24")
    opened.click("#music-roll summary >> nth=0")
    with opened.expect_download() as waiting:
        opened.click("#music-roll .list [data-do='WAV']")
    with wave.open(str(waiting.value.path()), "rb") as sound:
        assert sound.getsampwidth() == 3
    before, output = piece(opened), studio.get("/api/v1/outputs?limit=1")[0]
    params = output["metadata"]["params"]
    assert output["pipeline"] == "music.render" and (params["engine"], params["loudness"], params["bits"]) == ("SoundFont", -20, 24)
    opened.click("#music-roll [data-do='Blank piece']")
    assert opened.locator("#music-roll [aria-label='SoundFont']").is_hidden()
    opened.click("#music-roll summary >> nth=0")
    opened.click("#music-roll .list [data-do='WAV']")
    opened.locator("#seisei-told", has_text="There are no notes yet").wait_for()
    restored(opened, output["id"])
    opened.wait_for_function("(n) => document.querySelectorAll('#music-roll .voice .name').length === n", arg=len(before["voices"]))
    assert piece(opened)["voices"] == before["voices"] and opened.get_by_label("Loudness (LUFS)").input_value() == "-20"
    assert opened.locator("#music-roll [aria-label='SoundFont']").is_visible()


def test_a_large_piece_is_kept_at_once_and_not_lost_when_the_page_goes(opened: Any, tmp_path: Path) -> None:
    from pipelines.music.midi import write
    from pipelines.music.score import Note, Piece, Voice

    path = tmp_path / "large.mid"
    path.write_bytes(write(Piece((Voice("Tune", tuple(Note(120 * number, 60 + number % 12, 120, 80) for number in range(4000))),), 120 * 4000)))
    opened.set_input_files("#music-roll input[type=file]", path)
    opened.wait_for_function("() => document.querySelector('#music-roll .title').textContent === 'large'")
    settled(opened)
    opened.locator(ROLL).press(".")
    with opened.expect_response(lambda answer: answer.url.endswith("/music/desk") and answer.request.method == "PUT") as put:
        opened.locator(ROLL).press("ArrowUp")
    assert put.value.ok and len(json.dumps(piece(opened))) > 64 * 1024, "more than a page that goes may send"
    leaving = "() => { const leaving = new Event('beforeunload', { cancelable: true }); dispatchEvent(leaving); return leaving.defaultPrevented; }"
    assert not opened.evaluate(leaving), "nothing is on its way"
    opened.evaluate("() => { window.__plain = window.fetch; window.fetch = (...all) => (all[1]?.method === 'PUT' ? new Promise((done) => { window.__send = () => done(window.__plain(...all)); }) : window.__plain(...all)); }")
    opened.locator(ROLL).press("ArrowUp")
    opened.wait_for_function("() => window.__send")
    assert opened.evaluate(leaving), "the browser asks first"
    opened.evaluate("() => { window.fetch = window.__plain; window.__send(); }")
    opened.evaluate("() => window.seisei.music.save()")
    opened.reload()
    opened.wait_for_selector("#seisei-line >> text=CPU")
    opened.evaluate(SOUND)
    compose(opened)
    assert piece(opened)["voices"][0]["notes"][0]["pitch"] == 62 and notes(opened) == [4000]


def test_settings_of_a_piece_come_back_to_the_form(opened: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    job = studio.post("/api/v1/pipelines/music.compose", preset="Waltz", bars=8, tempo=97, seed=4)["id"]
    made = studio.wait(job)
    tab(opened, "Gallery")
    opened.evaluate("(id) => window.seisei.use('/api/v1/outputs/' + id + '/restore')", made["outputs"][0])
    opened.locator("#music-moods [data-mood='Waltz'][aria-pressed=true]").wait_for()
    expect(opened.locator("#music-bars input").first).to_have_value("8")


def test_files_teach_a_style_that_is_stopped_gone_on_with_kept_passed_on_and_composes(opened: Any, studio: Running, tmp_path: Path) -> None:
    tab(opened, "Music")
    opened.locator("#music-modes").get_by_role("tab", name="Learn", exact=True).click()
    opened.locator("#learn-files input[type=file]").set_input_files(list(waltzes(tmp_path).values()))
    opened.locator("#learn-files", has_text="waltz5").wait_for()
    opened.get_by_text("Advanced", exact=True).locator("visible=true").click()
    opened.get_by_label("Learning steps").locator("visible=true").first.fill("60")  # the shorter two thirds of finding out
    opened.keyboard.press("Tab")
    settled(opened)
    opened.click("#learn-go")
    opened.locator("#learn-view figure.curve polyline").first.wait_for(timeout=600_000)  # it finds out first how long to learn
    opened.locator(".stop-action >> visible=true").click()
    opened.locator("#learn-view", has_text="Stopped. What was learnt until then is kept.").wait_for()
    opened.click("#learn-again")
    opened.locator("#learn-view progress").wait_for()
    opened.locator("#learn-view figure.curve polyline").first.wait_for(timeout=600_000)  # it finds out first how long to learn
    opened.locator(".stop-action >> visible=true").click()
    opened.locator("#learn-view", has_text="Imitation check").wait_for()
    styles = sorted((output for output in studio.get("/api/v1/outputs?limit=50") if output["kind"] == "model"), key=lambda output: output["created"])
    first, second = (studio.get(f"/api/v1/jobs/{style['job_id']}")["summary"] for style in styles)
    assert second["curve"][0][0] == first["curve"][-1][0] + 1, "it goes on where it stopped"
    opened.click("#learn-keep")
    opened.locator("#learn-keep", has_text="Kept").wait_for()
    with opened.expect_download() as waiting:
        opened.locator("#learn-actions").get_by_text("Download").click()
    passed_on = tmp_path / "passed on.safetensors"
    passed_on.write_bytes(Path(waiting.value.path()).read_bytes())
    kept = studio.data / "models" / "music" / "My style.safetensors"
    assert kept.read_bytes() == passed_on.read_bytes()
    kept.unlink()
    opened.locator("input[type=file][accept*=safetensors] >> nth=0").set_input_files(passed_on)
    deadline = time.monotonic() + 120
    while not kept.is_file():
        assert time.monotonic() < deadline, "the style that was passed on did not come"
        opened.wait_for_timeout(100)
    assert kept.read_bytes() == passed_on.read_bytes()
    while not (keys := [model["key"] for model in studio.get("/api/v1/models") if model["kind"] == "composer" and model["title"] == "My style" and model["source"] == "models"]):
        assert time.monotonic() < deadline + 120, "the style is not among the models"
        opened.wait_for_timeout(200)
    job = studio.wait(studio.post("/api/v1/pipelines/music.compose", preset="Waltz", bars=8, model=keys[0], sound="No sound", seed=4)["id"])
    assert job["state"] == "done" and read(next((studio.data / "outputs").rglob(f"*{job['outputs'][0][:8]}.mid")).read_bytes()).voices


def test_on_a_phone_it_plays_and_zooms_and_says_that_editing_wants_more_room(chrome: Any, studio: Running) -> None:
    page = open_page(chrome, studio.url, width=390)
    page.set_default_timeout(WAIT)
    any_tab(page, "Music")
    page.locator(ROLL).wait_for()
    page.locator(".desk .small", has_text="at least 768 pixels wide").wait_for()
    settled(page)
    assert not page.locator("#music-roll [data-do='Draw notes']").is_visible() and page.locator("#music-roll .play").is_visible()
    play, export = page.locator("#music-roll .play").bounding_box(), page.locator("#music-roll .menu summary").bounding_box()
    assert play["y"] <= export["y"] + export["height"] / 2 <= play["y"] + play["height"], "what it is and where it goes stand in one line"
    assert page.locator("#music-roll .title").evaluate("(title) => title.textContent && title.scrollWidth <= title.clientWidth && title.scrollHeight <= title.clientHeight + 1"), "the title is read to its end"
    before, x = piece(page), at(page, 480, 84)
    page.mouse.click(*x)
    page.locator(ROLL).press("Enter")
    wide = page.evaluate("() => window.seisei.music.view().px")
    page.click("#music-roll [data-do='Zoom in']")
    assert page.evaluate("() => window.seisei.music.view().px") > wide and piece(page) == before
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), "nothing sticks out"
    assert page.problems == []
    page.context.close()


def chosen(axis: Any, title: str) -> None:
    axis.click()
    axis.fill(title)
    axis.page.get_by_role("option", name=title, exact=True).locator("visible=true").first.click()


def test_a_grid_compares_tempos_with_the_settings_of_compose(opened: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    opened.locator("#music-modes").get_by_role("tab", name="Grid", exact=True).click()
    axis = opened.get_by_label("X axis").locator("visible=true").first
    chosen(axis, "Tempo")
    opened.locator("#music-grid-x-values textarea").fill("60, 120")
    opened.locator("#music-grid-told").get_by_text("2 cells").wait_for()
    opened.locator("#music-grid-go").click()
    opened.locator("#music-grid-view .files a", has_text="Table").wait_for()
    expect(opened.locator("#music-grid-view .sound")).to_have_count(2, timeout=WAIT)
    with opened.expect_download() as coming:
        opened.locator("#music-grid-view .files a", has_text="Table").click()
    rows = Path(coming.value.path()).read_text("utf-8").splitlines()
    assert rows[0].startswith("Tempo,") and [row.split(",")[0] for row in rows[1:3]] == ["60", "120"]
    opened.get_by_label("Speech", exact=True).locator("visible=true").check()
    expect(axis).not_to_have_value("Tempo", timeout=WAIT)  # speech has none
    chosen(axis, "Speed")
    opened.click("#music-grid-x-fill")
    opened.wait_for_function("() => document.querySelector('#music-grid-x-values textarea').value === '0.5, 1, 1.5, 2'")
