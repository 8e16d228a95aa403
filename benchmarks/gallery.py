"""A gallery of 10,000 outputs against one of 100: a page, a search, the bytes of a page, in the browser and over HTTP. `python benchmarks/gallery.py`"""

from __future__ import annotations

import io
import random
import statistics
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from quiet import refuse_busy_machine  # noqa: E402

from studio.artifacts import Artifact  # noqa: E402
from studio.store import Store  # noqa: E402
from studio.testing import browser  # noqa: E402
from tests.running import running  # noqa: E402

MANY, FEW, TIMES = 10_000, 100, 15
WORDS = ["sea", "boat", "lighthouse", "cat", "mountain", "river", "winter", "summer", "garden", "window", "lamp", "clock", "bridge", "train", "paper", "stone", "bread", "music"]
QUERIES = ("zeppelin", "lighthouse", "sea", "by", "lighthouse garden", "猫")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
LOOK = """async (query) => {
  const box = document.querySelector('#tab-gallery textarea, #tab-gallery input'), grid = () => document.getElementById('gallery-grid').innerHTML;
  const before = grid(), started = performance.now();
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(box), 'value').set.call(box, query);
  box.dispatchEvent(new Event('input', { bubbles: true }));
  while (grid() === before) { await new Promise((done) => setTimeout(done, 2)); if (performance.now() - started > 10000) throw new Error('no answer to ' + query); }
  return (performance.now() - started) / 1000;
}"""
TURN = """async () => {
  const grid = () => document.getElementById('gallery-grid').innerHTML, before = grid(), started = performance.now();
  [...document.querySelectorAll('#tab-gallery button')].find((button) => button.innerText.trim() === '›').click();
  while (grid() === before) { await new Promise((done) => setTimeout(done, 2)); if (performance.now() - started > 10000) throw new Error('no next page'); }
  return (performance.now() - started) / 1000;
}"""


def fill(data: Path, count: int) -> None:
    """Through the store's own door: files with metadata inside, rows, search words."""
    from PIL import Image

    pick = random.Random(0)
    store = Store(data)
    for number in range(count):
        text = " ".join(pick.choices(WORDS, k=60)) + (" zeppelin" if number % 500 == 7 else "") + (" 黒い猫" if number % 50 == 3 else "")
        if number % 4:
            artifact = Artifact("text", text.encode(), ".md", title=text[:60])
        else:
            buffer = io.BytesIO()
            Image.new("RGB", (64, 64), tuple(pick.randrange(256) for _ in range(3))).save(buffer, "PNG")  # type: ignore[arg-type]
            artifact = Artifact("image", buffer.getvalue(), ".png", title=text[:60])
        store.save(job_id=f"job{number}", owner="local", pipeline_id="text.chat", artifacts=[artifact], metadata={"params": {"prompt": text, "seed": number}})
    store.close()


def median(act: Callable[[], float]) -> float:
    return statistics.median(act() for _ in range(TIMES))


def measure(data: Path, play: Any) -> dict[str, float]:
    with running(data) as studio:

        def fetch(**query: Any) -> tuple[float, int]:
            started = time.perf_counter()
            with urllib.request.urlopen(f"{studio.url}/api/v1/outputs?{urllib.parse.urlencode(query)}", timeout=30) as answer:
                size = len(answer.read())
            return time.perf_counter() - started, size

        deepest = len(studio.get("/api/v1/outputs?limit=200&offset=9800")) + 9800 - 60 if data.name == "many" else 40
        found = {"page over HTTP": median(lambda: fetch(limit=60)[0]), "deepest page over HTTP": median(lambda: fetch(limit=60, offset=deepest)[0]), "bytes over HTTP": float(fetch(limit=60)[1])}
        found["slowest search over HTTP"] = max(median(lambda query=query: fetch(limit=60, query=query)[0]) for query in QUERIES)  # type: ignore[misc]
        chrome = play.chromium.launch(executable_path=browser(), args=FLAGS)
        page = chrome.new_page(viewport={"width": 1440, "height": 900}, locale="en-US")
        page.goto(studio.url)
        page.wait_for_selector("#seisei-line >> text=CPU")
        page.get_by_role("tab", name="Gallery", exact=True).first.click()
        page.wait_for_selector("[data-output] >> visible=true")
        time.sleep(2)
        found["bytes of the grid"] = float(len(page.inner_html("#gallery-grid").encode()))
        found["search in the browser"] = statistics.median(page.evaluate(LOOK, query) for query in ["lighthouse", "zzz", "garden", "zzzz", "sea cat", "zzzzz", ""])
        found["next page in the browser"] = statistics.median(page.evaluate(TURN) for _ in range(1 if data.name == "few" else 8))
        chrome.close()
    return found


def main() -> None:
    refuse_busy_machine()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        for name, count in (("few", FEW), ("many", MANY)):
            started = time.perf_counter()
            fill(Path(folder) / name, count)
            print(f"{count:,} outputs made in {time.perf_counter() - started:.0f} s", flush=True)
        few, many = measure(Path(folder) / "few", play), measure(Path(folder) / "many", play)
    limits = {"page over HTTP": 0.3, "deepest page over HTTP": 0.3, "slowest search over HTTP": 0.1, "search in the browser": 0.3, "next page in the browser": 0.3}
    for name, value in many.items():
        if name.startswith("bytes"):
            print(f"{name}: {value:,.0f} of {MANY:,}, {few[name]:,.0f} of {FEW}: ratio {value / few[name]:.3f} (wanted 0.9 to 1.1)")
        else:
            print(f"{name}: {value * 1000:.0f} ms of {MANY:,}, {few[name] * 1000:.0f} ms of {FEW} (wanted {limits[name] * 1000:.0f})")
    good = all(many[name] <= limit for name, limit in limits.items()) and all(0.9 <= many[name] / few[name] <= 1.1 for name in many if name.startswith("bytes"))
    raise SystemExit(0 if good else 1)


if __name__ == "__main__":
    main()
