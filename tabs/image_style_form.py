"""The form of the Style page: picture, method, strength and colours in sight, the rest folded. It knows which control is which parameter of which method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from studio import ui
from studio.api import BadInput, Studio
from tabs.image_box import picture_box
from tabs.image_editor import PictureEditor
from tabs.image_picture import holds_picture, keep_data, picture_value, shown_picture
from tabs.image_samples import keep_samples, photo_strip, samples
from tabs.image_style_mix import ANY, BATCH, BLEND, FINE, METHODS, MODEL, method_of, pictures, read_mix, style_values

SEEN = ("strength", "colours")
BRUSH = ("mask_blur",)
GIVEN = {"image", "mask", "styles", "style", "style2", "style3", "style_weight", "style2_weight", "style3_weight"}
REFERENCE = ("style", "reference_model", "reference_weight")  # of the image model, which follows a picture by an IP-Adapter only
SAMPLES = """
// A sample photo is taken by a click.
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-sample]');
  if (button) trigger('select', { value: button.dataset.sample });
});
"""


class StyleForm:
    """`given` are the components by name, for events; `values` reads them, `shown` fills them. What only one method has is called "method:parameter"."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.kinds = {id: studio.pipelines[id].Params for ids in METHODS.values() for id in ids if id in studio.pipelines}
        self.methods = [title for title, ids in METHODS.items() if any(id in self.kinds for id in ids)]
        self.shared = [name for name in self._fields(ANY) if all(name in kind.model_fields for kind in self.kinds.values())]
        self.painter = PictureEditor(studio)
        self.controls: dict[str, Any] = {}
        self.own: dict[str, Any] = {}  # method: the column with what only it has

    def _fields(self, pipeline: str) -> list[str]:
        """What a person sets by a control: pictures and styles are given otherwise."""
        fields = self.kinds[pipeline].model_fields
        return [name for name, field in fields.items() if name not in GIVEN and ui.hint(field, "widget") != "hidden" and not holds_picture(field)]

    # -- drawing ---------------------------------------------------------------------------------------------

    def build(self, more: Callable[[], None]) -> None:
        """`more` draws what stands between the pictures and Advanced."""
        words = self.studio.words
        self.mix, self.source = gr.State([]), gr.State("")
        self.picture = picture_box(self.studio, "Picture", height=230, placeholder=words("Drop a picture here."), elem_id="image-style-picture")
        self.samples = gr.HTML("", js_on_load=SAMPLES, padding=False, elem_id="image-style-samples")
        self.method = gr.Dropdown([(words(title), title) for title in self.methods], value=self.methods[0], label=words("Method"), elem_id="image-style-method")
        self._shared(SEEN)
        with gr.Accordion(words("Brush: where it applies"), open=False, elem_id="image-style-brush") as self.brush:
            self.painter.build("image-style-editor", words("Give a picture first."), fixed=True)
            self.editor = self.painter.view
            self._shared(BRUSH)
        with gr.Accordion(words("Several pictures"), open=False, visible=BATCH in self.studio.pipelines, elem_id="image-style-batch"):
            self.files = gr.File(file_count="multiple", type="filepath", label=words("Pictures"), height=140, elem_id="image-style-files")
            with gr.Row(elem_classes="studio-quiet"):
                self.folder = gr.UploadButton(words("A whole folder"), file_count="directory", type="filepath", size="sm", min_width=110)
                self.batch = gr.Button(words("Paint them all"), size="sm", min_width=110, elem_id="image-style-all")
        more()
        with gr.Accordion(words("Advanced"), open=False, elem_id="image-style-advanced") as self.advanced:
            for title in self.methods:
                self._only(title)
            self._shared(tuple(name for name in self.shared if name not in self.controls))

    def _shared(self, names: tuple[str, ...]) -> None:
        if wanted := [name for name in names if name in self.shared]:
            self.controls |= ui.controls(self.kinds[ANY], self.studio, only=wanted)

    def _only(self, title: str) -> None:
        """What one method has besides, from its schemas."""
        found = {name: kind for id, kind in self.kinds.items() if id in METHODS[title] for name in self._fields(id) if name not in self.shared}
        if found:
            with gr.Column(visible=title == self.methods[0]) as self.own[title]:
                for name, kind in found.items():
                    self.controls[f"{title}:{name}"] = ui.controls(kind, self.studio, only=[name])[name]

    # -- reading ---------------------------------------------------------------------------------------------

    @property
    def given(self) -> dict[str, Any]:
        return {"picture": self.picture, "editor": self.editor, "mix": self.mix, "source": self.source, "method": self.method} | self.controls

    def image(self, owner: str, picture: str | None, source: str) -> str:
        """The picture's key; "" where there is none. What the studio put there itself is not taken for a new one. Raises BadInput."""
        if not picture:
            return ""
        keep_samples(self.studio.jobs.desk.inputs, [source])
        return source or keep_data(self.studio.inputs(owner), Path(picture).read_bytes())

    def settings(self, pipeline: str, given: dict[str, Any]) -> dict[str, Any]:
        """Everything but the pictures: what the controls hold and the style. Raises BadInput."""
        mix, kind = read_mix(given["mix"]), self.kinds[pipeline]
        if not mix and "prompt" not in kind.model_fields:
            raise BadInput("There is no style.", hint="Choose a painting on the right.", field="style")
        title = next(title for title, ids in METHODS.items() if pipeline in ids)
        held = {name: given[key] for name in self._fields(pipeline) for key in (name, f"{title}:{name}") if key in self.controls}
        keep_samples(self.studio.jobs.desk.inputs, [part["style"] for part in mix])
        if pipeline == MODEL and not (pictures(mix) and self.adapted(given)):
            return ui.read_values(kind, held) | {name: kind.model_fields[name].default for name in REFERENCE}
        return ui.read_values(kind, held) | style_values(mix, kind.model_fields)

    def adapted(self, given: dict[str, Any]) -> bool:
        """Whether the chosen image model can follow a style picture here; else words alone tell it the manner."""
        pipeline: Any = self.studio.pipelines[MODEL]
        title = next(title for title, ids in METHODS.items() if MODEL in ids)
        return bool(pipeline.adapters(given.get(f"{title}:model") or "", self.studio.catalog))

    def notes(self, given: dict[str, Any]) -> list[str]:
        """What the chosen method makes of the chosen style, where that is not what one would think."""
        mix, pipeline = given["mix"] or [], self.pipeline(given)
        if pipeline == BLEND and FINE in METHODS[given["method"]]:
            return ["The 26 styles have a network of their own, which paints it quickly."]
        if pipeline != MODEL or not mix:
            return []
        if not pictures(mix):
            return ["The 26 styles have no picture to follow: words tell the manner, under Advanced."]
        return [] if self.adapted(given) else ["There is no IP-Adapter for this model: words tell the manner, under Advanced, not the painting."]

    @property
    def switched(self) -> list[Any]:
        """What `on_method` fills."""
        return [*self.own.values(), self.advanced]

    def on_method(self, method: str) -> list[Any]:
        """What only this method has; the image model needs words."""
        return [*(gr.update(visible=title == method) for title in self.own), gr.update(open=True) if MODEL in METHODS[method] else gr.skip()]

    def pipeline(self, given: dict[str, Any]) -> str:
        return method_of(given["mix"] or [], given["method"])

    def values(self, owner: str, given: dict[str, Any]) -> dict[str, Any]:
        """For one picture. Raises BadInput."""
        image = self.image(owner, given["picture"], given["source"])
        if not image:
            raise BadInput("There is no picture to paint.", hint="Drop one, or click a sample photo.", field="image")
        return self.settings(self.pipeline(given), given) | {"image": image, "mask": self.mask(owner, given)}

    def mask(self, owner: str, given: dict[str, Any]) -> str:
        """The painted mask's key; "" where nothing is painted. Raises BadInput."""
        return self.painter.keys(owner, given["editor"])[1]

    # -- filling ---------------------------------------------------------------------------------------------

    @property
    def pictured(self) -> list[Any]:
        """What `with_picture` fills."""
        return [self.picture, self.source, self.editor, self.brush, self.samples]

    def with_picture(self, key: str, lang: str) -> list[Any]:
        """A picture that the studio puts there, with nothing painted over it."""
        found = next((one for one in samples("photos") if one.key == key), None)
        path = str(found.path) if found else shown_picture(self.studio, key)
        return [picture_value(path), key if path else "", "", gr.update(open=False), photo_strip(self.studio.words, lang, found.id if found else "")]

    def with_upload(self, lang: str) -> list[Any]:
        """The same where somebody gave a picture, which stays as it is."""
        return [gr.skip(), "", "", gr.update(open=False), photo_strip(self.studio.words, lang)]

    @property
    def filled(self) -> list[Any]:
        """What `shown` gives values for."""
        return [*self.pictured, self.mix, self.method, *self.controls.values()]

    def shown(self, pipeline: str, values: dict[str, Any], mix: list[dict[str, Any]], lang: str, method: str = "", left: dict[str, Any] | None = None) -> list[Any]:
        """A job's parameters as the form shows them; or how a person `left` the controls, by their names."""
        title = method if method in self.methods else next((title for title, ids in METHODS.items() if pipeline in ids), self.methods[0])
        held = {key: value for name, value in ui.show_values(self.kinds[pipeline], values).items() for key in (name, f"{title}:{name}")} | (left or {})
        updates = [held.get(key, gr.skip()) for key in self.controls]
        pictured = self.with_picture(str(values.get("image", "")), lang)
        if values.get("mask"):
            pictured[2:4] = [self.painter.shown(str(values.get("image", "")), str(values["mask"])), gr.update(open=True)]
        return [*pictured, mix, title, *updates]
