"""The Image tab: Create, Grid and Upscale, each a view of one pipeline."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import unquote

import gradio as gr
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from studio import ui
from studio.api import Route, Studio, Tab, hookimpl
from tabs.image_advice import PIPELINE
from tabs.image_create import CreatePage
from tabs.image_grid import GridPage
from tabs.image_prompt import suggestions
from tabs.image_upscale import UpscalePage


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
            with gr.Tab(words("Create"), id="create"):
                create.build()
            with gr.Tab(words("Grid"), id="grid") as opened:
                grid.build()
            with gr.Tab(words("Upscale"), id="upscale"):
                upscale.build()
        create.listen(upscale)
        grid.listen(opened.select)
        upscale.listen()
        ui.last_results("image.")


@hookimpl
def register_routes(studio: Studio) -> list[Route]:
    """What the page's script asks for while one writes, and the picture before it was enlarged."""

    def words(request: Request) -> Any:
        return suggestions(studio, unquote(request.headers["x-seisei-owner"]))

    def given(request: Request) -> Response:
        """A key is the picture's own hash: who has it has seen the picture."""
        return FileResponse(studio.jobs.desk.inputs.path(request.path_params["key"]), headers={"x-content-type-options": "nosniff", "cache-control": "private, max-age=86400"})

    return [
        Route("/api/v1/image/words", ["GET"], words, "Names that a prompt can use: LoRAs, embeddings, wildcards, your styles"),
        Route("/api/v1/image/inputs/{key}", ["GET"], given, "A picture that was given to a job"),
    ]


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [ImageTab()]
