"""Styles: prompts that one saved, or that came from another studio, joined with what is written. Chosen, saved, changed and deleted here; extensions/styles joins them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio import ui
from studio.api import BadInput, Studio, StudioError
from tabs.image_advice import PIPELINE

KIND = "style"
EXTENSION = "styles"
PARTS = ("prompt", "negative_prompt")


@dataclass(frozen=True)
class Style:
    """One of somebody's styles; {prompt} in a text stands for their own words."""

    id: str
    name: str
    prompt: str
    negative_prompt: str

    def text(self) -> dict[str, str]:
        return {"name": self.name, "prompt": self.prompt, "negative_prompt": self.negative_prompt}


def styles_of(studio: Studio, owner: str) -> list[Style]:
    """By name."""
    found = studio.store.documents(KIND, owner=owner, limit=5000)
    return sorted((Style(one.id, one.title, str(one.body.get("prompt", "")), str(one.body.get("negative_prompt", ""))) for one in found), key=lambda style: style.name.lower())


def without(text: str, style: str) -> str | None:
    """The words that the style was joined with; None where the text is not of that style. The reverse of the extension's joining."""
    if "{prompt}" in style:
        before, _, after = style.partition("{prompt}")
        fits = "{prompt}" not in after and len(text) >= len(before) + len(after) and text.startswith(before) and text.endswith(after)
        return text[len(before) : len(text) - len(after)] if fits else None
    if not style.strip():
        return text
    return "" if text == style else text[: -len(style) - 2] if text.endswith(f", {style}") else None


def unjoined(joined: dict[str, str], styles: list[dict[str, Any]]) -> dict[str, str] | None:
    """The prompts before the styles were joined with them in their order; None where they are not of these styles."""
    written = dict(joined)
    for style in reversed(styles):
        for part in PARTS:
            left = without(written[part], str(style.get(part, "")))
            if left is None:
                return None
            written[part] = left
    return written


