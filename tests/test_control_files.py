"""Control networks of several kinds, and single files of the forms beside the plain ControlNet: bare diffusers' pictures, from the header alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.image.pictures import png
from studio.api import BadInput
from studio.jobs import JobQueue
from studio.scan import about_control
from tests.house import finish
from tests.image_models import WIDTH, image_queue, make_flux, make_sd1, make_sd3, make_sdxl, shake
from tests.test_control import SIDE, bare, drawing, drawn, part, same

pytestmark = pytest.mark.filterwarnings("ignore:`FluxPosEmbed` is deprecated:FutureWarning")
FLOW = {"sampler": "Flow Euler"}


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    root = tmp_path_factory.mktemp("control-files")
    models = root / "models"
    make_sdxl(models / "sdxl")
    make_flux(models / "flux")
    make_sd3(models / "sd3", layers=2)
    make_sd1(models / "crossed", down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"), up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"))
    folder = models / "controlnet"
    for name, net in (("adapter", make_adapter()), ("union", make_union()), ("sd3-edges", make_sd3_net()), ("flux-edges", make_flux_net()), ("flux-union", make_flux_net(num_mode=5))):
        net.save_pretrained(folder / name)
    made = image_queue(root / "data", models)
    made.start()
    yield made
    finish(made)


@pytest.fixture
def guide(queue: JobQueue) -> str:
    return queue.desk.inputs.keep(png(drawing()))


def make_adapter() -> Any:
    import torch
    from diffusers import T2IAdapter

    torch.manual_seed(14)
    return T2IAdapter(in_channels=3, channels=[32, 64], num_res_blocks=2, downscale_factor=2, adapter_type="full_adapter")


def make_union(**sizes: Any) -> Any:
    """Beside the network of make_sdxl, unless sizes say otherwise."""
    import torch
    from diffusers import ControlNetUnionModel

    torch.manual_seed(15)
    small = {
        "block_out_channels": (32, 64), "layers_per_block": 1, "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"), "norm_num_groups": 8, "attention_head_dim": 8, "cross_attention_dim": 2 * WIDTH,
        "addition_embed_type": "text_time", "addition_time_embed_dim": 8, "projection_class_embeddings_input_dim": 6 * 8 + WIDTH, "use_linear_projection": True, "transformer_layers_per_block": (1, 2),
        "conditioning_embedding_out_channels": (16, 32), "num_trans_channel": 32, "num_proj_channel": 32,
    }  # fmt: skip
    net = ControlNetUnionModel(**(small | sizes))
    shake(net, ("controlnet_down_blocks", "controlnet_mid_block", "controlnet_cond_embedding.conv_out", "spatial_ch_projs"))
    shake(net, ("task_embedding",), 2.0)
    return net


def make_flux_net(**more: Any) -> Any:
    import torch
    from diffusers import FluxControlNetModel

    torch.manual_seed(51)
    small = {"num_layers": 1, "num_single_layers": 1, "attention_head_dim": 16, "num_attention_heads": 2, "joint_attention_dim": WIDTH, "pooled_projection_dim": WIDTH, "axes_dims_rope": [4, 4, 8]}
    net = FluxControlNetModel(patch_size=1, in_channels=16, **(small | more))
    shake(net, ("controlnet_blocks", "controlnet_single_blocks", "controlnet_x_embedder", "controlnet_mode_embedder"))
    if net.union:
        with torch.no_grad():
            for part in (net.controlnet_mode_embedder, *net.controlnet_blocks, *net.controlnet_single_blocks):
                part.weight.mul_(20)  # so that another kind is another picture, not a rounding
    return net


def make_sd3_net(head: int = 8) -> Any:
    """Beside the transformer of make_sd3, with heads of 8."""
    import torch
    from diffusers import SD3ControlNetModel

    torch.manual_seed(52)
    wide = 32 if head == 8 else head
    sizes = {"attention_head_dim": head, "num_attention_heads": wide // head, "caption_projection_dim": wide, "joint_attention_dim": 4 * WIDTH, "pooled_projection_dim": 2 * WIDTH}
    net = SD3ControlNetModel(sample_size=16, patch_size=2, in_channels=16, num_layers=1, out_channels=16, **sizes)
    shake(net, ("controlnet_blocks", "pos_embed_input"))
    return net


def saved(queue: JobQueue, tensors: dict[str, Any], name: str) -> Any:
    """The entry of a single file with these tensors."""
    from safetensors.torch import save_file

    save_file({key: value.contiguous().clone() for key, value in tensors.items()}, queue.catalog.roots[0] / "controlnet" / f"{name}.safetensors")
    queue.catalog.refresh()
    queue.executors["device"].worker.catalog.refresh()  # type: ignore[attr-defined]
    return queue.catalog.find(f"controlnet/{name}")


def released(state: dict[str, Any]) -> dict[str, Any]:
    """A T2I-Adapter's tensors as its makers published them: all blocks in one row."""
    import re

    found = {}
    for name, value in state.items():
        name = name.removeprefix("adapter.")
        if block := re.fullmatch(r"body\.(\d+)\.resnets\.(\d+)\.(.*)", name):
            name = f"body.{2 * int(block[1]) + int(block[2])}.{block[3]}"
        elif block := re.fullmatch(r"body\.(\d+)\.in_conv\.(.*)", name):
            name = f"body.{2 * int(block[1])}.in_conv.{block[2]}"
        found[name] = value
    return found


