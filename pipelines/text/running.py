"""From text params to a result, on whichever engine runs the model."""

from __future__ import annotations

from typing import Any

from pipelines.text.engine import Engine, Request, Setup, Sink
from pipelines.text.engines import engine_for
from pipelines.text.folder import AUTO_CONTEXT
from pipelines.text.params import TextParams
from pipelines.text.sampling import Sampling, unsupported, unsupported_note
from studio.api import Artifact, BadInput, Catalog, ModelBroken, ModelMissing, Need, Result, RunContext

FORMS = ("grammar", "json_schema", "logit_bias")


def request_of(params: TextParams, seed: int, **more: Any) -> Request:
    return Request(
        sampling=Sampling.model_validate(params.model_dump(include=set(Sampling.model_fields))),
        stop=params.stop, max_tokens=params.max_tokens, seed=seed, grammar=params.grammar, json_schema=params.json_schema,
        logit_bias=params.logit_bias, reuse_prefix=params.reuse_prefix, **more,
    )  # fmt: skip


def need_of(params: TextParams, catalog: Catalog, missing: str, notes: list[str], facts: dict[str, Any] | None = None) -> Need:
    """What the job takes, from headers; `missing` is the first reason why it can't run."""
    try:
        entry = catalog.find(params.model)
        engine = engine_for(entry)
    except (ModelMissing, ModelBroken) as error:
        return Need(missing=error.message, notes=notes)
    problem = entry.problem or engine.problem(entry) or _refused_form(params, engine)
    if problem:
        return Need(missing=problem, notes=notes)
    note = unsupported_note(unsupported(params, engine.supports), engine.title)
    working = engine.working_bytes(entry, params.context_length)
    size = params.context_length or min(entry.context_length or AUTO_CONTEXT, AUTO_CONTEXT)
    told = {"context_length": size} | (facts or {})
    return Need(entry.bytes, working, missing=missing, notes=[*notes, *([note] if note else [])], facts=told)


def run_request(params: TextParams, request: Request, ctx: RunContext) -> Result:
    """Stop keeps what was written: the result then says finish_reason "stopped"."""
    entry = ctx.model(params.model)
    engine = engine_for(entry)
    if reason := entry.problem or engine.problem(entry):
        raise ModelBroken(reason, hint="Download it again, or choose another model.", field="model")
    if reason := _refused_form(params, engine):
        raise BadInput(reason, hint="Empty that field, or choose a GGUF model.", field=_form(params, engine))
    key = ctx.secret("remote_key") if entry.format == "remote" else ""
    setup = Setup(ctx.threads, ctx.device, params.context_length, key)
    with ctx.models.use(engine.spec(entry, setup)) as model:
        ctx.check()
        sink = Sink(ctx, model.context_length)
        facts = sink.close(model.generate(request, sink))
    return _result(request, sink, facts | _left_out(params, engine))


def _left_out(params: TextParams, engine: Engine) -> dict[str, Any]:
    names = unsupported(params, engine.supports)
    return {"engine": engine.name} | ({"unsupported": names} if names else {})


def _form(params: TextParams, engine: Engine) -> str:
    return next((name for name in FORMS if getattr(params, name) and name not in engine.supports), "")


def _refused_form(params: TextParams, engine: Engine) -> str:
    """A form of the answer can't be left out in silence: it is refused."""
    name = _form(params, engine)
    return f"{type(params).model_fields[name].title} is not possible with {engine.title}." if name else ""


def _result(request: Request, sink: Sink, summary: dict[str, Any]) -> Result:
    answer = sink.answer
    if not answer and not sink.reasoning:
        return Result([], summary)
    if request.continue_last:
        answer = request.messages[-1]["content"] + answer
    facts = {"reasoning": sink.reasoning} if sink.reasoning else {}
    asked = next((m["content"] for m in reversed(request.messages) if m["role"] == "user"), request.prompt)
    return Result([Artifact("text", answer.encode(), ".md", title=_title(asked), facts=facts)], summary)


def _title(text: str) -> str:
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= 80 else line[:79] + "…"
