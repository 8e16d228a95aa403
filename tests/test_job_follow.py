"""How far a job is, said by one function for every page."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from studio.i18n import Words
from tabs.job_follow import PERCENT, STEPS, Run, bar_html, progress_html

SAY = partial(Words().say, "en")


@pytest.mark.parametrize(
    ("run", "more", "value", "told"),
    [
        (Run(step=3, total=20, eta=7.4, note="Drawing"), {"step": STEPS}, ' value="3" max="20"', "Drawing · Step 3 of 20 · about 7 s left"),
        (Run(step=3, total=20, eta=7200, note="Drawing"), {"step": PERCENT}, ' value="3" max="20"', "Drawing · 15 % · about 2.0 h left"),
        (Run(step=3, total=20, eta=0.4), {"more": ["R-hat 1.01", ""]}, ' value="3" max="20"', "R-hat 1.01"),
        (Run(), {"waiting": "Composing", "step": STEPS}, "", "Composing"),
        (Run(note="<b>"), {"waiting": "Composing"}, "", "&lt;b&gt;"),
    ],
)
def test_the_bar_and_its_sentence(run: Run, more: dict[str, object], value: str, told: str) -> None:
    assert progress_html(run, SAY, **more) == f'<progress{value} aria-label="{told}"></progress><span class="told">{told}</span>'  # type: ignore[arg-type] (values of several kinds)


def test_it_is_said_in_the_page_s_language() -> None:
    words = Words()
    assert progress_html(Run(step=1, total=4, eta=120), partial(words.say, "ja"), waiting="Composing", step=STEPS).count("ステップ 1 / 4 · 残り約 2 分") == 2


def test_a_bar_without_a_total_only_moves_and_what_it_says_can_not_leave_it() -> None:
    assert bar_html('a "word" & more', 0, 0) == '<progress aria-label="a &quot;word&quot; &amp; more"></progress>'


def test_no_page_has_a_bar_of_its_own() -> None:
    tabs = Path(__file__).resolve().parent.parent / "tabs"
    assert [path.name for path in sorted(tabs.rglob("*.py")) if "<progress" in path.read_text(encoding="utf-8")] == ["job_follow.py"]
