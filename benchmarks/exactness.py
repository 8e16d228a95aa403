"""How closely pictures by AUTOMATIC1111's conventions follow loops written from the papers: `python benchmarks/exactness.py` prints the table of docs/image-exactness.md.

The loops are k-diffusion's published equations in float64, with the network and the encoder of a tiny random Stable Diffusion; levels and noise are made here anew.
Sources: Karras et al., 2022 (algorithms 1 and 2; ancestral steps after Song et al., 2020); Lu et al., DPM-Solver, 2022 (algorithms 1, 2, 3 and section 3.4)
and DPM-Solver++, 2022 (algorithms 1 and 2); Xu et al., Restart sampling, 2023 (algorithm 2); Chung et al., CFG++, 2024; Liu et al., 2022 (linear multistep).
"""

from __future__ import annotations

import contextlib
import math
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

ALL = ("Uniform", "SGM Uniform", "Simple", "Karras", "Exponential", "Beta", "Align Your Steps", "KL Optimal")
SAMPLERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Euler", ALL), ("Euler a", ALL), ("DPM++ 2M", ALL), ("Heun", ("Uniform", "Karras")), ("LMS", ("Uniform", "Karras")), ("DPM2", ("Uniform", "Karras")),
    ("DPM++ 2S a", ("Uniform", "Karras", "Exponential")), ("DPM++ SDE", ("Uniform", "Karras", "Beta")), ("Restart", ("Uniform", "Karras")), ("DPM fast", ("Uniform",)),
    ("DPM adaptive", ("Uniform",)), ("DDIM CFG++", ("DDIM",)),
)  # fmt: skip
ABOUT = {"model": "tiny", "prompt": "a red cat", "negative_prompt": "fog", "width": 32, "height": 32, "steps": 20, "cfg_scale": 7.0, "upscale": 1.0, "seed": 1}
SHOWN = (
    ("Euler", "Karras"), ("DPM++ 2M", "Uniform"), ("DPM++ 2M", "Karras"), ("DPM++ 2M", "KL Optimal"), ("DPM++ 2M", "Beta"), ("DPM++ 2M", "SGM Uniform"),
    ("DPM++ 2M", "Align Your Steps"), ("Euler a", "Karras"), ("Euler a", "Uniform"),
    ("Euler a", "KL Optimal"), ("LMS", "Karras"), ("Heun", "Karras"), ("DPM2", "Karras"),
    ("DPM++ 2S a", "Karras"), ("DPM++ SDE", "Karras"), ("Restart", "Karras"), ("DPM fast", "Uniform"), ("DPM adaptive", "Uniform"), ("DDIM CFG++", "DDIM"),
)  # fmt: skip
AYS = (14.615, 6.475, 3.861, 2.697, 1.886, 1.396, 0.963, 0.652, 0.399, 0.152, 0.029)


