"""What files and texts that mean harm do to music and simulations: nothing, or a sentence. Doors of pages are in test_bodies and beside each page."""

from __future__ import annotations

import io
import json
import re
import struct
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from pipelines.music import midi
from pipelines.music.compose import Compose
from pipelines.music.score import Note, Piece, Voice
from pipelines.simulation.learning import tables
from pipelines.simulation.learning.tables import read_table
from pipelines.simulation.own import read_model
from studio import sound_tags
from studio.api import BadInput, Inputs, Misread
from studio.i18n import Words
from studio.metadata import _png_chunks, body, embed, extract
from studio.rest import mount
from studio.scan_soundfont import Sample, _frames
from tabs.image import register_routes
from tabs.speech_aloud import speakable

# -- pieces ----------------------------------------------------------------------------------------------------


def file_with(facts: str) -> bytes:
    """A MIDI file whose text event holds these facts of a piece."""
    told = b"seisei-piece " + facts.encode()
    size = bytes([0x80 | len(told) >> 14 & 0x7F, 0x80 | len(told) >> 7 & 0x7F, len(told) & 0x7F])
    events = b"\0\xff\x01" + size + told + b"\0\x90\x3c\x40\x60\x80\x3c\x40\0\xff\x2f\0"
    return b"MThd" + struct.pack(">IHHH", 6, 0, 1, 480) + b"MTrk" + struct.pack(">I", len(events)) + events


@pytest.mark.parametrize("facts", ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": "\\ud800"}', '{"a":' * 400 + "1" + "}" * 400, '{"a":' * 20_000 + "1" + "}" * 20_000, "[1]"])
def test_facts_in_a_file_that_no_page_can_show_are_left_out(tmp_path: Path, facts: str) -> None:
    path = tmp_path / "given.mid"
    path.write_bytes(file_with(facts))
    piece = Compose().piece(path)
    json.dumps(piece, allow_nan=False, ensure_ascii=False).encode()
    assert piece["facts"] == {"chords": "found"} and len(piece["voices"][0]["notes"]) == 1  # the page names chords itself


def test_facts_that_can_be_shown_stay() -> None:
    assert midi.read(file_with('{"mood": {"deep": [1, 2.5]}}')).facts == {"mood": {"deep": [1, 2.5]}}
    with pytest.raises(BadInput, match="beside the piece"):
        midi.write(Piece((Voice("a", (Note(0, 60, 10),)),), 480, facts={"a": float("inf")}))


# -- tables ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,b\n" + b"1" * 190_000 + b",2\n3,4\n", "field larger than field limit"),
        (b'a,b\n"' + b"1" * 190_000 + b",2\n3,4\n", "field larger than field limit"),
        (b",".join([b"1"] * 100_000) + b"\n", "200 can be read"),
        (b" " * 200_001 + b"\n", "empty"),
    ],
)
def test_a_table_that_is_one_endless_cell_or_row_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_table(data)


@pytest.mark.parametrize("before", [b"\n" * 200_001, b" \t\r\n" * 60_000, b" " * 200_001])
def test_a_table_may_begin_after_much_nothing(before: bytes) -> None:
    assert [column.values.tolist() for column in read_table(before + b"1,2\n3,4\n5,6\n").columns] == [[1, 3, 5], [2, 4, 6]]


@pytest.mark.parametrize("cell", ["1e999", "-1e999", "inf", "9" * 400])
def test_a_number_without_end_is_text(cell: str) -> None:
    column = read_table(f"a,b\n1,2\n{cell},3\n4,5\n".encode()).columns[0]
    assert column.kind == "text" and "in line 3, column 1" in column.wrong


@pytest.mark.parametrize("separator", [",", ";", "\t", "|", " "])
def test_cells_are_counted_before_they_are_made(monkeypatch: pytest.MonkeyPatch, separator: str) -> None:
    monkeypatch.setattr(tables, "MOST_CELLS", 100)
    monkeypatch.setattr(tables, "PADDED", 1)
    monkeypatch.setattr(tables, "_cut", lambda *_: pytest.fail("the cells were made"))
    with pytest.raises(BadInput, match="more than 100 cells"):
        read_table(((separator.join("123") + "\n") * 60).encode())


# -- typed models ----------------------------------------------------------------------------------------------


def typed(kind: str, text: str) -> Any:
    return read_model(json.dumps({"schema": 1, "kind": kind, "text": text, "title": "Mine"}))


