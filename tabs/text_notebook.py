"""The notebook: one long text; the model writes at the cursor."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import gradio as gr

from studio import ui
from studio.api import Cancelled, Done, Failed, Stats, Studio, StudioError, Text
from tabs.stops import Stops

CURSOR = """(text, cursor, ...rest) => {
  const box = document.querySelector('#notebook-text textarea');
  if (box && box.dataset.cursor !== undefined) { cursor = Number(box.dataset.cursor); delete box.dataset.cursor; }
  return [text, cursor, ...rest];
}"""  # where the person last was; else where the model stopped
SHOWN = ("max_tokens", "temperature", "top_p", "min_p", "repetition_penalty", "stop", "seed")
KEEP_STEPS = 50


class NotebookPage:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.stops = Stops(studio)
        self.Params = studio.pipelines["text.complete"].Params
        self.problem = ui.Problem(studio)

    def build(self) -> None:
        words = self.studio.words
        self.undo_steps, self.redo_steps = gr.State([]), gr.State([])
        self.cursor = gr.Number(-1, visible=False)  # a State can not be set by the browser
        with gr.Row(elem_classes="studio-two"):
            with gr.Column(scale=1, min_width=300, elem_classes="studio-left"):
                self.model = ui.control(self.Params.model_fields["model"], self.studio)
                with gr.Accordion(words("Advanced"), open=False):
                    self.controls = ui.controls(self.Params, self.studio, only=SHOWN)
                self.controls |= ui.extras(self.studio, "text.complete")
            with gr.Column(scale=3, min_width=320, elem_classes="studio-right"):
                self.text = gr.Textbox(label=words("Text"), placeholder=words("Write a beginning; Generate goes on at the cursor."), lines=18, max_lines=40, elem_id="notebook-text")
                self.note = gr.HTML("", elem_classes="studio-note")
                self.problem.build("notebook-problem")
                with gr.Row():
                    self.generate = gr.Button(words("Generate"), variant="primary", elem_classes="primary-action", min_width=90)
                    self.stop = gr.Button(words("Stop"), elem_classes="stop-action", min_width=90)
                    self.undo = gr.Button(words("Undo"), min_width=90)
                    self.redo = gr.Button(words("Redo"), min_width=90)
        self._listen()

    def _listen(self) -> None:
        given = [self.text, self.cursor, self.undo_steps, self.model, *self.controls.values()]
        steps = [self.text, self.undo_steps, self.redo_steps]
        self.problem.listen({"prompt": self.text, "model": self.model} | self.controls)
        self.generate.click(self.on_generate, given, [self.text, self.note, self.undo_steps, self.redo_steps, self.cursor, self.problem.view], js=CURSOR, concurrency_limit=None, **ui.QUIET)
        self.stop.click(self.on_stop, [], [], **ui.QUICK)
        self.undo.click(self.on_undo, steps, steps, **ui.QUICK)
        self.redo.click(self.on_redo, steps, steps, **ui.QUICK)
        self.text.blur(self.on_blur, [self.text], [], **ui.QUICK)
        context = gr.context.Context.root_block
        assert isinstance(context, gr.Blocks)
        shown = [self.text, self.model, *self.controls.values()]
        context.load(self.on_load, [], shown, **ui.QUICK)
        ui.on_restore(self.studio, "text.complete", ["text", "notebook"], self.on_load, shown)

    def on_generate(self, request: gr.Request, text: str, cursor: int, past: list[str], model: str, *rest: Any) -> Iterator[list[Any]]:
        owner, lang = ui.owner(request), ui.lang(request)
        cursor = len(text) if cursor is None or cursor < 0 else min(int(cursor), len(text))
        before, after = text[:cursor], text[cursor:]
        try:
            given = dict(zip(self.controls, rest, strict=True))
            values = ui.read_values(self.Params, given) | {"model": model, "prompt": before}
            job = self.studio.submit("text.complete", values, owner=owner, extras=ui.read_extras(self.studio, "text.complete", given))
        except StudioError as error:
            yield [*[gr.skip()] * 5, self.problem.told(error, lang)]
            return
        self.studio.store.remember(owner, "text.notebook", {"text": text, "model": model, "controls": given, "job": job.id})
        self.stops.admit(owner, request, job.id)
        past = [*past, text][-KEEP_STEPS:]
        written, problem = "", ""
        facts: dict[str, Any] = {}
        for batch in job.batches(ui.pace(self.studio, request)):
            for event in batch:
                if isinstance(event, Text):
                    written += event.delta
                elif isinstance(event, Stats):
                    facts |= event.values
                elif isinstance(event, Failed):
                    problem = ui.error_text(self.studio, StudioError.from_wire(event.error), lang)
                elif isinstance(event, (Done, Cancelled)):
                    facts |= job.summary
            if job.state in ("queued", "running"):
                yield [before + written + after, self._note(facts, problem, lang), past, [], cursor + len(written), ""]
        self._remember_text(owner, before + written + after)
        yield [before + written + after, self._note(facts, problem, lang), past, [], cursor + len(written), ""]

    def _note(self, facts: dict[str, Any], problem: str, lang: str) -> str:
        if problem:
            return f"<span class='studio-error'>{html.escape(problem)}</span>"
        say = self.studio.words.say
        speed = say(lang, "{n} tokens/s", n=f"{facts['tokens_per_second']:.1f}") if facts.get("tokens_per_second") else ""
        length = say(lang, "{used} of {size} tokens in mind", used=f"{facts['context_used']:,}", size=f"{facts['context_length']:,}") if facts.get("context_length") else ""
        return " · ".join(part for part in (speed, length) if part)

    def on_stop(self, request: gr.Request) -> None:
        owner = ui.owner(request)
        self.stops.press(owner, request)
        self.studio.jobs.cancel(self.studio.store.recall(owner, "text.notebook", {}).get("job", ""), by=owner)

    def on_undo(self, text: str, past: list[str], future: list[str]) -> list[Any]:
        return [past[-1], past[:-1], [*future, text]] if past else [gr.skip()] * 3

    def on_redo(self, text: str, past: list[str], future: list[str]) -> list[Any]:
        return [future[-1], [*past, text], future[:-1]] if future else [gr.skip()] * 3

    def on_blur(self, text: str, request: gr.Request) -> None:
        self._remember_text(ui.owner(request), text)

    def _remember_text(self, owner: str, text: str) -> None:
        kept = self.studio.store.recall(owner, "text.notebook", {})
        self.studio.store.remember(owner, "text.notebook", kept | {"text": text})

    def on_load(self, request: gr.Request) -> list[Any]:
        """The text and controls as they were; or as a dropped file says."""
        owner = ui.owner(request)
        kept = self.studio.store.recall(owner, "text.notebook", {})
        controls = dict(kept.get("controls", {}))
        if dropped := self.studio.store.recall(owner, "restore:text.complete"):
            self.studio.store.remember(owner, "restore:text.complete", None)
            kept = {"text": dropped.get("prompt", ""), "model": dropped.get("model", "")}
            controls = ui.show_values(self.Params, dropped) | ui.show_extras(self.studio, "text.complete", dropped.get("extras", {}))
        models = [(entry.title, entry.key) for entry in self.studio.catalog.entries("llm")]
        known = [key for _, key in models]
        model = kept.get("model") if kept.get("model") in known else (known[0] if known else "")
        text = kept.get("text") or gr.skip()  # what was typed while the page was loading stays
        return [text, gr.update(choices=models, value=model), *(controls[name] if name in controls else gr.skip() for name in self.controls)]
