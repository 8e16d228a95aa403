"""A page whose jobs make pictures."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from tabs.image_view import stage
from tabs.job_follow import Run
from tabs.job_page import JobPage


class PicturePage(JobPage):
    script: ClassVar[str] = (Path(__file__).parent / "image.js").read_text(encoding="utf-8")
    look: ClassVar[str] = "image-view"

    def stage(self, run: Run, owner: str, lang: str) -> str:
        return stage(run, self.studio.words, lang, "" if run.outputs or run.running else self.hello(owner, lang))