def test_numbers_of_thousands_of_digits_are_read_or_refused_at_their_place() -> None:
    assert typed("automaton", "rule " + "0" * 6000 + "30").rules.number == 30
    for text in ("states: well, ill\nagents " + "0" * 6000 + "\nwell -> ill at 1", "states: well, ill\nagents " + "9" * 300 + "\nwell -> ill at 1"):
        with pytest.raises(Misread, match="10,000,000 agents") as told:
            typed("agents", text)
        assert (told.value.line, told.value.column) == (2, 8)


# -- files that two give at once -------------------------------------------------------------------------------


def test_a_file_that_two_give_at_once_is_never_there_in_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second is in the middle of writing when the first has finished."""
    inputs, data, begun, done = Inputs(tmp_path), b"\x89PNG" + bytes(1000), threading.Event(), threading.Event()
    whole, failed = Path.write_bytes, list[BaseException]()

    def second() -> None:
        try:
            inputs.keep(data)
        except BaseException as error:  # told to the test
            failed.append(error)

    other = threading.Thread(target=second)

    def slow(path: Path, given: bytes) -> int:
        if threading.current_thread() is other:
            whole(path, given[:10])
            begun.set()
            assert done.wait(30)
            return whole(path, given)
        written = whole(path, given)
        other.start()
        assert begun.wait(30)
        return written

    monkeypatch.setattr(Path, "write_bytes", slow)
    assert inputs.path(inputs.keep(data)).stat().st_size == len(data)
    done.set()
    other.join()
    assert not failed and [path.stat().st_size for path in tmp_path.iterdir()] == [len(data)]


# -- marks of a text that is read aloud ------------------------------------------------------------------------


ENDLESS = ["![", "[", "**a ", "__a ", " ", "~~a ", "***a ", "<a ", "[a](", "`", "~", "$$", "*a", "| ", "---|", "- ", "> ", "#", "1. "]


def test_marks_without_end_are_read_in_one_pass() -> None:
    """In a program of its own that is given minutes for what takes seconds: a pattern that looks to the end from every place takes the better part of an hour, and holds up everybody."""
    program = f"from tabs.speech_aloud import speakable\nfor piece in {ENDLESS!r}: assert 'x' in speakable(piece * (100_000 // len(piece)) + 'x')"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=400, cwd=Path(__file__).parent.parent)


def test_marks_of_usual_length_are_left_out() -> None:
    assert speakable("**Bold** and [a link](https://example.org/x) and ![a cat](cat.png)") == "Bold and a link and a cat"
    assert speakable("| a | b |\n|:--|--:|\n| 1 | 2 |") == "a, b.\n\n1, 2."


# -- what was given to a job, shown on a page ------------------------------------------------------------------


def test_a_drawing_that_somebody_gave_never_runs_as_the_studio_s_own_page(tmp_path: Path) -> None:
    """Whoever may give a drawing could send its address to the studio's owner."""
    inputs = Inputs(tmp_path)
    studio: Any = SimpleNamespace(jobs=SimpleNamespace(desk=SimpleNamespace(inputs=inputs)), settings=SimpleNamespace(data=tmp_path), words=Words(), pipelines={})
    client = TestClient(Starlette(routes=[mount(route, Words()) for route in register_routes(studio)]), headers={"x-seisei-owner": "guest", "x-seisei-host": "0"})
    drawing = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(document.cookie)</script></svg>"
    for key in (inputs.keep_drawing(drawing), inputs.keep_table(b"<html><script>alert(1)</script>")):
        answer = client.get(f"/api/v1/image/inputs/{key}")
        assert answer.status_code == 404 and b"script" not in answer.content
    shown = client.get(f"/api/v1/image/inputs/{inputs.keep(b'GIF89a' + bytes([1, 0, 1, 0]) + b'<script>')}")
    assert shown.status_code == 200 and shown.headers["content-security-policy"].startswith("sandbox; default-src 'none'") and shown.headers["x-content-type-options"] == "nosniff"
    assert client.get("/api/v1/image/inputs/..%2Fsecret.key").status_code == 404


# -- a dropped file, whose settings are looked for -------------------------------------------------------------

PAGE = b"OggS\0\0" + bytes(20) + b"\xff" + b"\xff" * 255 + b"\x01vorbis" + bytes(255 * 255 - 7)  # of a packet that does not end
COSTLY = {
    "lines.txt": b"\n" * 2**20 + b"x", "marks.md": b"<!-- seisei {" * 100_000, "marks.gif": b"GIF89a" + b"\x21\xfe" * 500_000 + b";", "comments.gif": b"GIF89a" + b"\x21\xfe\x07seisei " * 100_000 + b";",
    "number.mid": b"MThd" + bytes(18) + b"\0\xff\x01" + b"\xff" * 2**21, "pages.ogg": PAGE * 900, "lines.csv": b"\n# seisei a" * 200_000 + b" " * 200_000 + b"x",
}  # fmt: skip


