"""Real architectures with tiny random weights, made in a second: a transformers folder and a GGUF file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from studio.api import ModelEntry
from studio.settings import load_settings
from studio.starter import starter_models
from tests.text_fakes import FakeContext, FakeModels, entry_of

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CORPUS = ["Once upon a time there was a small house by the sea.", "The quick brown fox jumps over the lazy dog.", "日本の首都は東京です。", "1 + 2 = 3: yes*"]
SPECIAL = ["<|end|>", "<|im_start|>", "<|im_end|>"]
WIDTH, HEADS, LAYERS, CONTEXT = 32, 4, 2, 512


def train_tokenizer() -> Any:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=360, special_tokens=SPECIAL, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS * 5, trainer)
    return tokenizer


def tiny_model(vocabulary: int) -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=WIDTH, intermediate_size=64, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
        num_key_value_heads=2, max_position_embeddings=CONTEXT, eos_token_id=2, bos_token_id=1, pad_token_id=0, initializer_range=0.3,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def make_folder(folder: Path, template: str = TEMPLATE) -> Path:
    from transformers import PreTrainedTokenizerFast

    raw = train_tokenizer()
    tiny_model(raw.get_vocab_size()).save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<|im_end|>", pad_token="<|end|>")
    tokenizer.chat_template = template or None
    tokenizer.save_pretrained(folder)
    return folder


def make_gguf(path: Path, template: str = TEMPLATE, architecture: str = "llama") -> Path:
    """The same weights and tokenizer as `make_folder`, as GGUF in fp32."""
    import gguf

    raw = train_tokenizer()
    model = tiny_model(raw.get_vocab_size())
    writer = gguf.GGUFWriter(path, architecture)
    _describe(writer, raw, template)
    for name, weight in model.state_dict().items():
        writer.add_tensor(_gguf_name(name), _gguf_weight(name, weight.float().numpy()))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _describe(writer: Any, raw: Any, template: str) -> None:
    import gguf

    vocabulary = [token for token, _ in sorted(raw.get_vocab().items(), key=lambda item: item[1])]
    merges = [" ".join(pair) if isinstance(pair, list) else pair for pair in json.loads(raw.to_str())["model"]["merges"]]
    writer.add_name("tiny")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(64)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(2)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(vocabulary)
    writer.add_token_types([gguf.TokenType.CONTROL if token in SPECIAL else gguf.TokenType.NORMAL for token in vocabulary])
    writer.add_token_merges(merges)
    writer.add_eos_token_id(2)
    writer.add_bos_token_id(1)
    writer.add_add_bos_token(False)
    if template:
        writer.add_chat_template(template)


def _gguf_name(name: str) -> str:
    fixed = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}
    parts = {
        "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    }  # fmt: skip
    if name in fixed:
        return fixed[name]
    layer, _, rest = name.removeprefix("model.layers.").partition(".")
    return f"blk.{layer}.{parts[rest.removesuffix('.weight')]}.weight"


def _gguf_weight(name: str, weight: Any) -> Any:
    """llama.cpp turns pairs of neighbours, transformers halves: the rows of q and k are reordered."""
    heads = {"q_proj": HEADS, "k_proj": 2}.get(name.split(".")[-2] if name.count(".") > 2 else "", 0)
    if not heads:
        return weight
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns).copy()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> ModelEntry:
    return entry_of(make_folder(tmp_path_factory.mktemp("hf") / "tiny"), "transformers", context_length=CONTEXT)


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> ModelEntry:
    return entry_of(make_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf"), "gguf", context_length=CONTEXT)


@pytest.fixture(scope="session")
def starter() -> ModelEntry:
    """The real starter model, where the studio fetched it; skipped where it is not there, unless on CI."""
    path = load_settings({})[0].models_path / starter_models()[0].file
    if not path.exists() and not os.environ.get("CI"):
        pytest.skip("the starter model is not on this computer: python launch.py test fetches it")
    return entry_of(path, "gguf", languages=["en"], context_length=8192)


def complete(entry: ModelEntry, models: FakeModels, *, seed: int = 1, **values: Any) -> str:
    """The continuation that text.complete gives; "" where nothing came."""
    from pipelines.text.complete import Complete, CompleteParams

    context = FakeContext([entry], models, seed=seed)
    result = Complete().run(CompleteParams.parse({"model": entry.key, "seed": seed} | values), context)
    return result.artifacts[0].data.decode() if result.artifacts else ""
