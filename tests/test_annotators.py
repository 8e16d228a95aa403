"""What annotators are made of: each against an independent computation, and what it looks like where that can be reckoned."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.image import edges
from pipelines.image.annotate import lines, relief, skeleton
from pipelines.image.annotate.methods import Preparation
from pipelines.image.annotate.prepare import plain
from tests import seeing_models as seeing
from tests.trunks import NARROW, trunk_file


def noise(height: int, width: int, seed: int = 1) -> np.ndarray:
    """Smooth hills with edges in them, [h, w] of 0 … 255."""
    rng = np.random.default_rng(seed)
    hills = np.asarray(Image.fromarray(rng.integers(0, 256, (6, 7)).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC), float)
    hills[height // 3 : height // 2] = 255 - hills[height // 3 : height // 2]
    return hills.round().astype(np.uint8)


def disc(side: int = 96, radius: float = 30.0) -> Image.Image:
    y, x = np.mgrid[:side, :side]
    return Image.fromarray(np.where(np.hypot(x - side / 2, y - side / 2) < radius, 215, 40).astype(np.uint8)).convert("RGB")


# -- Canny -------------------------------------------------------------------------------------------------------------


def canny_by_definition(grey: np.ndarray, low: float, high: float) -> np.ndarray:
    """Pixel by pixel, with a queue for the chains."""
    height, width = grey.shape
    g = np.pad(grey.astype(float), 1, mode="edge")
    strength, direction = np.zeros(grey.shape), np.zeros(grey.shape, int)
    for y in range(height):
        for x in range(width):
            part = g[y : y + 3, x : x + 3]
            across = (part[:, 2] - part[:, 0]) @ [1, 2, 1]
            down = (part[2] - part[0]) @ [1, 2, 1]
            strength[y, x] = np.hypot(across, down)
            direction[y, x] = round(np.degrees(np.arctan2(down, across)) / 45) % 4
    steps = ((0, 1), (1, 1), (1, 0), (1, -1))

    def at(y: int, x: int) -> float:
        return float(strength[y, x]) if 0 <= y < height and 0 <= x < width else 0.0

    crest = np.zeros(grey.shape, bool)
    for y in range(height):
        for x in range(width):
            dy, dx = steps[direction[y, x]]
            crest[y, x] = strength[y, x] > at(y - dy, x - dx) and strength[y, x] >= at(y + dy, x + dx)
    found = crest & (strength >= high)
    todo = deque(zip(*np.nonzero(found), strict=True))
    while todo:
        y, x = todo.popleft()
        for ny in range(max(0, y - 1), min(height, y + 2)):
            for nx in range(max(0, x - 1), min(width, x + 2)):
                if crest[ny, nx] and strength[ny, nx] >= low and not found[ny, nx]:
                    found[ny, nx] = True
                    todo.append((ny, nx))
    return found


@pytest.mark.parametrize(("low", "high"), [(100, 200), (20, 150), (5, 10)])
def test_canny_is_its_definition_also_in_strips(monkeypatch: pytest.MonkeyPatch, low: float, high: float) -> None:
    grey = noise(53, 41)
    wanted = canny_by_definition(grey, low, high)
    assert 20 < wanted.sum() < wanted.size / 2 and np.array_equal(edges.canny(grey, low, high) > 0, wanted)
    monkeypatch.setattr(edges, "ROWS", 7)
    assert np.array_equal(edges.canny(grey, low, high) > 0, wanted)


def test_detail_and_thresholds_of_canny() -> None:
    assert Preparation("Canny").thresholds == (100, 200) and Preparation("Canny", 1.0).thresholds == (25, 50) and Preparation("Canny", 0.0).thresholds == (400, 800)
    assert Preparation("Canny", low=30).thresholds == (30, 200) and Preparation("Canny", high=60).thresholds == (60, 60)


# -- ink and strokes ---------------------------------------------------------------------------------------------------


def test_ink_is_its_formula_also_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    from scipy.ndimage import gaussian_filter

    grey = noise(90, 70)
    share = grey / 255
    narrow, broad = (gaussian_filter(share, sigma, mode="nearest", radius=int(np.ceil(3 * sigma))) for sigma in (0.7, 0.7 * 1.6))
    apart = narrow - 0.995 * broad
    wanted = np.where(apart >= -0.01, 0, -np.tanh(90 * (apart + 0.01)))
    assert 0.02 < wanted.mean() < 0.5 and np.abs(lines.ink(grey, 0.01) - wanted).max() < 1e-4
    monkeypatch.setattr(lines, "ROWS", 16)
    monkeypatch.setattr(edges, "ROWS", 16)
    assert np.abs(lines.ink(grey, 0.01) - wanted).max() < 1e-4


def test_ink_is_a_line_on_the_dark_side_of_an_edge_and_nowhere_else() -> None:
    made = np.asarray(plain(disc(), Preparation("Lines")).convert("L")) / 255
    y, x = np.mgrid[:96, :96]
    away = np.hypot(x - 48, y - 48) - 30
    assert made[(away > 0.5) & (away < 1.5)].mean() > 0.9 and made[np.abs(away - 1) > 4].max() == 0
    assert np.asarray(plain(disc(), Preparation("Lines", 1.0))).sum() > np.asarray(plain(disc(), Preparation("Lines", 0.0))).sum() > 0


def test_scribbles_are_strokes_of_one_width_along_ridges() -> None:
    """A soft ring becomes a ring; a faint line is drawn only where it goes on from a strong one."""
    y, x = np.mgrid[:512, :512]
    ring = np.exp(-((np.hypot(x - 200, y - 256) - 120) ** 2) / (2 * 5.0**2)).astype(np.float32)
    faint = (0.2 * np.exp(-((y - 256) ** 2) / (2 * 4.0**2)) * (x > 320)).astype(np.float32)
    alone = (0.2 * np.exp(-((y - 40) ** 2) / (2 * 4.0**2))).astype(np.float32)
    made = np.asarray(lines.scribble(np.maximum(np.maximum(ring, faint), alone), 0.1, 0.3)) > 0
    away = np.abs(np.hypot(x - 200, y - 256) - 120)
    beside = (x > 316) & (np.abs(y - 256) < 12)
    assert made[away < 1].mean() > 0.97 and not made[(away > 4) & ~beside].any()
    assert made[256, 340:500].all() and not made[30:50].any()
    thick = made[:, 400].sum()
    assert 2 <= thick <= 5


# -- HED ---------------------------------------------------------------------------------------------------------------


def convolved(x: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """[h, w, in] by Keras' kernel [3, 3, in, out], zeros around, then ReLU."""
    height, width, _ = x.shape
    padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
    total = sum(padded[row : row + height, column : column + width] @ kernel[row, column] for row in range(3) for column in range(3))
    return np.maximum(total + bias, 0)


