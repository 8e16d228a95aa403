"""The Music tab: Compose, Learn, Audio, Speech and Grid, each a view of its pipelines."""

from __future__ import annotations

from typing import Any, ClassVar

import gradio as gr

from studio.api import Route, Studio, Tab, hookimpl
from tabs.music_audio import AUDIO, AudioPage
from tabs.music_compose import ComposePage
from tabs.music_desk import COMPOSE
from tabs.music_desk_routes import routes
from tabs.music_grid import MusicGridPage
from tabs.music_learn import LEARN, LearnPage
from tabs.music_speech import SPEECH, SpeechPage


class MusicTab:
    id: ClassVar[str] = "music"
    title: ClassVar[str] = "Music"
    order: ClassVar[int] = 30

    def build(self, studio: Studio) -> None:
        words = studio.words
        pages: list[tuple[str, str, Any]] = []  # (id, title, page)
        if COMPOSE in studio.pipelines:
            pages.append(("compose", "Compose", ComposePage(studio)))
        if LEARN in studio.pipelines:
            pages.append(("learn", "Learn", LearnPage(studio)))
        if AUDIO in studio.pipelines:
            pages.append(("audio", "Audio", AudioPage(studio)))
        if SPEECH in studio.pipelines:
            pages.append(("speech", "Speech", SpeechPage(studio)))
        if made := {pipeline: page for name, pipeline in (("compose", COMPOSE), ("speech", SPEECH), ("audio", AUDIO)) for known, _, page in pages if known == name}:
            pages.append(("grid", "Grid", MusicGridPage(studio, made)))
        if not pages:
            gr.Markdown(words("The music pipelines are not installed."))
            return
        with gr.Tabs(elem_id="music-modes"):
            for name, title, page in pages:
                with gr.Tab(words(title), id=name) as shown:
                    page.build()
                page.tab = shown  # pages that refresh when they are chosen listen to it
        for _, _, page in pages:
            page.listen()


@hookimpl
def register_routes(studio: Studio) -> list[Route]:
    return routes(studio)


@hookimpl
def register_tabs(studio: Any) -> list[Tab]:
    return [MusicTab()]
