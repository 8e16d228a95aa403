"""An answer of a chat read aloud: its Markdown as one would say it, spoken by the speech pipeline beside everything else, played in the page sentence by sentence as they come."""

from __future__ import annotations

import html
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import FINAL, Cancelled, Failed, NotFound, Saved, Studio, StudioError
from tabs.sound_view import address
from tabs.stops import Stops

SPEECH = "music.speech"
SCRIPT = (Path(__file__).parent / "speech_aloud.js").read_text(encoding="utf-8")
LEFT_OUT = {"en": "Here stands a piece of code.", "ja": "ここにコードがあります。"}
FENCE = re.compile(r"^[ \t]*(`{3,}(?!`)|~{3,}(?!~))[^\n]*\n.*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
RULE = re.compile(r"^[ \t]*([-*_])([ \t]*\1){2,}[ \t]*$", re.MULTILINE)
TABLE_RULE = re.compile(r"^[ \t]*(?:\|[ \t]*)?:?-{2,}:?[ \t]*(?:\|[ \t]*:?-{2,}:?[ \t]*)*(?:\|[ \t]*)?$", re.MULTILINE)
TITLED = r"\([^)\s]{0,500}(?:\s{1,9}\"[^\"]{0,300}\")?\)"  # an address; bounded as all here is: from no place on may a pattern look to the end of the text
INLINE = (
    (re.compile(rf"!\[([^\[\]]*)\]{TITLED}"), r"\1"),  # pictures: what they show
    (re.compile(rf"\[([^\[\]]+)\](?:{TITLED}|\[[^\[\]]*\])"), r"\1"),  # links: their words
    (re.compile(r"<?\bhttps?://(?:www\.)?([^\s/)>\]]+)[^\s)>\]]*>?"), r"\1"),  # bare addresses: the site
    (re.compile(r"<(?!/?speak)/?[a-zA-Z][^>\n]{0,200}>"), " "), (re.compile(r"(?<!`)`+([^`\n]+)`+"), r"\1"),
    (re.compile(r"(\*\*\*|\*\*|__|~~)(?=\S)(.{1,500}?)(?<=\S)\1"), r"\2"), (re.compile(r"(?<![\w*])([*_])(?=\S)([^*_\n]+?)(?<=\S)\1(?![\w*])"), r"\2"),
    (re.compile(r"\\([\\`*_{}\[\]()#+.!>|~-])"), r"\1"), (re.compile(r"\$\$?([^$\n]+)\$\$?"), r"\1"),
)  # fmt: skip
LINE_MARK = re.compile(r"^[ \t]*(?:#{1,6}[ \t]+|>[ \t]?|[-*+•][ \t]+(?:\[[ xX]\][ \t]+)?)+")
ENDED = tuple(".!?:;,…。！？：、」』")


def speakable(markdown: str, lang: str = "en") -> str:
    """The text without its marks: code blocks are named, not read; of links their words; headings, list entries and rows of tables end as sentences."""
    text = FENCE.sub(f"\n\n{LEFT_OUT.get(lang, LEFT_OUT['en'])}\n\n", markdown)
    text = TABLE_RULE.sub("", RULE.sub("", text))
    for pattern, instead in INLINE:
        text = pattern.sub(instead, text)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(_line(line) for line in text.split("\n"))).strip()


def _line(line: str) -> str:
    """A marked line ends as a sentence, with the mark of its own writing."""
    bare = LINE_MARK.sub("", line).rstrip()
    if bare.count("|") >= 2 and bare.strip().startswith("|"):
        bare, marked = ", ".join(cell.strip() for cell in bare.strip().strip("|").split("|") if cell.strip()), True
    else:
        marked = bare != line.rstrip() or bool(re.match(r"\s*\d+[.)]\s", bare))
    if not marked or not bare or bare.endswith(ENDED):
        return bare
    return bare + ("。" if re.search(r"[぀-ヿ㐀-鿿]", bare) else ".")


def language_of(text: str) -> str:
    """Of what stands for left-out code: the one that most of the answer is written in."""
    return "ja" if len(re.findall(r"[぀-ヿ㐀-鿿]", text)) * 4 > len(text) else "en"