def enlarged(x: np.ndarray, times: int) -> np.ndarray:
    """[h, w] linearly between the centres of pixels, row by row."""

    def along(line: np.ndarray) -> np.ndarray:
        return np.interp((np.arange(len(line) * times) + 0.5) / times - 0.5, np.arange(len(line)), line)

    return np.apply_along_axis(along, 1, np.apply_along_axis(along, 0, x))


def test_soft_edges_are_those_of_the_file_computed_by_hand() -> None:
    """All thirteen layers, the five maps and their weighing in numpy, from Keras' own file."""
    import h5py

    from pipelines.image.nets.hed import load, soft_edges

    picture = np.stack([noise(48, 32, seed) for seed in (1, 2, 3)], -1)
    x: Any = picture[:, :, ::-1] - np.array([104.007, 116.669, 122.679])
    maps = []
    with h5py.File(trunk_file()) as file:
        for block, count in enumerate((2, 2, 3, 3, 3), 1):
            if block > 1:
                height, width, channels = x.shape
                x = x.reshape(height // 2, 2, width // 2, 2, channels).max((1, 3))
            for number in range(count):
                layer = file[f"block{block}/layers/conv2d{f'_{number}' if number else ''}/vars"]
                x = convolved(x, layer["0"][:].astype(float), layer["1"][:].astype(float))
            side = file[f"dsn{block}/vars"]
            maps.append(enlarged((x @ side["0"][:][0, 0].astype(float))[:, :, 0] + side["1"][:], 2 ** (block - 1)))
        fuse = file["fuse/vars"]
        wanted = 1 / (1 + np.exp(-(np.stack(maps, -1) @ fuse["0"][0, 0].astype(float)[:, 0] + fuse["1"][:])))
    network = load(trunk_file(), "cpu")
    found = soft_edges(network, Image.fromarray(picture), 0.0, lambda share: None)
    assert wanted.std() > 0.05 and np.abs(found - wanted).max() < 1e-4
    more = soft_edges(network, Image.fromarray(picture), 2.0, lambda share: None)
    assert np.abs(np.log(more / (1 - more)) - np.log(found / (1 - found)) - 2).max() < 1e-2


def test_soft_edges_of_a_disc_are_at_its_rim() -> None:
    from pipelines.image.nets.hed import load, soft_edges

    found = soft_edges(load(trunk_file(), "cpu"), disc(), 0.0, lambda share: None)
    y, x = np.mgrid[:96, :96]
    away = np.abs(np.hypot(x - 48, y - 48) - 30)
    assert found[away < 1].mean() > 0.8 and found[away > 10].mean() < 0.1


def narrow_edges() -> Any:
    import torch

    from pipelines.image.nets.hed import Edges

    torch.manual_seed(2)
    network = Edges(NARROW).eval().requires_grad_(False)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            parameter.copy_(torch.randn(parameter.shape) * (2 / parameter[0].numel()) ** 0.5)
    network.trunk.conv1_1.weight.mul_(1 / 64)
    return network


def test_tiles_have_no_seams_and_stop_between_layers() -> None:
    from pipelines.image.nets.hed import soft_edges, tiles

    network = narrow_edges()
    picture = Image.fromarray(np.stack([noise(421, 397, seed) for seed in (1, 2, 3)], -1))
    heard: list[float] = []
    whole = soft_edges(network, picture, 0.0, heard.append, tile=512)
    assert len(heard) == 13 and heard == sorted(heard) and len(tiles(432, 400, 128)) == 16 and whole.std() > 0.02
    heard.clear()
    tiled = soft_edges(network, picture, 0.0, heard.append, tile=128)
    assert np.abs(tiled - whole).max() < 1e-5 and len(heard) == 16 * 13 and heard[-1] < 1

    class Stop(Exception):
        pass

    def stop(share: float) -> None:
        if share > 0.03:
            raise Stop

    with pytest.raises(Stop):
        soft_edges(network, picture, 0.0, stop, tile=128)
    assert not network.trunk.conv1_1._forward_pre_hooks


@pytest.mark.slow
def test_the_real_network_has_no_seams_either() -> None:
    from pipelines.image.nets.hed import load, soft_edges

    network = load(trunk_file(), "cpu")
    picture = Image.fromarray(np.stack([noise(640, 656, seed) for seed in (1, 2, 3)], -1))
    whole = soft_edges(network, picture, 0.0, lambda share: None)
    assert np.abs(soft_edges(network, picture, 0.0, lambda share: None, tile=320) - whole).max() < 1 / 255


# -- depth -------------------------------------------------------------------------------------------------------------

DEPTHS = {"dpt": (seeing.make_dpt, {}, False), "dinov2": (seeing.make_dpt, {"dinov2": True}, True), "anything": (seeing.make_depth_anything, {}, False), "metric": (seeing.make_depth_anything, {"metric": True}, True), "zoe": (seeing.make_zoedepth, {}, True), "glpn": (seeing.make_glpn, {}, True)}  # fmt: skip


@pytest.mark.parametrize("name", DEPTHS)
def test_depth_is_bare_transformers_and_near_is_large(tmp_path: Path, name: str) -> None:
    import torch
    import transformers

    from pipelines.image.nets.seeing import depth, load

    make, how, distances = DEPTHS[name]
    make(tmp_path, **how)
    kind = transformers.AutoConfig.from_pretrained(tmp_path).architectures[0]
    picture = Image.fromarray(np.stack([noise(90, 130, seed) for seed in (1, 2, 3)], -1))
    mine = depth(load(tmp_path, kind, "cpu"), picture)
    net = getattr(transformers, kind).from_pretrained(tmp_path).eval()
    processor = transformers.AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    with torch.no_grad():
        told = net(**processor(images=picture, return_tensors="pt")).predicted_depth[None]
        told = 1 / told.clamp(min=told.max() / 1000) if distances else told
        if name == "zoe":  # its own removal of the border is torchvision's
            told = torch.nn.functional.interpolate(told, (90 + 2 * 20, 130 + 2 * 24), mode="bicubic", align_corners=False)[:, :, 20:-20, 24:-24]
        wanted = torch.nn.functional.interpolate(told, (90, 130), mode="bicubic", align_corners=False)[0, 0].numpy()
    assert mine.shape == (90, 130) and np.abs(mine - wanted).max() <= 1e-4 * max(1e-3, float(np.abs(wanted).max()))


def test_far_and_near_are_black_and_white_and_a_flat_depth_is_far() -> None:
    told = np.array([[-2.0, 0.0], [1.0, 8.0]])
    assert np.asarray(relief.grey_of(relief.nearness(told)))[..., 0].tolist() == [[0, 51], [76, 255]]
    assert not relief.nearness(np.full((3, 3), 7.0)).any()


def test_normals_of_a_ball_are_those_of_a_ball(monkeypatch: pytest.MonkeyPatch) -> None:
    """Red where it faces left, green up, blue to the front."""
    monkeypatch.setattr(relief, "ROWS", 100)
    monkeypatch.setattr(edges, "ROWS", 100)
    side = 401
    y, x = (np.mgrid[:side, :side] - side // 2) / (side / 2)
    inside = np.hypot(x, y) < 0.9
    near = np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))
    made = np.asarray(relief.normals(near, 0.5)).astype(float) / 127.5 - 1  # a half ball stands out half a side
    wanted = np.stack([-x, -y, near], -1)
    assert np.abs(made - wanted)[inside].max() < 0.03
    assert np.asarray(relief.normals(np.zeros((4, 4)), 0.5))[2, 2].tolist() in ([127, 127, 255], [128, 128, 255])


