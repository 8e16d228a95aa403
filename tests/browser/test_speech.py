"""Speech as a person uses it: a text is heard, a word corrected in its place, a wrong mark shown, and an answer of a chat read aloud."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.driving import eventually, needs_browser, new_chat, say, settled, tab
from tests.browser.storyteller import by_storyteller, storyteller
from tests.running import Running, running

pytestmark = needs_browser

SPOKEN = """() => { const lines = [...document.querySelectorAll('#speech-view .words button')]; window.spoken = [];
const look = () => { const at = lines.findIndex((line) => line.hasAttribute('aria-current')); if (at >= 0 && window.spoken.at(-1) !== at) window.spoken.push(at); };
new MutationObserver(look).observe(document.querySelector('#speech-view'), { subtree: true, attributeFilter: ['aria-current'] }); }"""  # which lines were spoken: a busy machine looks too seldom to see each


ASKED = re.compile("/gradio_api/(queue/join|run/)")  # what a page wants of the studio when it is loaded, and with each click

HEARD = """() => { window.heard = []; const play = HTMLMediaElement.prototype.play;
HTMLMediaElement.prototype.play = function () { window.heard.push(new URL(this.src).pathname + new URL(this.src).hash); this.playbackRate = 8; return play.call(this); }; }"""  # what sounds, and faster


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With the storyteller beside the model that comes along: how long its answers are is known."""
    with storyteller() as teller, running(tmp_path_factory.mktemp("speech"), env={"SEISEI_REMOTE_URL": teller.url}) as studio:
        yield studio


def open_speech(page: Any) -> None:
    tab(page, "Music")
    page.locator("[role=tab][data-tab-id=speech]").first.click()
    page.wait_for_selector("#speech-text textarea >> visible=true")
    settled(page)  # the text as it was kept is there


