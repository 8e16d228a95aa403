"""Checkpoints, LoRAs and embeddings as cards: a click chooses the model, or puts the network with its trigger words into the prompt and takes it out again."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
from PIL import Image

from studio import ui
from studio.api import BadInput, ModelEntry, Studio, StudioError
from tabs import image_advice as advice
from tabs.image_actions import own_output
from tabs.image_prompt import prompt_name

SCRIPT = (Path(__file__).parent / "image_cards.js").read_text(encoding="utf-8")
KINDS = {"image": "Models", "lora": "LoRAs", "embedding": "Embeddings"}
FAMILIES = {"sd1": "SD 1", "sd2": "SD 2", "sdxl": "SDXL", "sdxl_refiner": "SDXL refiner", "sd3": "SD 3", "flux": "FLUX", "t5": "T5"}
MOST_CARDS = 3000
THUMB_SIDE = 512


class CardsPanel:
    """The fold with all cards; `chosen` is the key of the card that was clicked last."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def build(self) -> None:
        words = self.studio.words
        with gr.Accordion(words("Models and LoRAs"), open=False, elem_id="image-cards-fold") as self.fold:
            self.chosen = gr.State("")
            self.view = gr.HTML("", js_on_load=SCRIPT, padding=False, elem_id="image-cards")
            with gr.Row(elem_classes="studio-quiet", elem_id="image-cards-foot"):
                self.again = gr.Button(words("Look again"), size="sm", min_width=90, elem_id="image-cards-again")
                self.thumb = gr.Button("", size="sm", min_width=150, visible=False, elem_id="image-thumb")

    def listen(self, form: Any) -> None:
        """`form` has the model's dropdown, and what a change of the model moves."""
        followed = {name: form.controls[name] for name in advice.FOLLOWED}
        given = {"shape": form.shape, "megapixels": form.megapixels, "before": form.defaults} | followed
        self.view.select(self.on_select(form), inputs_kwargs=given, outputs=[self.chosen, self.thumb, form.model, *form.moved], **ui.QUICK)
        gr.on([self.fold.expand, form.model.change], self.on_show, [form.model], [self.view], **ui.QUICK)

    def on_show(self, model: str, request: gr.Request) -> str:
        return cards(self.studio, model, ui.lang(request))

    def on_again(self, model: str, request: gr.Request) -> str:
        """The models' folder read anew: what was put there since."""
        self.studio.catalog.refresh()
        return self.on_show(model, request)

    def on_select(self, form: Any) -> Any:
        def select(event: gr.EventData, request: gr.Request, **given: Any) -> list[Any]:
            key = str(event._data["value"])
            entry = self.studio.catalog.find(key)
            lang = ui.lang(request)
            label = self.studio.words.say(lang, "Chosen picture as thumbnail of {name}", name=self.studio.words.say(lang, entry.title))
            thumb = gr.update(value=label, visible=ui.is_host(request) and Path(entry.path).is_file())
            if entry.kind != "image":
                return [key, thumb, gr.skip(), *[gr.skip()] * len(form.moved)]
            return [key, thumb, key, *form.on_model(key, given["shape"], given["megapixels"], given["before"], *(given[name] for name in advice.FOLLOWED))]

        return select

    def on_thumb(self, key: str, output_id: str, model: str, request: gr.Request) -> str:
        """The chosen picture becomes the card's, beside the model's file. For the studio's owner, below the studio's own models folder."""
        try:
            ui.only_host(request)
            set_thumbnail(self.studio, key, Path(own_output(self.studio, output_id, request).path))
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return cards(self.studio, model, ui.lang(request))


def set_thumbnail(studio: Studio, key: str, picture: Path) -> None:
    """Raises BadInput for a model in another program's folder: nothing in it is changed."""
    entry = studio.catalog.find(key)
    path = Path(entry.path)
    if not path.is_file() or not path.resolve().is_relative_to(studio.settings.models_path.resolve()):
        raise BadInput("This model is in another program's folder, which is left as it is.", hint="Move the model into the studio's models folder.")
    with Image.open(picture) as image:
        small = image.convert("RGB")
    small.thumbnail((THUMB_SIDE, THUMB_SIDE))
    small.save(path.with_name(f"{path.stem}.preview.png"))
    studio.catalog.refresh()