def test_an_adapter_in_one_file_is_its_folder_in_both_layouts(queue: JobQueue, guide: str) -> None:
    state = part("T2IAdapter", queue.catalog.roots[0] / "controlnet" / "adapter").state_dict()
    values = {"model": "crossed", "control_image": guide, "control_weight": 0.7}
    wanted = drawn(queue, control_model="controlnet/adapter", **values)
    assert not same(wanted, drawn(queue, model="crossed"))
    for name, tensors in (("adapter-own", state), ("adapter-released", released(state))):
        entry = saved(queue, tensors, name)
        assert (entry.kind, entry.details["class"], entry.details["xl"], entry.problem) == ("controlnet", "T2IAdapter", False, "")
        assert same(drawn(queue, control_model=entry.key, **values), wanted), name


def test_an_adapter_s_sizes_are_those_of_its_makers() -> None:
    """Canny for Stable Diffusion 1 (grey, folded by 8), and for XL (colours, folded by 16)."""
    import torch
    from diffusers import T2IAdapter

    from pipelines.image.nets.control_files import adapter_config

    for given in (
        {"in_channels": 1, "channels": [320, 640, 1280, 1280], "num_res_blocks": 2, "downscale_factor": 8, "adapter_type": "full_adapter"},
        {"in_channels": 3, "channels": [320, 640, 1280, 1280], "num_res_blocks": 2, "downscale_factor": 16, "adapter_type": "full_adapter_xl"},
    ):
        with torch.device("meta"):
            net = T2IAdapter(**given)
        shapes = {name: list(value.shape) for name, value in net.state_dict().items()}
        assert adapter_config(shapes) == given and about_control(shapes)["xl"] == (given["downscale_factor"] == 16)


@pytest.mark.parametrize("family", ["flux", "sd3"])
def test_the_flow_families_networks_in_one_file_are_their_folders(queue: JobQueue, family: str) -> None:
    import torch

    from pipelines.image.nets.control import load_unit

    kind = {"sd3": "SD3ControlNetModel", "flux": "FluxControlNetModel"}[family]
    net = make_sd3_net(64) if family == "sd3" else make_flux_net(axes_dims_rope=[2, 7, 7])
    entry = saved(queue, net.state_dict(), f"{family}-one")
    assert (entry.kind, entry.details["class"], entry.problem) == ("controlnet", kind, "")
    read = load_unit(Path(entry.path), kind, torch.float32, "cpu")
    assert type(read) is type(net) and all(torch.equal(value, read.state_dict()[name]) for name, value in net.state_dict().items())
    told, own = dict(read.config), dict(net.config)
    assert {name: value for name, value in told.items() if own[name] != value and name not in ("sample_size", "_use_default_values")} == {}


def test_the_released_sizes_of_flux_and_sd3_networks_are_read() -> None:
    """InstantX's Union for FLUX.1 dev and its Canny for Stable Diffusion 3, as their configs on the hub tell them."""
    import torch
    from diffusers import FluxControlNetModel, SD3ControlNetModel

    from pipelines.image.nets.control_files import flux_control_config, sd3_control_config

    flux = {"num_layers": 5, "num_single_layers": 10, "guidance_embeds": True, "num_mode": 10}
    sd3 = {"num_layers": 6, "num_attention_heads": 24, "attention_head_dim": 64, "caption_projection_dim": 1536, "pos_embed_max_size": 192}
    for net_class, given, read in ((FluxControlNetModel, flux, flux_control_config), (SD3ControlNetModel, sd3, sd3_control_config)):
        with torch.device("meta"):
            net = net_class(**given)
        told = read({name: tuple(value.shape) for name, value in net.state_dict().items()})
        own = dict(net.config)
        assert {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()} == {name: tuple(own[name]) if isinstance(own[name], list) else own[name] for name in told}


# -- several kinds of pictures -----------------------------------------------------------------------------------------


def test_a_network_of_several_kinds_is_bare_diffusers_with_the_kind_that_was_told(queue: JobQueue, guide: str) -> None:
    values = {"model": "sdxl", "control_model": "controlnet/union", "control_image": guide, "control_weight": 0.8}
    depth = drawn(queue, control_kind="Depth", **values)
    net = part("ControlNetUnionModel", queue.catalog.roots[0] / "controlnet" / "union")
    call = {"control_image": [drawing()], "control_mode": [1], "controlnet_conditioning_scale": 0.8, "width": SIDE, "height": SIDE}
    assert same(depth, bare(queue, "StableDiffusionXLControlNetUnionPipeline", "sdxl", {"controlnet": net}, **call))
    assert not same(depth, drawn(queue, control_kind="Lines", **values))
    assert same(drawn(queue, control_process="Canny", **values), drawn(queue, control_process="Canny", control_kind="Lines", **values)), "automatic goes by the preparation"