def test_the_sentence_that_stands_there_is_heard(page: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    open_speech(page)
    expect(page.locator("#speech-text textarea")).to_have_value("Good evening! The train to Kyoto leaves at 18:45 from platform 3. Have a pleasant journey.")
    page.locator("#speech-go").click()
    expect(page.locator("#speech-view .sound-player .words button")).to_have_count(3, timeout=90_000)
    expect(page.locator(".speech-files a")).to_have_count(1)
    sound = studio.get("/api/v1/outputs?pipeline=music.speech")[0]
    assert sound["kind"] == "audio"
    play, lines = page.locator("#speech-view .play"), page.locator("#speech-view .words button")
    expect(play).to_be_enabled()
    page.evaluate(SPOKEN)
    lines.nth(1).click()
    page.wait_for_function("() => window.spoken.join().includes('1,2')")  # it goes on by itself


def test_a_word_is_corrected_in_its_place(page: Any) -> None:
    from playwright.sync_api import expect

    open_speech(page)
    page.fill("#speech-text textarea", "The Kyoto train.")
    word = page.locator("#speech-readings .word[data-word=Kyoto]")
    word.wait_for()
    word.click()
    page.locator("#speech-readings .fix input").fill("key oh toe")
    page.locator("#speech-readings .fix input").press("Enter")
    expect(page.locator("#speech-readings .word.own")).to_have_attribute("data-reading", "key oh toe")


def test_a_japanese_word_is_corrected_and_escape_leaves_it(page: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    open_speech(page)
    page.fill("#speech-text textarea", "人間の話です。")
    word, box = page.locator("#speech-readings .word[data-word=人間]"), page.locator("#speech-readings .fix input")
    word.wait_for()
    expect(word).to_have_attribute("data-reading", "ニンゲン")
    word.click()
    box.press("Escape")
    expect(word).to_be_focused()
    word.click()
    box.fill("ジンカン")
    box.press("Enter")
    expect(page.locator("#speech-readings .word.own")).to_have_attribute("data-reading", "ジンカン")


def test_every_file_that_was_asked_for_can_be_taken(page: Any, studio: Running) -> None:
    """The whole, one file a paragraph, and both subtitles; afterwards an output gives its text back."""
    from playwright.sync_api import expect

    open_speech(page)
    page.fill("#speech-text textarea", "一つ目です。\n\n二つ目です。")
    page.get_by_role("button", name="File and subtitles").click()
    page.get_by_label("Subtitles").first.click()
    page.get_by_role("option", name="Both").click()
    page.get_by_label("One file a line").check()
    page.locator("#speech-go").click()
    links = page.locator(".speech-files a")
    expect(links).to_have_count(5, timeout=120_000)
    taken = [page.request.get(studio.url + str(link.get_attribute("href"))) for link in links.all()]
    assert [answer.body()[:4] for answer in taken] == [b"RIFF", b"1\n00", b"WEBV", b"RIFF", b"RIFF"]
    assert all("attachment" in answer.headers["content-disposition"] for answer in taken)
    whole = str(links.first.get_attribute("href")).split("/")[4]
    page.fill("#speech-text textarea", "")
    page.evaluate(f"window.seisei.use('/api/v1/outputs/{whole}/restore')")
    expect(page.locator("#speech-text textarea")).to_have_value("一つ目です。\n\n二つ目です。")


def test_a_wrong_mark_is_shown_at_its_place(page: Any) -> None:
    from playwright.sync_api import expect

    open_speech(page)
    page.fill("#speech-text textarea", '<speak>Hello <brake time="1s"/> you</speak>')
    page.locator("#speech-go").click()
    place = page.locator("#fault-speech-text .speech-place")  # at its field, as every refusal
    expect(place).to_be_visible()
    line, sign = place.inner_text().split("\n")
    assert line[sign.index("▲")] == "<" and line[sign.index("▲") :].startswith("<brake")


def test_an_answer_is_read_aloud_once_it_has_ended(page: Any) -> None:
    from playwright.sync_api import expect

    tab(page, "Text")
    new_chat(page)
    say(page, "Say good morning.")
    button = page.locator(".aloud").last
    button.wait_for()
    button.click()
    expect(button).to_have_attribute("title", "Stop reading")
    expect(page.locator("#chat-aloud i[data-play]")).to_have_count(1, timeout=90_000)
    button.click()
    expect(button).to_have_attribute("title", "Read this aloud")
    expect(button).to_have_attribute("aria-pressed", "false")


def test_an_answer_sounds_sentence_by_sentence_and_is_kept_as_a_whole(page: Any, studio: Running) -> None:
    from playwright.sync_api import expect

    tab(page, "Text")
    new_chat(page)
    by_storyteller(page)
    say(page, "Tell exactly 130 words.")
    button = page.locator(".aloud").last
    button.wait_for()
    page.evaluate(HEARD)
    before = {one["id"] for one in studio.get("/api/v1/outputs?pipeline=music.speech")}
    button.click()
    expect(button).to_have_attribute("title", "Stop reading")
    expect(button).to_have_attribute("title", "Read this aloud", timeout=180_000)  # it came to its end by itself
    heard = page.evaluate("window.heard")
    (whole,) = eventually(page, lambda: [one for one in studio.get("/api/v1/outputs?pipeline=music.speech") if one["id"] not in before], lambda found: len(found) == 1)
    begins = studio.get(f"/api/v1/outputs/{whole['id']}")["metadata"]["facts"]["begins"]
    assert len(begins) > 2 and whole["id"] not in heard[0], "the first sentence sounded before the whole was there"
    assert all(whole["id"] not in one for one in heard[:-1]) and heard[-1] == f"/api/v1/outputs/{whole['id']}/file#t={begins[len(heard) - 1]:g}", "after it the rest, from where the next one begins"


def test_a_script_keeps_its_voices_and_sounds_again_at_once_after_a_reload(page: Any, studio: Running) -> None:
    """Also for who presses Generate before the page has brought the text back. The last here, for its speakers stay."""
    from playwright.sync_api import expect

    open_speech(page)
    page.fill("#speech-text textarea", "Anna: Good day.\nBen: こんにちは。")
    voice = page.get_by_label("Ben", exact=True)
    voice.click()
    page.get_by_role("option", name="Mei").locator("visible=true").first.click()
    settled(page)

    def spoken() -> dict[str, Any]:
        """The speakers of each job that has kept something, the newest first: a job may keep each line besides the whole."""
        return {one["job_id"]: one["metadata"]["params"]["speakers"] for one in studio.get("/api/v1/outputs?pipeline=music.speech")}

    before = len(spoken())
    page.locator("#speech-go").click()
    eventually(page, lambda: len(spoken()), lambda count: count == before + 1)
    settled(page)
    held: list[Any] = []
    page.route(ASKED, lambda route: held.append(route))
    page.reload()
    tab(page, "Music")
    page.locator("[role=tab][data-tab-id=speech]").first.click()
    expect(page.locator("#speech-go")).to_be_disabled()
    for one in held:
        one.continue_()
    page.unroute(ASKED)
    page.locator("#speech-go").click()
    eventually(page, lambda: len(spoken()), lambda count: count == before + 2)
    expect(voice).to_have_value(re.compile("Mei"))
    assert list(spoken().values())[:2] == [["Anna = automatic", "Ben = mei"]] * 2
    assert not page.locator("#speech-problem").inner_text().strip()
