"""The form of the Image tab: prompt, model and shape in sight, the rest folded in short named groups. It knows which control is which parameter."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Callable, Iterable
from typing import Any

import gradio as gr

from studio import ui
from studio.api import Studio
from tabs import image_advice as advice
from tabs.image_box import picture_box
from tabs.image_cards import CardsPanel
from tabs.image_control import ANNOTATE, ControlPreview
from tabs.image_editor import PictureEditor
from tabs.image_picture import holds_picture, holds_pictures, kept_picture, picture_value, shown_picture
from tabs.image_prompt import PromptBox
from tabs.image_styles import StylesPanel

GROUPS: dict[str, tuple[str, ...]] = {
    "Sampling": ("steps", "cfg_scale", "sampler", "schedule", "clip_skip", "guidance_rescale"),
    "Size": ("width", "height", "tiling", "together"),
    "Seed": ("seed",),
    "Variation": ("variation_strength", "variation_seed", "seed_width", "seed_height"),
    "High resolution": ("hires_scale", "hires_steps", "hires_strength", "hires_prompt", "hires_negative_prompt", "hires_sampler", "hires_schedule", "hires_model", "hires_width", "hires_height"),
    "Enlarge": ("upscale", "upscaler"),
    "FreeU": ("freeu_b1", "freeu_b2", "freeu_s1", "freeu_s2"),
    "Reference picture": ("reference_model", "reference_image", "reference_weight"),
}
PICTURE = ("more_images", "layers", "denoising_strength", "resize")
MASK = ("invert_mask", "mask_blur", "fill", "only_masked", "padding")
EXTEND = ("extend_left", "extend_right", "extend_top", "extend_bottom")
ELSEWHERE = {"prompt", "negative_prompt", "model", "count", "image", "mask", *PICTURE, *MASK, *EXTEND, *(name for names in GROUPS.values() for name in names)}
BELOW_PICTURE = ("Picture", "Mask")
MOST_TOGETHER = 8  # controls in one fold; more are parted by the number in their titles
MEASURED = (  # parameters that a verdict is told from, besides the pictures' keys
    "prompt", "negative_prompt", "model", "count", "width", "height", "steps", "cfg_scale", "sampler", "tiling", "together", "pag_scale", "denoising_strength", "more_images", "layers", *EXTEND,
    "hires_scale", "hires_steps", "hires_strength", "hires_width", "hires_height", "hires_prompt", "hires_negative_prompt", "hires_sampler", "hires_model", "upscale", "upscaler", "precision", "refiner",
    "control_model", "control_process", "control2_model", "control2_process", "control3_model", "control3_process", "depth_model", "pose_model", "person_model", "reference_model",
)  # fmt: skip
COUNTS = [1, 2, 3, 4, 6, 9, 12, 16]
SHOWN_BY = {  # trait: fields or groups that need it
    "encoder": ("clip_skip", "guidance_rescale"), "variation": ("Variation",), "again": ("High resolution",), "edit": ("image_cfg_scale",), "cache": ("step_cache",), "pag": ("pag_scale",), "freeu": ("FreeU",),
    "several": ("more_images",), "layers": ("layers",), "seamless": ("tiling",), "begins": ("denoising_strength",), "referenced": ("Reference picture",),
}  # fmt: skip
TRAITS = {name: trait for trait, shown in SHOWN_BY.items() for name in shown if name not in GROUPS}


STEPS_FOUND = "DPM adaptive finds its own number of steps; this one only places where a picture is begun from."
NUMBERED = re.compile(r"(\w[\w ]* \d) ")


class Form:
    """`given` are the components by parameter, for events; `values` reads them, `shown` fills them."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.Params = studio.pipelines[advice.PIPELINE].Params
        self.fields = self.Params.model_fields
        self.controls: dict[str, Any] = {}
        self.groups: dict[str, Any] = {}
        self.parts: dict[str, Any] = {}  # of long groups, by what their titles begin with
        self.prompt_box, self.styles, self.cards, self.picture = PromptBox(studio), StylesPanel(studio), CardsPanel(studio), PictureEditor(studio)
        self.previews: list[ControlPreview] = []

    # -- drawing ---------------------------------------------------------------------------------------------

    def build(self, below_prompt: Callable[[], None]) -> None:
        words = self.studio.words
        self.defaults = gr.State({})
        self.prompt_box.build()
        below_prompt()
        self.model = gr.Dropdown([], label=words("Model"), allow_custom_value=True, elem_id="image-model")
        with gr.Row(elem_id="image-shape-row"):
            shapes = [(words(name), name) for name in (*advice.SHAPES, advice.AS_PICTURE, advice.OWN_SHAPE)]
            self.shape = gr.Dropdown(shapes, value=advice.SQUARE, label=words("Shape"), min_width=120, scale=4, elem_id="image-shape")
            self.swap = gr.Button("⇄", min_width=40, scale=0, elem_classes="studio-quiet", elem_id="image-swap")
            self.count = gr.Dropdown(COUNTS, value=1, label=words("Pictures"), min_width=72, scale=2, allow_custom_value=True, elem_id="image-count")
        self.cards.build()
        self.styles.build()
        with gr.Accordion(words("From a picture"), open=False, elem_id="image-from") as self.from_picture:
            self._build_picture(words)
        with gr.Accordion(words("Advanced"), open=False, elem_id="image-advanced") as self.advanced:
            for group, names in GROUPS.items():
                self._group(group, (*names, *self._more(group)), open=group == "Sampling")
            for group in dict.fromkeys(self._group_of(name) for name in self._left()):
                if group not in (*GROUPS, *BELOW_PICTURE):
                    self._group(group, self._more(group))
        self.extras = ui.extras(self.studio, advice.PIPELINE)

    def _build_picture(self, words: Any) -> None:
        self.picture.build("image-editor", words("Drop a picture here, paste one, or click to choose."))
        self._draw((*PICTURE, *self._more("Picture")))
        with gr.Accordion(words("Mask"), open=False):
            self._draw((*MASK, *self._more("Mask")))
        with gr.Accordion(words("Extend"), open=False):
            gr.HTML(f"<p class='studio-note'>{html.escape(words(str(self.fields[EXTEND[0]].description)))}</p>", padding=False)
            for pair in (EXTEND[:2], EXTEND[2:]):
                with gr.Row():
                    sides = ui.controls(self.Params, self.studio, only=pair)
                for side in sides.values():
                    side.info, side.min_width = None, 100  # two beside each other, told once for all four
                self.controls |= sides

    def _group(self, title: str, names: tuple[str, ...], *, open: bool = False) -> None:
        words = self.studio.words
        with gr.Accordion(words(title), open=open) as self.groups[title]:
            if title == "Size":
                choices = [(words(name), name) for name in advice.MEGAPIXELS]
                self.megapixels = gr.Dropdown(choices, value=advice.ADVISED, label=words("Megapixels"), elem_id="image-megapixels")
            for part, some in parted(names, self.fields).items():
                if part:
                    with gr.Accordion(words(part), open=False) as self.parts[part]:
                        self._draw(some)
                        self._preview(some[0])
                else:
                    self._draw(some)
            if title == "Seed":
                with gr.Row(elem_classes="studio-quiet"):
                    self.random = gr.Button(words("Random"), size="sm", min_width=80)
                    self.last = gr.Button(words("Reuse the last"), size="sm", min_width=110)
            if title == "Variation":
                with gr.Row(elem_classes="studio-quiet"):
                    self.other = gr.Button(words("Another variation seed"), size="sm", min_width=150, elem_id="image-variation-other")

    def _preview(self, name: str) -> None:
        """A control unit can show what it will see."""
        if ANNOTATE in self.studio.pipelines and name.startswith("control"):
            self.previews.append(ControlPreview(self.studio, self, name.partition("_")[0]))
            self.previews[-1].build()

    def _draw(self, names: Iterable[str]) -> None:
        for name in names:
            if holds_picture(self.fields[name]):
                self.controls[name] = picture_box(self.studio, self.fields[name].title or name, height=180)
            elif holds_pictures(self.fields[name]):
                about: dict[str, Any] = {"label": self.studio.words(self.fields[name].title), "columns": 3, "height": 200, "buttons": [], "sources": ["upload", "clipboard"]}
                self.controls[name] = gr.Gallery(type="filepath", format="png", file_types=["image"], interactive=True, elem_id="image-more", **about)
            else:
                self.controls |= ui.controls(self.Params, self.studio, only=(name,))

    def _left(self) -> list[str]:
        """Fields that nothing here names: they go where their own group says."""
        return [name for name, field in self.fields.items() if name not in ELSEWHERE and (holds_picture(field) or ui.hint(field, "widget") != "hidden")]

    def _more(self, group: str) -> tuple[str, ...]:
        return tuple(name for name in self._left() if self._group_of(name) == group)

    def _group_of(self, name: str) -> str:
        return str(ui.hint(self.fields[name], "group") or "More")

    # -- reading and filling ---------------------------------------------------------------------------------

    @property
    def given(self) -> dict[str, Any]:
        light = {"prompt": self.prompt_box.prompt, "negative_prompt": self.prompt_box.negative, "model": self.model, "shape": self.shape, "megapixels": self.megapixels, "count": self.count}
        return light | {"editor": self.picture.view, "styles": self.styles.chosen} | self.controls | self.extras

    @property
    def named(self) -> dict[str, Any]:
        """Components of parameters that `given` has under other names."""
        return {"image": self.picture.view, "mask": self.picture.view}

    @property
    def filled(self) -> list[Any]:
        """What `shown` gives values for, in its order."""
        box = self.prompt_box
        above = [box.prompt, box.negative, self.model, self.shape, self.megapixels, self.count, self.from_picture, self.picture.view, self.styles.fold, self.styles.chosen]
        return [*above, *self.controls.values(), *self.extras.values(), *self.advised]

    @property
    def advised(self) -> list[Any]:
        """What a change of the model moves besides its values: what is visible."""
        return [self.defaults, self.megapixels, *(self.groups[name] for name in ("Variation", "High resolution", "FreeU", "Reference picture"))]

    def values(self, owner: str, given: dict[str, Any]) -> dict[str, Any]:
        """As ImageParams want it. Raises BadInput."""
        image, mask = self.picture.keys(owner, given["editor"])
        inputs = self.studio.inputs(owner)
        values = ui.read_values(self.Params, {name: kept_picture(inputs, self.fields[name], given[name]) for name in self.controls}) | self._unused(given["model"])
        if given["shape"] == advice.AS_PICTURE and image:
            values |= {"width": 0, "height": 0}
        elif given["shape"] != advice.OWN_SHAPE and not values.get("width"):
            values["width"], values["height"] = advice.shape_size(advice.advice(self.studio, given["model"]), given["shape"], given["megapixels"])
        return values | {name: given[name] or "" for name in ("prompt", "negative_prompt", "model")} | {"count": given["count"] or 1, "image": image, "mask": mask}

    @property
    def measured(self) -> dict[str, Any]:
        """Of `given` what `read_measured` reads."""
        return {name: self.given[name] for name in ("editor", *MEASURED)}

    def read_measured(self, given: dict[str, Any]) -> dict[str, Any]:
        """As ImageParams want it, for a verdict: pictures are told by their number, none is looked at. Raises BadInput."""
        values = ui.read_values(self.Params, {name: given[name] for name in MEASURED if name in self.controls and name != "more_images"}) | {"more_images": [""] * len(given["more_images"] or [])}
        named = {name: given[name] or "" for name in ("prompt", "negative_prompt", "model")}
        return values | self._unused(given["model"]) | named | {"count": given["count"] or 1, "image": self.picture.key(given["editor"])}

    def _unused(self, model: str) -> dict[str, Any]:
        """What is out of sight because the model can't use it counts as untouched."""
        traits = advice.traits(self.studio, model)
        names = [name for trait, shown in SHOWN_BY.items() if not traits.get(trait, True) for one in shown for name in GROUPS.get(one, (one,))]
        return {name: self.fields[name].get_default(call_default_factory=True) for name in names}

    def read_extras(self, owner: str, given: dict[str, Any]) -> dict[str, dict[str, Any]]:
        return ui.read_extras(self.studio, advice.PIPELINE, given) | self.styles.extras(owner, given["styles"])

    def shown(self, owner: str, values: dict[str, Any]) -> list[Any]:
        """For `filled`: parameters (with "extras") as the form shows them; what they leave out stays as the model's makers advise."""
        extras = values.get("extras") or {}
        models = advice.usable_models(self.studio)
        model = values.get("model") or advice.default_model(self.studio)
        traits = advice.traits(self.studio, model)
        written, styles = self.styles.taken_off(owner, values, extras)
        picture = self.picture.shown(str(values.get("image") or ""), str(values.get("mask") or ""))
        shape = advice.shape_of(int(values["width"]), int(values["height"])) if values.get("width") and values.get("height") else advice.AS_PICTURE if picture else advice.SQUARE
        basis = advice.advised_values(advice.advice(self.studio, model), shape, advice.ADVISED)
        wanted = basis | {name: value for name, value in values.items() if name not in advice.FOLLOWED or value not in (0, -1, "Automatic")}
        negative = gr.update(value=written["negative_prompt"], visible=traits.get("negative", True))
        above = [written["prompt"], negative, gr.update(choices=models, value=model), shape, advice.ADVISED, values.get("count", 1)]
        folds = [gr.update(open=bool(picture)), picture, gr.update(open=bool(styles["value"])), styles]
        updates = [self._for_model(name, self._shown(name, wanted), traits) for name in self.controls]
        extra = ui.show_extras(self.studio, advice.PIPELINE, extras)
        return [*above, *folds, *updates, *(extra.get(name, gr.skip()) for name in self.extras), basis, *self._visible(traits)]

    def _shown(self, name: str, wanted: dict[str, Any]) -> Any:
        field = self.fields[name]
        if holds_picture(field):
            return picture_value(shown_picture(self.studio, str(wanted.get(name, ""))))
        if holds_pictures(field):
            return [picture_value(path) for key in wanted.get(name) or [] if (path := shown_picture(self.studio, str(key)))]
        return ui.show_value(wanted[name]) if name in wanted else ui.show_value(field.get_default(call_default_factory=True))

    def _for_model(self, name: str, value: Any, traits: dict[str, Any]) -> Any:
        """A control with its value; samplers only those that go with the model, hidden where the model can't use it."""
        if name in ("sampler", "schedule"):
            names = ["Automatic", *traits.get(f"{name}s", [])]
            return gr.update(value=value, choices=[(self.studio.words(one), one) for one in names])
        more = {"choices": ui.model_choices(self.fields[name], self.studio)} if ui.hint(self.fields[name], "model_kind") else {}
        if trait := TRAITS.get(name):
            more["visible"] = traits.get(trait, True)
        return gr.update(value=value, **more) if more else value

    def _visible(self, traits: dict[str, Any]) -> list[Any]:
        """For the megapixels and the groups of `advised`."""
        return [gr.update(visible=traits.get("family") != "tiny"), *(gr.update(visible=traits.get(trait, True)) for trait in ("variation", "again", "freeu", "referenced"))]

    # -- the model -------------------------------------------------------------------------------------------

    @property
    def moved(self) -> list[Any]:
        """What `on_model` fills."""
        return [self.prompt_box.negative, *(self.controls[name] for name in (*advice.FOLLOWED, *TRAITS)), *self.advised]

    def on_model(self, model: str, shape: str, megapixels: str, before: dict[str, Any], *values: Any) -> list[Any]:
        """The advised values, but for what the person changed; what the model can't use goes out of sight."""
        advised = advice.advice(self.studio, model)
        if not advised:
            return [gr.skip()] * len(self.moved)
        traits = advice.traits(self.studio, model)
        basis = advice.advised_values(advised, shape, megapixels)
        kept = advice.followed_values(before, basis, dict(zip(advice.FOLLOWED, values, strict=True)))
        if kept["sampler"] not in traits["samplers"]:
            kept |= {name: basis[name] for name in ("sampler", "schedule")}
        updates = [self._for_model(name, kept[name], traits) for name in advice.FOLLOWED]
        reads = [gr.update(visible=traits[trait]) for trait in TRAITS.values()]
        return [gr.update(visible=traits["negative"]), *updates, *reads, basis, *self._visible(traits)]

    def on_sampler(self, model: str, sampler: str) -> Any:
        """Where the steps are set it is said when they are not counted."""
        found = sampler in advice.traits(self.studio, model).get("adaptive", ())
        return gr.update(info=self.studio.words(STEPS_FOUND if found else self.fields["steps"].description))

    @property
    def named_models(self) -> dict[str, Any]:
        """Controls that name a model, by parameter."""
        return {name: control for name, control in self.controls.items() if ui.hint(self.fields[name], "model_kind")}

    def on_models(self) -> list[Any]:
        """The models that are there now, for `model` and the controls of `named_models`; what is chosen stays."""
        return [gr.update(choices=advice.usable_models(self.studio)), *(gr.update(choices=ui.model_choices(self.fields[name], self.studio)) for name in self.named_models)]

    def on_clear(self, model: str, shape: str, megapixels: str) -> list[Any]:
        """Without a picture there is nothing to extend, and no shape of it."""
        if shape != advice.AS_PICTURE:
            return [gr.skip()] * 3 + [0] * len(EXTEND)
        return [advice.SQUARE, *self.on_shape(model, advice.SQUARE, megapixels), *[0] * len(EXTEND)]

    def on_shape(self, model: str, shape: str, megapixels: str) -> list[Any]:
        return list(advice.shape_size(advice.advice(self.studio, model), shape, megapixels)) if shape != advice.OWN_SHAPE else [gr.skip(), gr.skip()]

    def on_swap(self, shape: str, width: Any, height: Any) -> list[Any]:
        return [advice.turned(shape), height, width]

    def on_last_seed(self, request: gr.Request) -> Any:
        """The seed of one's newest picture."""
        seeds = (output.metadata.get("facts", {}).get("seed") for output in self.studio.store.outputs(owner=ui.owner(request), kind="image", limit=20))
        return next((seed for seed in seeds if isinstance(seed, int)), -1)

    def listen(self) -> None:
        followed = [self.controls[name] for name in advice.FOLLOWED]
        sizes = followed[-2:]
        self.model.input(self.on_model, [self.model, self.shape, self.megapixels, self.defaults, *followed], self.moved, **ui.QUICK)
        gr.on([self.controls["sampler"].change, self.model.change], self.on_sampler, [self.model, self.controls["sampler"]], [self.controls["steps"]], trigger_mode="always_last", **ui.QUICK)
        gr.on([self.shape.input, self.megapixels.input], self.on_shape, [self.model, self.shape, self.megapixels], sizes, **ui.QUICK)
        gr.on([item.input for item in sizes], lambda: advice.OWN_SHAPE, [], [self.shape], **ui.QUICK)
        self.swap.click(self.on_swap, [self.shape, *sizes], [self.shape, *sizes], **ui.QUICK)
        self.picture.listen(self.shape, advice.AS_PICTURE)
        self.picture.view.clear(self.on_clear, [self.model, self.shape, self.megapixels], [self.shape, *sizes, *(self.controls[name] for name in EXTEND)], **ui.QUICK)
        self.prompt_box.listen(self.model)
        models = [self.model, *self.named_models.values()]
        ui.around(self.model, gr.Tab)[0].select(self.on_models, [], models, **ui.QUICK)
        self.cards.again.click(self.cards.on_again, [self.model], [self.cards.view], **ui.QUICK).then(self.on_models, [], models, **ui.QUICK)
        self.other.click(lambda: random.randrange(2**32), [], [self.controls["variation_seed"]], **ui.QUICK)
        self.random.click(lambda: -1, [], [self.controls["seed"]], **ui.QUICK)
        self.last.click(self.on_last_seed, [], [self.controls["seed"]], **ui.QUICK)
        self.styles.listen(self.prompt_box)
        self.cards.listen(self)
        for preview in self.previews:
            preview.listen()


def parted(names: Iterable[str], fields: dict[str, Any]) -> dict[str, list[str]]:
    """A long group by what its titles begin with, as "Control 2"; "" holds the rest."""
    found: dict[str, list[str]] = {}
    together = list(names)
    for name in together:
        part = NUMBERED.match(str(fields[name].title)) if len(together) > MOST_TOGETHER else None
        found.setdefault(part[1] if part else "", []).append(name)
    return found
