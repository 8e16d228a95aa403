"""Every form of small network is its own change of the weights, reckoned here a second time with numpy, in every naming; taken off, the model is as before, to the bit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image.families import family_of
from pipelines.image.generate import Generate
from pipelines.image.params import ImageParams
from pipelines.image.pictures import open_picture
from pipelines.image.samplers import choose, scheduler_config
from pipelines.image.settle import lora_weights
from studio.api import BadInput, StudioError
from studio.jobs import JobQueue
from tests.image_models import drawing, make_flux, make_sd1, make_sdxl

SIDE, RANK, ALPHA = 32, 2, 1.0
Arrays = dict[str, np.ndarray]
RANDOM = np.random.default_rng(3)


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    with drawing(tmp_path_factory.mktemp("forms"), {"sd1": make_sd1, "sdxl": make_sdxl, "flux": make_flux}) as made:
        yield made


def sampler(family: str) -> str:
    return "Flow Euler" if family == "flux" else "DPM++ 2M"


def drawn(queue: JobQueue, **values: Any) -> np.ndarray:
    given = {"prompt": "a red cat", "width": SIDE, "height": SIDE, "steps": 2, "seed": 5, "cfg_scale": 4.0, "upscale": 1.0, "model": "sd1"} | values
    given["sampler"] = sampler(given["model"])
    job = queue.submit("image.generate", given, owner="local").wait()
    assert job.error is None, (job.error.message, job.error.hint, job.error.traceback)
    return np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path)))


def same(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one == other).all())


def near(one: np.ndarray, other: np.ndarray) -> bool:
    return int(np.abs(one.astype(int) - other.astype(int)).max()) <= 1


@lru_cache
def load(path: Path, model: str, kind: str) -> Any:
    import diffusers
    import torch

    torch.set_num_threads(1)
    pipe = diffusers.AutoPipelineForText2Image.from_pretrained(path, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    found, named = choose(sampler(model), "Automatic", kind)  # type: ignore[arg-type]
    pipe.scheduler = getattr(diffusers, found.scheduler).from_config(scheduler_config(dict(pipe.scheduler.config), found, named))
    return pipe


def pipe_of(queue: JobQueue, model: str) -> Any:
    return load(queue.catalog.roots[0] / model, model, family_of(queue.catalog.find(model)).kind)


def by_hand(pipe: Any, changes: dict[str, np.ndarray]) -> np.ndarray:
    """Bare diffusers with those parameters, named by component and path, replaced."""
    import torch

    parameters = {name: getattr(pipe, name.partition(".")[0]).get_parameter(name.partition(".")[2]).data for name in changes}
    kept = {name: parameter.clone() for name, parameter in parameters.items()}
    for name, value in changes.items():
        parameters[name].copy_(torch.from_numpy(value))
    picture = np.asarray(pipe(prompt="a red cat", num_inference_steps=2, guidance_scale=4.0, width=SIDE, height=SIDE, generator=torch.Generator().manual_seed(5)).images[0])
    for name, parameter in parameters.items():
        parameter.copy_(kept[name])
    return picture


def write(queue: JobQueue, name: str, tensors: Arrays) -> None:
    import torch
    from safetensors.torch import save_file

    path = queue.catalog.roots[0] / "lora" / f"{name}.safetensors"
    path.parent.mkdir(exist_ok=True)
    save_file({key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in tensors.items()}, path)
    queue.catalog.refresh()
    queue.executors["device"].worker.catalog.refresh()  # type: ignore[attr-defined]


def noise(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32) * 0.5


# -- each form for one layer: (tensors, new weight) --------------------------------------------------------------------


def lora(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    down, up = noise(RANK, *weight.shape[1:]), noise(weight.shape[0], RANK, *[1] * (weight.ndim - 2))
    delta = np.tensordot(up.reshape(weight.shape[0], RANK), down, 1) * ALPHA / RANK
    return {"lora_down.weight": down, "lora_up.weight": up, "alpha": np.array(ALPHA, np.float32)}, weight + delta


def lora_without_alpha(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    tensors, _ = lora(weight)
    del tensors["alpha"]
    return tensors, weight + np.tensordot(tensors["lora_up.weight"].reshape(weight.shape[0], RANK), tensors["lora_down.weight"], 1)


def locon(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    """With a kernel of its own between the two."""
    if weight.ndim == 2:
        return lora(weight)
    down, mid, up = noise(RANK, weight.shape[1], 1, 1), noise(RANK, RANK, *weight.shape[2:]), noise(weight.shape[0], RANK, 1, 1)
    delta = np.zeros_like(weight)
    for n in range(RANK):
        for m in range(RANK):
            delta += up[:, n, 0, 0][:, None, None, None] * mid[n, m][None, None] * down[m, :, 0, 0][None, :, None, None]
    return {"lora_down.weight": down, "lora_mid.weight": mid, "lora_up.weight": up, "alpha": np.array(ALPHA, np.float32)}, weight + delta * ALPHA / RANK


def loha(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    inner = int(np.prod(weight.shape[1:]))
    parts = {"hada_w1_a": noise(weight.shape[0], RANK), "hada_w1_b": noise(RANK, inner), "hada_w2_a": noise(weight.shape[0], RANK), "hada_w2_b": noise(RANK, inner)}
    delta = (parts["hada_w1_a"] @ parts["hada_w1_b"]) * (parts["hada_w2_a"] @ parts["hada_w2_b"]) * ALPHA / RANK
    return parts | {"alpha": np.array(ALPHA, np.float32)}, weight + delta.reshape(weight.shape)


def loha_tucker(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    if weight.ndim == 2:
        return loha(weight)
    parts = {f"hada_w{n}_{side}": noise(RANK, weight.shape[0 if side == "a" else 1]) for n in (1, 2) for side in "ab"} | {f"hada_t{n}": noise(RANK, RANK, *weight.shape[2:]) for n in (1, 2)}
    halves = []
    for n in (1, 2):
        half = np.zeros_like(weight)
        for i in range(RANK):
            for j in range(RANK):
                half += parts[f"hada_w{n}_a"][i][:, None, None, None] * parts[f"hada_w{n}_b"][j][None, :, None, None] * parts[f"hada_t{n}"][i, j]
        halves.append(half)
    return parts | {"alpha": np.array(ALPHA, np.float32)}, weight + halves[0] * halves[1] * ALPHA / RANK


def lokr(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    """One whole factor, the other of two matrices."""
    out, width = weight.shape[0] // 2, weight.shape[1] // 2 if weight.shape[1] % 2 == 0 else weight.shape[1]
    first = noise(2, weight.shape[1] // width)
    a, b = noise(out, RANK), noise(RANK, width, *weight.shape[2:])
    second = np.tensordot(a, b, 1)
    delta = np.einsum("ab,cd...->acbd...", first, second).reshape(weight.shape) * ALPHA / RANK
    return {"lokr_w1": first, "lokr_w2_a": a, "lokr_w2_b": b.reshape(RANK, -1), "alpha": np.array(ALPHA, np.float32)}, weight + delta


def lokr_whole(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    first, second = noise(2, 1), noise(weight.shape[0] // 2, *weight.shape[1:])
    return {"lokr_w1": first, "lokr_w2": second, "alpha": np.array(9.0, np.float32)}, weight + np.concatenate([first[0, 0] * second, first[1, 0] * second])


def ia3_output(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    vector = noise(weight.shape[0])
    return {"weight": vector, "on_input": np.array(0)}, weight * (1 + vector.reshape(-1, *[1] * (weight.ndim - 1)))


def ia3_input(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    vector = noise(1, weight.shape[1], *[1] * (weight.ndim - 2)) if weight.ndim > 2 else noise(weight.shape[1])
    return {"weight": vector, "on_input": np.array(1)}, weight * (1 + vector)


def full(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    difference = noise(*weight.shape) * 0.3
    return {"diff": difference}, weight + difference


def oft(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    """Block by block, as a solution of (I − Q)ᵀ … by numpy's solver."""
    size = 8
    blocks = noise(weight.shape[0] // size, size, size)
    rows = weight.reshape(weight.shape[0], -1).astype(np.float64)
    turned = []
    for number, block in enumerate(blocks.astype(np.float64)):
        skew = block - block.T
        turn = np.linalg.solve((np.eye(size) - skew).T, (np.eye(size) + skew).T).T
        assert np.allclose(turn @ turn.T, np.eye(size), atol=1e-6), "it only turns"
        turned.append(turn.T @ rows[number * size : (number + 1) * size])
    return {"oft_blocks": blocks, "alpha": np.array(0.0, np.float32)}, np.concatenate(turned).reshape(weight.shape).astype(np.float32)


def butterfly(weight: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Row by row: at stage i, a row of a run of half a block times 2^i is turned together with the row as far into the run beside it."""
    size = blocks.shape[-1]
    rows = weight.reshape(weight.shape[0], -1).astype(np.float64)
    for stage, turns in enumerate(blocks.astype(np.float64)):
        run = size // 2 * 2**stage
        order = [pair * 2 * run + which * run + place for pair in range(len(rows) // (2 * run)) for place in range(run) for which in (0, 1)]
        turned = rows.copy()
        for number, block in enumerate(turns):
            skew = block - block.T
            members = order[number * size : (number + 1) * size]
            turned[members] = np.linalg.solve((np.eye(size) - skew).T, (np.eye(size) + skew).T).T @ rows[members]
        rows = turned
    return rows.reshape(weight.shape).astype(np.float32)


def boft(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    blocks = noise(2, weight.shape[0] // 8, 8, 8)
    return {"oft_blocks": blocks, "alpha": np.array(0.0, np.float32)}, butterfly(weight, blocks)


def boft_held(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    """With a limit on how far it turns, and rows of new lengths."""
    blocks, length = noise(2, weight.shape[0] // 8, 8, 8), 1 + 0.3 * noise(weight.shape[0], *[1] * (weight.ndim - 1))
    held = blocks * (0.7 / np.linalg.norm(blocks - np.swapaxes(blocks, 2, 3)))
    return {"oft_blocks": blocks, "alpha": np.array(0.7, np.float32), "rescale": length}, butterfly(weight, held) * length


def glora(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    """W · (1 + a1 · a2) + b1 · b2, a column of inputs at a time."""
    ones = [1] * (weight.ndim - 2)
    parts = {"a1.weight": noise(weight.shape[1], RANK, *ones), "a2.weight": noise(RANK, weight.shape[1], *ones), "b1.weight": noise(weight.shape[0], RANK, *ones), "b2.weight": noise(RANK, *weight.shape[1:])}
    mixed = np.zeros_like(weight)
    mixing = parts["a1.weight"].reshape(-1, RANK) @ parts["a2.weight"].reshape(RANK, -1)
    for into in range(weight.shape[1]):
        for of in range(weight.shape[1]):
            mixed[:, into] += weight[:, of] * mixing[of, into]
    delta = mixed + np.tensordot(parts["b1.weight"].reshape(-1, RANK), parts["b2.weight"], 1)
    return parts | {"alpha": np.array(ALPHA / 4, np.float32)}, weight + delta * ALPHA / 4 / RANK


def glora_older(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    """The same factors under each other's names."""
    tensors, merged = glora(weight)
    return {{"a1.weight": "a2.weight", "a2.weight": "a1.weight", "b1.weight": "b2.weight", "b2.weight": "b1.weight"}.get(name, name): value for name, value in tensors.items()}, merged


def dora(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    """Lengths for each input, as LyCORIS and kohya write them."""
    tensors, merged = lora(weight)
    length = np.abs(noise(1, weight.shape[1], *[1] * (weight.ndim - 2))) + 0.5
    norm = np.sqrt((np.moveaxis(merged, 1, 0).reshape(weight.shape[1], -1) ** 2).sum(1))
    return tensors | {"dora_scale": length}, merged / norm.reshape(length.shape) * length


def dora_output(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
    tensors, merged = loha(weight)
    length = np.abs(noise(weight.shape[0], *[1] * (weight.ndim - 1))) + 0.5
    norm = np.sqrt((merged.reshape(weight.shape[0], -1) ** 2).sum(1))
    return tensors | {"dora_scale": length}, merged / norm.reshape(length.shape) * length


FORMS: dict[str, Callable[[np.ndarray], tuple[Arrays, np.ndarray]]] = {
    form.__name__: form for form in (lora, lora_without_alpha, locon, loha, loha_tucker, lokr, lokr_whole, ia3_output, ia3_input, full, oft, boft, boft_held, glora, glora_older, dora, dora_output)
}  # fmt: skip
QUICK = ("lora", "loha", "lokr", "oft", "boft", "glora", "dora")
LAYERS = (
    "unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k", "unet.up_blocks.0.attentions.1.transformer_blocks.0.ff.net.0.proj", "unet.mid_block.resnets.1.conv1", "unet.down_blocks.0.downsamplers.0.conv",
    "unet.up_blocks.0.attentions.0.proj_in", "text_encoder.encoder.layers.1.mlp.fc1", "text_encoder.encoder.layers.0.self_attn.q_proj",
)  # fmt: skip


def kohya(path: str) -> str:
    component, _, rest = path.partition(".")
    return {"unet": "lora_unet_", "text_encoder": "lora_te_text_model_", "transformer": "lycoris_"}[component] + rest.replace(".", "_")


def made(pipe: Any, form: Callable[[np.ndarray], tuple[Arrays, np.ndarray]], name: Callable[[str], str] = kohya, layers: tuple[str, ...] = LAYERS) -> tuple[Arrays, Arrays]:
    tensors: Arrays = {}
    changes: Arrays = {}
    for path in layers:
        component, _, rest = path.partition(".")
        own, changed = form(getattr(pipe, component).get_parameter(f"{rest}.weight").detach().numpy())
        tensors |= {f"{name(path)}.{slot}": value for slot, value in own.items()}
        changes[f"{path}.weight"] = changed
    return tensors, changes


@pytest.mark.parametrize("name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in FORMS])
def test_a_form_is_the_model_merged_by_hand_and_comes_off_without_a_trace(queue: JobQueue, name: str) -> None:
    pipe, plain = pipe_of(queue, "sd1"), drawn(queue)
    tensors, changes = made(pipe, FORMS[name])
    write(queue, name, tensors)
    mine = drawn(queue, prompt=f"a red cat<lyco:{name}:1>")
    assert near(mine, by_hand(pipe, changes)) and np.abs(mine.astype(int) - plain).max() > 3
    half = drawn(queue, prompt=f"a red cat<lora:{name}:0.5>")
    assert not same(half, mine) and not same(half, plain)
    assert same(drawn(queue, prompt=f"a red cat<lora:{name}:0>"), plain)
    assert same(drawn(queue, prompt=f"a red cat<lora:{name}:1>"), mine)
    assert same(drawn(queue), plain), "taken off, the picture is as before, to the bit"


def test_norms_and_biases_are_changed_too(queue: JobQueue) -> None:
    pipe, plain = pipe_of(queue, "sd1"), drawn(queue)
    norm, layer = "mid_block.resnets.0.norm1", "down_blocks.0.resnets.0.conv1"
    shifts = {kind: noise(64) for kind in ("weight", "bias")}
    tensors = {f"lora_unet_{norm.replace('.', '_')}.{kind[0]}_norm": value for kind, value in shifts.items()} | {f"lora_unet_{layer.replace('.', '_')}.diff_b": noise(32)}
    write(queue, "norms", tensors)
    changes = {f"unet.{norm}.{kind}": pipe.unet.get_parameter(f"{norm}.{kind}").detach().numpy() + value for kind, value in shifts.items()}
    changes[f"unet.{layer}.bias"] = pipe.unet.get_parameter(f"{layer}.bias").detach().numpy() + tensors[f"lora_unet_{layer.replace('.', '_')}.diff_b"]
    mine = drawn(queue, prompt="a red cat<lora:norms:1>")
    assert near(mine, by_hand(pipe, changes)) and not same(mine, plain)
    assert same(drawn(queue), plain)


def diffusers_name(path: str) -> str:
    return path.replace("text_encoder.", "text_encoder.text_model.")


NAMINGS: dict[str, tuple[Callable[[str], str], dict[str, str]]] = {
    "peft": (diffusers_name, {"lora_down": "lora_A", "lora_up": "lora_B"}), "diffusers": (diffusers_name, {"lora_down": "lora.down", "lora_up": "lora.up"}),
    "bare": (lambda path: path.removeprefix("text_encoder.") if path.startswith("unet") else kohya(path), {}),
}  # fmt: skip


@pytest.mark.parametrize("naming", ["peft", *(pytest.param(name, marks=pytest.mark.slow) for name in ("diffusers", "bare"))])
def test_the_names_of_diffusers_and_peft_are_read(queue: JobQueue, naming: str) -> None:
    pipe, (name, slots) = pipe_of(queue, "sd1"), NAMINGS[naming]
    tensors, changes = made(pipe, lora, name)
    renamed = {re.sub("lora_down|lora_up", lambda found: slots.get(found[0], found[0]), key): value for key, value in tensors.items()}
    write(queue, naming, renamed)
    assert near(drawn(queue, prompt=f"a red cat<lora:{naming}>"), by_hand(pipe, changes))


def test_old_attention_processors_are_read(queue: JobQueue) -> None:
    pipe = pipe_of(queue, "sd1")
    layers = (LAYERS[0], LAYERS[0].replace("to_k", "to_out.0"), LAYERS[-1])
    tensors, changes = made(pipe, lora_without_alpha, lambda path: path, layers)
    renamed = {}
    for key, value in tensors.items():
        key = (
            key.replace("attn2.to_k.lora_", "attn2.processor.to_k_lora.")
            .replace("attn2.to_out.0.lora_", "attn2.processor.to_out_lora.")
            .replace("self_attn.q_proj.lora_", "self_attn.to_q_lora.")
            .replace("text_encoder.", "text_encoder.text_model.")
        )
        renamed[key] = value
    write(queue, "processors", renamed)
    assert near(drawn(queue, prompt="a red cat<lora:processors>"), by_hand(pipe, changes))


@pytest.mark.slow
def test_sdxl_is_read_by_its_original_names_and_both_encoders(queue: JobQueue) -> None:
    """The network's layers as the release names them: each through an independent table of the tests."""
    from tests.ldm import UNET, unet_name

    pipe, plain = pipe_of(queue, "sdxl"), drawn(queue, model="sdxl")
    config = pipe.unet.config
    crossed = [kind.startswith("CrossAttn") for kind in config.up_block_types]
    unet = [f"unet.{key.removesuffix('.weight')}" for key, value in pipe.unet.state_dict().items() if key.endswith(".weight") and value.ndim > 1]
    layers = (*unet, "text_encoder.encoder.layers.0.mlp.fc2", "text_encoder_2.text_model.encoder.layers.1.self_attn.v_proj", "text_encoder_2.text_projection")

    def name(path: str) -> str:
        component, _, rest = path.partition(".")
        if component == "unet":
            return "lora_unet_" + unet_name(rest + ".weight", config.layers_per_block, crossed).removeprefix(UNET).removesuffix(".weight").replace(".", "_")
        return {"text_encoder": "lora_te1_text_model_", "text_encoder_2": "lora_te2_"}[component] + rest.replace(".", "_")

    def weak(weight: np.ndarray) -> tuple[Arrays, np.ndarray]:
        tensors, merged = loha(weight)
        return tensors | {"alpha": np.array(0.1, np.float32)}, weight + (merged - weight) * 0.1

    tensors, changes = made(pipe, weak, name, layers)
    assert len({name(path) for path in layers}) == len(layers) > 60
    write(queue, "original", tensors)
    mine = drawn(queue, model="sdxl", prompt="a red cat<lora:original>")
    assert near(mine, by_hand(pipe, changes)) and not same(mine, plain)
    assert same(drawn(queue, model="sdxl"), plain)


@pytest.mark.slow
def test_flux_is_changed_by_its_own_names_and_by_kohyas_joined_ones(queue: JobQueue) -> None:
    pipe, plain = pipe_of(queue, "flux"), drawn(queue, model="flux")
    layers = ("transformer.transformer_blocks.0.attn.to_q", "transformer.single_transformer_blocks.0.proj_mlp", "text_encoder.encoder.layers.0.mlp.fc1")
    tensors, changes = made(pipe, lokr, lambda path: kohya(path), layers)
    write(queue, "flux-own", tensors)
    assert near(drawn(queue, model="flux", prompt="a red cat<lyco:flux-own>"), by_hand(pipe, changes))
    pipe = pipe_of(queue, "flux")
    blocks = pipe.transformer.transformer_blocks[0].attn
    down, up = noise(RANK, 32), noise(96, RANK)
    joined = {f"lora_unet_double_blocks_0_img_attn_qkv.lora_{side}.weight": value for side, value in (("down", down), ("up", up))} | {"lora_unet_double_blocks_0_img_attn_qkv.alpha": np.array(ALPHA, np.float32)}
    write(queue, "flux-joined", joined)
    delta = up @ down * ALPHA / RANK
    changes = {f"transformer.transformer_blocks.0.attn.{part}.weight": getattr(blocks, part).weight.detach().numpy() + delta[32 * place : 32 * place + 32] for place, part in enumerate(("to_q", "to_k", "to_v"))}
    mine = drawn(queue, model="flux", prompt="a red cat<lora:flux-joined>")
    assert near(mine, by_hand(pipe, changes)) and not same(mine, plain)
    assert same(drawn(queue, model="flux"), plain)


def test_the_encoders_and_the_network_have_weights_of_their_own(queue: JobQueue) -> None:
    pipe = pipe_of(queue, "sd1")
    tensors, changes = made(pipe, lora)
    write(queue, "two", tensors)
    for prompt, side in (("<lora:two:0:1>", "unet"), ("<lora:two:te=0:unet=1>", "unet"), ("<lora:two:1:0>", "text_encoder"), ("<lora:two:unet=0>", "text_encoder")):
        mine = drawn(queue, prompt="a red cat" + prompt)
        assert near(mine, by_hand(pipe_of(queue, "sd1"), {name: value for name, value in changes.items() if name.startswith(side + ".")})), prompt


def test_two_forms_together_add_up_and_both_come_off(queue: JobQueue) -> None:
    pipe, plain = pipe_of(queue, "sd1"), drawn(queue)
    one, first = made(pipe, full)
    other, second = made(pipe, loha)
    write(queue, "one", one)
    write(queue, "other", other)
    together = {f"{path}.weight": first[f"{path}.weight"] + second[f"{path}.weight"] - weight_of(pipe, path) for path in LAYERS}
    assert near(drawn(queue, prompt="a red cat<lora:one><lora:other>"), by_hand(pipe, together))
    assert same(drawn(queue), plain)


def weight_of(pipe: Any, path: str) -> np.ndarray:
    component, _, rest = path.partition(".")
    found: np.ndarray = getattr(pipe, component).get_parameter(f"{rest}.weight").detach().numpy()
    return found


@pytest.mark.parametrize(
    ("text", "weights"),
    [
        ("<lora:a>", (1.0, 1.0)), ("<lora:a:0.5>", (0.5, 0.5)), ("<lora:a:0.5:0.8>", (0.5, 0.8)), ("<lora:a:te=0.3:unet=0.6>", (0.3, 0.6)), ("<lora:a:te=0.3>", (0.3, 0.3)), ("<lora:a:0.5:unet=1>", (0.5, 1.0)), ("<lora:a:-1>", (-1.0, -1.0)), ("<lora:a:>", (1.0, 1.0)),
    ],
)  # fmt: skip
def test_weights_are_read_as_people_write_them(text: str, weights: tuple[float, float]) -> None:
    from pipelines.image.prompt.grammar import networks, parse

    assert lora_weights(networks(parse(text))[0]) == weights


@pytest.mark.parametrize(("text", "words"), [("<lora:two:1:1:8>", "more than its two weights"), ("<lora:two:dyn=4>", "more than its two weights"), ("<lora:two:nan>", "no number"), ("<lora:two:te=x>", "no number")])
def test_other_weights_are_refused(queue: JobQueue, text: str, words: str) -> None:
    write(queue, "two", made(pipe_of(queue, "sd1"), lora)[0])
    with pytest.raises(BadInput, match=words) as told:
        drawn(queue, prompt=text)
    assert told.value.field == "prompt"
    with pytest.raises(BadInput, match="where it does nothing") as told:
        drawn(queue, negative_prompt="<lora:two:1>")
    assert told.value.field == "negative_prompt"


def test_a_network_for_another_width_is_refused_before_anything_is_loaded(queue: JobQueue) -> None:
    for name, form in (("wide-lora", lora), ("wide-loha", loha), ("wide-lokr", lokr), ("wide-full", full)):
        tensors, _ = form(np.zeros((64, 64), np.float32))
        write(queue, name, {f"lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k.{slot}": value for slot, value in tensors.items()})
        with pytest.raises(StudioError, match="reads text 64 wide, this one .* 32") as told:
            drawn(queue, prompt=f"<lora:{name}>")
        assert told.value.field == "prompt"


def test_what_does_not_fit_or_is_not_read_is_told_and_leaves_nothing_behind(queue: JobQueue) -> None:
    plain = drawn(queue)
    conv, other = "lora_unet_mid_block_resnets_0_conv1", "lora_unet_mid_block_resnets_1_conv1"
    good = {f"{other}.diff": noise(64, 64, 3, 3)}
    for name, tensors, words in (
        ("shape", {f"{conv}.lora_down.weight": noise(2, 7, 3, 3), f"{conv}.lora_up.weight": noise(64, 2, 1, 1)}, "does not fit"), ("shape2", {f"{conv}.diff": noise(64, 65, 3, 3)}, "does not fit"),
        ("gone", {"lora_unet_down_blocks_9_conv.diff": noise(4)}, "does not have"), ("form", {f"{conv}.vera_q": noise(4)}, "form of network"), ("half", {f"{conv}.hada_w1_b": noise(2, 576)}, "does not fit"),
    ):  # fmt: skip
        write(queue, name, good | tensors)
        job = queue.submit("image.generate", {"prompt": f"<lora:{name}>", "width": SIDE, "height": SIDE, "steps": 2, "model": "sd1"}, owner="local").wait()
        assert isinstance(job.error, BadInput) and words in job.error.message, name
        assert same(drawn(queue), plain), name


def test_what_the_prompt_names_is_counted_before_it_is_drawn(queue: JobQueue) -> None:
    pipe = pipe_of(queue, "sd1")
    write(queue, "path", made(pipe, lora)[0])
    write(queue, "merged", made(pipe, loha)[0])
    catalog = queue.catalog

    def need(prompt: str) -> int:
        return Generate().need(ImageParams(prompt=prompt, model="sd1"), catalog).weight_bytes

    bare = need("x")
    model, path, merged = (catalog.find(key).bytes for key in ("sd1", "lora/path", "lora/merged"))
    assert need("x<lora:path>") == need("x<lora:path:0.5><lora:path:0.2>") == bare + path
    assert need("x<lora:merged>") == bare + merged + model, "of what is changed a copy is kept"
    assert need("x<lora:nowhere>") == bare


def test_headers_tell_lycoris_files_apart_from_others() -> None:
    from studio.scan import context_width, kind_of, lora_family

    key = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn2_to_k"
    assert kind_of({f"{key}.oft_blocks"}, "") == kind_of({f"{key}.hada_w1_a"}, "") == kind_of({f"{key}.on_input"}, "") == kind_of({"lycoris_blocks_0.a1.weight"}, "") == "lora"
    assert lora_family({f"{key}.a1.weight": [768, 4]}) == lora_family({f"{key}.a1.weight": [4, 768]}) == "sd1"
    assert lora_family({f"{key}.hada_w1_b": [4, 768]}) == "sd1" and lora_family({f"{key}.lokr_w1": [8, 32], f"{key}.lokr_w2_b": [4, 64]}) == "sdxl" and lora_family({f"{key}.diff": [320, 1024]}) == "sd2"
    assert context_width({"unet.down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.lora_A.weight": [4, 48]}) == 48 and context_width({f"{key}.oft_blocks": [4, 8, 8]}) == 0


@pytest.mark.slow
def test_it_works_where_groups_of_layers_come_and_go(queue: JobQueue) -> None:
    """diffusers' group offloading stands in the network's forward and holds its weights; here both devices are the processor."""
    import torch

    write(queue, "group", made(pipe_of(queue, "sd1"), loha)[0])
    prompts = ("a red cat<lyco:group:1>", "[a red cat|a blue dog]", "a red cat")
    wanted = [drawn(queue, prompt=prompt) for prompt in prompts]
    leases = queue.executors["device"].worker.models._leases  # type: ignore[attr-defined]
    model = next(lease.model for lease in leases.values() if lease.model.key == "sd1")
    model.pipe.unet.enable_group_offload(onload_device=torch.device("cpu"), offload_type="leaf_level")
    assert all(same(drawn(queue, prompt=prompt), picture) for prompt, picture in zip(prompts, wanted, strict=True))
