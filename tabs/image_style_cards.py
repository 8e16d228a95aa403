"""The cards of the Style page: paintings, the 26 styles, one's own and the ones used before, each drawn with one's own picture in it."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from studio import ui
from studio.api import BadInput, Studio, StudioError
from tabs.image_samples import painting, samples
from tabs.image_style_mix import BLEND, NAME, Mix, is_named, read_mix, single, tile
from tabs.image_style_strip import Strip

SCRIPT = (Path(__file__).parent / "image_style.js").read_text(encoding="utf-8")
KIND = "painting-style"
USED = "image.style.used"
MOST_USED = 6


@dataclass(frozen=True)
class Card:
    title: str
    mix: Mix
    about: str = ""
    id: str = ""  # of a saved style


def built_in(studio: Studio) -> list[Card]:
    """The 26, by their own pipeline's account."""
    pipeline: Any = studio.pipelines.get(BLEND)
    return [Card(str(one["name"]), single(NAME + str(one["name"])), str(one.get("source", ""))) for one in pipeline.styles()] if pipeline else []


def paintings() -> list[Card]:
    return [Card(one.title, single(one.key), one.by) for one in samples("paintings")]


def mine(studio: Studio, owner: str) -> list[Card]:
    """By name; what can't be read any more is left out."""
    found = []
    for document in studio.store.documents(KIND, owner=owner, limit=500):
        try:
            found.append(Card(document.title, read_mix(document.body.get("mix")), id=document.id))
        except BadInput:
            continue
    return sorted(found, key=lambda card: card.title.lower())


def used(studio: Studio, owner: str, known: list[Card]) -> list[Card]:
    """The last styles, the newest first, under the names they have here."""
    titles = {tile(card.mix): card.title for card in known}
    return [Card(titles.get(tile(mix), ""), mix) for mix in studio.store.recall(owner, USED, [])]


def remember_used(studio: Studio, owner: str, mix: Mix) -> None:
    before = [one for one in studio.store.recall(owner, USED, []) if tile(one) != tile(mix)]
    studio.store.remember(owner, USED, [mix, *before][:MOST_USED])


def plain(mix: Mix, strip: Strip) -> str:
    """What a card shows while there is no thumbnail: the sample photo in that style, or the style picture."""
    if strip.has_shipped(tile(mix)):
        return strip.address(strip.shipped, tile(mix))
    if not mix or is_named(mix[0]):
        return ""
    known = painting(mix[0]["style"])
    return known.address if known else f"/api/v1/image/inputs/{mix[0]['style']}"