def card_family(studio: Studio, entry: ModelEntry) -> str:
    """The family's key, "" where it is not known: such a card is always shown."""
    if entry.kind == "image":
        return str(advice.traits(studio, entry.key).get("family", "")) if not entry.problem else entry.architecture
    return entry.architecture


def own_title(studio: Studio, entry: ModelEntry, family: str) -> str:
    """What a model's family is called where many share one key; "" elsewhere."""
    return str(advice.facts(studio, entry.key).get("family", "")) if entry.kind == "image" and family == "other" else ""


def cards(studio: Studio, model: str, lang: str) -> str:
    """All cards with what the script needs to filter and insert; words in the asker's language."""

    def say(text: str) -> str:
        return html.escape(studio.words.say(lang, text))

    entries = [entry for kind in KINDS for entry in studio.catalog.entries(kind) if not entry.problem][:MOST_CARDS]
    family = str(advice.traits(studio, model).get("family", ""))
    families = {entry.key: card_family(studio, entry) for entry in entries}
    counts = {kind: sum(entry.kind == kind for entry in entries) for kind in KINDS}
    tabs = "".join(f'<button type="button" data-kind="{kind}" aria-pressed="false">{say(title)} <small>{counts[kind]}</small></button>' for kind, title in KINDS.items() if counts[kind])
    search = f'<input type="search" class="search-action" placeholder="{say("Search")}" aria-label="{say("Search models and LoRAs")}">' if len(entries) > 1 else ""
    others = f'<label><input type="checkbox" data-others> {say("Other families too")}</label>' if any(families[entry.key] not in ("", family) for entry in entries if entry.kind != "image") else ""
    found = "".join(card(replace(entry, title=studio.words.say(lang, entry.title)), families[entry.key], entry.key == model, own_title(studio, entry, families[entry.key])) for entry in entries)
    lonely = f'<p class="studio-note">{say("LoRAs, embeddings and checkpoints that you add in the Models tab appear here.")}</p>' if len(entries) < 2 else ""
    none = f'<p class="studio-note" data-none hidden>{say("Nothing here matches.")}</p>'
    return f'<div class="image-cards" data-family="{html.escape(family)}"><div class="bar">{tabs}{search}{others}</div><div class="grid">{found}</div>{none}{lonely}</div>'


def card(entry: ModelEntry, family: str, current: bool, title: str = "") -> str:
    """One card, with the family's title where it has no short one; its picture comes from the guarded route for models' pictures."""
    words = [str(word) for word in entry.details.get("trigger_words", [])]
    name = prompt_name(entry.key)
    text = "" if entry.kind == "image" else f"<lora:{name}:1>" if entry.kind == "lora" else name
    preview = str(entry.details.get("preview", ""))
    version = int(Path(preview).stat().st_mtime) if preview and Path(preview).is_file() else 0
    picture = f'<img alt="" loading="lazy" src="/api/v1/models/{quote(entry.key)}/preview?{version}">' if version else f'<span class="letter" aria-hidden="true">{html.escape(entry.title[:1].upper())}</span>'
    about = " · ".join(part for part in (FAMILIES.get(family, title), ", ".join(words)) if part)
    data = {"kind": entry.kind, "key": entry.key, "family": family, "text": text, "words": json.dumps(words, ensure_ascii=False), "find": f"{entry.title} {entry.key} {' '.join(words)}".lower()}
    attributes = " ".join(f'data-{name}="{html.escape(value)}"' for name, value in data.items())
    return f'<button type="button" class="card" {attributes} aria-pressed="{str(current).lower()}" title="{html.escape(about)}">{picture}<b>{html.escape(entry.title)}</b><small>{html.escape(about)}</small></button>'
