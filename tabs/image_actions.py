"""What one does with a finished picture: keep, vary, begin from it, enlarge, compare, copy, trash. Most of it is the page's script over the API."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio import ui
from studio.api import BadInput, Output, Studio, StudioError

SCRIPTED = {"Download": "save", "Compare": "compare", "Copy settings": "settings", "Copy link": "link", "Move to trash": "trash"}  # label: function of window.seisei.image


class Actions:
    """A row of small buttons below the picture."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def build(self) -> None:
        words = self.studio.words
        with gr.Row(visible=False, elem_classes="studio-quiet", elem_id="image-actions") as self.row:
            self.favourite = gr.Button("☆", size="sm", min_width=40, scale=0, elem_id="image-star")
            self.vary = gr.Button(words("Vary"), size="sm", min_width=60)
            self.begin = gr.Button(words("Begin from it"), size="sm", min_width=100)
            self.enlarge = gr.Button(words("Enlarge"), size="sm", min_width=80)
            self.again = gr.Button(words("Its seed"), size="sm", min_width=80)
            self.scripted = {act: gr.Button(words(label), size="sm", min_width=90, elem_id=f"image-{act}") for label, act in SCRIPTED.items()}
            self.ideas = gr.Button(words("Examples and tasks"), size="sm", min_width=130)

    def listen(self, create: Any, upscale: Any) -> None:
        """`create` and `upscale` are the pages that go on with the picture."""
        for act, button in self.scripted.items():
            button.click(None, [], [], js=f"() => {{ window.seisei.image.act('{act}', '#image-view'); return []; }}")
        form = create.form
        self.favourite.click(self.on_star, [create.chosen], [self.favourite], **ui.QUICK)
        self.vary.click(create.on_vary, inputs_kwargs={"chosen": create.chosen}, outputs=create.streamed, **ui.QUIET, concurrency_limit=None, trigger_mode="multiple")
        self.begin.click(create.on_begin, [create.chosen], [form.picture.view, form.from_picture, form.shape], **ui.QUICK)
        self.again.click(self.on_seed, [create.chosen], [form.controls["seed"]], **ui.QUICK)
        self.ideas.click(lambda: ["", True, gr.update(visible=False)], [], [create.chosen, create.blank, self.row], **ui.QUICK).then(create.on_ideas, [form.model, create.blank], [create.view], **ui.QUICK)
        self.enlarge.click(upscale.on_take, [create.chosen], upscale.taken, **ui.QUICK).then(None, [], [], js="() => { window.seisei.image.go('upscale'); return []; }")

    def star(self, output_id: str) -> Any:
        """The favourite button of a picture."""
        try:
            on = bool(output_id) and self.studio.store.output(output_id).favourite
        except StudioError:
            on = False
        return gr.update(value="★" if on else "☆")

    def on_star(self, chosen: str, request: gr.Request) -> Any:
        output = own_output(self.studio, chosen, request)
        self.studio.store.favourite(chosen, not output.favourite, owner=output.owner)
        return self.star(chosen)

    def on_seed(self, chosen: str, request: gr.Request) -> int:
        return int(own_output(self.studio, chosen, request).metadata.get("facts", {}).get("seed", -1))


def own_words(params: dict[str, Any], seed: int) -> dict[str, Any]:
    """What one picture of a batch was drawn from, where choices and wildcards gave each its own words: they are not drawn anew for another seed."""
    number = (seed - int(params.get("seed", seed))) % 2**32
    found: dict[str, Any] = {"prompts": [], "negative_prompts": []}
    for name, each in (("prompt", "prompts"), ("negative_prompt", "negative_prompts")):
        words = params.get(each) or []
        if number < len(words):
            found[name] = words[number]
    return found


def own_output(studio: Studio, output_id: str, request: gr.Request) -> Output:
    """The chosen picture; a page can name any, so the owner is looked at. Raises a message for the page."""
    try:
        output = studio.store.output(output_id)
        if output.owner != ui.owner(request) or output.kind != "image":
            raise BadInput("Choose a picture first.", hint="Draw one, or click one of the sheet.")
    except StudioError as error:
        raise ui.toast(studio, error, request) from error
    return output
