"""MIDI files: what is written comes back note for note, other programs' files are read, and what is no piece is refused in a sentence."""

from __future__ import annotations

import io
import json
import random
import struct
import time
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import mido
import pytest

from pipelines.music.midi import MOST_BYTES, MOST_NOTES, check, lost, read, read_file, tidy, write
from pipelines.music.score import Note, Piece, Voice, piece_from_json
from studio.api import BadInput
from studio.i18n import Words
from studio.metadata import embed, extract


def some_piece(seed: int) -> Piece:
    """Everything a piece can hold, at random."""
    rng = random.Random(seed)
    voices = []
    for number in range(rng.randint(1, 20)):
        notes, tick = [], 0
        for _ in range(rng.randint(0 if number else 1, 40)):
            tick += rng.randint(0, 700)
            notes.append(Note(tick, rng.randint(0, 127), rng.randint(1, 2000), rng.randint(1, 127)))
        voices.append(Voice(rng.choice(["", "Soprano", "歌", "Flöte"]), tuple(notes), rng.randint(0, 127), rng.random() < 0.2))
    return Piece(
        tuple(voices), 40_000, ((0, rng.randint(2000, 24000) / 100), (961, 97.0)), ((0, 4, 4), (1920, 6, 8), (7777, 5, 4)),
        ((0, "F#m"), (1920, "Ab")), ((0, "N.C."), (480, "Am7"), (960, "Bb/D")), rng.choice(["", "蛍の光"]), {"seed": seed, "bars": [1, 2], "name": "Étude"},
    )  # fmt: skip


def file_of(*tracks: bytes, kind: int = 1, division: int = 480) -> bytes:
    chunks = b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)
    return b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), division) + chunks


END = b"\x00\xff\x2f\x00"
A_NOTE = b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x00"  # middle C, 480 ticks


@pytest.mark.parametrize("seed", range(12))
def test_what_is_written_comes_back(seed: int) -> None:
    piece = tidy(some_piece(seed))
    assert read(write(piece)) == piece
    assert piece_from_json(json.loads(json.dumps(piece.to_json()))) == piece


def test_mido_reads_the_same_notes_from_what_is_written() -> None:
    piece = Piece((Voice("Flute", (Note(0, 72, 480, 90), Note(480, 74, 240, 70)), 73), Voice("Kit", (Note(0, 36, 120, 100),), 0, True)), 1920, ((0, 97.0),), ((0, 3, 4),), ((0, "Em"),), ((0, "Em"),))
    file = mido.MidiFile(file=io.BytesIO(write(piece)))
    events = [(message.type, message.time, getattr(message, "note", -1), getattr(message, "channel", -1)) for message in file.tracks[1] if message.type.startswith("note")]
    assert events == [("note_on", 0, 72, 0), ("note_off", 480, 72, 0), ("note_on", 0, 74, 0), ("note_off", 240, 74, 0)]
    told = {message.type: message for message in file.tracks[0]}
    assert told["set_tempo"].tempo == round(60e6 / 97) and told["time_signature"].numerator == 3 and told["key_signature"].key == "Em" and told["marker"].text == "Em"
    assert {message.channel for message in file.tracks[2] if message.type == "note_on"} == {9} and file.length == pytest.approx(1920 / 480 * 60 / 97, abs=1e-4)


def test_settings_inside_the_file_do_not_change_the_piece(tmp_path: Path) -> None:
    piece = tidy(some_piece(3))
    path = tmp_path / "a.mid"
    path.write_bytes(embed(write(piece), ".mid", {"pipeline": "music.compose", "params": {"bars": 16}}))
    assert read_file(path) == piece and extract(path)["params"] == {"bars": 16}


def test_running_status_and_notes_ended_by_silence_are_read() -> None:
    track = b"\x00\x90\x3c\x40" + b"\x60\x3e\x40" + b"\x60\x3c\x00" + b"\x00\x3e\x00" + END
    assert read(file_of(track, kind=0)).voices[0].notes == (Note(0, 60, 192, 64), Note(96, 62, 96, 64))