def levels(schedule: str, steps: int, trained: np.ndarray) -> np.ndarray:
    """Falling noise levels with the end, by the formulas, one by one."""
    low, high, last = trained[0], trained[-1], len(trained) - 1

    def between(place: float) -> float:
        below = min(int(place), last - 1)
        return math.exp((1 - place + below) * math.log(trained[below]) + (place - below) * math.log(trained[below + 1]))

    if schedule == "KL Optimal":
        return np.array([math.tan(number / steps * math.atan(low) + (1 - number / steps) * math.atan(high)) for number in range(steps + 1)])
    if schedule == "Karras":
        found = [(high ** (1 / 7) + number / (steps - 1) * (low ** (1 / 7) - high ** (1 / 7))) ** 7 for number in range(steps)]
    elif schedule == "Exponential":
        found = [high * (low / high) ** (number / (steps - 1)) for number in range(steps)]
    elif schedule == "Simple":
        found = [trained[len(trained) - 1 - int(number * len(trained) / steps)] for number in range(steps)]
    elif schedule == "DDIM":
        found = [trained[number] for number in range(1, len(trained), len(trained) // steps)][::-1]
    elif schedule == "SGM Uniform":
        found = [between(last * (1 - number / steps)) for number in range(steps)]
    elif schedule == "Beta":
        from scipy.special import betaincinv

        found = [low + float(betaincinv(0.6, 0.6, 1 - number / (steps - 1))) * (high - low) for number in range(steps)]
    elif schedule == "Align Your Steps":
        found = [math.exp(np.interp(10 * number / (steps - 1), range(11), np.log(AYS))) for number in range(steps)]
    else:
        found = [between(last * (1 - number / (steps - 1))) for number in range(steps)]
    return np.array([*found, 0.0])


def independent(model: Any, sampler: str, schedule: str, *, steps: int, seed: int, cfg_scale: float, prompt: str, negative: str, side: int, source: str = "CPU") -> tuple[np.ndarray, np.ndarray]:
    """Colours [side, side, 3] of 0 … 255 and latents [1, 4, h, w] by the papers' loop; the network runs in float32, everything else in float64."""
    import torch

    pipe = model.pipe
    kept = pipe.scheduler.alphas_cumprod.double().numpy()
    trained = np.sqrt((1 - kept) / kept)
    with torch.inference_mode():
        words = [pipe.text_encoder(torch.tensor([pipe.tokenizer(text, padding="max_length", max_length=pipe.tokenizer.model_max_length).input_ids]))[0] for text in (negative, prompt)]
        states = torch.cat(words)

        def clean(x: Any, level: float) -> Any:
            base, wanted = both(x, level)
            return x - level * (base + cfg_scale * (wanted - base))

        def both(x: Any, level: float) -> Any:
            """The noise by the negative prompt, and by the prompt."""
            step = float(np.interp(math.log(level), np.log(trained), np.arange(len(trained))))
            scaled = (x / math.sqrt(level**2 + 1)).float()
            return pipe.unet(torch.cat([scaled, scaled]), torch.tensor(step), states, return_dict=False)[0].double().chunk(2)

        def plus_plus(x: Any, table: np.ndarray) -> Any:
            """CFG++, algorithm 2, in the paper's own scale of samples: the guided clean picture, noised with the unguided noise."""
            x = x / table[0]  # noise alone, of variance 1
            for level, following in zip(table[:-1], [*table[1:-1], trained[0]], strict=True):
                kept, next_kept = 1 / (1 + level**2), 1 / (1 + following**2)
                base, wanted = both(x / math.sqrt(kept), level)
                noise = base + cfg_scale / 12.5 * (wanted - base)
                x = math.sqrt(next_kept) * (x - math.sqrt(1 - kept) * noise) / math.sqrt(kept) + math.sqrt(1 - next_kept) * base
            return x / math.sqrt(next_kept)

        shape = (4, side // model.family.factor, side // model.family.factor)
        draw = _noise(seed, shape, source)
        table = levels(schedule, steps, trained) if sampler != "DPM2" else np.delete(levels(schedule, steps + 1, trained), -2)
        x = torch.from_numpy(draw()).double() * table[0]
        x = plus_plus(x, table) if sampler == "DDIM CFG++" else LOOPS[sampler](clean, x, table, draw)
        picture = pipe.vae.decode((x / pipe.vae.config.scaling_factor).float(), return_dict=False)[0]
    pixels = (picture[0].permute(1, 2, 0) / 2 + 0.5).clamp(0, 1).numpy()
    return (pixels * 255).round().astype(int), x.numpy()


@contextlib.contextmanager
def decoded(model: Any) -> Iterator[list[np.ndarray]]:
    """The latents that are decoded while it is open."""
    kept: list[np.ndarray] = []
    vae, decode = model.pipe.vae, model.pipe.vae.decode

    def watched(latents: Any, *args: Any, **named: Any) -> Any:
        kept.append(latents.detach().double().numpy() * vae.config.scaling_factor)
        return decode(latents, *args, **named)

    vae.decode = watched
    try:
        yield kept
    finally:
        del vae.decode


def apart(one: np.ndarray, other: np.ndarray) -> float:
    """The largest difference, as a share of the spread."""
    return float(np.abs(one - other).max() / other.std())


def _noise(seed: int, shape: tuple[int, ...], source: str) -> Any:
    import torch

    if source == "NV":
        from pipelines.image.philox import Philox

        gpu = Philox(seed)
        return lambda: gpu.normal(shape)[None]
    cpu = torch.Generator().manual_seed(seed)
    return lambda: torch.randn((1, *shape), generator=cpu).numpy()


def euler(clean: Any, x: Any, table: np.ndarray, draw: Any) -> Any:
    for level, following in zip(table[:-1], table[1:], strict=True):
        x = x + (x - clean(x, level)) / level * (following - level)
    return x


def euler_ancestral(clean: Any, x: Any, table: np.ndarray, draw: Any) -> Any:
    import torch

    for level, following in zip(table[:-1], table[1:], strict=True):
        up = min(following, math.sqrt(following**2 * (level**2 - following**2) / level**2))
        down = math.sqrt(following**2 - up**2)
        x = x + (x - clean(x, level)) / level * (down - level)
        if following > 0:
            x = x + torch.from_numpy(draw()).double() * up
    return x


def heun(clean: Any, x: Any, table: np.ndarray, draw: Any) -> Any:
    for level, following in zip(table[:-1], table[1:], strict=True):
        slope = (x - clean(x, level)) / level
        there = x + slope * (following - level)
        x = there if following == 0 else x + (slope + (there - clean(there, following)) / following) / 2 * (following - level)
    return x


def multistep(clean: Any, x: Any, table: np.ndarray, draw: Any) -> Any:
    """DPM-Solver++(2M) over the logarithm of signal to noise."""
    earlier, earlier_size = None, 0.0
    for level, following in zip(table[:-1], table[1:], strict=True):
        here = clean(x, level)
        if following == 0:
            return here
        size = math.log(level / following)
        ratio = earlier_size / size
        ahead = here if earlier is None else (1 + 1 / (2 * ratio)) * here - 1 / (2 * ratio) * earlier
        x = following / level * x - math.expm1(-size) * ahead
        earlier, earlier_size = here, size
    return x


def linear_multistep(clean: Any, x: Any, table: np.ndarray, draw: Any) -> Any:
    """Adams and Bashforth's method on uneven steps: the polynomial through up to four slopes, integrated exactly."""
    slopes: list[Any] = []
    for number, (level, following) in enumerate(zip(table[:-1], table[1:], strict=True)):
        slopes = [(x - clean(x, level)) / level, *slopes[:3]]
        places = [table[number - back] for back in range(len(slopes))]
        for place, slope in zip(places, slopes, strict=True):
            others = [other for other in places if other != place]
            curve = np.poly1d(others, r=True) / np.prod([place - other for other in others])
            area = curve.integ()
            x = x + float(area(following) - area(level)) * slope
    return x


def midpoint(clean: Any, x: Any, table: np.ndarray, draw: Any) -> Any:
    """DPM-Solver-2: the slope at the geometric mean of two levels leads from the one to the other."""
    for level, following in zip(table[:-1], table[1:], strict=True):
        slope = (x - clean(x, level)) / level
        if following == 0:
            return x - slope * level
        middle = math.sqrt(level * following)
        there = x + slope * (middle - level)
        x = x + (there - clean(there, middle)) / middle * (following - level)
    return x


def two_stage(clean: Any, x: Any, table: np.ndarray, draw: Any) -> Any:
    """DPM-Solver++(2S) between the levels of ancestral steps, in half the logarithm of signal to noise as the paper writes it."""
    import torch

    for level, following in zip(table[:-1], table[1:], strict=True):
        here = clean(x, level)
        if following == 0:
            return here
        variance = following**2 * (1 - following**2 / level**2)
        start, end = -math.log(level), -math.log(math.sqrt(following**2 - variance))
        middle = start + (end - start) / 2
        there = math.exp(start - middle) * x - math.expm1(start - middle) * here
        x = math.exp(start - end) * x - math.expm1(start - end) * clean(there, math.exp(-middle))
        x = x + torch.from_numpy(draw()).double() * math.sqrt(variance)
    return x


def stochastic(clean: Any, x: Any, table: np.ndarray, draw: Any) -> Any:
    """The reverse equation's exact mean and variance for a clean picture that stays the same, at half and at the whole of a step; one Brownian path for both."""
    import torch

    def noise() -> Any:
        return torch.from_numpy(draw()).double()

    def moved(x: Any, here: Any, level: float, following: float) -> tuple[Any, float]:
        """x_s = (s/t)² x_t + (1 − s²/t²) x_0 + s √(1 − s²/t²) z."""
        ratio = (following / level) ** 2
        return ratio * x + (1 - ratio) * here, following * math.sqrt(1 - ratio)

    for level, following in zip(table[:-1], table[1:], strict=True):
        here = clean(x, level)
        if following == 0:
            return here
        middle = math.exp((math.log(level) + math.log(following)) / 2)
        mean, spread = moved(x, here, level, middle)
        walk = noise() * math.sqrt(level - middle)
        ahead = clean(mean + spread * walk / math.sqrt(level - middle), middle)
        walk = walk + noise() * math.sqrt(middle - following)
        mean, spread = moved(x, ahead, level, following)
        x = mean + spread * walk / math.sqrt(level - following)
    return x


def restart(clean: Any, x: Any, table: np.ndarray, draw: Any) -> Any:
    """Heun's way down; from next to 0.1 noise leads back to next to 2, and the way between is gone again."""
    import torch

    def ramp(count: int, high: float, low: float) -> np.ndarray:
        return np.array([(high ** (1 / 7) + number / (count - 1) * (low ** (1 / 7) - high ** (1 / 7))) ** 7 for number in range(count)])

    steps = len(table) - 1
    times, each = (2, steps // 4) if steps >= 36 else (1, 9) if steps >= 20 else (0, 0)
    if not times:
        return heun(clean, x, table, draw)
    main = np.append(ramp(steps - times * each, table[0], table[-2]), 0)
    low, high = (main[np.abs(main - wanted).argmin()] for wanted in (0.1, 2.0))
    x = heun(clean, x, main[main >= low], draw)
    for _ in range(times):
        x = x + torch.from_numpy(draw()).double() * math.sqrt(high**2 - low**2)
        x = heun(clean, x, ramp(each + 1, high, low), draw)
    return heun(clean, x, main[main <= low], draw)


def solver_fast(clean: Any, x: Any, table: np.ndarray, draw: Any) -> Any:
    """DPM-Solver-1, 2 and 3 as the paper writes them, in half the logarithm of signal to noise; as many evaluations as there are levels."""
    import torch

    count = len(table) - 1
    parts = [3] * (count // 3 - 1) + [2, 1] if count % 3 == 0 else [3] * (count // 3) + [count % 3]
    last = -math.log(table[-2])
    marks = np.linspace(-math.log(table[0]), last, len(parts) + 1)

    def slope(x: Any, place: float) -> Any:
        return (x - clean(x, math.exp(-place))) * math.exp(place)

    for order, start, wanted in zip(parts, marks[:-1], marks[1:], strict=True):
        end = min(last, 2 * wanted - start)  # where an ancestral step of eta 1 goes down to
        size, first = end - start, slope(x, start)
        if order == 1:
            there = x - math.exp(-end) * math.expm1(size) * first
        elif order == 2:
            middle = start + size / 2
            there = x - math.exp(-end) * math.expm1(size) * slope(x - math.exp(-middle) * math.expm1(size / 2) * first, middle)
        else:
            one, two = start + size / 3, start + size * 2 / 3
            change = slope(x - math.exp(-one) * math.expm1(size / 3) * first, one) - first
            state = x - math.exp(-two) * math.expm1(size * 2 / 3) * first - 2 * math.exp(-two) * (math.expm1(size * 2 / 3) / (size * 2 / 3) - 1) * change
            there = x - math.exp(-end) * math.expm1(size) * first - 1.5 * math.exp(-end) * (math.expm1(size) / size - 1) * (slope(state, two) - first)
        x = there + torch.from_numpy(draw()).double() * math.sqrt(max(0.0, math.exp(-2 * wanted) - math.exp(-2 * end)))
    return x


def solver_adaptive(clean: Any, x: Any, table: np.ndarray, draw: Any) -> Any:
    """DPM-Solver-23 as the paper's appendix writes it, in half the logarithm of signal to noise, with an integral controller; each slope is asked for anew."""
    import torch

    place, last, size, before = -math.log(table[0]), -math.log(table[-2]), 0.05, x

    def slope(x: Any, place: float) -> Any:
        return (x - clean(x, math.exp(-place))) * math.exp(place)

    while place < last - 1e-5:
        wanted = min(last, place + size)
        end = min(last, 2 * wanted - place)  # where an ancestral step of eta 1 goes down to
        step, first = end - place, slope(x, place)
        one, two = place + step / 3, place + step * 2 / 3
        change = slope(x - math.exp(-one) * math.expm1(step / 3) * first, one) - first
        low = x - math.exp(-end) * math.expm1(step) * first - math.exp(-end) / (2 / 3) * math.expm1(step) * change
        state = x - math.exp(-two) * math.expm1(step * 2 / 3) * first - 2 * math.exp(-two) * (math.expm1(step * 2 / 3) / (step * 2 / 3) - 1) * change
        high = x - math.exp(-end) * math.expm1(step) * first - 1.5 * math.exp(-end) * (math.expm1(step) / step - 1) * (slope(state, two) - first)
        allowed = torch.clamp(0.05 * torch.maximum(low.abs(), before.abs()), min=0.0078)
        error = float(torch.linalg.norm((low - high) / allowed)) / low.numel() ** 0.5
        factor = 1 + math.atan((1 / (error + 1e-8)) ** (1 / 1.5) - 1)
        size *= factor
        if factor >= 0.81:
            before, place = low, wanted
            x = high + torch.from_numpy(draw()).double() * math.sqrt(max(0.0, math.exp(-2 * wanted) - math.exp(-2 * end)))
    return x


LOOPS = {
    "DPM adaptive": solver_adaptive,
    "DPM++ 2S a": two_stage, "DPM++ SDE": stochastic, "Restart": restart, "DPM fast": solver_fast,
    "Euler": euler, "Euler a": euler_ancestral, "DPM++ 2M": multistep, "Heun": heun, "LMS": linear_multistep, "DPM2": midpoint,
}  # fmt: skip


def main() -> None:
    from tests.house import finish
    from tests.image_models import image_queue, make_sd1

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        make_sd1(root / "models" / "tiny")
        queue = image_queue(root / "data", root / "models")
        queue.start()
        queue.submit("image.generate", ABOUT | {"steps": 1}, owner="local").wait()
        print("| sampler | schedule | AUTOMATIC1111's conventions: latents | colours | diffusers' own: latents | colours |\n|---|---|---|---|---|---|")
        for sampler, schedule in SHOWN:
            found = differences(queue, sampler, schedule)
            print(f"| {sampler} | {schedule} | {found[0]:.1e} | {found[1]:.0f} | {found[2]:.1e} | {found[3]:.0f} |", flush=True)
        finish(queue)


def differences(queue: Any, sampler: str, schedule: str) -> list[float]:
    """By either convention the largest difference of latents, as a share of their spread, and of a pixel's colours, of 255."""
    from pipelines.image.pictures import open_picture

    model = next(lease.model for lease in queue.executors["device"].worker.models._leases.values())
    pixels, latents = independent(model, sampler, schedule, steps=20, seed=1, cfg_scale=7.0, prompt="a red cat", negative="fog", side=32)
    found: list[float] = []
    for conventions in ("AUTOMATIC1111", "diffusers"):
        with decoded(model) as kept:
            job = queue.submit("image.generate", ABOUT | {"sampler": sampler, "schedule": schedule, "conventions": conventions}, owner="local").wait()
        mine = np.asarray(open_picture(Path(queue.store.output(job.outputs[0]).path))).astype(int)
        found += [apart(kept[-1], latents), float(np.abs(mine - pixels).max())]
    return found


if __name__ == "__main__":
    main()