def test_no_dropped_file_is_looked_through_for_hours(tmp_path: Path) -> None:
    """In a program of its own that is given minutes for seconds: each of these once was gone through again from every place in it."""
    for name, data in COSTLY.items():
        (tmp_path / name).write_bytes(data)
    program = "import sys\nfrom pathlib import Path\nfrom studio.errors import BadInput\nfrom studio.metadata import body, extract\nfor path in sorted(Path(sys.argv[1]).iterdir()):\n    body(path)\n    try:\n        extract(path)\n    except BadInput:\n        print(path.name)"
    told = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, timeout=300, cwd=Path(__file__).parent.parent, capture_output=True, text=True)
    assert told.stdout.split() == sorted(COSTLY)


@pytest.mark.parametrize("data", [b"MThd" + bytes(18) + b"\0\xff\x01", b"MThd" + bytes(18) + b"\0\xff\x01\xff", b"MThd" + bytes(18) + b"\0\xff\x01\xff\xff\xff\xff\xff"])
def test_a_piece_that_breaks_off_in_its_settings_is_refused_in_a_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "short.mid").write_bytes(data)
    with pytest.raises(BadInput, match="carries no settings"):
        extract(tmp_path / "short.mid")


def test_tags_of_many_empty_parts_do_not_fill_the_memory() -> None:
    with pytest.raises(ValueError, match="FLAC"):
        sound_tags.flac_blocks(b"fLaC" + b"\x01\0\0\0" * 10_000 + b"\x81\0\0\0")
    frames = (b"PRIV" + bytes(6)) * 10_000
    assert len(sound_tags.id3_frames(b"ID3\3\0\0" + bytes(len(frames) >> shift & 0x7F for shift in (21, 14, 7, 0)) + frames)) < 5_000
    with pytest.raises(ValueError, match="comments"):
        sound_tags.comments_of(b"\0\0\0\0" + struct.pack("<I", 200_000) + bytes(800_000))
    first = next(iter(_png_chunks(b"\x89PNG\r\n\x1a\n" + b"\0\0\0\1IHDRx" + bytes(4) + b"\xff\xff\xff\xffIDAT")))  # one at a time: what is behind is not read yet
    assert first == (b"IHDR", b"x")


def test_what_a_text_says_is_kept_whatever_it_looks_like(tmp_path: Path) -> None:
    told = {"pipeline": "text.chat", "params": {"prompt": "a <!-- seisei {} --> b"}}
    text = b"\n\nOne <!-- seisei {\"no\": 1} --> two.\n\n\n"
    path = tmp_path / "said.md"
    path.write_bytes(embed(text, ".md", told))
    assert extract(path) == told and body(path) == text.rstrip(b"\n")


# -- SoundFonts ------------------------------------------------------------------------------------------------


class Counted(io.BytesIO):
    """Counts what is read of it."""

    read_bytes = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.read_bytes += len(data)
        return data


def stream(pages: int = 1) -> bytes:
    """Mono Vorbis, as far as its header says: pages of 58 bytes."""
    head = bytearray(b"OggS" + bytes(22) + b"\1" + b"\x1e" + b"\x01vorbis" + bytes(23))
    head[39], head[56] = 1, 0x88
    return bytes(head) * pages


def test_samples_that_lie_over_each_other_are_not_read_again_and_again() -> None:
    file = Counted(stream(200))
    with pytest.raises(ValueError, match="over each other"):
        _frames(file, [Sample(0, 58 * 200, 0, 0x10)] * 500, 0, 58 * 200)
    assert file.read_bytes <= 4 * 58 * 200


@pytest.mark.parametrize("length", [1, 30, 36, 40, 57])
def test_a_pressed_sample_that_breaks_off_is_told_and_breaks_no_catalogue(length: int) -> None:
    with pytest.raises(ValueError, match="no mono Vorbis"):
        _frames(io.BytesIO(stream()[:length]), [Sample(0, length, 0, 0x10)], 0, length)


def test_every_reason_against_a_soundfont_is_told_in_japanese() -> None:
    source = (Path(__file__).parent.parent / "studio" / "scan_soundfont.py").read_text(encoding="utf-8")
    reasons = [re.sub(r"\{[^{}]*(\([^()]*\))?[^{}]*\}", "1", reason) for reason in re.findall(r'raise ValueError\(f?"([^"]+)"\)', source)]
    words = Words()
    assert len(reasons) > 15
    for reason in reasons:
        assert words.say("ja", f"The file is damaged or no model ({reason}). Download it again.").isascii() is False
        assert words.say("ja", reason) != reason, reason
