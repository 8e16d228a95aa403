"""The test command: what failed by accident is tried once more and named; what is broken stays broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio import testing

ONCE = """
from pathlib import Path
def test_steady():
    assert True
def test_unsteady():
    seen = Path(__file__).with_name("seen")
    first = not seen.exists()
    seen.write_text("")
    assert not first
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_fails_once_is_tried_again_alone_and_named(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "test_once.py").write_text(ONCE)
    assert testing.run_twice(()) == 0
    said = capfd.readouterr().out
    assert "1 failed, 1 passed" in said
    assert "rerun previous 1 failure" in said
    assert "fault to be found" in said and said.rstrip().endswith("test_once.py::test_unsteady")


def test_what_is_broken_stays_broken(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "test_broken.py").write_text("def test_broken():\n    assert False\n")
    assert testing.run_twice(()) == 1
    assert capfd.readouterr().out.count("1 failed") == 2


def test_many_failures_are_no_accident(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    lines = "\n".join(f"def test_{n}():\n    assert False" for n in range(testing.MOST_TRIED_AGAIN + 1))
    (folder / "test_many.py").write_text(lines)
    assert testing.run_twice(()) == 1
    assert "fault to be found" not in capfd.readouterr().out


def test_no_tests_found_is_told_as_pytest_tells_it(folder: Path) -> None:
    assert testing.run_twice(()) == 5


def test_suites_beside_each_other_are_both_told_and_either_can_fail(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each waits until the other has begun: one after the other they would never end."""
    for name, other, more in (("one", "two", ""), ("two", "one", "    assert False\n")):
        (folder / f"test_{name}.py").write_text(f"""
import time
from pathlib import Path
def test_{name}():
    folder = Path(__file__).parent
    (folder / "{name} has begun").touch()
    until = time.monotonic() + 120
    while not (folder / "{other} has begun").exists():
        assert time.monotonic() < until, "the other one did not begin"
        time.sleep(0.01)
{more}""")
    assert testing.run_twice(("test_one.py",), ("test_two.py",)) == 1
    said = capfd.readouterr().out
    assert said.index("1 passed") < said.index("1 failed") and said.count("1 failed") == 2, "the second is tried again"
    assert testing.run_twice(("test_two.py",), ("test_one.py",)) == 1
