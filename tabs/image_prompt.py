"""The prompt: its box with suggestions while one writes, how many tokens it has, what the model reads of it, and the place of a fault."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import gradio as gr

from studio import ui
from studio.api import Studio, StudioError
from tabs.image_advice import PIPELINE
from tabs.image_styles import styles_of

SCRIPT = (Path(__file__).parent / "image_prompt.js").read_text(encoding="utf-8")
WILDCARD_SUFFIXES = (".txt",)
MOST_WORDS = 5000
MARKED = 24  # letters that are shown on each side of a fault


class PromptBox:
    """Prompt and negative prompt, with what is told of them below."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def build(self) -> None:
        words = self.studio.words
        with gr.Group():
            self.prompt = gr.Textbox(label=words("Prompt"), lines=3, max_lines=12, placeholder=words("What the picture shows"), elem_id="image-prompt")
            self.negative = gr.Textbox(label=words("Negative prompt"), lines=1, max_lines=8, placeholder=words("What it should not show"), elem_id="image-negative")
        self.told = gr.HTML("", js_on_load=SCRIPT, elem_id="image-told", padding=False)
        self.negative_told = gr.HTML("", elem_id="image-negative-told", padding=False)
        with gr.Accordion(words("What the model reads"), open=False, visible=False, elem_id="image-reads") as self.fold:
            self.reads = gr.HTML("", padding=False)

    @property
    def answers(self) -> list[Any]:
        """What `on_read` fills."""
        return [self.told, self.fold, self.reads]

    def on_read(self, prompt: str, model: str, request: gr.Request) -> list[Any]:
        """While it is written: tokens of its limit, or its fault; and the encoder's view, folded."""
        lang = ui.lang(request)
        pipeline: Any = self.studio.pipelines[PIPELINE]
        if (problem := pipeline.prompt_problem(prompt or "")) is not None:
            return [self.fault(problem, prompt or "", lang), gr.skip(), ""]  # what was read before is not of this prompt
        view = self._view(prompt or "", model)
        if view is None:
            return ["", gr.update(visible=False), ""]
        return [counted(view, self.studio.words.say(lang, "Tokens of the prompt")) + unread(view, self.studio.words.say, lang), gr.update(visible=bool((prompt or "").strip())), reading(view, self.studio.words.say, lang)]

    def listen(self, model: Any) -> None:
        """`model` is the dropdown: the count goes by its encoder."""
        gr.on([self.negative.change, model.change], self.on_negative, [self.negative, model], [self.negative_told], trigger_mode="always_last", **ui.QUICK)

    def on_negative(self, negative: str, model: str, request: gr.Request) -> str:
        """The same of the negative prompt, where something is written there."""
        lang, pipeline = ui.lang(request), self.studio.pipelines[PIPELINE]
        if not (negative or "").strip():
            return ""
        if (problem := pipeline.prompt_problem(negative)) is not None:  # type: ignore[attr-defined]
            return self.fault(problem, negative, lang).replace("<button ", "<button data-box='negative' ")
        view = self._view(negative, model)
        say = self.studio.words.say
        return counted(view, say(lang, "Tokens of the negative prompt"), say(lang, "Negative prompt")) + unread(view, say, lang) if view else ""

    def _view(self, prompt: str, model: str) -> dict[str, Any] | None:
        """What the pipeline says its encoder gets; None where it does not say."""
        look = getattr(self.studio.pipelines[PIPELINE], "encoder_view", None)
        try:
            return dict(look(prompt, model, self.studio.catalog)) if look else None
        except StudioError:
            return None

    def fault(self, error: StudioError, prompt: str, lang: str) -> str:
        """The sentence, and the letters around the place, which a click goes to."""
        sentence = html.escape(ui.error_text(self.studio, error, lang))
        return f"<div class='studio-error' role='alert'><p>{sentence}</p>{self.place(error, prompt, lang)}</div>"

    def place(self, error: StudioError, prompt: str, lang: str) -> str:
        """The letters around the fault's place as a button; "" where it has none."""
        place = getattr(error, "place", None)
        if not isinstance(place, int) or not prompt:
            return ""
        before, sign, after = prompt[max(0, place - MARKED) : place], prompt[place : place + 1] or "␣", prompt[place + 1 : place + 1 + MARKED]
        shown = f"{html.escape(before)}<mark>{html.escape(sign)}</mark>{html.escape(after)}"
        go = html.escape(self.studio.words.say(lang, "Go to the place"))
        return f"<button type='button' data-place='{place}' aria-label='{go}' title='{go}'>{shown}</button>"