# -- poses -------------------------------------------------------------------------------------------------------------


def test_a_skeleton_has_openpose_s_joints_and_colours_at_their_places() -> None:
    """Golden: joints 0 … 17 of ControlNet's drawing and what is between neck and right shoulder, at 60 % of its colour."""
    colours = [[255, 0, 0], [255, 85, 0], [255, 170, 0], [255, 255, 0], [170, 255, 0], [85, 255, 0], [0, 255, 0], [0, 255, 85], [0, 255, 170], [0, 255, 255], [0, 170, 255], [0, 85, 255], [0, 0, 255], [85, 0, 255], [170, 0, 255], [255, 0, 255], [255, 0, 170], [255, 0, 85]]  # fmt: skip
    person = np.array([[30 + 25 * number, 60 + (number % 3) * 150, 1.0] for number in range(18)])
    made = np.asarray(skeleton.drawn([person], (512, 512), 0.5))
    assert [made[int(y), int(x)].tolist() for x, y, _ in person] == colours
    middle = (person[1, :2] + person[2, :2]) / 2
    assert made[int(middle[1]), int(middle[0])].tolist() == [153, 0, 0]
    alone = np.zeros((18, 3))
    alone[[1, 2]] = [[100, 100, 1], [200, 100, 1]]
    made = np.asarray(skeleton.drawn([alone], (512, 512), 0.5))
    assert (made[:, 150].any(-1)).sum() == 9 and made[100, 150].tolist() == [153, 0, 0] and made[100, 100].tolist() == [255, 85, 0] and made[100, 210].tolist() == [0, 0, 0]
    unsure = np.asarray(skeleton.drawn([alone * [1, 1, 0.4]], (512, 512), 0.5))
    assert not unsure.any()