@pytest.mark.slow
def test_flux_union_is_bare_diffusers_with_its_mode(queue: JobQueue, guide: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

    monkeypatch.setattr(DiagonalGaussianDistribution, "sample", lambda self, generator=None: self.mode())
    values = {"model": "flux", "control_model": "controlnet/flux-union", "control_image": guide, "control_weight": 0.8} | FLOW
    mine = drawn(queue, control_kind="Depth", **values)
    net = part("FluxControlNetModel", queue.catalog.roots[0] / "controlnet" / "flux-union")
    theirs = bare(queue, "FluxControlNetPipeline", "flux", {"controlnet": net}, control_image=drawing(), control_mode=2, controlnet_conditioning_scale=0.8, width=SIDE, height=SIDE)
    other = drawn(queue, control_kind="Tile", **values)

    def apart(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        return np.abs(one.astype(int) - two.astype(int))

    rounding = apart(mine, theirs)  # on some processors a value on the edge between two levels falls to the other side
    assert rounding.max() <= 1 and (rounding > 0).mean() < 0.002 and (apart(mine, other) > 0).mean() > 0.004, (apart(mine, other) > 0).mean()


@pytest.mark.parametrize(("values", "words"), [
    ({"control_model": "controlnet/union"}, "must be told"), ({"control_model": "controlnet/union", "control_kind": "Blur"}, "takes no picture of the kind"),
    ({"control_model": "controlnet/union", "control_kind": "Tile"}, "takes no picture of the kind"), ({"control_model": "controlnet/flux-union", "model": "flux", "control_kind": "Normals"} | FLOW, "takes no picture"),
    ({"control_model": "controlnet/flux-edges", "model": "flux", "control_kind": "Lines"} | FLOW, "one kind of picture alone"),
])  # fmt: skip
def test_a_kind_that_is_not_told_or_not_known_is_refused_at_its_field(queue: JobQueue, guide: str, values: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput) as told:
        drawn(queue, **({"model": "sdxl", "control_image": guide} | values))
    assert told.value.field == "control_kind" and words in told.value.message and told.value.hint


def test_a_union_in_one_file_is_read_from_its_header(queue: JobQueue) -> None:
    """As the released one is: heads of 64, sizes told by 256 numbers each, eight kinds."""
    import torch

    from pipelines.image.nets.control import load_unit

    net = make_union(
        block_out_channels=(32, 128), layers_per_block=2, norm_num_groups=32, attention_head_dim=(1, 2), cross_attention_dim=64, addition_time_embed_dim=256, projection_class_embeddings_input_dim=6 * 256 + 32,
        conditioning_embedding_out_channels=(16, 32, 96), num_control_type=8,
    )  # fmt: skip
    entry = saved(queue, net.state_dict(), "union-one")
    assert (entry.kind, entry.problem) == ("controlnet", "") and entry.details["class"] == "ControlNetUnionModel" and (entry.details["context"], entry.details["kinds"]) == (64, 8)
    read = load_unit(Path(entry.path), "ControlNetUnionModel", torch.float32, "cpu")
    assert all(torch.equal(value, read.state_dict()[name]) for name, value in net.state_dict().items()) and read.config.num_control_type == 8
    given = (torch.ones(1, 4, 8, 8), 5, torch.ones(1, 3, 64), [torch.ones(1, 3, 32, 32)], torch.tensor([[0.0, 1, 0, 0, 0, 0, 0, 0]]), [1])
    more = {"added_cond_kwargs": {"text_embeds": torch.ones(1, 32), "time_ids": torch.ones(1, 6)}, "return_dict": False}
    with torch.no_grad():
        assert torch.equal(net.eval()(*given, **more)[1], read(*given, **more)[1])


def test_a_network_for_another_size_of_the_family_is_refused(queue: JobQueue, guide: str) -> None:
    """As one for Stable Diffusion 3 medium is, beside 3.5 large."""
    entry = saved(queue, make_sd3_net(64).state_dict(), "sd3-wide")
    with pytest.raises(BadInput, match="64 wide, this one 32") as told:
        drawn(queue, model="sd3", control_model=entry.key, control_image=guide, **FLOW)
    assert told.value.field == "control_model"


@pytest.mark.parametrize(("names", "told"), [
    ({"pos_embed_input.proj.weight": [64, 17, 2, 2], "pos_embed.proj.weight": [64, 16, 2, 2], "controlnet_blocks.0.weight": [64, 64]}, {}),
    ({"controlnet_blocks.0.weight": [64, 64], "controlnet_x_embedder.weight": [64, 16]}, {"class": "FluxControlNetModel", "wide": 64}),
    ({"double_blocks.0.img_attn.proj.weight": [64, 64]}, {}),
])  # fmt: skip
def test_other_forms_are_told_apart(names: dict[str, list[int]], told: dict[str, Any]) -> None:
    """The first takes a mask besides the picture."""
    assert about_control(names) == told