def counted(view: dict[str, Any], title: str, name: str = "") -> str:
    """How many tokens of those that fit; `name` stands before them."""
    count = f"{int(view['tokens'])} / {int(view['limit'])}" if view["limit"] else str(int(view["tokens"]))
    shown = html.escape(f"{name} {count}".strip())
    return f"<div class='prompt-told'><span class='count' title='{html.escape(title)}'>{shown}</span></div>"


def unread(view: dict[str, Any], say: Any, lang: str) -> str:
    """What the prompt holds that the model does not read."""
    told = str(view.get("left_out") or "")
    return f"<p class='studio-note'>{html.escape(say(lang, told))}</p>" if told else ""


def reading(view: dict[str, Any], say: Any, lang: str) -> str:
    """Chunks as lines of words, heavier ones bolder, with each weight that is not 1; then what changes at steps, and networks."""
    lines = [f"<p class='chunk'><b>{number}</b>{''.join(_word(str(word), float(weight)) for word, weight in chunk)}</p>" for number, chunk in enumerate(view.get("chunks", []), 1)]
    sides = view.get("sides") or []
    for found, title in ((sides if len(sides) > 1 else [], say(lang, "Joined by AND")), (view.get("switches"), say(lang, "Changes at steps")), (view.get("networks"), say(lang, "Networks"))):
        if found:
            lines.append(f"<p><b>{html.escape(title)}</b> {html.escape(_listed(found))}</p>")
    if remark := str(view.get("words") or ""):
        lines.append(f"<p>{html.escape(say(lang, remark))}</p>")
    return f"<div class='reading'>{''.join(lines)}</div>"


def _word(word: str, weight: float) -> str:
    told = "" if abs(weight - 1) < 0.005 else f"<sub>{weight:.2f}</sub>"
    heavy = " class='heavy'" if weight > 1.005 else " class='light'" if weight < 0.995 else ""
    return f"<span{heavy}>{html.escape(word)}{told}</span>"


def _listed(found: list[Any]) -> str:
    return " · ".join(" ".join(map(str, item)) if isinstance(item, (list, tuple)) else str(item) for item in found)


def suggestions(studio: Studio, owner: str) -> dict[str, list[dict[str, str]]]:
    """Names that the prompt can use: LoRAs with their trigger words, embeddings, lists of wildcards, one's styles."""
    entries = [entry for entry in studio.catalog.entries() if not entry.problem]
    loras = [{"name": prompt_name(entry.key), "more": ", ".join(entry.details.get("trigger_words", []))} for entry in entries if entry.kind == "lora"]
    embeddings = [{"name": prompt_name(entry.key), "more": ""} for entry in entries if entry.kind == "embedding"]
    folder = studio.settings.data / "wildcards"
    lists = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*") if path.suffix in WILDCARD_SUFFIXES) if folder.is_dir() else []
    styles = [{"name": style.name, "more": style.prompt} for style in styles_of(studio, owner)]
    return {"lora": loras[:MOST_WORDS], "embedding": embeddings[:MOST_WORDS], "wildcard": [{"name": name, "more": ""} for name in lists[:MOST_WORDS]], "style": styles[:MOST_WORDS]}


def prompt_name(key: str) -> str:
    """How a network is called in a prompt: its file's name."""
    return key.rpartition("/")[2]
