"""Grid: a piece, a speech or a sound for each combination of two or three axes, with what stands on its own page. A view of the grids of music."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any, ClassVar

import gradio as gr

from studio import ui
from studio.api import NotFound, Studio, StudioError
from tabs.grid_axes import WHICH, GridAxes
from tabs.job_follow import Run
from tabs.music_audio import AUDIO
from tabs.music_desk import COMPOSE
from tabs.music_speech import SPEECH
from tabs.sound_view import SoundPage, address

GRIDS = {"Pieces": (COMPOSE, "music.grid"), "Speech": (SPEECH, "music.speech_grid"), "Sounds": (AUDIO, "music.audio_grid")}


class MusicGridPage(GridAxes, SoundPage):
    """Left what is compared and the axes, right a player for each cell. `pages` are those whose settings hold, by pipeline."""

    pipeline: ClassVar[str] = "music.grid"
    slot: ClassVar[str] = "music.grid.job"
    look: ClassVar[str] = "sound-view sound-grid"

    def __init__(self, studio: Studio, pages: dict[str, Any]) -> None:
        super().__init__(studio)
        self.pages = pages
        self.kinds = {title: grid for title, (made_by, grid) in GRIDS.items() if made_by in pages and grid in studio.pipelines}
        self.fields = {str(field.title): field for title in self.kinds for field in studio.pipelines[GRIDS[title][0]].Params.model_fields.values()}

    def build(self) -> None:
        words, first = self.studio.words, next(iter(self.kinds))
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                gr.HTML(f"<p class='studio-note'>{html.escape(words('One for each combination. All other settings are those of its own page.'))}</p>", padding=False)
                self.kind = gr.Radio([(words(title), title) for title in self.kinds], value=first, label=words("What is compared"), elem_id="music-grid-kind")
                self.build_axes(self.studio.pipelines[self.kinds[first]].Params, "music-grid", self.choices(first))
                with gr.Column(elem_classes="studio-foot"):
                    self.build_problem("music-grid-problem")
                    self.counted = gr.HTML("", elem_classes="studio-note", padding=False, elem_id="music-grid-told")
                    with gr.Row(equal_height=True):
                        self.build_go("Make the grid", "music-grid-go")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.build_view("music-grid-view")
                self.finish = gr.Button(words("Finish with what is there"), size="sm", visible=False, elem_classes="studio-quiet", elem_id="music-grid-finish")

    def choices(self, kind: str) -> list[tuple[str, str]]:
        words = self.studio.words
        grid: Any = self.studio.pipelines[self.kinds[kind]]
        return [(words("Nothing"), ""), *((words(title), title) for title in grid.axes())]

    @property
    def more(self) -> list[Any]:
        return [self.finish]

    def shown(self, run: Run, request: gr.Request) -> list[Any]:
        return [gr.update(visible=run.running)]

    def listen(self) -> None:
        chosen = {"kind": self.kind} | self.axes
        self.listen_job([self.go.click], chosen | self._held, self.axes)
        self.finish.click(self.stopper("finish"), [], [], **ui.QUICK)
        self.listen_axes(self.kind)
        axes = [self.axes[f"{which}_axis"] for which in WHICH]
        self.kind.change(self.on_kind, [self.kind, *axes], axes, **ui.QUICK)
        gr.on([component.change for component in chosen.values()], self.on_count, inputs_kwargs=chosen, outputs=[self.counted], trigger_mode="always_last", **ui.QUICK)
        for title, grid in self.kinds.items():
            ui.on_restore(self.studio, grid, ["music", "grid"], self._restorer(title), [self.kind, *self.axes.values(), *self._page(title).restored])

    def _page(self, title: str) -> Any:
        return self.pages[GRIDS[title][0]]

    @property
    def _held(self) -> dict[str, Any]:
        """The components of the other pages; names that several have are told apart by the page's."""
        return {f"{title}.{name}": component for title in self.kinds for name, component in self._page(title).given.items()}

    # -- events ----------------------------------------------------------------------------------------------

    def on_kind(self, kind: str, *axes: str) -> list[Any]:
        """What another kind of sound has not is taken back."""
        choices = self.choices(kind)
        known = {title for _, title in choices}
        return [gr.update(choices=choices, value=axis if axis in known else "") for axis in axes]

    def on_go(self, request: gr.Request, **given: Any) -> Iterator[list[Any]]:
        yield from self.submit(request, given, pipeline=self.kinds[given["kind"]])

    def asked(self, owner: str, given: dict[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        kind = given["kind"]
        held = {name.partition(".")[2]: value for name, value in given.items() if name.startswith(f"{kind}.")}
        values, _ = self._page(kind).asked(owner, held)
        return {"settings": values} | {name: given[name] or "" for name in self.axes}, {}

    def on_count(self, request: gr.Request, kind: str, **axes: Any) -> str:
        """How many cells; what is wrong with an axis."""
        lang = ui.lang(request)
        if not any(axes[f"{which}_axis"] for which in WHICH):
            return ""
        grid: Any = self.studio.pipelines[self.kinds[kind]]
        try:
            labels = grid.labels({name: value or "" for name, value in axes.items()})
        except StudioError as error:
            return html.escape(ui.error_text(self.studio, error, lang))
        return html.escape(self.studio.words.say(lang, "{n} cells", n=len(labels)))

    def _restorer(self, title: str) -> Any:
        """Fills the axes, and with the settings beside them the page that they are from."""

        def fill(request: gr.Request) -> list[Any]:
            owner, store = ui.owner(request), self.studio.store
            values = dict(store.recall(owner, f"restore:{self.kinds[title]}") or {})
            store.remember(owner, f"restore:{self.kinds[title]}", None)
            store.remember(owner, f"restore:{GRIDS[title][0]}", values.get("settings") or {})
            axes = [gr.update(choices=self.choices(title), value=values.get(name, "")) if name.endswith("axis") else values.get(name, "") for name in self.axes]
            return [title, *axes, *self._page(title).on_restore(request)]

        return fill

    # -- drawing ---------------------------------------------------------------------------------------------

    def below(self, run: Run, owner: str, lang: str) -> str:
        """The table; pieces that were made without sound, which have no player."""
        links, silent = [], bool(run.outputs) and self.follower.asked(run.job).get("settings", {}).get("sound") == "No sound"
        for output_id in run.outputs:
            try:
                output = self.studio.store.output(output_id)
            except NotFound:
                continue
            if output.kind == "table":
                links.append((output_id, self.studio.words.say(lang, "Table of all cells (CSV)")))
            elif output.kind == "midi" and silent:
                links.append((output_id, f"{output.title} (MIDI)"))
        made = "".join(f'<a href="{html.escape(address(output))}" download>{html.escape(name)}</a>' for output, name in links)
        return f'<p class="files">{made}</p>' if made else ""

    def hello(self, owner: str, lang: str) -> str:
        told = self.studio.words.say(lang, "Choose what changes along X, then start: moods, tempos, keys, voices, speeds.")
        return f'<div class="studio-empty"><b lang="ja">生成</b><br>{html.escape(told)}</div>'