def test_the_channels_of_format_0_become_voices() -> None:
    track = b"\x00\xc0\x28" + A_NOTE + b"\x00\x99\x24\x40\x60\x89\x24\x00" + END
    piece = read(file_of(track, kind=0))
    assert [(voice.program, voice.drums, len(voice.notes)) for voice in piece.voices] == [(40, False, 1), (0, True, 1)]


def test_patterns_of_format_2_follow_each_other() -> None:
    piece = read(file_of(A_NOTE + END, A_NOTE + END, kind=2))
    assert [note.start for voice in piece.voices for note in voice.notes] == [0, 480] and piece.length == 960


@pytest.mark.parametrize("division", [24, 96, 120, 384, 1024, 1000, 32767])
def test_any_resolution_becomes_480_ticks(division: int) -> None:
    track = mido.MidiTrack([mido.Message("note_on", note=60, velocity=64, time=division * 2), mido.Message("note_off", note=60, time=division)])
    out = io.BytesIO()
    mido.MidiFile(ticks_per_beat=division, tracks=[track]).save(file=out)
    assert read(out.getvalue()).voices[0].notes == (Note(960, 60, 480, 64),)


def test_times_in_seconds_are_read_at_120() -> None:
    piece = read(file_of(b"\x00\x90\x3c\x40\x87\x68\x80\x3c\x00" + END, division=(256 - 25) << 8 | 40))  # 1,000 ticks a second, and a note of one second
    assert piece.voices[0].notes[0].length == 960 and piece.seconds(960) == 1.0


def test_tempo_metre_key_and_chords_of_other_programs_are_read_and_odd_events_left_out() -> None:
    odd = b"\x00\xff\x51\x01\x07" + b"\x00\xff\x59\x02\x0c\x00" + b"\x00\xff\x58\x02\x04\x09" + b"\x00\xff\x06\x05Verse" + b"\x00\xf0\x03\x7e\x7f\xf7" + b"\x00\xff\x60\x01\x00"
    good = b"\x00\xff\x51\x03\x09\x27\xc0" + b"\x00\xff\x59\x02\xfd\x01" + b"\x00\xff\x58\x04\x06\x03\x18\x08" + b"\x00\xff\x06\x02Cm"
    piece = read(file_of(odd + good + b"\x00\xb0\x07\x50\x00\xe0\x00\x40" + A_NOTE + END))
    assert piece.tempos == ((0, 100.0),) and piece.keys == ((0, "Cm"),) and piece.metres == ((0, 6, 8),) and piece.chords == ((0, "Cm"),)
    assert piece.facts == {"left_out": ["bends", "controllers", "system messages"]}


def test_notes_under_the_pedal_last_until_it_is_lifted() -> None:
    """Two short notes under the pedal, one after it that ends as it goes down again, and one that nobody lifts it for."""
    down, up = b"\x00\xb0\x40\x7f", b"\x00\xb0\x40\x00"
    note = b"\x00\x90%c\x40\x60\x80%c\x00"
    track = down + note % (60, 60) + note % (62, 62) + b"\x60" + up[1:] + note % (64, 64) + down + note % (65, 65) + b"\x83\x60" + END[1:]
    assert [(one.pitch, one.start, one.length) for one in read(file_of(track)).voices[0].notes] == [(60, 0, 288), (62, 96, 192), (64, 288, 96), (65, 384, 576)]
    assert read(file_of(track)).facts == {}, "nothing of it is left out"
    light = track.replace(b"\xb0\x40\x7f", b"\xb0\x40\x3f")
    assert all(one.length == 96 for one in read(file_of(light)).voices[0].notes), "below the middle it is up"


def test_the_pedal_is_the_channel_s_in_all_tracks_and_drums_have_none() -> None:
    pedal = b"\x00\xb0\x40\x7f" + b"\x87\x40\xb0\x79\x00" + END
    other = A_NOTE.replace(b"\x90", b"\x91").replace(b"\x80", b"\x81")
    drums = b"\x00\xb9\x40\x7f" + b"\x00\x99\x24\x40\x60\x89\x24\x00"
    piece = read(file_of(pedal, A_NOTE + END, other + END, drums + END))
    assert [voice.notes[0].length for voice in piece.voices] == [960, 480, 96], "until the controllers are set back; on another channel as it was"


