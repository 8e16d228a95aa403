"""Paints what the Style page shows before anything was painted: the sample photo in every style, and large in the first one. `python tabs/samples/make.py`, after styles or networks changed."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402

from studio.app import build_studio  # noqa: E402
from studio.metadata import embed, extract  # noqa: E402
from studio.settings import load_settings  # noqa: E402
from tabs.image_samples import FIRST, FOLDER, keep_samples, photo, samples  # noqa: E402
from tabs.image_style_cards import StyleCards, paintings  # noqa: E402
from tabs.image_style_mix import ANY  # noqa: E402
from tabs.image_style_strip import SHIPPED, Strip  # noqa: E402

MOST_BYTES = 60_000


def small(path: Path) -> bytes:
    """As WebP of at most MOST_BYTES, with the settings that are in the file."""
    with Image.open(path) as file:
        picture = file.convert("RGB")
    for quality in range(84, 30, -2):
        buffer = io.BytesIO()
        picture.save(buffer, "WEBP", quality=quality, method=6)
        data = embed(buffer.getvalue(), ".webp", extract(path))
        if len(data) <= MOST_BYTES:
            break
    return data


def main() -> None:
    with tempfile.TemporaryDirectory() as data:
        settings, warnings = load_settings({"data_dir": data})
        studio = build_studio(settings, warnings)
        studio.jobs.start()
        first, strip = photo(FIRST), Strip(studio)
        assert first
        keep_samples(studio.jobs.desk.inputs, [one.key for kind in ("photos", "paintings") for one in samples(kind)])
        strip.shipped = ""  # all anew
        for ready in strip.make("local", first.key, StyleCards(studio, strip).all("local")):
            print(len(ready), end=" ", flush=True)
        shutil.rmtree(SHIPPED, ignore_errors=True)
        shutil.copytree(strip.folder / first.key, SHIPPED)
        job = studio.submit(ANY, {"image": first.key, "style": paintings()[0].mix[0]["style"]}, owner="local").wait()
        (FOLDER / "styled" / f"{FIRST}.webp").write_bytes(small(Path(studio.store.output(job.outputs[0]).path)))
        studio.jobs.close()
        studio.store.close()


if __name__ == "__main__":
    main()
