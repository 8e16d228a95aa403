"""Networks that look at pictures, of their real classes with tiny random weights, saved as their makers publish them: depth, poses, persons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

COCO = ("Nose", "L_Eye", "R_Eye", "L_Ear", "R_Ear", "L_Shoulder", "R_Shoulder", "L_Elbow", "R_Elbow", "L_Wrist", "R_Wrist", "L_Hip", "R_Hip", "L_Knee", "R_Knee", "L_Ankle", "R_Ankle")


def saved(folder: Path, net: Any, processor: Any) -> Path:
    net.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def shaken(net: Any, names: tuple[str, ...] = ("head", "neck")) -> Any:
    """Its last layers tell differences as large as a trained one's."""
    import torch

    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if name.startswith(names) and parameter.ndim > 1:
                parameter.copy_(torch.randn(parameter.shape) * 1.5 / parameter[0].numel() ** 0.5)
    return net


def make_dpt(folder: Path, *, dinov2: bool = False) -> Path:
    """As Intel's DPT; or on DINOv2, as Meta published it for distances."""
    import torch
    from transformers import Dinov2Config, DPTConfig, DPTForDepthEstimation, DPTImageProcessorPil

    torch.manual_seed(1)
    neck: dict[str, Any] = {"neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 16}
    if dinov2:
        backbone = Dinov2Config(hidden_size=32, num_hidden_layers=4, num_attention_heads=2, image_size=56, patch_size=14, out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False, apply_layernorm=False)
        config = DPTConfig(backbone_config=backbone, add_projection=True, **(neck | {"fusion_hidden_size": 256}))
    else:
        config = DPTConfig(hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=64, image_size=64, patch_size=16, backbone_out_indices=[0, 1, 2, 3], **neck)
    return saved(folder, shaken(DPTForDepthEstimation(config)), DPTImageProcessorPil(size={"height": 64, "width": 64}, keep_aspect_ratio=dinov2, ensure_multiple_of=14 if dinov2 else 32))


def make_depth_anything(folder: Path, *, metric: bool = False) -> Path:
    import torch
    from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config, DPTImageProcessorPil

    torch.manual_seed(2)
    backbone = Dinov2Config(hidden_size=32, num_hidden_layers=4, num_attention_heads=2, image_size=56, patch_size=14, out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False, apply_layernorm=True)
    more: dict[str, Any] = {"depth_estimation_type": "metric", "max_depth": 20} if metric else {}
    config = DepthAnythingConfig(backbone_config=backbone, reassemble_hidden_size=32, neck_hidden_sizes=[8, 8, 16, 16], fusion_hidden_size=16, head_hidden_size=8, **more)
    return saved(folder, shaken(DepthAnythingForDepthEstimation(config)), DPTImageProcessorPil(size={"height": 70, "width": 70}, keep_aspect_ratio=True, ensure_multiple_of=14, resample=3))


def make_zoedepth(folder: Path) -> Path:
    import torch
    from transformers import BeitConfig, ZoeDepthConfig, ZoeDepthForDepthEstimation, ZoeDepthImageProcessorPil

    torch.manual_seed(3)
    backbone = BeitConfig(hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=64, image_size=64, patch_size=16, out_features=["stage1", "stage2", "stage3", "stage4"], reshape_hidden_states=False)
    config = ZoeDepthConfig(
        backbone_config=backbone, backbone_hidden_size=32, neck_hidden_sizes=[8, 8, 16, 16], fusion_hidden_size=16, bottleneck_features=16, num_relative_features=16, bin_embedding_dim=8, num_patch_transformer_layers=1, patch_transformer_hidden_size=16,
        patch_transformer_intermediate_size=32, patch_transformer_num_attention_heads=2, bin_configurations=[{"n_bins": 8, "min_depth": 0.001, "max_depth": 10.0, "name": "nyu"}],
    )  # fmt: skip
    return saved(folder, shaken(ZoeDepthForDepthEstimation(config)), ZoeDepthImageProcessorPil(size={"height": 64, "width": 96}, ensure_multiple_of=32))


def make_glpn(folder: Path) -> Path:
    import torch
    from transformers import GLPNConfig, GLPNForDepthEstimation, GLPNImageProcessorPil

    torch.manual_seed(4)
    config = GLPNConfig(depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16], num_attention_heads=[1, 1, 2, 2], decoder_hidden_size=16)
    return saved(folder, shaken(GLPNForDepthEstimation(config), ("head", "decoder")), GLPNImageProcessorPil())


def make_vitpose(folder: Path, *, experts: int = 1, joints: tuple[str, ...] = COCO) -> Path:
    import torch
    from transformers import VitPoseBackboneConfig, VitPoseConfig, VitPoseForPoseEstimation, VitPoseImageProcessorPil

    torch.manual_seed(5)
    backbone = VitPoseBackboneConfig(image_size=[64, 48], hidden_size=32, num_hidden_layers=2, num_attention_heads=2, num_experts=experts, part_features=8, out_indices=[2])
    net = VitPoseForPoseEstimation(VitPoseConfig(backbone_config=backbone, id2label=dict(enumerate(joints)), label2id={name: number for number, name in enumerate(joints)}))
    with torch.no_grad():  # of a trained one the heat goes from 0 to 1
        net.head.conv.weight.mul_(2)
        net.head.conv.bias.fill_(0.1)
    return saved(folder, net, VitPoseImageProcessorPil(size={"height": 64, "width": 48}))


def make_detector(folder: Path, *, person: str = "person") -> Path:
    import torch
    from transformers import RTDetrConfig, RTDetrForObjectDetection, RTDetrImageProcessorPil, RTDetrResNetConfig

    torch.manual_seed(6)
    backbone = RTDetrResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], layer_type="basic", out_features=["stage2", "stage3", "stage4"])
    config = RTDetrConfig(
        backbone_config=backbone, encoder_hidden_dim=16, encoder_in_channels=[16, 16, 16], encoder_ffn_dim=16, encoder_attention_heads=2, d_model=16, decoder_in_channels=[16, 16, 16], decoder_ffn_dim=16, decoder_layers=1, decoder_attention_heads=2,
        num_queries=12, num_denoising=0, id2label={0: person, 1: "bicycle"}, label2id={person: 0, "bicycle": 1},
    )  # fmt: skip
    net = RTDetrForObjectDetection(config)
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if "class_embed" in name and name.endswith("bias"):
                parameter.copy_(torch.tensor([2.0, -2.0]))  # a trained one is sure of some
    return saved(folder, net, RTDetrImageProcessorPil(size={"height": 64, "width": 64}))
