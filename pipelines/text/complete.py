"""text.complete: goes on from a text, without a chat template."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from pydantic import Field

from pipelines.text.languages import advice, language_note, room
from pipelines.text.params import TextParams
from pipelines.text.running import need_of, request_of, run_request
from studio.api import BadInput, Catalog, Lane, Need, Params, Result, RunContext, ui


class CompleteParams(TextParams):
    prompt: str = Field("", max_length=4_000_000, title="Text", description="The model goes on from here.", json_schema_extra=ui(widget="textarea", lines=12))


class Complete:
    """The continuation alone streams and is saved; the prompt is in the metadata."""

    id: ClassVar[str] = "text.complete"
    title: ClassVar[str] = "Complete"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = CompleteParams

    def need(self, params: CompleteParams, catalog: Catalog) -> Need:
        told = advice(params.model, params.prompt[-2000:], catalog, room())
        note = language_note(told)
        missing = "" if params.prompt else "Write a beginning first."
        return need_of(params, catalog, missing, [note] if note else [], {"downloads": told.get("downloads", []), "installed": told.get("installed", [])})

    def map_text(self, params: CompleteParams, change: Callable[[str], str]) -> CompleteParams:
        return params.model_copy(update={"prompt": change(params.prompt)})

    def run(self, params: CompleteParams, ctx: RunContext) -> Result:
        if not params.prompt:
            raise BadInput("There is no text to go on from.", hint="Write a beginning first.", field="prompt")
        return run_request(params, request_of(params, ctx.seed, prompt=params.prompt), ctx)
