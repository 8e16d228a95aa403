"""Models are known from their headers; broken ones are listed with the reason; pickles are never opened."""

from __future__ import annotations

import json
import math
import os
import struct
import threading
from pathlib import Path

import pytest

from studio.api import ModelMissing
from studio.catalog import Catalog
from studio.entries import ModelEntry
from studio.scan import scan


def tensors(names: dict[str, int], dtype: str = "F16") -> bytes:
    header, place = {}, 0
    for name, size in names.items():
        header[name] = {"dtype": dtype, "shape": [size // 2], "data_offsets": [place, place + size]}
        place += size
    raw = json.dumps(header).encode()
    return struct.pack("<Q", len(raw)) + raw + bytes(place)


def write_safetensors(path: Path, shapes: dict[str, list[int]]) -> None:
    """float16 zeros of those shapes."""
    header, place = {}, 0
    for name, shape in shapes.items():
        size = 2 * math.prod(shape)
        header[name] = {"dtype": "F16", "shape": shape, "data_offsets": [place, place + size]}
        place += size
    raw = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + bytes(place))


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def gguf(cut: int = 0) -> bytes:
    pairs = [
        text("general.architecture") + struct.pack("<I", 8) + text("llama"),
        text("llama.context_length") + struct.pack("<II", 4, 2048),
        text("tokenizer.chat_template") + struct.pack("<I", 8) + text("{{ x }}"),
        text("tokenizer.ggml.tokens") + struct.pack("<IIQ", 9, 8, 2) + text("a") + text("b"),
    ]
    header = b"GGUF" + struct.pack("<IQQ", 3, 1, len(pairs)) + b"".join(pairs)
    header += text("token_embd.weight") + struct.pack("<IQQ", 2, 32, 4) + struct.pack("<IQ", 8, 0)
    whole = header + bytes(-len(header) % 32) + bytes(4 * 34)
    return whole[: len(whole) - cut] if cut else whole




def test_a_gguf_file_tells_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "Tiny.Q8_0.gguf").write_bytes(gguf())
    found = next(scan(tmp_path))
    assert (found.key, found.kind, found.architecture, found.dtype, found.context_length, found.problem) == ("Tiny.Q8_0", "llm", "llama", "Q8_0", 2048, "")
    assert found.details["chat_template"] is True and found.bytes == len(gguf())


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [("cut.gguf", gguf(1), "cut off"), ("half.gguf", gguf()[:60], "damaged"), ("no.gguf", b"hello", "does not begin"), ("cut.safetensors", tensors({"a": 8})[:-1], "its header says"), ("big.safetensors", b"\xff" * 20, "longer than the file"), ("empty.safetensors", b"", "damaged")],
)
def test_broken_files_are_listed_with_the_reason(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert words in next(scan(tmp_path)).problem


def hdf5(version: int, length: int) -> bytes:
    """A superblock that tells a file of this length, and zeros after it. Source: HDF5 File Format Specification 3.0, section II.A."""
    start = b"\x89HDF\r\n\x1a\n" + bytes([version])
    if version < 2:
        start += bytes([0, 0, 0, 0, 8, 8, 0]) + struct.pack("<HHI", 4, 16, 0) + bytes(4 * version) + struct.pack("<QQQ", 0, 2**64 - 1, length)
    else:
        start += bytes([8, 8, 0]) + struct.pack("<QQQ", 0, 2**64 - 1, length)
    return start + bytes(200 - len(start))


def test_networks_in_hdf5_are_known_in_their_folder_only(tmp_path: Path) -> None:
    (tmp_path / "vision").mkdir()
    for version in range(4):
        (tmp_path / "vision" / f"v{version}.h5").write_bytes(hdf5(version, 200))
    (tmp_path / "data.h5").write_bytes(hdf5(0, 200))
    found = {entry.key: entry for entry in scan(tmp_path)}
    assert set(found) == {f"vision/v{version}" for version in range(4)}
    assert {(entry.kind, entry.format, entry.problem, entry.bytes) for entry in found.values()} == {("vision", "hdf5", "", 200)}


@pytest.mark.parametrize(("data", "words"), [(hdf5(0, 201), "cut off"), (hdf5(2, 201), "cut off"), (hdf5(9, 0), "version 9"), (b"hello", "does not begin"), (hdf5(0, 200)[:30], "damaged")])
def test_broken_hdf5_files_are_listed_with_the_reason(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "vision").mkdir()
    (tmp_path / "vision" / "m.h5").write_bytes(data)
    found = next(scan(tmp_path))
    assert words in found.problem and found.kind == "vision"


@pytest.mark.parametrize(
    ("names", "kind", "family"),
    [
        (["cond_stage_model.transformer.x", "model.diffusion_model.y"], "image", "sd1"),
        (["conditioner.embedders.1.model.x"], "image", "sdxl"),
        (["double_blocks.0.img_attn.qkv.weight"], "image", "flux"),
        (["lora_unet_down.lora_up.weight"], "lora", ""),
        (["something"], "other", ""),
    ],
)
def test_checkpoints_are_known_by_their_parts(tmp_path: Path, names: list[str], kind: str, family: str) -> None:
    (tmp_path / "m.safetensors").write_bytes(tensors(dict.fromkeys(names, 4)))
    found = next(scan(tmp_path))
    assert (found.kind, found.architecture, found.problem, found.dtype) == (kind, family, "", "F16")


def test_folders_of_transformers_and_diffusers_are_one_model_each(tmp_path: Path) -> None:
    llm, sd = tmp_path / "text" / "tiny-llm", tmp_path / "sd"
    (sd / "unet").mkdir(parents=True)
    llm.mkdir(parents=True)
    (llm / "config.json").write_text('{"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 512, "dtype": "bfloat16"}')
    (llm / "model.safetensors").write_bytes(tensors({"w": 64}))
    (sd / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    (sd / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(tensors({"w": 32}))
    found = {entry.key: entry for entry in scan(tmp_path)}
    assert found["tiny-llm"].kind == "llm" and found["tiny-llm"].context_length == 512 and found["tiny-llm"].bytes == len(tensors({"w": 64}))
    assert found["sd"].format == "diffusers" and found["sd"].architecture == "StableDiffusionPipeline"


def test_pickles_pipes_and_loops_are_safe(tmp_path: Path) -> None:
    (tmp_path / "old.ckpt").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    os.mkfifo(tmp_path / "pipe.gguf")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.gguf").symlink_to(tmp_path / "nowhere")
    found = list(scan(tmp_path))
    assert [entry.format for entry in found] == ["pickle"] and "safetensors" in found[0].problem


def test_of_two_looks_at_once_the_one_that_began_later_counts(tmp_path: Path) -> None:
    """A slow look at the folders, begun before a file came, does not take it away again."""
    begun, go = threading.Event(), threading.Event()

    def extra() -> list[ModelEntry]:
        if not begun.is_set():
            begun.set()
            assert go.wait(60)
        return []

    catalog = Catalog([tmp_path], extra)
    slow = threading.Thread(target=catalog.refresh)
    slow.start()
    assert begun.wait(60)
    write_safetensors(tmp_path / "vae" / "new.safetensors", {"decoder.up.weight": [8]})
    catalog.refresh()
    go.set()
    slow.join()
    assert [entry.key for entry in catalog.entries()] == ["vae/new"]


def test_a_model_that_is_not_there_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing) as told:
        Catalog([tmp_path]).find("gone")
    assert "Models tab" in told.value.hint


def test_what_guides_a_picture_is_known_by_its_header(tmp_path: Path) -> None:
    """ControlNets in both layouts, adapters of pictures in both kinds; the folder's name alone does not decide."""
    from studio.scan import about_control, about_ip_adapter

    assert about_control({"control_model.input_hint_block.0.weight": [16, 3, 3, 3], "control_model.a.attn2.to_k.weight": [320, 768]}) == {"class": "ControlNetModel", "context": 768}
    assert about_control({"controlnet_cond_embedding.conv_in.weight": [16, 3, 3, 3], "task_embedding": [6, 320]}) == {"class": "ControlNetUnionModel", "context": 0, "kinds": 6} and about_control({"x": [1]}) == {}
    plain, fine = ({"ip_adapter.1.to_k_ip.weight": [320, 768], name: [width, 1280]} for name, width in (("image_proj.proj.weight", 3072), ("image_proj.proj_in.weight", 768)))
    assert about_ip_adapter(plain) == {"context": 768, "clip": 1280, "clip_states": False} and about_ip_adapter(fine)["clip_states"]
    for name, shapes in (("controlnet/ip", {"image_proj.proj.weight": [4, 2]}), ("controlnet/edges", {"controlnet_cond_embedding.conv_in.weight": [4, 3, 3, 3]})):
        write_safetensors(tmp_path / f"{name}.safetensors", shapes)
    part = tmp_path / "controlnet" / "folder"
    part.mkdir()
    (part / "config.json").write_text('{"_class_name": "T2IAdapter", "adapter_type": "full_adapter_xl"}', encoding="utf-8")
    write_safetensors(part / "diffusion_pytorch_model.safetensors", {"adapter.conv_in.weight": [2, 2]})
    found = {entry.title: entry for entry in scan(tmp_path)}
    assert {name: entry.kind for name, entry in found.items()} == {"ip": "ip_adapter", "edges": "controlnet", "folder": "controlnet"}
    assert found["folder"].details["class"] == "T2IAdapter" and found["folder"].details["xl"]


def test_every_kind_of_model_has_a_name_in_the_models_tab() -> None:
    from typing import get_args

    from studio.entries import ModelKind
    from tabs.models import KINDS

    assert set(get_args(ModelKind)) == set(KINDS)


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("", ("conv_in.weight", "time_embedding.linear_1.weight", "down_blocks.0.resnets.0.conv1.weight", "conv_out.weight")), ("checkpoints", ("transformer_blocks.0.attn.to_q.weight", "x_embedder.weight", "proj_out.weight")),
        ("diffusion_models", ("transformer_blocks.0.attn1.to_q.weight", "proj_out.weight")), ("unet", ("layers.0.attention.to_q.weight", "cap_embedder.1.weight")), ("", ("joint_transformer_blocks.0.attn.to_q.weight",)),
    ],
)  # fmt: skip
def test_a_network_taken_out_of_its_folder_says_what_to_get(tmp_path: Path, folder: str, names: tuple[str, ...]) -> None:
    write_safetensors(tmp_path / folder / "diffusion_pytorch_model.safetensors", {name: [2, 2] for name in names})
    (found,) = scan(tmp_path)
    assert found.kind == "image" and "Get the whole folder" in found.problem


def test_what_only_looks_like_such_a_network_is_what_it_is(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "qwen.safetensors", {name: [2, 2] for name in ("transformer_blocks.0.img_mod.1.weight", "txt_norm.weight", "transformer_blocks.0.attn.to_q.weight", "proj_out.weight")})
    write_safetensors(tmp_path / "vae" / "decoder.safetensors", {name: [2, 2] for name in ("encoder.down_blocks.0.resnets.0.conv1.weight", "decoder.conv_in.weight")})
    write_safetensors(tmp_path / "controlnet" / "guide.safetensors", {name: [2, 2] for name in ("controlnet_blocks.0.weight", "transformer_blocks.0.attn.to_q.weight", "proj_out.weight")})
    assert {entry.title: (entry.kind, entry.problem) for entry in scan(tmp_path)} == {"qwen": ("image", ""), "decoder": ("vae", ""), "guide": ("controlnet", "")}
