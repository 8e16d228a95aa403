"""text.embed: turns texts into vectors whose cosine says how near their meanings are."""

from __future__ import annotations

import json
from typing import ClassVar

from pydantic import Field

from pipelines.text.engine import Setup
from pipelines.text.engines import engine_for
from studio.api import Artifact, BadInput, Catalog, Lane, ModelBroken, ModelMissing, Need, Params, Result, RunContext, ui


class EmbedParams(Params):
    model: str = Field("", title="Model", description="Any language model; one made for embeddings is best.", json_schema_extra=ui(widget="model", model_kind="llm"))
    texts: list[str] = Field([], max_length=10_000, title="Texts", description="One vector is made for each.", json_schema_extra=ui(widget="lines"))
    context_length: int = Field(0, ge=0, le=1048576, title="Context length", description="The longest text in tokens; 0 takes what the model was trained on, up to 2,048.", json_schema_extra=ui(advanced=True))


AUTO_CONTEXT = 2048


class Embed:
    """Artifact: JSON {"model", "embeddings": [[…], …]}, each of unit length."""

    id: ClassVar[str] = "text.embed"
    title: ClassVar[str] = "Embeddings"
    lane: ClassVar[Lane] = "device"
    Params: ClassVar[type[Params]] = EmbedParams

    def need(self, params: EmbedParams, catalog: Catalog) -> Need:
        try:
            entry = catalog.find(params.model)
            engine = engine_for(entry)
        except (ModelMissing, ModelBroken) as error:
            return Need(missing=error.message)
        if problem := entry.problem or engine.problem(entry):
            return Need(missing=problem)
        missing = "" if params.texts else "Write a text first."
        return Need(entry.bytes, engine.working_bytes(entry, params.context_length or AUTO_CONTEXT), missing=missing)

    def run(self, params: EmbedParams, ctx: RunContext) -> Result:
        if not any(params.texts):
            raise BadInput("There is no text to embed.", hint="Write a text first.", field="texts")
        entry = ctx.model(params.model)
        engine = engine_for(entry)
        if reason := entry.problem or engine.problem(entry):
            raise ModelBroken(reason, hint="Download it again, or choose another model.", field="model")
        key = ctx.secret("remote_key") if entry.format == "remote" else ""
        setup = Setup(ctx.threads, ctx.device, params.context_length or AUTO_CONTEXT, key, embedding=True)
        vectors: list[list[float]] = []
        tokens = 0
        with ctx.models.use(engine.spec(entry, setup)) as model:
            for number, text in enumerate(params.texts):
                ctx.progress(number, len(params.texts))
                vectors += model.embed([text])
                tokens += model.count(text)
            ctx.progress(len(params.texts), len(params.texts))
        data = json.dumps({"model": entry.key, "embeddings": vectors}).encode()
        summary = {"count": len(vectors), "dimensions": len(vectors[0]), "prompt_tokens": tokens, "engine": engine.name}
        return Result([Artifact("json", data, ".json", title="Embeddings")], summary)
