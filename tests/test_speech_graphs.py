"""Networks changed where they are loaded: the sums of their convolutions stay the same to the bit, and damaged files are refused."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import onnxruntime
import pytest

from pipelines.music.speech import graphs
from pipelines.music.speech.graphs import GRAPH, INPUT, INT32, OUTPUT, UINT8, signed, sums_are_exact

FLOAT = 1


def network(zero: str = "zero") -> bytes:
    """A convolution of bytes whose signal is quantised where it comes in; `zero` is what it takes for its zero."""
    rng = np.random.default_rng(3)
    weights = rng.integers(0, 256, (6, 4, 3), np.uint8)
    nodes = graphs._node("DynamicQuantizeLinear", ["x"], ["q", "scale", "zero"]) + graphs._node("ConvInteger", ["q", "w", zero, "w_zero"], ["y"])
    tensors = graphs._tensor("w", UINT8, weights.shape, weights.tobytes()) + graphs._tensor("w_zero", UINT8, (), struct.pack("<B", 131))
    values = graphs._field(INPUT, graphs._value("x", FLOAT)) + graphs._field(OUTPUT, graphs._value("y", INT32))
    return graphs._number(1, 8) + graphs._field(8, graphs._number(2, 13)) + graphs._field(GRAPH, nodes + tensors + values)


def run(model: bytes, signal: np.ndarray) -> Any:
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, {"x": signal})[0]


@pytest.mark.parametrize("spread", [0.01, 1.0, 300.0])
@pytest.mark.parametrize("middle", [-2.0, 0.0, 5.0])
def test_sums_are_the_same_to_the_bit(spread: float, middle: float) -> None:
    """All signals at once: positive, negative and mixed ones, whose zero is at either end or between."""
    model = network()
    made = signed(model)
    signal = np.random.default_rng(1).normal(middle, spread, (1, 4, 50)).astype(np.float32)
    plain = run(model, signal)
    assert b"QuantizeLinear" in made.replace(b"DynamicQuantizeLinear", b"") and len(made) > len(model)
    assert not sums_are_exact() or (np.array_equal(run(made, signal), plain) and np.abs(plain).max() > 100)


@pytest.mark.parametrize("zero", ["", "w_zero"])
def test_a_signal_with_another_zero_than_its_own_stays(zero: str) -> None:
    model = network(zero)
    assert signed(model) == model and run(model, np.ones((1, 4, 9), np.float32)).shape == (1, 6, 7)


def test_where_it_can_not_be_tried_sums_are_not_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*given: object, **more: object) -> None:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr("onnxruntime.InferenceSession", refused)
    assert not sums_are_exact()


@pytest.mark.parametrize("cut", [1, 5, 40, 150])
def test_a_cut_off_model_is_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="cut off"):
        signed(network()[:-cut])


@pytest.mark.parametrize("damaged", [b"\x3b\x01", b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", b"\x3a\x05\x0a\x09"])
def test_what_is_no_model_is_refused(damaged: bytes) -> None:
    with pytest.raises(ValueError):
        signed(damaged)
