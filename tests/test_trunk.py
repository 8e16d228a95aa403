"""The VGG16 trunk: read as Keras wrote it, the same features as an independent computation, and a sentence where it is missing or broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipelines.image.vision import TRUNK, trunk_bytes, trunk_entry, trunk_spec, trunk_type
from studio.api import Catalog, ModelBroken, ModelMissing
from studio.starter import starter_models
from tests.text_fakes import FakeContext, FakeModels
from tests.trunks import small_trunk, trunk_file


def convolved(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """[h, w, in] by Keras' kernel [3, 3, in, out], zeros around, then ReLU: nine shifted products."""
    height, width, _ = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    total = sum(padded[row : row + height, column : column + width] @ kernel[row, column] for row in range(3) for column in range(3))
    return np.maximum(total + bias, 0)


def halved(x: np.ndarray) -> np.ndarray:
    """The largest of each 2 × 2, an odd last row or column alone."""
    height, width, channels = x.shape
    padded = np.pad(x, ((0, height % 2), (0, width % 2), (0, 0)), constant_values=-np.inf)
    return padded.reshape((height + 1) // 2, 2, (width + 1) // 2, 2, channels).max((1, 3))


def test_features_are_those_of_the_file_as_keras_reads_it() -> None:
    """Computed in numpy from blue, green, red less their means, through five layers and two poolings of an odd picture."""
    import h5py
    import torch

    from pipelines.image.nets.trunk import load

    picture = np.random.default_rng(3).integers(0, 256, (11, 9, 3))
    x = picture[:, :, ::-1] - np.array([104.007, 116.669, 122.679])
    with h5py.File(trunk_file()) as file:
        for block, count in ((1, 2), (2, 2), (3, 1)):
            x = halved(x) if block > 1 else x
            for number in range(count):
                layer = file[f"block{block}/layers/conv2d{f'_{number}' if number else ''}/vars"]
                x = convolved(x, layer["0"][:].astype(np.float64), layer["1"][:].astype(np.float64))
    trunk = load(trunk_file(), "cpu", torch.float32)
    found = trunk(torch.from_numpy(picture / 255).permute(2, 0, 1)[None], ["conv1_2", "conv3_1"])
    assert list(found) == ["conv1_2", "conv3_1"] and found["conv3_1"].shape == (1, 256, 3, 3)
    assert np.abs(found["conv3_1"][0].permute(1, 2, 0).numpy() - x).max() < 1e-4 * np.abs(x).max()
    assert not any(parameter.requires_grad for parameter in trunk.parameters())


def test_the_edge_detectors_weights_are_read_too() -> None:
    from pipelines.image.nets.trunk import WIDTHS, read

    found = read(trunk_file())
    assert [found[f"side{number}.weight"].shape for number in range(1, 6)] == [(1, width, 1, 1) for width in WIDTHS] and found["fuse.weight"].shape == (1, 5, 1, 1)
    assert len(found) == 2 * (13 + 5 + 1)


def test_layers_after_the_last_wanted_one_do_not_run() -> None:
    import torch

    trunk = small_trunk()
    trunk.conv2_2 = None
    assert set(trunk(torch.zeros(1, 3, 8, 8), {"conv1_1", "conv2_1"})) == {"conv1_1", "conv2_1"}


def test_average_pooling_counts_an_odd_edge_alone() -> None:
    import torch

    from pipelines.image.nets.trunk import _halved

    row = torch.tensor([1.0, 3.0, 5.0]).view(1, 1, 1, 3)
    assert _halved(row, "average").flatten().tolist() == [2.0, 5.0] and _halved(row, "max").flatten().tolist() == [3.0, 5.0]


def test_a_missing_trunk_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="not on this computer") as missing:
        trunk_entry(Catalog([tmp_path]))
    assert "Models tab" in missing.value.hint


def test_a_damaged_trunk_is_told_before_and_while_it_is_loaded(tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "vision" / "vgg16-hed.h5"
    path.parent.mkdir()
    path.write_bytes(b"no such file")
    with pytest.raises(ModelBroken, match="does not begin"):
        trunk_entry(Catalog([tmp_path]))
    with h5py.File(path, "w") as file:
        file["block1/layers/conv2d/vars/0"] = np.zeros((3, 3, 3, 64), np.float32)
    ctx = FakeContext([], FakeModels())
    ctx.catalog = Catalog([tmp_path])
    with pytest.raises(ModelBroken, match="can't be loaded"), ctx.models.use(trunk_spec(ctx)):
        pass


def test_the_manifest_names_the_file_that_pipelines_look_for(tmp_path: Path) -> None:
    """Found by its key once it lies where the manifest puts it."""
    model = next(model for model in starter_models() if model.id == "vgg16-hed")
    path = tmp_path / model.file
    path.parent.mkdir(parents=True)
    path.symlink_to(trunk_file().resolve())
    assert trunk_entry(Catalog([tmp_path])).key == TRUNK and trunk_entry(Catalog([tmp_path])).bytes == model.bytes


@pytest.mark.parametrize(("device", "bfloat16", "expected"), [("cpu", False, "float32"), ("cpu", True, "bfloat16"), ("cuda", False, "bfloat16"), ("mps", True, "float32")])
def test_its_precision_goes_by_the_device(device: str, bfloat16: bool, expected: str) -> None:
    assert trunk_type(device, bfloat16) == expected


def test_its_bytes_are_exact() -> None:
    import torch

    from pipelines.image.nets.trunk import Trunk

    with torch.device("meta"):
        assert 4 * sum(parameter.numel() for parameter in Trunk().parameters()) in (trunk_bytes("mps"), 2 * trunk_bytes("mps"))
