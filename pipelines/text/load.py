"""text.load: puts a language model into memory, so that the first answer does not wait for it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from pipelines.text.engine import Setup
from pipelines.text.engines import engine_for
from studio.api import Catalog, Lane, ModelBroken, ModelMissing, Need, Params, Result, RunContext, ui


class LoadParams(Params):
    model: str = Field("", title="Model", description="The language model that writes.", json_schema_extra=ui(widget="model", model_kind="llm"))
    context_length: int = Field(
        0, ge=0, le=1048576, title="Context length",
        description="How many tokens the model keeps in mind; 0 takes what it was trained on, up to 8,192.",
        json_schema_extra=ui(group="Length", advanced=True),
    )  # fmt: skip


class Load:
    """No output: the model is lent once and stays until its room is needed."""

    id: ClassVar[str] = "text.load"
    title: ClassVar[str] = "Load a model"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = LoadParams

    def need(self, params: LoadParams, catalog: Catalog) -> Need:
        try:
            entry = catalog.find(params.model)
            working = engine_for(entry).working_bytes(entry, params.context_length)
        except (ModelMissing, ModelBroken) as error:
            return Need(missing=error.message)
        return Need(entry.bytes, working, missing=entry.problem)

    def run(self, params: LoadParams, ctx: RunContext) -> Result:
        entry = ctx.model(params.model)
        engine = engine_for(entry)
        if reason := entry.problem or engine.problem(entry):
            raise ModelBroken(reason, hint="Download it again, or choose another model.", field="model")
        key = ctx.secret("remote_key") if entry.format == "remote" else ""
        with ctx.models.use(engine.spec(entry, Setup(ctx.threads, ctx.device, params.context_length, key))):
            ctx.check()
        return Result([], {})