class StyleCards:
    """The column with all cards, the blend's weights, and the sheet that saves a style."""

    def __init__(self, studio: Studio, strip: Strip) -> None:
        self.studio, self.strip = studio, strip

    def build(self) -> None:
        words = self.studio.words
        self.view = gr.HTML("", js_on_load=SCRIPT, padding=False, elem_id="image-style-cards")
        with gr.Row(elem_classes="studio-quiet"):
            self.keep = gr.Button(words("Save as my style"), size="sm", min_width=130, elem_id="image-style-keep")
        with gr.Column(visible=False, elem_classes="studio-card") as self.sheet:
            self.name = gr.Textbox(label=words("Name"), max_lines=1, elem_id="image-style-own-name")
            with gr.Row():
                self.save = gr.Button(words("Save style"), size="sm", variant="primary", min_width=80, elem_id="image-style-save")
                self.cancel = gr.Button(words("Cancel"), size="sm", min_width=70)

    def listen(self, mix: Any, source: Any) -> None:
        """`mix` and `source` are the page's states: what is chosen, and the key of the picture it stands beside."""
        self.keep.click(lambda: [gr.update(visible=True), ""], [], [self.sheet, self.name], **ui.QUICK)
        self.cancel.click(lambda: gr.update(visible=False), [], [self.sheet], **ui.QUICK)
        gr.on([self.save.click, self.name.submit], self.on_save, [self.name, mix, source], [self.view, self.sheet], **ui.QUICK)
        self.view.delete(self.on_delete, [mix, source], [self.view], **ui.QUICK)
        self.view.undo(self.on_undo, [mix, source], [self.view], **ui.QUICK)

    def on_save(self, name: str, mix: Mix, source: str, request: gr.Request) -> list[Any]:
        """Under that name; the same name again replaces it."""
        owner, title = ui.owner(request), (name or "").strip()[:100]
        try:
            if not title or not mix:
                raise BadInput("A style of one's own needs a name and a painting.", hint="Choose a painting, then give it a name.")
            known = next((card.id for card in mine(self.studio, owner) if card.title == title), "")
            self.studio.store.put_document(kind=KIND, owner=owner, title=title, body={"mix": read_mix(mix)}, id=known)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return [self.drawn(owner, mix, source, ui.lang(request)), gr.update(visible=False)]

    def on_delete(self, mix: Mix, source: str, event: gr.EventData, request: gr.Request) -> str:
        self.studio.store.delete_document(str(event._data["value"]), owner=ui.owner(request))
        return self.drawn(ui.owner(request), mix, source, ui.lang(request))

    def on_undo(self, mix: Mix, source: str, event: gr.EventData, request: gr.Request) -> str:
        self.studio.store.undelete_document(str(event._data["value"]), owner=ui.owner(request))
        return self.drawn(ui.owner(request), mix, source, ui.lang(request))

    def groups(self, owner: str) -> dict[str, list[Card]]:
        own, shipped, named = mine(self.studio, owner), paintings(), built_in(self.studio)
        return {"My styles": own, "Used before": used(self.studio, owner, [*own, *shipped, *named]), "Paintings and pictures": shipped, "26 styles": named}

    def all(self, owner: str) -> list[Mix]:
        """Every style that has a card, each once."""
        return list({tile(card.mix): card.mix for cards in self.groups(owner).values() for card in cards}.values())

    def drawn(self, owner: str, mix: Mix, source: str, lang: str) -> str:
        """All cards, the chosen one pressed."""
        say = self.studio.words.say
        ready = self.strip.ready(source)
        folds = []
        for title, cards in self.groups(owner).items():
            if cards:
                cells = "".join(self._card(card, source, ready, lang) for card in cards)
                folds.append(f"<section><h3>{html.escape(say(lang, title))}</h3><div class='grid'>{cells}</div></section>")
        blend = html.escape(say(lang, "Blend several"))
        chosen = html.escape(json.dumps(mix))
        switch = f"<label class='blend'><input type='checkbox' data-blend{' checked' if len(mix) > 1 else ''}> {blend}</label>"
        none = f"<button type='button' class='none' data-none title='{html.escape(say(lang, 'The image model can paint by words alone.'))}'>{html.escape(say(lang, 'No painting'))}</button>"
        return f"<div class='style-cards' data-mix=\"{chosen}\">{switch}{none}<div class='weights' data-weights></div>{''.join(folds)}</div>"

    def _card(self, card: Card, source: str, ready: set[str], lang: str) -> str:
        say, name = self.studio.words.say, tile(card.mix)
        title = html.escape(say(lang, card.title or "Your own picture"))
        about = html.escape(say(lang, card.about)) if card.about else ""
        before = html.escape(plain(card.mix, self.strip))
        address = self.strip.address(source, name) if name in ready else before
        picture = f'<img alt="" loading="lazy" src="{html.escape(address)}" data-plain="{before}" data-tile="{name}">' if address else f'<img alt="" hidden data-plain="" data-tile="{name}">'
        delete = html.escape(say(lang, "Delete {name}", name=card.title))
        gone = f'<button type="button" class="gone" data-delete="{html.escape(card.id)}" title="{delete}" aria-label="{delete}">×</button>' if card.id else ""
        data = f'data-style="{html.escape(json.dumps(card.mix))}" data-title="{title}" aria-pressed="false" title="{" · ".join(part for part in (title, about) if part)}"'
        return f'<div class="cell"><button type="button" class="card" {data}>{picture}<b>{title}</b></button>{gone}</div>'