def styles_in(extras: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that a job's prompts were joined with."""
    return [style for style in extras.get(EXTENSION, {}).get("styles", []) if isinstance(style, dict)]


class StylesPanel:
    """The fold with one's styles. Without the extension it is not drawn, and nothing is joined."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.on = EXTENSION in studio.jobs.extension_fields(PIPELINE)

    def build(self) -> None:
        words = self.studio.words
        with gr.Accordion(words("Styles"), open=False, visible=self.on, elem_id="image-styles") as self.fold:
            self.chosen = gr.Dropdown([], value=[], multiselect=True, label=words("Styles"), info=words("Joined with your prompt when you generate."), elem_id="image-style-choice")
            with gr.Row(elem_classes="studio-quiet"):
                self.new = gr.Button(words("Save the prompt as a style"), size="sm", min_width=150)
                self.edit = gr.Button(words("Change"), size="sm", min_width=70)
                self.undo = gr.Button(words("Undo"), size="sm", min_width=60, visible=False)
            with gr.Column(visible=False) as self.sheet:
                self.id = gr.State("")
                self.name = gr.Textbox(label=words("Name"), max_lines=1, elem_id="image-style-name")
                self.text = gr.Textbox(label=words("Prompt"), lines=2, max_lines=6, info=words("{prompt} stands for your own words; without it the style follows them."), elem_id="image-style-prompt")
                self.negative = gr.Textbox(label=words("Negative prompt"), lines=1, max_lines=6)
                with gr.Row():
                    self.save = gr.Button(words("Save style"), size="sm", variant="primary", min_width=80)
                    self.cancel = gr.Button(words("Cancel"), size="sm", min_width=70)
                    self.delete = gr.Button(words("Delete"), size="sm", min_width=70)

    def listen(self, box: Any) -> None:
        sheet = [self.sheet, self.id, self.name, self.text, self.negative, self.delete]
        after = [self.chosen, self.sheet, self.undo, self.id]
        self.new.click(self.on_new, [box.prompt, box.negative], [self.fold, *sheet], **ui.QUICK)
        self.edit.click(self.on_edit, [self.chosen], sheet, **ui.QUICK)
        self.cancel.click(lambda: gr.update(visible=False), [], [self.sheet], **ui.QUICK)
        self.save.click(self.on_save, [self.id, self.name, self.text, self.negative, self.chosen], after, **ui.QUICK)
        self.delete.click(self.on_delete, [self.id, self.chosen], after, **ui.QUICK)
        self.undo.click(self.on_undo, [self.id, self.chosen], after, **ui.QUICK)
        box.told.select(self.on_named, [self.chosen], [self.chosen, self.fold], **ui.QUICK)

    # -- reading and filling ---------------------------------------------------------------------------------

    def names(self, owner: str) -> list[str]:
        return [style.name for style in styles_of(self.studio, owner)]

    def extras(self, owner: str, names: list[str] | None) -> dict[str, dict[str, Any]]:
        """For Studio.submit: the chosen styles' texts, in the order they were chosen."""
        known = {style.name: style for style in styles_of(self.studio, owner)}
        chosen = [known[name].text() for name in names or [] if name in known]
        return {EXTENSION: {"styles": chosen}} if self.on and chosen else {}

    def taken_off(self, owner: str, values: dict[str, Any], extras: dict[str, Any]) -> tuple[dict[str, str], Any]:
        """What was written before styles were joined, and the choice of them; the whole prompt where they can't be taken off or are not here any more."""
        names = self.names(owner)
        whole, used = {part: str(values.get(part) or "") for part in PARTS}, styles_in(extras)
        if values.get("written"):  # a form that was kept as it was: nothing is joined yet
            return whole, gr.update(choices=names, value=[style["name"] for style in used if style.get("name") in names])
        written = unjoined(whole, used) if all(style.get("name") in names for style in used) else None
        return (whole, gr.update(choices=names, value=[])) if written is None else (written, gr.update(choices=names, value=[style["name"] for style in used]))

    def again(self, params: dict[str, Any], extras: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """A job's parameters and extensions' fields for another job, which joins its styles itself; where they can't be taken off, the whole prompt without them."""
        written = unjoined({part: str(params.get(part) or "") for part in PARTS}, styles_in(extras))
        return (params, {name: fields for name, fields in extras.items() if name != EXTENSION}) if written is None else (params | written, extras)

    # -- changing --------------------------------------------------------------------------------------------

    def on_named(self, chosen: list[str], event: gr.EventData, request: gr.Request) -> list[Any]:
        """Chosen by its name while writing."""
        name = str(event._data["value"])
        return [gr.update(choices=self.names(ui.owner(request)), value=[*[one for one in chosen or [] if one != name], name]), gr.update(open=True)]

    def on_new(self, prompt: str, negative: str) -> list[Any]:
        return [gr.update(open=True), gr.update(visible=True), "", "", prompt, negative, gr.update(visible=False)]

    def on_edit(self, chosen: list[str], request: gr.Request) -> list[Any]:
        style = next((style for style in styles_of(self.studio, ui.owner(request)) if chosen and style.name == chosen[-1]), None)
        if style is None:
            raise ui.toast(self.studio, BadInput("No style is chosen.", hint="Choose the one to change."), request)
        return [gr.update(visible=True), style.id, style.name, style.prompt, style.negative_prompt, gr.update(visible=True)]

    def on_save(self, id: str, name: str, prompt: str, negative: str, chosen: list[str], request: gr.Request) -> list[Any]:
        owner = ui.owner(request)
        name = name.strip()[:100]
        try:
            if not name or not (prompt.strip() or negative.strip()):
                raise BadInput("A style needs a name and a prompt.", hint="Give both, then save.")
            known = {style.name: style.id for style in styles_of(self.studio, owner)}
            saved = self.studio.store.put_document(kind=KIND, owner=owner, title=name, body={"prompt": prompt, "negative_prompt": negative}, id=id or known.get(name, ""))
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        names = self.names(owner)
        picked = [one for one in chosen or [] if one in names and one != name]
        return [gr.update(choices=names, value=[*picked, name]), gr.update(visible=False), gr.update(visible=False), saved.id]

    def on_delete(self, id: str, chosen: list[str], request: gr.Request) -> list[Any]:
        self.studio.store.delete_document(id, owner=ui.owner(request))
        names = self.names(ui.owner(request))
        return [gr.update(choices=names, value=[one for one in chosen or [] if one in names]), gr.update(visible=False), gr.update(visible=True), id]

    def on_undo(self, id: str, chosen: list[str], request: gr.Request) -> list[Any]:
        self.studio.store.undelete_document(id, owner=ui.owner(request))
        return [gr.update(choices=self.names(ui.owner(request)), value=chosen or []), gr.skip(), gr.update(visible=False), id]