def test_a_note_struck_again_under_the_pedal_ends_there() -> None:
    track = b"\x00\xb0\x40\x7f" + A_NOTE * 2 + b"\x60\xb0\x40\x00" + END
    first, second = read(file_of(track)).voices[0].notes
    assert first.start + first.length == second.start and second.length == 480 + 96


def test_what_is_lost_of_a_file_is_told_in_sentences() -> None:
    quick = b"\x00\xff\x51\x03\x00\x00\x01"
    piece = read(file_of(quick + b"\x00\xb0\x07\x50\x00\xe0\x00\x40\x00\xf0\x03\x7e\x7f\xf7" + A_NOTE + END))
    assert piece.tempos == ((0, 900.0),) and piece.facts["left_out"] == ["bends", "controllers", "system messages", "tempos"]
    told = lost(piece)
    assert len(told) == 4 and all(sentence.endswith(".") and Words().say("ja", sentence) != sentence for sentence in told)
    assert lost(read(file_of(A_NOTE + END))) == [] == lost(replace(piece, facts={"left_out": [{}]})) == lost(replace(piece, facts={"left_out": 3}))


def test_a_note_struck_again_ends_the_one_before() -> None:
    piece = Piece((Voice("A", (Note(0, 60, 960), Note(480, 60, 240), Note(480, 60, 480))),), 960)
    assert tidy(piece).voices[0].notes == (Note(0, 60, 480), Note(480, 60, 480)) and read(write(piece)) == tidy(piece)


def test_notes_that_never_end_last_until_the_track_does() -> None:
    assert read(file_of(b"\x00\x90\x3c\x40\x87\x40\xff\x2f\x00")).voices[0].notes == (Note(0, 60, 960, 64),)


def test_japanese_names_of_old_programs_are_read() -> None:
    name = "ピアノ".encode("cp932")
    piece = read(file_of(b"\x00\xff\x03" + bytes([len(name)]) + name + A_NOTE + END))
    assert piece.voices[0].name == "ピアノ"


