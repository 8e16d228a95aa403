"""The Simulation tab: Gallery, Run, Experiment, Learn and Own, each a view of its pipelines; they share one desk."""

from __future__ import annotations

from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import Route, Studio, Tab, hookimpl
from tabs import simulation_hand
from tabs.simulation_desk import RUN, Desk
from tabs.simulation_experiment import ExperimentPage
from tabs.simulation_gallery import GalleryPage
from tabs.simulation_learn import LearnPage
from tabs.simulation_own import OwnPage
from tabs.simulation_routes import routes
from tabs.simulation_run import RunPage

PAGES: tuple[tuple[str, str, type[Any]], ...] = (
    ("gallery", "Gallery", GalleryPage), ("run", "Run", RunPage), ("experiment", "Experiment", ExperimentPage), ("learn", "Learn", LearnPage), ("own", "Own", OwnPage),
)  # fmt: skip


class SimulationTab:
    id: ClassVar[str] = "simulation"
    title: ClassVar[str] = "Simulation"
    order: ClassVar[int] = 35

    def build(self, studio: Studio) -> None:
        words = studio.words
        if RUN not in studio.pipelines:
            gr.Markdown(words("The simulation pipelines are not installed."))
            return
        desk = Desk(studio)
        desk.build()
        pages = [(name, title, kind(studio, desk)) for name, title, kind in PAGES]
        with gr.Tabs(elem_id="simulation-modes") as desk.tabs:
            for name, title, page in pages:
                with gr.Tab(words(title), id=name) as page.tab:
                    page.build()
        desk.listen()
        for _, _, page in pages:
            page.listen()
        ui.last_results("simulation.")


@hookimpl
def register_routes(studio: Studio) -> list[Route]:
    return [*routes(studio), *simulation_hand.routes(studio)] if RUN in studio.pipelines else []


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [SimulationTab()]
