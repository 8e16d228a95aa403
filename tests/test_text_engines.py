"""Both engines keep the same promises: template, stops, biases, forms, counts, reuse, reasoning, overflow, Stop, whole characters."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.text import llama_cpp
from pipelines.text.chat import Chat, ChatParams
from pipelines.text.complete import Complete, CompleteParams
from pipelines.text.embed import Embed, EmbedParams
from pipelines.text.engine import Setup
from pipelines.text.engines import engine_for
from pipelines.text.hf import TransformersEngine
from pipelines.text.reasoning import ReasoningSplitter
from studio.api import Artifact, BadInput, Catalog, ContextOverflow, ModelBroken, ModelEntry
from tests.text_fakes import FakeContext, FakeModels, entry_of
from tests.text_models import CONTEXT, TEMPLATE, complete, make_folder, make_gguf, starter, tiny_folder, tiny_gguf, train_tokenizer  # noqa: F401

GREEDY = {"temperature": 0.0, "top_p": 1.0, "min_p": 0.0, "top_k": 0, "seed": 1}
NO_END = {"0": -100.0, "2": -100.0}


@pytest.fixture(scope="module")
def models() -> Iterator[FakeModels]:
    kept = FakeModels()
    yield kept
    kept.close()


@pytest.fixture(params=["tiny_gguf", "tiny_folder"])
def entry(request: pytest.FixtureRequest) -> ModelEntry:
    found: ModelEntry = request.getfixturevalue(request.param)
    return found


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": "user" if n % 2 == 0 else "assistant", "content": text} for n, text in enumerate(texts)]


def chat(entry: ModelEntry, models: FakeModels, messages: list[dict[str, str]], context: FakeContext | None = None, **values: Any) -> tuple[str, dict[str, Any], FakeContext]:
    """(answer, summary, context) of one run of text.chat."""
    context = context or FakeContext([entry], models)
    context.models = models
    result = Chat().run(ChatParams.parse(GREEDY | {"model": entry.key, "messages": messages, "max_tokens": 8} | values), context)
    return (result.artifacts[0].data.decode() if result.artifacts else ""), result.summary, context


def tokens(text: str) -> int:
    return len(train_tokenizer().encode(text).ids)


def rendered(messages: list[dict[str, str]], begin: bool = True) -> str:
    said = "".join(f"<|im_start|>{message['role']}\n{message['content']}<|im_end|>\n" for message in messages)
    return said + ("<|im_start|>assistant\n" if begin else "")


# ---- the prompt ----------------------------------------------------------------------------------------------


def test_the_model_s_own_template_is_used(entry: ModelEntry, models: FakeModels) -> None:
    messages = turns("Once upon a time", "there was", "a small house?")
    _, summary, _ = chat(entry, models, messages, reuse_prefix=False)
    assert summary["prompt_tokens"] == tokens(rendered(messages))
    _, summary, _ = chat(entry, models, messages, system="Be brief.", reuse_prefix=False)
    assert summary["prompt_tokens"] == tokens(rendered([{"role": "system", "content": "Be brief."}, *messages]))


def test_continue_goes_on_inside_the_last_answer(entry: ModelEntry, models: FakeModels) -> None:
    messages = turns("Once upon a time", "there was a")
    answer, summary, _ = chat(entry, models, messages, continue_last=True, reuse_prefix=False)
    assert answer.startswith("there was a")
    assert summary["prompt_tokens"] < tokens(rendered(messages)), "no new turn is begun"
    with pytest.raises(BadInput, match="no answer to continue"):
        chat(entry, models, turns("Once"), continue_last=True)


def test_a_model_without_a_template_still_answers(tmp_path: Path, models: FakeModels) -> None:
    bare = entry_of(make_folder(tmp_path / "bare", template=""), "transformers", context_length=CONTEXT)
    answer, summary, _ = chat(bare, models, turns("Once upon"), logit_bias=NO_END)
    assert answer and summary["prompt_tokens"] == tokens("User: Once upon\nAssistant:")


def test_both_engines_say_the_same(tiny_gguf: ModelEntry, tiny_folder: ModelEntry, models: FakeModels) -> None:  # noqa: F811
    texts = [chat(entry, models, turns("The quick brown fox"), max_tokens=32, logit_bias=NO_END)[0] for entry in (tiny_gguf, tiny_folder)]
    assert texts[0] == texts[1] != ""


# ---- the answer ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop", ["ab", "ba", "aab"])
def test_stop_strings_end_the_answer_and_are_cut_off(entry: ModelEntry, models: FakeModels, stop: str) -> None:
    two = {"a": 100.0, "b": 100.0}
    wide = {"temperature": 1.0, "logit_bias": two, "max_tokens": 64, "reuse_prefix": False}
    without = complete(entry, models, prompt="x", seed=5, **wide)
    assert stop in without and len(without) == 64
    context = FakeContext([entry], models, seed=5)
    result = Complete().run(CompleteParams.parse({"model": entry.key, "prompt": "x", "seed": 5, "stop": ["zzz", stop]} | wide), context)
    said = result.artifacts[0].data.decode() if result.artifacts else ""
    assert said == without[: without.index(stop)] == context.said() and result.summary["finish_reason"] == "stop"


def test_a_bias_forbids_and_forces(entry: ModelEntry, models: FakeModels) -> None:
    assert complete(entry, models, prompt="Once", max_tokens=12, logit_bias={"e": 100.0}, **GREEDY) == "e" * 12
    mixed = {"a": 100.0, "b": 100.0}
    wide = {"temperature": 1.0, "max_tokens": 24}
    assert set(complete(entry, models, prompt="x", logit_bias=mixed, **wide)) == {"a", "b"}
    assert complete(entry, models, prompt="x", logit_bias=mixed | {"b": -100.0}, **wide) == "a" * 24
    by_number = str(train_tokenizer().encode("q").ids[0])
    assert complete(entry, models, prompt="Once", max_tokens=4, logit_bias={by_number: 100.0}, **GREEDY) == "qqqq"


def test_the_length_limit_is_kept_and_told(entry: ModelEntry, models: FakeModels) -> None:
    _, summary, _ = chat(entry, models, turns("Once"), max_tokens=5, logit_bias=NO_END)
    assert summary["tokens"] == 5 and summary["finish_reason"] == "length" and summary["context_length"] == CONTEXT


def test_a_character_of_many_tokens_comes_whole(entry: ModelEntry, models: FakeModels) -> None:
    """The bytes of あ, forced one after the other, never reach the page as pieces."""
    parts = train_tokenizer().encode("ぬ").ids
    assert len(parts) > 1, "this character is not in the tokenizer's corpus"
    bias = {str(token): 100.0 for token in parts}
    context = FakeContext([entry], models, seed=3)
    Complete().run(CompleteParams.parse({"model": entry.key, "prompt": "日本", "temperature": 1.0, "top_p": 1.0, "min_p": 0.0, "max_tokens": 60, "seed": 3, "logit_bias": bias}), context)
    said = context.said()
    assert said and all(text == text.encode("utf-8", "strict").decode() for text, _ in context.texts)
    whole = "".join(text for text, _ in context.texts if "�" not in text)
    assert "ぬ" in whole


def test_the_seed_decides(entry: ModelEntry, models: FakeModels) -> None:
    def text(seed: int) -> str:
        return complete(entry, models, prompt="Once upon", seed=seed, temperature=1.5, max_tokens=24, logit_bias=NO_END, reuse_prefix=False)

    assert text(1) == text(1) != text(2)


# ---- forms ---------------------------------------------------------------------------------------------------

SCHEMA = {"type": "object", "properties": {"name": {"type": "string", "maxLength": 12}, "age": {"type": "integer"}}, "required": ["name", "age"], "additionalProperties": False}


def test_a_json_schema_and_a_grammar_bind_the_answer(starter: ModelEntry, models: FakeModels) -> None:  # noqa: F811
    answer, _, _ = chat(starter, models, turns("Who are you? Answer as JSON."), json_schema=json.dumps(SCHEMA), max_tokens=80)
    found = json.loads(answer)
    assert set(found) == {"name", "age"} and isinstance(found["age"], int)
    answer, _, _ = chat(starter, models, turns("Is the sky blue?"), grammar='root ::= "maybe " ("yes" | "no")')
    assert answer in ("maybe yes", "maybe no")
    with pytest.raises(BadInput, match="refused"):
        chat(starter, models, turns("x"), grammar="root ::= (((")


@pytest.mark.parametrize(("form", "title"), [({"grammar": 'root ::= "a"'}, "Grammar"), ({"json_schema": "{}"}, "JSON schema")])
def test_a_form_that_transformers_lacks_is_refused_before_and_at_the_run(tiny_folder: ModelEntry, models: FakeModels, form: dict[str, str], title: str) -> None:  # noqa: F811
    params = ChatParams.parse({"model": tiny_folder.key, "messages": turns("x")} | form)
    assert title in Chat().need(params, Catalog([], extra=lambda: [tiny_folder])).missing
    with pytest.raises(BadInput, match=title):
        chat(tiny_folder, models, turns("x"), **form)


# ---- counting and reuse --------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "Once upon a time", "日本の首都は東京です。", "<|im_start|>user"])
def test_counts_are_the_tokenizer_s(entry: ModelEntry, models: FakeModels, text: str) -> None:
    with models.use(engine_for(entry).spec(entry, Setup())) as model:
        counted = model.count(text)
    assert counted == tokens(text) or text.startswith("<"), "special tokens may be read as text"


def evaluated(summary: dict[str, Any]) -> int:
    return int(summary["prompt_tokens"]) - int(summary["cached_tokens"])


def test_only_what_changed_is_read_again(entry: ModelEntry) -> None:
    """Next turn, regenerate, edit and branch: the tokens that are evaluated, not seconds."""
    fresh = FakeModels()
    long = "Once upon a time there was a small house by the sea. " * 14
    first = turns(long)
    answer, summary, _ = chat(entry, fresh, first, logit_bias=NO_END)
    assert summary["cached_tokens"] == 0 and evaluated(summary) == tokens(rendered(first))
    second = [*first, {"role": "assistant", "content": answer}, {"role": "user", "content": "and then?"}]
    _, summary, _ = chat(entry, fresh, second, logit_bias=NO_END)
    assert 3 * evaluated(summary) < summary["prompt_tokens"], "next turn"
    _, summary, _ = chat(entry, fresh, second, logit_bias=NO_END, seed=2)
    assert 3 * evaluated(summary) < summary["prompt_tokens"], "regenerate"
    edited = [*second[:2], {"role": "user", "content": "and who lived there?"}]
    _, summary, _ = chat(entry, fresh, edited, logit_bias=NO_END)
    assert 3 * evaluated(summary) < summary["prompt_tokens"], "an edited message"
    branch = [*first, {"role": "assistant", "content": "the quick brown fox"}, {"role": "user", "content": "jumps?"}]
    _, summary, _ = chat(entry, fresh, branch, logit_bias=NO_END)
    assert 3 * evaluated(summary) < summary["prompt_tokens"], "a branch after the first message"
    _, summary, _ = chat(entry, fresh, branch, logit_bias=NO_END, reuse_prefix=False)
    assert evaluated(summary) == summary["prompt_tokens"], "switched off: all of it"
    fresh.close()


# ---- reasoning -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_thoughts_and_answer_are_parted_wherever_the_stream_is_cut(size: int) -> None:
    text = "<think>\nIt is 4 < 5.</thin k></think>\n\nFive <think> is text here."
    splitter = ReasoningSplitter()
    pieces = [piece for at in range(0, len(text), size) for piece in splitter.feed(text[at : at + size])] + splitter.flush()
    said = {channel: "".join(part for part, where in pieces if where == channel) for channel in ("reasoning", "answer")}
    assert said == {"reasoning": "It is 4 < 5.</thin k>", "answer": "Five <think> is text here."}


def test_a_template_that_begins_thinking_sends_the_thoughts_aside(tmp_path: Path, models: FakeModels) -> None:
    template = TEMPLATE.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
    thinker = entry_of(make_folder(tmp_path / "thinker", template), "transformers", context_length=CONTEXT)
    _, _, context = chat(thinker, models, turns("Once"), logit_bias=NO_END)
    assert context.said("reasoning") and not context.said()


def test_thinking_is_switched_off_where_the_template_can(tmp_path: Path) -> None:
    template = TEMPLATE.replace("assistant\n{% endif %}", "assistant\n{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}")
    entries = [
        entry_of(make_folder(tmp_path / "folder", template), "transformers", context_length=CONTEXT),
        entry_of(make_gguf(tmp_path / "file.gguf", template), context_length=CONTEXT),
    ]
    for entry in entries:
        fresh = FakeModels()
        lengths = [chat(entry, fresh, turns("Once"), thinking=thinking, reuse_prefix=False)[1]["prompt_tokens"] for thinking in (True, False)]
        fresh.close()
        assert lengths[1] == lengths[0] + tokens("<think>\n\n</think>\n\n")


def test_the_context_length_is_the_user_s_within_the_model_s(entry: ModelEntry) -> None:
    fresh = FakeModels()
    _, summary, _ = chat(entry, fresh, turns("Once"), context_length=256)
    assert summary["context_length"] == 256
    with pytest.raises(ContextOverflow, match="can keep 256"):
        chat(entry, fresh, turns("house " * 300), context_length=256)
    _, summary, _ = chat(entry, fresh, turns("Once"), context_length=100_000)
    assert summary["context_length"] == CONTEXT
    fresh.close()


# ---- limits and Stop -----------------------------------------------------------------------------------------


def test_too_long_a_text_is_refused_with_numbers(entry: ModelEntry, models: FakeModels) -> None:
    with pytest.raises(ContextOverflow, match=rf"has [\d,]+ tokens; this model can keep {CONTEXT}") as told:
        chat(entry, models, turns("house " * 600))
    assert told.value.hint and told.value.field == "messages"
    assert chat(entry, models, turns("Once"), logit_bias=NO_END)[0], "the model is still usable"


def test_the_answer_ends_where_the_context_does(entry: ModelEntry, models: FakeModels) -> None:
    _, summary, _ = chat(entry, models, turns("Once"), max_tokens=0, logit_bias=NO_END)
    assert summary["finish_reason"] == "length" and CONTEXT - 2 <= summary["context_used"] <= CONTEXT


def test_stop_keeps_what_was_written(entry: ModelEntry, models: FakeModels) -> None:
    context = FakeContext([entry], models, stop_after=3)
    answer, summary, _ = chat(entry, models, turns("Once"), context, max_tokens=400, logit_bias=NO_END)
    assert summary["finish_reason"] == "stopped" and answer == context.said() != "" and summary["tokens"] < 40


def test_stop_while_reading_comes_before_the_first_word(entry: ModelEntry) -> None:
    class Impatient(FakeContext):
        def progress(self, step: int, total: int, note: str = "") -> None:
            self.stopping = "cancel"
            super().progress(step, total, note)

    fresh = FakeModels()
    context = Impatient([entry], fresh)
    answer, summary, _ = chat(entry, fresh, turns("house " * 300), context, max_tokens=50)
    assert answer == "" and summary["finish_reason"] == "stopped" and summary["tokens"] == 0
    fresh.close()


# ---- embeddings, the local port ------------------------------------------------------------------------------


def test_embeddings_have_unit_length_and_a_direction(entry: ModelEntry) -> None:
    fresh = FakeModels()
    params = EmbedParams.parse({"model": entry.key, "texts": ["Once upon a time", "Once upon a time", "日本の首都は東京です。"]})
    result = Embed().run(params, FakeContext([entry], fresh))
    rows = json.loads(result.artifacts[0].data)["embeddings"]
    fresh.close()

    def dot(one: list[float], two: list[float]) -> float:
        return sum(a * b for a, b in zip(one, two, strict=True))

    assert [dot(row, row) for row in rows] == pytest.approx([1.0] * 3, abs=1e-3)
    assert dot(rows[0], rows[1]) == pytest.approx(1.0, abs=1e-3) and dot(rows[0], rows[2]) < 0.99


def test_nobody_else_on_the_machine_can_use_the_engine_s_port(tiny_gguf: ModelEntry, models: FakeModels) -> None:  # noqa: F811
    import httpx

    with models.use(engine_for(tiny_gguf).spec(tiny_gguf, Setup())) as model:
        address = model._server.listening_address
        body = {"prompt": "x", "n_predict": 1}
        assert httpx.post(f"{address}/completion", json=body, timeout=60).status_code == 401
        wrong = {"Authorization": "Bearer guess"}
        assert httpx.post(f"{address}/v1/completions", json=body, headers=wrong, timeout=60).status_code == 401


# ---- broken models -------------------------------------------------------------------------------------------


def cut(path: Path, target: Path, keep: float) -> Path:
    target.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
    return target


def refuse(entry: ModelEntry) -> ModelBroken:
    """Through the whole run, as a job would: a sentence with a next step."""
    with pytest.raises(ModelBroken) as told:
        chat(entry, FakeModels(), turns("x"))
    assert told.value.message.endswith(".") and told.value.hint and told.value.field == "model"
    return told.value


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.2, 0.9])
def test_a_truncated_gguf_is_refused(tiny_gguf: ModelEntry, tmp_path: Path, keep: float) -> None:  # noqa: F811
    refuse(entry_of(cut(Path(tiny_gguf.path), tmp_path / "cut.gguf", keep)))


def test_a_gguf_of_random_bytes_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "noise.gguf").write_bytes(b"GGUF" + bytes(range(256)) * 40)
    refuse(entry_of(tmp_path / "noise.gguf"))
    assert "nonsense" in refuse(entry_of(make_gguf(tmp_path / "odd.gguf", architecture="nonsense"))).message


@pytest.mark.parametrize("harm", ["cut", "no weights", "no tokenizer", "odd type", "no config"])
def test_a_damaged_folder_is_refused(tiny_folder: ModelEntry, tmp_path: Path, harm: str) -> None:  # noqa: F811
    folder = tmp_path / "model"
    shutil.copytree(tiny_folder.path, folder)
    weights, config = next(folder.glob("*.safetensors")), folder / "config.json"
    if harm == "cut":
        cut(weights, weights.with_suffix(".part"), 0.5).replace(weights)
    elif harm == "no weights":
        weights.unlink()
    elif harm == "no tokenizer":
        for path in folder.glob("tokenizer*"):
            path.unlink()
    elif harm == "odd type":
        config.write_text(json.dumps(json.loads(config.read_text()) | {"model_type": "nonsense", "architectures": ["NonsenseForCausalLM"]}))
    else:
        config.unlink()
    refuse(entry_of(folder, "transformers"))


def test_without_llama_cpp_a_gguf_runs_through_transformers(tiny_gguf: ModelEntry, tiny_folder: ModelEntry, models: FakeModels, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    wanted = complete(tiny_folder, models, prompt="Once upon a time", max_tokens=12, logit_bias=NO_END, **GREEDY)
    monkeypatch.setattr(llama_cpp, "available", lambda: False)
    assert isinstance(engine_for(tiny_gguf), TransformersEngine)
    fresh = FakeModels()
    assert complete(tiny_gguf, fresh, prompt="Once upon a time", max_tokens=12, logit_bias=NO_END, **GREEDY)[:6] == wanted[:6]
    assert "Grammar" in Chat().need(ChatParams.parse({"model": tiny_gguf.key, "messages": turns("x"), "grammar": 'root ::= "a"'}), Catalog([], extra=lambda: [tiny_gguf])).missing


def test_a_result_is_saved_as_text_with_its_question_as_title(entry: ModelEntry, models: FakeModels) -> None:
    context = FakeContext([entry], models)
    result = Chat().run(ChatParams.parse(GREEDY | {"model": entry.key, "messages": turns("\n  Once upon\na time"), "max_tokens": 4, "logit_bias": NO_END}), context)
    assert isinstance(result.artifacts[0], Artifact) and result.artifacts[0].title == "Once upon"
