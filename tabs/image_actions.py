"""What one does with a finished picture: keep, vary, begin from it, enlarge, compare, copy, trash. Most of it is the page's script over the API."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import gradio as gr

from studio import ui
from studio.api import BadInput, Output, Studio, StudioError
from tabs import image_advice as advice

WORDS = ("prompt", "negative_prompt", "hires_prompt", "hires_negative_prompt")  # fields whose words of each picture are in a field of their plural
SCRIPTED = {"Download": "save", "Compare": "compare", "Copy settings": "settings", "Copy link": "link", "Move to trash": "trash"}  # label: function of window.seisei.image


def scripted(words: Any, prefix: str) -> dict[str, Any]:
    """Those buttons, by their functions; `prefix` begins the elements' ids."""
    return {act: gr.Button(words(label), size="sm", min_width=90, elem_id=f"{prefix}-{act}") for label, act in SCRIPTED.items()}


def listen_scripted(buttons: dict[str, Any], view: str) -> None:
    """They mean the picture that is chosen in `view`, a selector."""
    for act, button in buttons.items():
        button.click(None, [], [], js=f"() => {{ window.seisei.image.act('{act}', '{view}'); return []; }}")


class Actions:
    """What is told of the chosen picture, and a row of small buttons below it."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    def build(self) -> None:
        words = self.studio.words
        self.about = gr.HTML("", padding=False, elem_id="image-about")
        with gr.Row(visible=False, elem_classes="studio-quiet", elem_id="image-actions") as self.row:
            self.favourite = gr.Button("☆", size="sm", min_width=40, scale=0, elem_id="image-star")
            self.vary = gr.Button(words("Vary"), size="sm", min_width=60)
            self.begin = gr.Button(words("Begin from it"), size="sm", min_width=100)
            self.enlarge = gr.Button(words("Enlarge"), size="sm", min_width=80)
            self.again = gr.Button(words("Its seed"), size="sm", min_width=80)
            self.scripted = scripted(words, "image")
            self.ideas = gr.Button(words("Examples and tasks"), size="sm", min_width=130)

    def listen(self, create: Any, upscale: Any) -> None:
        """`create` and `upscale` are the pages that go on with the picture."""
        listen_scripted(self.scripted, "#image-view")
        form = create.form
        self.favourite.click(self.on_star, [create.chosen], [self.favourite], **ui.QUICK)
        self.vary.click(create.on_vary, inputs_kwargs={"chosen": create.chosen}, outputs=create.streamed, **ui.QUIET, concurrency_limit=None, trigger_mode="multiple")
        self.begin.click(create.on_begin, [create.chosen], [form.picture.view, form.from_picture, form.shape], **ui.QUICK)
        seed = form.controls["seed"]
        self.again.click(self.on_seed, [create.chosen], [seed], **ui.QUICK).success(None, [seed], [], js="(seed) => { window.seisei.image.seeded(seed); return []; }")
        self.ideas.click(lambda: ["", True, gr.update(visible=False), ""], [], [create.chosen, create.blank, self.row, self.about], **ui.QUICK).then(create.on_ideas, [form.model, create.blank], [create.view], **ui.QUICK)
        self.enlarge.click(upscale.on_take, [create.chosen], upscale.taken, **ui.QUICK).success(None, [], [], js="() => { window.seisei.image.go('upscale'); return []; }")

    @property
    def told(self) -> list[Any]:
        """What `of` gives values for."""
        return [self.favourite, self.about]

    def of(self, output_id: str, lang: str) -> list[Any]:
        """The favourite button and the account of a picture; of none where it is gone."""
        try:
            output = self.studio.store.output(output_id) if output_id else None
        except StudioError:
            output = None
        star = gr.update(value="★" if output and output.favourite else "☆")
        return [star, f"<p class='picture-told'>{html.escape(self.account(output, lang))}</p>" if output else ""]

    def account(self, output: Output, lang: str) -> str:
        """In one line what it was drawn with: its own words where choices made them, seed and what it was moved to, size, steps, sampler, model."""
        say, params, facts = self.studio.words.say, output.metadata.get("params", {}), output.metadata.get("facts", {})
        varied = {"Variation": params.get("variation_strength"), "Variation seed": facts["variation_seed"]} if "variation_seed" in facts else {}
        sampler, named = str(params.get("sampler", "")), {"Seed": facts.get("seed")} | varied | {"Steps": params.get("steps"), "CFG scale": params.get("cfg_scale")}
        parts = [str(facts.get("prompt", ""))]
        parts += [f"{say(lang, name)} {f'{value:g}' if isinstance(value, float) else value}" for name, value in named.items() if value is not None]
        parts += [f"{facts['width']}\N{NO-BREAK SPACE}×\N{NO-BREAK SPACE}{facts['height']}" if facts.get("width") else "", say(lang, sampler)]
        return " · ".join([part for part in parts if part] + [say(lang, title) for title, key in advice.usable_models(self.studio) if key == params.get("model")])

    def on_star(self, chosen: str, request: gr.Request) -> Any:
        output = own_output(self.studio, chosen, request)
        self.studio.store.favourite(chosen, not output.favourite, owner=output.owner)
        return self.of(chosen, ui.lang(request))[0]

    def on_seed(self, chosen: str, request: gr.Request) -> int:
        return int(own_output(self.studio, chosen, request).metadata.get("facts", {}).get("seed", -1))


def own_words(params: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    """What one picture of a batch was drawn from, where choices and wildcards gave each its own words: they are not drawn anew for another seed."""
    counted = "variation_seed" if "variation_seed" in facts else "seed"  # pictures that vary one seed are told apart by what they move to
    seed = int(facts.get(counted, params.get(counted, 0)))
    number = (seed - int(params.get(counted, seed))) % 2**32
    found: dict[str, Any] = {}
    for name in WORDS:
        words = params.get(f"{name}s") or []
        found |= {f"{name}s": []} | ({name: words[number]} if number < len(words) else {})
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


def kept_output(studio: Studio, output: Output, request: gr.Request) -> str:
    """Its key among the inputs, to begin from. Raises a message for the page where a visitor has no room left."""
    try:
        return studio.inputs(ui.owner(request)).keep(Path(output.path).read_bytes())
    except StudioError as error:
        raise ui.toast(studio, error, request) from error
