"""What the forms of small networks do to a weight: LoRA, LoCon, LoHa, LoKr, GLoRA, OFT, BOFT, (IA)^3, full differences, norms, and DoRA over any of them.

`slots` are one layer's tensors by their short names. All is computed in float32.
Sources: Hu et al., LoRA, 2021; Hyeon-Woo et al., FedPara (LoHa), 2022; Edalati et al., KronA (LoKr), 2022; Qiu et al., OFT, 2023; Liu et al., BOFT, 2023;
Chavan et al., GLoRA, 2023; Liu et al., (IA)^3, 2022; Liu et al., DoRA, 2024;
Yeh et al., LyCORIS, 2024, for the shapes in which its trainers write them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

Slots = dict[str, Any]


@dataclass(frozen=True)
class Branch:
    """A low-rank path beside a layer: up(mid(down(x))) · scale. `down` [r, in, …], `mid` [r, r, k, k] or None, `up` [out, r, …]."""

    down: Any
    up: Any
    mid: Any
    scale: float


def branch_of(slots: Slots) -> Branch | None:
    """Where a layer can be left as it is and a path added beside it; None where its weight must be changed."""
    if not set(slots) <= {"down", "up", "mid", "alpha"} or not {"down", "up"} <= set(slots):
        return None
    return Branch(slots["down"], slots["up"], slots.get("mid"), _scale(slots, slots["down"].shape[0]))


def beside(branch: Branch, layer: Any, x: Any) -> Any:
    """The path's answer for the layer's input, with the layer's own stride and padding; the path is where the input is."""
    down, up = branch.down, branch.up
    if isinstance(layer, torch.nn.Linear):
        return torch.nn.functional.linear(torch.nn.functional.linear(x, down.flatten(1)), up.flatten(1)) * branch.scale
    if branch.mid is not None:
        hidden = layer._conv_forward(torch.nn.functional.conv2d(x, _kernel(down)), branch.mid, None)
    else:
        hidden = layer._conv_forward(x, _kernel(down), None)
    return torch.nn.functional.conv2d(hidden, _kernel(up)) * branch.scale


def moved(branch: Branch, device: Any, dtype: Any) -> Branch:
    return Branch(branch.down.to(device, dtype), branch.up.to(device, dtype), None if branch.mid is None else branch.mid.to(device, dtype), branch.scale)


def fits(branch: Branch, layer: Any) -> bool:
    """Whether the path has the layer's widths and kernel."""
    down, up, mid = branch.down, branch.up, branch.mid
    if isinstance(layer, torch.nn.Linear):
        return mid is None and down.flatten(1).shape[1] == layer.in_features and up.flatten(1).shape == (layer.out_features, down.shape[0])
    if not isinstance(layer, torch.nn.Conv2d) or layer.groups != 1:
        return False
    kernel = tuple(_kernel(down).shape[2:]) if mid is None else tuple(mid.shape[2:])
    return down.shape[1] == layer.in_channels and up.shape[0] == layer.out_channels and up.shape[1] == down.shape[0] and kernel == tuple(layer.kernel_size)


def changed_weight(weight: Any, slots: Slots, strength: float) -> Any:
    """The weight with the network put on, in its own shape and dtype. Raises KeyError, RuntimeError for tensors that do not belong together."""
    before = weight.detach().float()
    if "oft_blocks" in slots or "oft_diag" in slots:
        after = _turned(before, slots)
    else:
        after = before + _difference(before, slots)
        if "dora" in slots:
            after = _decomposed(after, slots["dora"].float())
    return (before + strength * (after - before)).to(weight.dtype)


def changed_bias(bias: Any, slots: Slots, strength: float) -> Any:
    difference = slots["b_norm"] if "b_norm" in slots else slots["diff_b"]
    return (bias.detach().float() + strength * difference.float().reshape(bias.shape)).to(bias.dtype)


def changes_bias(slots: Slots) -> bool:
    return "diff_b" in slots or "b_norm" in slots


def changes_weight(slots: Slots) -> bool:
    return bool(set(slots) - {"diff_b", "b_norm", "alpha"})


def _difference(weight: Any, slots: Slots) -> Any:
    """ΔW in the weight's shape."""
    if "on_input" in slots:  # (IA)^3: rows or columns of the weight itself
        vector = slots["weight"].float().flatten()
        sides = [1] * weight.ndim
        sides[1 if bool(slots["on_input"].item()) else 0] = -1
        return weight * vector.reshape(sides)
    if "down" in slots:
        found = _low_rank(slots) * _scale(slots, slots["down"].shape[0])
    elif "hada_w1_b" in slots:
        found = _product(slots, "hada_w1", "hada_t1") * _product(slots, "hada_w2", "hada_t2") * _scale(slots, slots["hada_w1_b"].shape[0])
    elif any(name.startswith("lokr_") for name in slots):
        found = _kronecker(slots)
    elif "a1.weight" in slots:
        found = _general(weight, slots)
    else:
        found = slots["w_norm" if "w_norm" in slots else "diff"].float()
    return found.reshape(weight.shape)


