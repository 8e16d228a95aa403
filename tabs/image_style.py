"""Style: a picture on the left, a style on the right, large between them what comes of it. A view of the image.style_… pipelines."""

from __future__ import annotations

import contextlib
import html
import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import BadInput, Studio, StudioError
from tabs.image_actions import kept_output, own_output
from tabs.image_box import picture_box
from tabs.image_many import gathered, restored
from tabs.image_page import PicturePage
from tabs.image_picture import keep_data
from tabs.image_samples import ADDRESS, FIRST, photo, samples
from tabs.image_style_cards import StyleCards, paintings, remember_used
from tabs.image_style_form import StyleForm
from tabs.image_style_mix import ANY, BATCH, FINE, QUICK, Mix, mix_of, read_mix, single, style_values
from tabs.image_style_sheet import SHEET, StyleSheet
from tabs.image_style_strip import Strip, told
from tabs.image_verdict import verdict
from tabs.image_view import slider
from tabs.job_follow import Run
from tabs.job_page import STREAMING

FORM = "image.style.form"
STRIP = """
// Tells the cards which thumbnails are there.
watch('value', () => {
  const told = element.querySelector('[data-strip]')?.dataset.strip;
  if (told) window.seisei.styles?.(JSON.parse(told));
});
"""


class StylePage(PicturePage):
    """A click on a card paints at once; a newer click takes the place of an older one that is not finished."""

    pipeline: ClassVar[str] = ANY
    slot: ClassVar[str] = "image.style.job"
    finishing: ClassVar[tuple[str, ...]] = (FINE, BATCH, SHEET)

    def __init__(self, studio: Studio) -> None:
        super().__init__(studio)
        self.form, self.strip = StyleForm(studio), Strip(studio)
        self.sheet = StyleSheet(studio, self.form)
        self.cards = StyleCards(studio, self.strip)

    # -- drawing ---------------------------------------------------------------------------------------------

    def build(self) -> None:
        words = self.studio.words
        self.chosen, self.opened = gr.State(""), gr.State(False)
        with gr.Row(elem_classes=["studio-two", "style-three"]):
            with gr.Column(scale=1, min_width=280, elem_classes="studio-left"):
                self.form.build(self.sheet.build)
                with gr.Column(elem_classes="studio-foot"):
                    self.build_problem("image-style-problem")
                    self.verdict = gr.HTML("", elem_classes="studio-note", padding=False, elem_id="image-style-verdict")
                    with gr.Row(equal_height=True):
                        self.build_go("Paint it", "image-style-go")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.build_view("image-style-view")
                self._build_actions(words)
                ui.last_results("image.")
            with gr.Column(scale=1, min_width=250, elem_classes="style-side"):
                self.own_style = picture_box(self.studio, "Your own painting", height=120, placeholder=words("Drop any picture as the style."), elem_id="image-style-own")
                self.cards.build()
                self.strip_view = gr.HTML("", js_on_load=STRIP, padding=False, elem_classes="seisei-unseen", elem_id="image-style-strip")

    def _build_actions(self, words: Any) -> None:
        with gr.Row(visible=False, elem_classes=["studio-quiet", "image-actions"], elem_id="image-style-actions") as self.actions:
            self.save = gr.Button(words("Download"), size="sm", min_width=90)
            self.enlarge = gr.Button(words("Enlarge"), size="sm", min_width=80)
            self.begin = gr.Button(words("Begin from it"), size="sm", min_width=100)
            self.over = gr.Button(words("Paint over it"), size="sm", min_width=100)
            self.copy = gr.Button(words("Copy settings"), size="sm", min_width=100)
            self.gallery = gr.Button(words("Show in the gallery"), size="sm", min_width=120)
        self.build_working("image-style-working")

    @property
    def more(self) -> list[Any]:
        return [self.actions, self.chosen, self.working]

    def shown(self, run: Run, request: gr.Request) -> list[Any]:
        done = bool(run.outputs) and not run.running and not run.problem
        return [gr.update(visible=done), run.outputs[-1] if run.outputs else "", self.at_work(run)]

    # -- events ----------------------------------------------------------------------------------------------

    def listen(self, tab: Any, create: Any, upscale: Any) -> None:
        form, given = self.form, self.form.given
        started = self.listen_job([self.go.click], given, fields={"image": form.picture, "style": self.own_style, "mask": form.editor, "images": form.files} | self.sheet.axes)
        self._ended(started)
        self.listen_working()
        self._paints(self.cards.view.select(self.on_choose, [], [form.mix], **ui.EACH)).then(self.on_cards, [form.mix, form.picture, form.source], [self.cards.view], **ui.QUICK)
        self._paints(self.own_style.upload(self.on_own, [self.own_style], [form.mix], **ui.QUICK)).then(self.on_cards, [form.mix, form.picture, form.source], [self.cards.view], **ui.QUICK)
        gr.on([form.controls["strength"].release, form.controls["colours"].input], self.on_tweak, inputs_kwargs=given, outputs=self.streamed, **STREAMING)
        uploaded = form.picture.upload(self.on_upload, [], form.pictured, **ui.QUICK)
        for event in (uploaded, form.samples.select(self.on_sample, [], form.pictured, **ui.EACH)):
            self._paints(event)
        form.picture.clear(self.on_upload, [], form.pictured, **ui.QUICK)
        form.brush.expand(self.on_brush, [form.picture, form.source, form.editor], [form.editor], **ui.QUICK)
        form.method.change(form.on_method, [form.method], form.switched, **ui.QUICK)
        measured = [form.method, form.mix, form.picture, *form.controls.values()]
        gr.on([component.change for component in measured], self.on_measure, inputs_kwargs=given, outputs=[self.verdict], trigger_mode="always_last", **ui.QUICK)
        form.folder.upload(lambda files: files, [form.folder], [form.files], **ui.QUICK)
        form.batch.click(self.on_batch, inputs_kwargs=given | {"files": form.files}, outputs=self.streamed, **STREAMING)
        self.sheet.go.click(self.on_sheet, inputs_kwargs=given | self.sheet.axes, outputs=self.streamed, **STREAMING)
        self.sheet.listen(form)
        self.cards.listen(form.mix, form.source)
        self._listen_actions(create, upscale)
        self._thumbs(tab.select(self.on_open, [self.opened], [self.opened, *form.filled, self.cards.view], **ui.QUICK))
        for pipeline in (*form.kinds, BATCH, SHEET):
            ui.on_restore(self.studio, pipeline, ["image", "style"], self._restorer(pipeline), [self.opened, *form.filled, self.cards.view, *self.sheet.axes.values()])

    def _paints(self, event: Any) -> Any:
        """Then it is painted, where a style is chosen; then the thumbnails that waited are made."""
        painted = event.success(self.on_paint, inputs_kwargs=self.form.given, outputs=self.streamed, **STREAMING)
        self._ended(painted)
        return painted

    def _ended(self, event: Any) -> None:
        """What took some time is known: the next one's is told by it."""
        self._thumbs(event.then(self.on_measure, inputs_kwargs=self.form.given, outputs=[self.verdict], **ui.QUICK))

    def _thumbs(self, event: Any) -> None:
        event.then(self.on_strip, [self.form.picture, self.form.source], [self.strip_view], **STREAMING)

    def _listen_actions(self, create: Any, upscale: Any) -> None:
        form = create.form
        for button, act in ((self.save, "save"), (self.copy, "settings")):
            button.click(None, [], [], js=f"() => {{ window.seisei.image.act('{act}', '#image-style-view'); return []; }}")
        self.gallery.click(None, [], [], js="() => { document.querySelector('[role=tab][data-tab-id=gallery]')?.click(); return []; }")
        self.view.select(self.on_pick, [], [self.chosen], **ui.EACH)
        self._thumbs(self.over.click(self.on_over, [self.chosen], self.form.pictured, **ui.QUICK))
        self.enlarge.click(upscale.on_take, [self.chosen], upscale.taken, **ui.QUICK).success(None, [], [], js="() => { window.seisei.image.go('upscale'); return []; }")
        self.begin.click(create.on_begin, [self.chosen], [form.picture.view, form.from_picture, form.shape], **ui.QUICK).success(None, [], [], js="() => { window.seisei.image.go('create'); return []; }")

    # -- a job -----------------------------------------------------------------------------------------------

    def accepted(self, owner: str, given: dict[str, Any]) -> None:
        """Thumbnails wait."""
        self.strip.stop(owner)
        if mix := read_mix(given["mix"]):
            remember_used(self.studio, owner, mix)
        with contextlib.suppress(StudioError):  # a batch needs no picture in the box
            self._keep(owner, given)

    def _keep(self, owner: str, given: dict[str, Any]) -> None:
        """As it is when the page is opened again. Raises BadInput."""
        image = self.form.image(owner, given["picture"], given["source"])
        held = {name: given[name] for name in self.form.controls}
        kept = {"pipeline": self.form.pipeline(given), "values": {"image": image, "mask": self.form.mask(owner, given)}, "mix": read_mix(given["mix"]), "method": given["method"], "held": held}
        self.studio.store.remember(owner, FORM, kept)

    def on_go(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        pipeline, owner = self.form.pipeline(given), ui.owner(request)
        yield from self.run(request, given, lambda: self.studio.submit(pipeline, self.form.values(owner, given), owner=owner))

    def makes_way(self, job: Any) -> bool:
        """What takes a moment, and a painting that was not begun; neither a batch nor a sheet."""
        return job.pipeline.id in QUICK or (job.state == "queued" and job.pipeline.id in self.form.kinds)

    def on_paint(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        """After a painting or a picture was chosen; one that was let go of paints nothing."""
        yield from self.on_go(request, **given) if given["mix"] else iter([ui.as_it_is(len(self.streamed))])

    def on_tweak(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        """What is painted in a moment follows the controls by itself."""
        if given["mix"] and given["picture"] and given["method"] == self.form.methods[0]:
            yield from self.on_go(request, **given)
        else:
            yield ui.as_it_is(len(self.streamed))

    def on_batch(self, request: gr.Request, files: list[str] | None, **given: Any) -> Iterator[list[Any]]:
        """All of them with what is chosen; the others wait."""
        owner, pipeline = ui.owner(request), self.form.pipeline(given)

        def values() -> dict[str, Any]:
            if self.form.mask(owner, given):
                raise BadInput("The brush is for one picture.", hint="Take what was painted with it away, or paint one picture.", field="mask")
            return {"method": pipeline, "settings": self.form.settings(pipeline, given)}

        yield from gathered(self, request, given, files, values)

    def on_sheet(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        """The picture once for each value of what is compared."""
        owner = ui.owner(request)
        yield from self.run(request, given, lambda: self.studio.submit(SHEET, self.sheet.values(owner, given), owner=owner))

    def follow(self, job: Any, request: gr.Request) -> Iterator[list[Any]]:
        """Until it ends, or a newer one has taken its place."""
        for drawn in super().follow(job, request):
            if self.studio.store.recall(job.owner, self.slot, "") != job.id:
                yield ui.as_it_is(len(self.streamed))
                return
            yield drawn

    def stage(self, run: Run, owner: str, lang: str) -> str:
        """Finished: the picture and what was painted under one slider; a batch is a sheet."""
        before = str(self.follower.asked(run.job).get("image", ""))
        if len(run.outputs) == 1 and before and not run.running and not run.problem:
            return self.beside(before, run, lang)
        return super().stage(run, owner, lang)

    def hello(self, owner: str, lang: str) -> str:
        """A first visit sees a photo that was painted beforehand, by the same method."""
        about = self.studio.words.say(lang, "Click a painting: the photo is painted at once. Or drop a picture of your own on the left.")
        if self.studio.store.recall(owner, self.slot):
            return f'<div class="studio-empty"><b lang="ja">生成</b><br>{html.escape(about)}</div>'
        first = photo(FIRST)
        both = slider(first.address if first else "", f"{ADDRESS}/styled/{FIRST}.webp", self.studio.words, lang)
        return f'{both}<span class="told">{html.escape(about)}</span>'

    # -- filling ---------------------------------------------------------------------------------------------

    def on_choose(self, event: gr.EventData, request: gr.Request) -> Mix:
        try:
            return read_mix(event._data["value"])
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error

    def on_own(self, path: str | None, request: gr.Request) -> Mix:
        """A picture of one's own as the style. One that no style can be read from is refused here: kept as one's own it would keep the thumbnails of all from being made."""
        if not path:
            return []
        painter: Any = self.studio.pipelines[ANY]
        try:
            mix = single(keep_data(self.studio.inputs(ui.owner(request)), Path(path).read_bytes()))
            painter.check_style(painter.Params.parse(style_values(mix, painter.Params.model_fields)), self.studio.jobs.desk)
        except StudioError as error:
            raise ui.toast(self.studio, error, request) from error
        return mix

    def on_cards(self, mix: Mix, picture: str | None, source: str, request: gr.Request) -> str:
        return self.cards.drawn(ui.owner(request), mix, self._key(ui.owner(request), picture, source), ui.lang(request))

    def on_upload(self, request: gr.Request) -> list[Any]:
        return self.form.with_upload(ui.lang(request))

    def on_sample(self, event: gr.EventData, request: gr.Request) -> list[Any]:
        found = photo(str(event._data["value"]))
        return self.form.with_picture(found.key if found else "", ui.lang(request))

    def on_over(self, chosen: str, request: gr.Request) -> list[Any]:
        """The painted picture is the next one to be painted."""
        return self.form.with_picture(kept_output(self.studio, own_output(self.studio, chosen, request), request), ui.lang(request))

    def on_pick(self, event: gr.EventData) -> str:
        return str(event._data["value"])

    def on_brush(self, picture: str | None, source: str, painted: str | None, request: gr.Request) -> Any:
        """The picture to paint the mask over, once for each picture."""
        key = self._key(ui.owner(request), picture, source)
        return gr.skip() if painted and json.loads(painted)["image"] == key else self.form.painter.shown(key)

    def _key(self, owner: str, picture: str | None, source: str) -> str:
        try:
            return self.form.image(owner, picture, source)
        except StudioError:
            return ""

    def on_open(self, opened: bool, request: gr.Request) -> list[Any]:
        """At the first look: the form as it was left, or the sample photo and a painting."""
        if opened:
            return ui.as_it_is(len(self.form.filled) + 2)
        owner = ui.owner(request)
        kept = self.studio.store.recall(owner, FORM) or {"pipeline": ANY, "values": {"image": samples("photos")[0].key}, "mix": paintings()[0].mix}
        return self._filled(owner, kept, ui.lang(request))

    def _filled(self, owner: str, kept: dict[str, Any], lang: str) -> list[Any]:
        shown = self.form.shown(kept["pipeline"], kept["values"], kept["mix"], lang, kept.get("method", ""), kept.get("held", {}))
        return [True, *shown, self.cards.drawn(owner, kept["mix"], str(kept["values"].get("image", "")), lang)]

    def on_strip(self, picture: str | None, source: str, request: gr.Request) -> Iterator[str]:
        """Thumbnails in every style, as they get ready."""
        owner = ui.owner(request)
        key = self._key(owner, picture, source)
        for ready in chain([self.strip.ready(key)], self.strip.make(owner, key, self.cards.all(owner))):
            yield f"<div hidden data-strip='{html.escape(told(key, ready))}'></div>"

    def _restorer(self, pipeline: str) -> Any:
        def restore(request: gr.Request) -> list[Any]:
            owner = ui.owner(request)
            values, given = restored(self.studio, owner, pipeline)
            method = str(given.get("method", "")) if pipeline in (BATCH, SHEET) else pipeline
            kept = {"pipeline": method, "values": values, "mix": mix_of(values)}
            self.studio.store.remember(owner, FORM, kept)  # the page may be opened for the first time by this
            return [*self._filled(owner, kept, ui.lang(request)), *self.sheet.shown(given if pipeline == SHEET else {})]

        return restore

    def on_measure(self, request: gr.Request, **given: Any) -> str:
        """Whether it fits and how long it will take. What can be read is kept, for when the page is opened again."""
        owner = ui.owner(request)
        try:
            told = verdict(self.studio, self.form.pipeline(given), self.form.values(owner, given), ui.lang(request), self.form.notes(given))
            self._keep(owner, given)
        except StudioError:
            return ""  # what is wrong is told when it is asked for
        return told
