"""The Image tab: Create, Grid, Style, Upscale and Lab, each a view of its pipelines."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import gradio as gr
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from studio.api import NotFound, Route, Studio, Tab, hookimpl
from studio.inputs import PICTURES, SOUNDS
from tabs.image_advice import PIPELINE
from tabs.image_create import CreatePage
from tabs.image_grid import GridPage
from tabs.image_lab import LabPage
from tabs.image_prompt import suggestions
from tabs.image_samples import FOLDER
from tabs.image_style import StylePage
from tabs.image_style_mix import ANY, BLEND
from tabs.image_style_strip import Strip
from tabs.image_upscale import UpscalePage

SHOWN = (*PICTURES, *SOUNDS)  # of what was given to jobs: the Audio page compares with it, too


class ImageTab:
    id: ClassVar[str] = "image"
    title: ClassVar[str] = "Image"
    order: ClassVar[int] = 20

    def build(self, studio: Studio) -> None:
        words = studio.words
        if PIPELINE not in studio.pipelines:
            gr.Markdown(words("The image pipelines are not installed."))
            return
        create, upscale = CreatePage(studio), UpscalePage(studio)
        grid = GridPage(studio, create)
        with gr.Tabs(elem_id="image-modes"):
            with gr.Tab(words("Create"), id="create", elem_id="image-create"):
                create.build()
            with gr.Tab(words("Grid"), id="grid", elem_id="image-gridding") as opened:
                grid.build()
            style = self._style(studio)
            with gr.Tab(words("Upscale"), id="upscale"):
                upscale.build()
            lab = self._lab(studio)
        create.listen(upscale)
        grid.listen(opened.select)
        upscale.listen()
        if style:
            style[0].listen(style[1], create, upscale)
        if lab:
            lab[0].listen(lab[1], create, upscale)

    def _style(self, studio: Studio) -> tuple[StylePage, Any] | None:
        """Where the pipelines that paint are there."""
        if not {ANY, BLEND} <= studio.pipelines.keys():
            return None
        page = StylePage(studio)
        with gr.Tab(studio.words("Style"), id="style") as tab:
            page.build()
        return page, tab

    def _lab(self, studio: Studio) -> tuple[LabPage, Any] | None:
        page = LabPage(studio)
        if not page.views:
            return None
        with gr.Tab(studio.words("Lab"), id="lab") as tab:
            page.build()
        return page, tab


@hookimpl
def register_routes(studio: Studio) -> list[Route]:
    """What the page's script asks for while one writes, and the picture before it was enlarged."""

    def words(request: Request) -> Any:
        return suggestions(studio, unquote(request.headers["x-seisei-owner"]))

    def given(request: Request) -> Response:
        """A key is the picture's own hash: who has it has seen the picture. A drawing or a table is no picture: its maker's script would run as the studio's own."""
        path = studio.jobs.desk.inputs.path(request.path_params["key"])
        return picture(path if path.suffix in SHOWN else None)

    def sample(request: Request) -> Response:
        path = (FOLDER / request.path_params["kind"] / request.path_params["name"]).resolve()
        return picture(path if path.is_relative_to(FOLDER) and path.suffix == ".webp" else None)

    def thumbnail(request: Request) -> Response:
        return picture(strip.path(request.path_params["key"], request.path_params["name"]))

    def picture(path: Path | None) -> Response:
        if path is None or not path.is_file():
            raise NotFound("There is no such picture.")
        fenced = {"content-security-policy": "sandbox; default-src 'none'; img-src 'self'; media-src 'self'"}
        return FileResponse(path, headers=fenced | {"x-content-type-options": "nosniff", "cache-control": "private, max-age=86400"})

    strip = Strip(studio)
    return [
        Route("/api/v1/image/samples/{kind}/{name}", ["GET"], sample, "The photos and style pictures that come along"),
        Route("/api/v1/image/styles/{key}/{name}", ["GET"], thumbnail, "A picture small in one of the styles"),
        Route("/api/v1/image/words", ["GET"], words, "Names that a prompt can use: LoRAs, embeddings, wildcards, your styles"),
        Route("/api/v1/image/inputs/{key}", ["GET"], given, "A picture that was given to a job"),
    ]


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [ImageTab()]