def _scale(slots: Slots, rank: int) -> float:
    return float(slots["alpha"]) / rank if "alpha" in slots else 1.0


def _low_rank(slots: Slots) -> Any:
    up, down = slots["up"].float(), slots["down"].float()
    if "mid" in slots:
        return torch.einsum("o n, n m k l, m i -> o i k l", up.flatten(1), slots["mid"].float(), down.flatten(1))
    return up.flatten(1) @ down.flatten(1)


def _product(slots: Slots, name: str, core: str) -> Any:
    """a · b, or through a core [r, r, k, k] where a kernel is factored too (Tucker)."""
    a, b = slots[f"{name}_a"].float(), slots[f"{name}_b"].float()
    if core in slots:
        return torch.einsum("i j k l, i o, j p -> o p k l", slots[core].float(), a, b)
    return a @ b.flatten(1) if b.ndim == 2 else (a @ b.flatten(1)).reshape(a.shape[0], *b.shape[1:])


def _kronecker(slots: Slots) -> Any:
    first = slots["lokr_w1"].float() if "lokr_w1" in slots else _product(slots, "lokr_w1", "")
    second = slots["lokr_w2"].float() if "lokr_w2" in slots else _product(slots, "lokr_w2", "lokr_t2")
    rank = next((slots[name].shape[0] for name in ("lokr_w2_b", "lokr_w1_b") if name in slots), 0)
    scale = _scale(slots, rank) if rank else 1.0  # two whole factors have no rank to scale by
    return torch.kron(first.reshape(*first.shape, *[1] * (second.ndim - first.ndim)), second.contiguous()) * scale


def _general(weight: Any, slots: Slots) -> Any:
    """GLoRA: W · A + B, both of low rank. Newer files call the factors of A and B by their order; in older ones the second comes first."""
    a1, a2, b1, b2 = (slots[f"{name}.weight"].float().flatten(1) for name in ("a1", "a2", "b1", "b2"))
    if (a1.shape[0], b1.shape[0]) != (weight.shape[1], weight.shape[0]):
        a1, a2, b1, b2 = a2, a1, b2, b1
    scaled = torch.einsum("o i ..., i r, r j -> o j ...", weight, a1, a2)
    return (scaled + (b1 @ b2).reshape(weight.shape)) * _scale(slots, a1.shape[1])


def _turned(weight: Any, slots: Slots) -> Any:
    """OFT: blocks of rows turned by orthogonal matrices, Cayley's transform of skew-symmetric ones unless they are given as they are."""
    if "oft_diag" in slots:
        turns = slots["oft_diag"].float()
    else:
        butterfly = slots["oft_blocks"].ndim == 4
        turns = _orthogonal(slots["oft_blocks"].float(), float(slots.get("alpha", 0.0)) * (1 if butterfly else weight.shape[0]))
        if butterfly:
            return _rescaled(_in_stages(weight, turns), slots)
    blocks = weight.reshape(turns.shape[0], turns.shape[1], -1)  # [blocks, size, rest]
    return _rescaled((turns.transpose(1, 2) @ blocks).reshape(weight.shape), slots)


def _orthogonal(blocks: Any, most: float) -> Any:
    """Cayley's transform of what is skew-symmetric in [..., size, size], of a norm of at most `most`; 0 is no limit."""
    skew = blocks - blocks.transpose(-1, -2)
    norm = float(skew.norm())
    skew = skew * (most / norm) if 0 < most < norm else skew
    eye = torch.eye(skew.shape[-1], device=skew.device)
    return (eye + skew) @ torch.linalg.inv(eye - skew)


def _in_stages(weight: Any, turns: Any) -> Any:
    """BOFT: [stages, blocks, size, size] turn rows that lie further apart with each stage: in pairs of runs, each of half a block times 2 to the stage, a row of one run is beside its like of the other."""
    rows = weight.flatten(1)
    for stage, turn in enumerate(turns):
        run = 2**stage * turn.shape[-1] // 2
        pairs = rows.reshape(-1, 2, run, rows.shape[1]).transpose(1, 2)  # [pairs of runs, row, which run, rest]
        turned = turn @ pairs.reshape(turn.shape[0], turn.shape[1], -1)
        rows = turned.reshape(pairs.shape).transpose(1, 2).reshape(rows.shape)
    return rows.reshape(weight.shape)


def _rescaled(turned: Any, slots: Slots) -> Any:
    return turned * slots["rescale"].float().reshape(-1, *[1] * (turned.ndim - 1)) if "rescale" in slots else turned


def _decomposed(weight: Any, length: Any) -> Any:
    """DoRA: the direction of the weight, of a learned length for each output or each input."""
    by_output = length.shape[0] == weight.shape[0]
    dims = [dim for dim in range(weight.ndim) if dim != (0 if by_output else 1)]
    norm = torch.linalg.vector_norm(weight, dim=dims, keepdim=True)
    return weight * (length.reshape(norm.shape) / norm)


def _kernel(matrix: Any) -> Any:
    return matrix if matrix.ndim == 4 else matrix[:, :, None, None]
