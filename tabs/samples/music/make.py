"""Composes what the Compose page shows before anything was composed: the first piece with its sound, and a few bars in every mood as a small roll. `python tabs/samples/music/make.py`, after the composer changed."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent.parent
sys.path.insert(0, str(ROOT))

import soundfile  # noqa: E402

from studio.app import build_studio  # noqa: E402
from studio.settings import load_settings  # noqa: E402
from tabs.music_desk import COMPOSE, FOLDER, RENDER  # noqa: E402
from tabs.music_form import picture  # noqa: E402
from tabs.music_picture import drawn  # noqa: E402

FIRST = {"preset": "Chorale", "seed": 5, "sound": "No sound"}
MOOD = {"bars": 8, "seed": 3, "sound": "No sound"}


def main() -> None:
    with tempfile.TemporaryDirectory() as data:
        settings, warnings = load_settings({"data_dir": data})
        studio = build_studio(settings, warnings)
        studio.jobs.start()
        compose = studio.pipelines[COMPOSE]

        def composed(**values: object) -> Path:
            job = studio.submit(COMPOSE, values, owner="local").wait()
            assert job.state == "done", job.error
            return Path(studio.store.output(job.outputs[0]).path)

        shutil.copy(composed(**FIRST), FOLDER / "first.mid")
        key = studio.jobs.desk.inputs.keep((FOLDER / "first.mid").read_bytes(), "piece")
        job = studio.submit(RENDER, {"piece": key}, owner="local").wait()
        samples, rate = soundfile.read(studio.store.output(job.outputs[0]).path)
        soundfile.write(FOLDER / "first.ogg", samples, rate, format="OGG", subtype="VORBIS", compression_level=0.75)  # small: it is part of every copy of the studio
        for mood in compose.presets():  # type: ignore[attr-defined]
            picture(mood["name"]).write_text(drawn(compose.piece(composed(preset=mood["name"], **MOOD)), 320, 120), encoding="utf-8")  # type: ignore[attr-defined]
            print(mood["name"], end=" ", flush=True)
        studio.jobs.close()
        studio.store.close()


if __name__ == "__main__":
    main()