def test_coco_s_seventeen_joints_become_eighteen() -> None:
    coco = np.array([[10 * number, number, 0.5 + number / 100] for number in range(17)])
    found = skeleton.eighteen(coco)
    order = ("nose", "left eye", "right eye", "left ear", "right ear", "left shoulder", "right shoulder", "left elbow", "right elbow", "left wrist", "right wrist", "left hip", "right hip", "left knee", "right knee", "left ankle", "right ankle")
    for name, joint in zip(skeleton.JOINTS, found, strict=True):
        assert joint.tolist() == ([55.0, 5.5, 0.55] if name == "neck" else coco[order.index(name)].tolist()), name
    assert [name.upper().replace("LEFT ", "L_").replace("RIGHT ", "R_") for name in order] == [name.upper() for name in seeing.COCO]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("seeing")
    seeing.make_vitpose(root / "pose")
    seeing.make_vitpose(root / "experts", experts=3)
    seeing.make_detector(root / "persons")
    yield root


@pytest.mark.parametrize("name", ["pose", "experts"])
def test_joints_are_bare_transformers_in_each_box(folders: Path, name: str) -> None:
    import torch
    import transformers

    from pipelines.image.nets.seeing import joints, load

    picture = Image.fromarray(np.stack([noise(120, 150, seed) for seed in (1, 2, 3)], -1))
    boxes = [[10.0 * number, 5.0, 60.0, 100.0 - number] for number in range(6)]
    heard: list[float] = []
    mine = joints(load(folders / name, "VitPoseForPoseEstimation", "cpu"), picture, boxes, heard.append)
    net = transformers.VitPoseForPoseEstimation.from_pretrained(folders / name).eval()
    processor = transformers.VitPoseImageProcessorPil.from_pretrained(folders / name)
    for box, found in zip(boxes, mine, strict=True):
        with torch.no_grad():
            told = net(pixel_values=processor(images=picture, boxes=[[box]], return_tensors="pt")["pixel_values"].float(), **({"dataset_index": torch.tensor([0])} if name == "experts" else {}))
        wanted = processor.post_process_pose_estimation(told, boxes=[[box]])[0][0]
        assert np.abs(found[:, :2] - wanted["keypoints"].numpy()).max() < 0.05 and np.abs(found[:, 2] - wanted["scores"].numpy()).max() < 1e-3
    assert heard == [0.0, pytest.approx(4 / 6)]


def test_persons_are_the_detector_s_surest_and_nothing_else(folders: Path) -> None:
    import torch
    import transformers

    from pipelines.image.nets.seeing import load, persons

    picture = Image.fromarray(np.stack([noise(120, 150, seed) for seed in (1, 2, 3)], -1))
    mine = persons(load(folders / "persons", "RTDetrForObjectDetection", "cpu"), picture)
    net = transformers.RTDetrForObjectDetection.from_pretrained(folders / "persons").eval()
    processor = transformers.RTDetrImageProcessorPil.from_pretrained(folders / "persons")
    with torch.no_grad():
        told = net(**processor(images=picture, return_tensors="pt"))
    found = processor.post_process_object_detection(told, threshold=0.5, target_sizes=[(120, 150)])[0]
    assert len(mine) == int((found["labels"] == 0).sum()) > 2
    left, top, right, bottom = found["boxes"][(found["scores"] * (found["labels"] == 0)).argmax()].tolist()
    assert mine[0] == pytest.approx([left, top, right - left, bottom - top])
    for size in ((3000, 30), (9, 9)):
        assert all(box[2] <= 3000 for box in persons(load(folders / "persons", "RTDetrForObjectDetection", "cpu"), picture.resize(size)))
