"""What all text pipelines ask for besides their text."""

from __future__ import annotations

import json

from pydantic import Field, field_validator, model_validator

from pipelines.text.sampling import Sampling
from studio.api import ui


class TextParams(Sampling):
    """The shared fields of text.chat and text.complete."""

    model: str = Field("", title="Model", description="The language model that writes.", json_schema_extra=ui(widget="model", model_kind="llm"))
    max_tokens: int = Field(512, ge=0, le=131072, title="Length limit", description="At most this many tokens; 0 goes on until the model ends or its memory is full.", json_schema_extra=ui(group="Length"))
    context_length: int = Field(0, ge=0, le=1048576, title="Context length", description="How many tokens the model keeps in mind; 0 takes what it was trained on, up to 8,192.", json_schema_extra=ui(group="Length", advanced=True))
    stop: list[str] = Field([], max_length=32, title="Stop at", description="Texts at which the answer ends, one per line.", json_schema_extra=ui(group="Length", advanced=True, widget="lines"))
    seed: int = Field(-1, ge=-1, le=2**31 - 1, title="Seed", description="The same seed gives the same text; -1 is random.", json_schema_extra=ui(group="Sampling", widget="number"))
    grammar: str = Field("", max_length=100_000, title="Grammar", description="A GBNF grammar that the answer must follow.", json_schema_extra=ui(group="Form", advanced=True, widget="textarea"))
    json_schema: str = Field("", max_length=100_000, title="JSON schema", description="A JSON schema: the answer is JSON of this form.", json_schema_extra=ui(group="Form", advanced=True, widget="textarea"))
    logit_bias: dict[str, float] = Field({}, max_length=1000, title="Word bias", description="Text or token number to a value from -100 (never) to 100.", json_schema_extra=ui(group="Form", advanced=True, widget="json"))
    reuse_prefix: bool = Field(True, title="Reuse the text so far", description="Read only what changed since the last turn. Off reads everything again: slower, the same to the last bit.", json_schema_extra=ui(group="Length", advanced=True))

    @field_validator("json_schema")
    @classmethod
    def _schema_is_json(cls, value: str) -> str:
        if value and not isinstance(_json(value), dict):
            raise ValueError("This must be a JSON object")
        return value

    @field_validator("logit_bias")
    @classmethod
    def _bias_in_range(cls, value: dict[str, float]) -> dict[str, float]:
        if any(not key or not -100 <= bias <= 100 for key, bias in value.items()):
            raise ValueError("Each value must be between -100 and 100, for a text that is not empty")
        return value

    @field_validator("stop")
    @classmethod
    def _stops_not_empty(cls, value: list[str]) -> list[str]:
        return [item for item in value if item]

    @model_validator(mode="after")
    def _one_form(self) -> TextParams:
        if self.grammar and self.json_schema:
            raise ValueError("Give a grammar or a JSON schema, not both")
        return self


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"This is not JSON ({error.msg} in line {error.lineno})") from error
