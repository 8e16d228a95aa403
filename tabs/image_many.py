"""Two folds of a page that asks one pipeline: its settings compared on a sheet, and many pictures in the same way. Views of image.style_grid and image.style_batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import Studio
from tabs.grid_axes import GridAxes
from tabs.image_picture import keep_data
from tabs.image_style_mix import BATCH
from tabs.image_style_sheet import EXAMPLES, SHEET
from tabs.job_page import STREAMING

SOME = "0" * 64 + ".png"  # a picture's key, for what is told without a look at it


class Compare(GridAxes):
    """All settings but those of the axes are the page's: its `asked` tells them."""

    examples: ClassVar[Mapping[str, str]] = EXAMPLES

    def __init__(self, studio: Studio, page: Any) -> None:
        self.studio, self.page = studio, page
        self.fields = {str(field.title): field for field in page.Params.model_fields.values()}
        self.axes = {}

    @property
    def named(self) -> dict[str, Any]:
        """The components of the job's fields, for what is refused."""
        return self.axes

    @property
    def there(self) -> bool:
        return SHEET in self.studio.pipelines

    def build(self, prefix: str) -> None:
        words, grid = self.studio.words, self.studio.pipelines[SHEET]
        titles: list[str] = grid.axes(self.page.pipeline)  # type: ignore[attr-defined]
        with gr.Accordion(words("Compare settings"), open=False, elem_id=f"{prefix}-sheet"):
            self.build_axes(grid.Params, prefix, [(words("Nothing"), ""), *((words(title), title) for title in titles)])
            with gr.Row(elem_classes="studio-quiet"):
                self.go = gr.Button(words("Make a sheet"), size="sm", min_width=110, elem_id=f"{prefix}-sheet-go")

    def listen(self, given: dict[str, Any]) -> None:
        self.listen_axes(gr.State(""))
        self.go.click(self.on_sheet, inputs_kwargs=given | self.axes, outputs=self.page.streamed, **STREAMING)

    def on_sheet(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        owner = ui.owner(request)
        yield from self.page.run(request, given, lambda: self.studio.submit(SHEET, self.values(owner, given), owner=owner))

    def values_of(self, axis: str, model: str) -> list[str]:
        """Without choices that need a model which is not here, where others do not."""
        found = super().values_of(axis, model)
        named, pipeline = [name for name, field in self.page.Params.model_fields.items() if field.title == axis], self.studio.pipelines[self.page.pipeline]
        there = [value for value in found for name in named if not pipeline.need(pipeline.Params.parse({"image": SOME, name: value.strip('"')}), self.studio.catalog).missing]
        return there or found

    def values(self, owner: str, given: dict[str, Any]) -> dict[str, Any]:
        """Of the job, about one picture. Raises BadInput."""
        settings = {name: value for name, value in self.page.asked(owner, given)[0].items() if name != "more"}
        return {"method": self.page.pipeline, "settings": settings} | {name: given[name] or "" for name in self.axes}

    def shown(self, values: dict[str, Any]) -> list[Any]:
        """For the axes: those of a job that was a sheet, none for another one's."""
        return [str(values.get(name, "")) for name in self.axes]


class Several:
    """A page's `settings` are those of every picture."""

    def __init__(self, studio: Studio, page: Any) -> None:
        self.studio, self.page = studio, page

    @property
    def named(self) -> dict[str, Any]:
        """The components of the job's fields, for what is refused."""
        return {"images": self.files}

    @property
    def there(self) -> bool:
        return BATCH in self.studio.pipelines

    def build(self, prefix: str) -> None:
        words = self.studio.words
        with gr.Accordion(words("Several pictures"), open=False, elem_id=f"{prefix}-several"):
            self.files = gr.File(file_count="multiple", type="filepath", label=words("Pictures"), height=140, elem_id=f"{prefix}-files")
            with gr.Row(elem_classes="studio-quiet"):
                self.folder = gr.UploadButton(words("A whole folder"), file_count="directory", type="filepath", size="sm", min_width=110)
                self.go = gr.Button(words("Do them all"), size="sm", min_width=110, elem_id=f"{prefix}-all")

    def listen(self, given: dict[str, Any]) -> None:
        self.folder.upload(lambda files: files, [self.folder], [self.files], **ui.QUICK)
        self.go.click(self.on_all, inputs_kwargs=given | {"files": self.files}, outputs=self.page.streamed, **STREAMING)

    def on_all(self, request: gr.Request, files: list[str] | None, **given: Any) -> Iterator[list[Any]]:
        owner = ui.owner(request)
        yield from gathered(self.page, request, given, files, lambda: {"method": self.page.pipeline, "settings": self.page.settings(owner, given)})


def restored(studio: Studio, owner: str, pipeline: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what the method was told, of a batch about its first picture; the job's own parameters) of what came back for a page, which takes it from there.

    Settings inside a job's are checked by nobody before: what is none of the method's is left at its default.
    """
    given = dict(studio.store.recall(owner, f"restore:{pipeline}") or {})
    studio.store.remember(owner, f"restore:{pipeline}", None)
    if pipeline not in (BATCH, SHEET):
        return given, given
    settings, kind = dict(given["settings"]) | ({"image": next(iter(given["images"]), "")} if pipeline == BATCH else {}), studio.pipelines[given["method"]].Params
    return kind.restore(settings, kind.schema_version)[0].model_dump(mode="json"), given


def gathered(page: Any, request: gr.Request, given: dict[str, Any], files: list[str] | None, values: Any) -> Iterator[list[Any]]:
    """A batch of these files on a page, with what is left out of them; `values()` are the job's others, and may raise StudioErrors."""
    studio, owner, refused = page.studio, ui.owner(request), list[dict[str, str]]()

    def submit() -> Any:
        asked = values()
        keys, names, none = studio.pipelines[BATCH].gather([Path(file) for file in files or []], partial(keep_data, studio.inputs(owner)))
        refused.extend(none)
        return studio.submit(BATCH, asked | {"images": keys, "names": names}, owner=owner)

    def told(job: Any) -> str:  # those that only reading them in full found out come at the end
        return str(page.left_out([*refused, *job.summary.get("refused", [])], ui.lang(request)))

    yield from page.run(request, given, submit, told)