BAD = {
    "empty": (b"", "empty"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(40), "does not begin as one"),
    "only a header": (b"MThd\0\0\0\6\0\1\0\1\1\xe0", "0 of 1 tracks"),
    "format 7": (file_of(A_NOTE + END, kind=7), "no format 7"),
    "no resolution": (file_of(A_NOTE + END, division=0), "how long a quarter"),
    "cut off": (file_of(A_NOTE * 20 + END)[:-50], "ends too early"),
    "a track is missing": (file_of(A_NOTE + END).replace(b"\0\1\0\1\1\xe0", b"\0\1\0\3\1\xe0"), "1 of 3 tracks"),
    "no status": (file_of(b"\x00\x3c\x40" + END), "in the middle of an event"),
    "half an event": (file_of(b"\x00\x90\x3c"), "breaks off"),
    "a status where data should be": (file_of(b"\x00\x90\x3c\x90" + END), "breaks off"),
    "a time without end": (file_of(b"\xff\xff\xff\xff\xff\x90\x3c\x40"), "a time can't be read"),
    "a text longer than the track": (file_of(b"\x00\xff\x01\x7fabc"), "longer than its track"),
    "no notes": (file_of(b"\x00\xff\x03\x01A" + END), "holds no notes"),
    "too many bytes": (file_of(b"\x00\xff\x01\x83\xff\xff\x7f" + bytes(2**21 - 1) + b"\x00\xff\x01\x83\xff\xff\x7f" + bytes(2**21 - 1) + b"\0" * 99), "MB can be read"),
    "too many notes": (file_of(b"\x00\x90\x3c\x40" + b"\x01\x3c\x40" * (MOST_NOTES + 5) + END), "more than 100,000 notes"),
    "hours": (file_of(b"\x00\xff\x51\x03\xff\xff\xff" + A_NOTE + b"\x82\x80\x80\x00\xff\x2f\x00"), "longer than 60 minutes"),
    "days": (file_of(b"\xff\xff\xff\x7f\x90\x3c\x40" + END, division=24), "longer than 60 minutes"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_piece_is_refused_in_a_sentence(name: str) -> None:
    data, told = BAD[name]
    with pytest.raises(BadInput, match=told) as caught:
        read(data)
    assert caught.value.field == "piece" and caught.value.message.endswith(".") and caught.value.hint


def test_too_many_voices_are_refused() -> None:
    with pytest.raises(BadInput, match="130 voices"):
        read(file_of(*[A_NOTE + END] * 130))


def test_a_million_notes_cost_neither_time_nor_memory() -> None:
    def taken(notes: int) -> float:
        data, started = file_of(b"\x00\x90\x3c\x40" + b"\x01\x3c\x40" * notes), time.process_time()
        with pytest.raises(BadInput, match="more than 100,000 notes"):
            read(data)
        return time.process_time() - started

    assert taken(1_000_000) < 5 * taken(MOST_NOTES + 5), "it ends at the first note too many, not after ten times as many"


@pytest.mark.slow
def test_too_many_notes_do_not_fill_the_memory() -> None:
    million = file_of(b"\x00\x90\x3c\x40" + b"\x01\x3c\x40" * 1_000_000)
    tracemalloc.start()
    with pytest.raises(BadInput):
        read(million)
    assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    tracemalloc.stop()


@pytest.mark.slow
def test_the_largest_file_that_is_read_at_all_takes_as_much_longer_as_it_is_larger() -> None:
    def taken(share: int) -> float:
        data, started = file_of(b"\x00\xb0\x07\x40" + b"\x00\x07\x40" * ((MOST_BYTES - 200) // 3 // share) + A_NOTE + END), time.process_time()
        assert read(data).facts["left_out"] == ["controllers"]
        return time.process_time() - started

    assert taken(1) < 4 * 16 * taken(16), "a file 16 times as large in the square of it would take 256 times as long"


@pytest.mark.parametrize("seed", range(120))
def test_no_damaged_file_is_a_crash(seed: int) -> None:
    rng = random.Random(seed)
    data = bytearray(write(some_piece(seed % 7)))
    for _ in range(rng.randint(1, 12)):
        match rng.randrange(3):
            case 0:
                data[rng.randrange(len(data))] = rng.randrange(256)
            case 1:
                place = rng.randrange(len(data))
                del data[place : place + rng.randint(1, 30)]
            case 2:
                place = rng.randrange(len(data))
                data[place:place] = rng.randbytes(rng.randint(1, 8))
    try:
        piece = read(bytes(data))
    except BadInput:
        return
    assert read(write(piece)) == piece


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"voices": (Voice("A", (Note(0, 128, 10),)),)}, "too high"),
        ({"voices": (Voice("A", (Note(0, 60, 10, 0),)),)}, "loudness"),
        ({"voices": (Voice("A", (Note(0, 60, 0),)),)}, "no length"),
        ({"voices": (Voice("A", (Note(-1, 60, 10),)),)}, "before the piece"),
        ({"voices": (Voice("A", (), 128),)}, "no instrument"),
        ({"voices": (Voice("A"),) * 129}, "more than 128 voices"),
        ({"tempos": ((0, 0.0),)}, "tempo"),
        ({"tempos": ((5, 120.0),)}, "not in order"),
        ({"metres": ((0, 4, 3),)}, "metre"),
        ({"keys": ((0, "H"),)}, "key"),
        ({"chords": ((0, "Xyz"),)}, "chord"),
        ({"chords": ((0, "C"), (0, "G"))}, "not in order"),
        ({"length": 2**30}, "longer than"),
        ({"length": 5_000_000}, "longer than"),
    ],
)
def test_a_piece_that_no_file_holds_is_not_written(change: dict[str, Any], told: str) -> None:
    piece = Piece((Voice("A", (Note(0, 60, 480),)),), 480)
    with pytest.raises(BadInput, match=told):
        check(replace(piece, **change))
