"""The Gallery page of the Simulation tab: a card for each model."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from studio.api import Studio
from tabs.simulation_desk import Desk, version

SCRIPT = "import('/api/v1/simulation/page.js?{version}').then((page) => page.gallery(element));"


class GalleryPage:
    """`tab` is the gr.Tab it stands in, set before `listen`."""

    tab: Any

    def __init__(self, studio: Studio, desk: Desk) -> None:
        self.studio = studio
        self.desk = desk

    def build(self) -> None:
        gr.HTML(f'<p class="studio-empty">{html.escape(self.studio.words("The models are being fetched …"))}</p>', js_on_load=SCRIPT.format(version=version()), padding=False, elem_id="simulation-gallery")

    def listen(self) -> None:
        """The page's script does all."""