class Aloud:
    """A button on each answer, drawn by the script; the newest reading of a person is the one that Stop ends."""

    slot: ClassVar[str] = "text.aloud.job"
    untidied: ClassVar[str] = "text.aloud.untidied"  # owners by job, for the next start: a studio may end in the middle of a reading

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.stops = Stops(studio)
        self._noting = threading.Lock()
        for job_id, owner in dict(studio.store.recall("", self.untidied, {})).items():
            try:
                self._tidy_later(studio.jobs.get(job_id))
            except NotFound:
                self._put_away(job_id, owner)

    def build(self) -> None:
        self.view = gr.HTML("", js_on_load=SCRIPT, padding=False, elem_id="chat-aloud")

    def listen(self, chat_id: Any, answer_of: Any) -> None:
        """`answer_of(chat_id, row, request)` finds the text of a row of the conversation; "" where it is none."""
        self._answer_of = answer_of
        self.view.input(self.on_speak, [chat_id], [self.view], concurrency_limit=None, trigger_mode="multiple", **ui.QUIET)
        self.view.stop(self.on_stop, [], [], **ui.QUICK)

    def on_speak(self, event: gr.EventData, chat_id: str, request: gr.Request) -> Iterator[str]:
        """The answer's sound for the script to play; a sentence where it can't be read."""
        row, turn, lang = int(event._data["value"][0]), int(event._data["value"][1]), ui.lang(request)
        text = self._answer_of(chat_id, row, request)
        spoken = speakable(text, language_of(text))
        if not spoken:
            yield self._said(turn, self.studio.words.say(lang, "There is nothing to read aloud in this answer."))
            return
        try:
            job = self.studio.submit(SPEECH, {"text": spoken, "kind": "Plain text", "each_sentence": True} | self._voices(ui.owner(request)), owner=ui.owner(request))
        except StudioError as error:
            yield self._said(turn, ui.error_text(self.studio, error, lang))
            return
        self.studio.store.remember(ui.owner(request), self.slot, job.id)
        self.stops.admit(ui.owner(request), request, job.id)
        self._note(job.id, job.owner)
        self._tidy_later(job)
        yield from self._follow(job, turn, lang)

    def _voices(self, owner: str) -> dict[str, Any]:
        """Those that the person chose for Speech, with their pronunciations; else the quick Japanese one, for listening begins with the first sentence of a talk."""
        form = self.studio.store.recall(owner, "speech.form") or {}
        chosen = {name: form[name] for name in ("voice", "japanese_voice", "speed") if form.get(name)}
        known: Any = self.studio.pipelines[SPEECH]
        here = {voice["id"] for voice in known.voices(self.studio.catalog) if not voice["missing"]}
        usual = {"japanese_voice": "mei"} if "mei" in here else {}
        return usual | {name: value for name, value in chosen.items() if name == "speed" or value in here} | {"dictionary": self.studio.store.recall(owner, "speech.dictionary") or []}

    def _follow(self, job: Any, turn: int, lang: str) -> Iterator[str]:
        """Each answer tells all that is there, for the page may miss one: the sentences, then the whole and where each of them begins in it."""
        there: dict[str, Any] = {"sentences": [], "begins": [], "whole": ""}
        for event in job.events():
            if isinstance(event, Saved) and self._saved(event.output_id, there):
                yield f'<i data-play="{html.escape(json.dumps(there))}" data-turn="{turn}"></i>'
            elif isinstance(event, Failed):
                yield self._said(turn, ui.error_text(self.studio, StudioError.from_wire(event.error), lang))
            elif isinstance(event, Cancelled) or (isinstance(event, FINAL) and not job.outputs):
                yield self._said(turn, "")
            if isinstance(event, FINAL):
                return

    def _saved(self, output_id: str, there: dict[str, Any]) -> bool:
        """False for a sentence that went already: the whole is about to be told."""
        try:
            facts = self.studio.store.output(output_id).metadata["facts"]
        except StudioError:
            return False
        if "part" in facts:
            there["sentences"].append(address(output_id))
        else:
            there |= {"whole": address(output_id), "begins": facts.get("begins", [])}
        return True

    def _note(self, job_id: str, owner: str = "") -> None:
        """Whose sentences are still to be put away; without an owner they are."""
        with self._noting:
            open_ones = {**self.studio.store.recall("", self.untidied, {}), job_id: owner}
            self.studio.store.remember("", self.untidied, {one: whose for one, whose in open_ones.items() if whose})

    def _tidy_later(self, job: Any) -> None:
        threading.Thread(target=self._tidy, args=(job,), daemon=True, name="aloud-tidy").start()

    def _tidy(self, job: Any) -> None:
        job.wait()
        self._put_away(job.id, job.owner)

    def _put_away(self, job_id: str, owner: str) -> None:
        """The sentences were for listening early; what is kept is the whole, as far as it was spoken."""
        store = self.studio.store
        sentences = [output.id for output in store.outputs_of(job_id) if "part" in output.metadata["facts"]]
        store.trash(sentences, owner=owner)
        store.purge(sentences, owner=owner)
        self._note(job_id)

    def on_stop(self, request: gr.Request) -> None:
        owner = ui.owner(request)
        self.stops.press(owner, request)
        self.studio.jobs.cancel(self.studio.store.recall(owner, self.slot, ""), by=owner, mode="cancel")

    def _said(self, turn: int, sentence: str) -> str:
        """Also what ends the waiting of a button."""
        told = f'<p class="studio-error" role="alert">{html.escape(sentence)}</p>' if sentence else ""
        return f'<i data-turn="{turn}" data-ended></i>{told}'
