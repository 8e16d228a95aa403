"""SSML: what is understood, what is refused and where, and that nothing can reach out or blow up."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from pipelines.music.speech.engine import Piece
from pipelines.music.speech.ssml import ATTRIBUTES, BREAKS, SAY_AS, read
from pipelines.music.speech.text import Break, End, Item, Run, Style
from studio.api import BadInput
from tests.speaking import Context, catalog, silences, speak

HEART = "heart"


def items(text: str, style: Style | None = None) -> list[Item]:
    return read(text, style or Style(), lambda name, language, gender: HEART if name.lower() == "heart" or gender == "female" else "")


def runs(text: str) -> list[Run]:
    return [item for item in items(text) if isinstance(item, Run)]


def pieces(text: str) -> list[Piece]:
    return [run.piece for run in runs(text)]


def test_a_break_has_its_time_or_its_strength() -> None:
    found = [item.seconds for item in items('<speak>a<break time="500ms"/>b<break time="1.5s"/>c<break strength="strong"/>d<break/>e</speak>') if isinstance(item, Break)]
    assert found == [0.5, 1.5, BREAKS["strong"], BREAKS["medium"]]


def test_prosody_counts_together_when_nested() -> None:
    run = runs('<speak><prosody rate="150%" pitch="+2st">a <prosody rate="+20%" pitch="-10%" volume="+6dB">b</prosody></prosody></speak>')[1]
    assert run.style.rate == pytest.approx(1.8) and run.style.pitch == pytest.approx(2 - 1.824, abs=0.01) and run.style.volume == 6
    assert [one.style.rate for one in runs('<speak><prosody rate="slow">a</prosody><prosody rate="x-fast">b</prosody><prosody rate="0.8">c</prosody></speak>')] == [0.75, 1.7, 0.8]


def test_emphasis_is_heard_as_slower_higher_and_louder() -> None:
    strong = runs('<speak><emphasis level="strong">a</emphasis></speak>')[0].style
    assert strong.rate < 1 < strong.pitch and strong.volume > 0


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ('interpret-as="characters">SQL', "S. Q. L."), ('interpret-as="digits">1024', "one zero two four"), ('interpret-as="cardinal">1,234', "one thousand two hundred thirty four"),
        ('interpret-as="ordinal">22', "twenty second"), ('interpret-as="date">2024-03-05', "March fifth, twenty twenty four"), ('interpret-as="date" format="dmy">3/5/2001', "May third, two thousand one"),
        ('interpret-as="date" format="md">12/24', "December twenty fourth"), ('interpret-as="time">14:05', "fourteen oh five"), ('interpret-as="time">7:30pm', "seven thirty P.M."),
        ('interpret-as="telephone">+1 555-0199', "plus one, five five five, zero one nine nine"), ('interpret-as="currency">$12.50', "twelve dollars and fifty cents"), ('interpret-as="fraction">2 3/4', "two and three quarters"),
    ],
)  # fmt: skip
def test_say_as_in_english(mark: str, said: str) -> None:
    assert pieces(f'<speak xml:lang="en"><say-as {mark}</say-as></speak>')[0].reading == said


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ('interpret-as="digits">119', "イチイチキュー"), ('interpret-as="telephone">03-1234', "ゼロサン、イチニーサンヨン"), ('interpret-as="date">2024-03-05', "2024年3月5日"), ('interpret-as="time">14:05', "14時5分"),
        ('interpret-as="characters">NHK', "エヌ、エイチ、ケー"), ('interpret-as="ordinal">3', "3番目"), ('interpret-as="cardinal">-1,200', "マイナス1200"), ('interpret-as="currency">¥300', "300円"), ('interpret-as="fraction">3/4', "4分の3"),
    ],
)  # fmt: skip
def test_say_as_in_japanese(mark: str, said: str) -> None:
    assert pieces(f'<speak xml:lang="ja-JP"><say-as {mark}</say-as></speak>')[0].reading == said


def test_a_number_is_said_in_the_language_around_it() -> None:
    assert pieces('<speak>電話は<say-as interpret-as="digits">119</say-as>です。</speak>')[1].reading == "イチイチキュー"
    assert pieces('<speak>Call <say-as interpret-as="digits">911</say-as> now.</speak>')[1].reading == "nine one one"


def test_sub_and_phoneme_give_readings() -> None:
    found = pieces('<speak><sub alias="World Wide Web">WWW</sub><phoneme alphabet="ipa" ph="təˈmɑːtəʊ">tomato</phoneme><phoneme alphabet="x-kana" ph="とうきょう">東京</phoneme><phoneme alphabet="romaji" ph="hashi\'">橋</phoneme></speak>')
    assert [(piece.text, piece.reading, piece.alphabet) for piece in found] == [
        ("WWW", "World Wide Web", "text"), ("tomato", "təˈmɑːtəʊ", "ipa"), ("東京", "トーキョー", "kana"), ("橋", "ハシ'", "kana"),
    ]  # fmt: skip


def test_voice_and_language_reach_what_is_inside() -> None:
    found = runs('<speak>a<voice name="Heart">b</voice> x <voice gender="female">c</voice><lang xml:lang="ja-JP">漢</lang><s xml:lang="en">d</s></speak>')
    assert [(run.style.voice, run.style.language) for run in found] == [("", ""), (HEART, ""), ("", ""), (HEART, ""), ("", "ja"), ("", "en")]


def test_paragraphs_and_sentences_end_where_they_are_marked() -> None:
    kinds = [item.kind for item in items("<speak><p><s>a</s><s>b</s></p><p>c</p></speak>") if isinstance(item, End)]
    assert kinds.count("paragraph") >= 2 and "sentence" in kinds


def test_places_are_those_of_the_written_text() -> None:
    text = '<speak>日本 <sub alias="x">短い</sub>&amp; Hello <break time="1s"/>you</speak>'
    for run in runs(text):
        if "&" not in run.piece.text:
            assert text[run.at : run.to].strip() == run.piece.text.strip()


def test_marks_without_speak_around_them_are_read_too() -> None:
    assert [type(item) for item in items('a <break time="1s"/> b')] == [Run, Break, Run]
    with pytest.raises(BadInput, match=r"Line 2, column 3: .*“9x”"):
        items('a\nb <break time="9x"/>')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("<speak>a<audio src='x.wav'/></speak>", r"Line 1, column 9: the tag <audio> is not known here"),
        ("<speak>\n日本語<mark name='x'/></speak>", r"Line 2, column 4: the tag <mark>"),
        ("<speak>a < b</speak>", r"Line 1, column 11: .*well-formed"),
        ("<speak><p>a</speak>", "mismatched tag"),
        ("<speak>a<break time='31s'/></speak>", "at most 30s"),
        ("<speak>a<break time='-1s'/></speak>", "no length of a break"),
        ("<speak>a<break strength='huge'/></speak>", "strength is one of"),
        ("<speak><prosody>a</prosody></speak>", "needs a rate"),
        ("<speak><prosody rate='900%'>a</prosody></speak>", "no rate"),
        ("<speak><prosody rate='0%'>a</prosody></speak>", "no rate"),
        ("<speak><prosody rate='450%'>a</prosody></speak>", "from 25% to 400%"),
        ("<speak><prosody rate='50%'>a\n<prosody rate='40%'>b</prosody></prosody></speak>", r"Line 2, column 1: with the marks around it .* at 20% of the usual speed"),
        ("<speak><prosody rate='400%'><emphasis level='reduced'>a</emphasis></prosody></speak>", r"column 29: with the marks around it .* 440%"),
        ("<speak><prosody pitch='+20st'><prosody pitch='+5st'>a</prosody></prosody></speak>", r"column 31: .* \+25 semitones from the usual pitch; up to 24"),
        ("<speak><prosody pitch='200Hz'>a</prosody></speak>", "no pitch"),
        ("<speak><prosody pitch='+99st'>a</prosody></speak>", "no pitch"),
        ("<speak><prosody volume='11'>a</prosody></speak>", "no volume"),
        ("<speak><prosody contour='x'>a</prosody></speak>", "no attribute “contour”"),
        ("<speak><say-as interpret-as='cardinal'>cat</say-as></speak>", "can't be read as cardinal"),
        ("<speak><say-as interpret-as='date'>13/45/2001</say-as></speak>", "can't be read as date"),
        ("<speak><say-as interpret-as='poem'>cat</say-as></speak>", "say-as knows"),
        ("<speak><sub>a</sub></speak>", "needs an alias"),
        ("<speak><sub alias='b'>a<break/></sub></speak>", "holds no other tags"),
        ("<speak><phoneme>a</phoneme></speak>", "needs ph"),
        ("<speak><phoneme alphabet='ipa' ph='ø'>a</phoneme></speak>", "“ø” is no sound of English"),
        ("<speak><phoneme alphabet='x-kana' ph='abc'>a</phoneme></speak>", "no reading in kana"),
        ("<speak><phoneme alphabet='romaji' ph='xq'>a</phoneme></speak>", "no reading in romaji"),
        ("<speak><phoneme alphabet='x-sampa' ph='a'>a</phoneme></speak>", "is not known"),
        ("<speak><voice name='Nobody'>a</voice></speak>", "no voice “Nobody”"),
        ("<speak><voice>a</voice></speak>", "needs a name"),
        ("<speak><lang xml:lang='1'>a</lang></speak>", "is no language"),
        ("<speak><emphasis level='much'>a</emphasis></speak>", "an emphasis is"),
        ("<speak>a<speak>b</speak></speak>", "stands once"),
        ("<speak>&foo;</speak>", "undefined entity"),
        ("<speak>" + "<p>" * 40 + "a" + "</p>" * 40 + "</speak>", "deep"),
        ("<?xml version='1.0'?><speak><?php x?>a</speak>", "processing instructions"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(text: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as refused:
        items(text)
    assert refused.value.field == "text" and refused.value.message.startswith("Line ") and refused.value.hint


def test_no_entity_can_blow_up_or_reach_out(tmp_path: Path) -> None:
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    (tmp_path / "secret").write_text("SECRET")
    hostile = [
        f'<!DOCTYPE speak [<!ENTITY l0 "lol">{laughs}]><speak>&l9;</speak>', f'<!DOCTYPE speak [<!ENTITY x SYSTEM "file://{tmp_path}/secret">]><speak>&x;</speak>',
        '<!DOCTYPE speak SYSTEM "http://127.0.0.1:9/x.dtd"><speak>a</speak>', '<?xml version="1.0"?><!DOCTYPE speak [<!ENTITY % p SYSTEM "file:///etc/hostname">%p;]><speak>a</speak>',
    ]  # fmt: skip
    for text in hostile:
        begun = time.process_time()
        with pytest.raises(BadInput, match="entities"):
            items(text)
        assert time.process_time() - begun < 1


def test_an_encoding_that_is_claimed_changes_nothing() -> None:
    assert pieces('<?xml version="1.0" encoding="shift_jis"?><speak>日本</speak>')[0].text == "日本"


def test_thousands_of_wild_texts_are_read_or_refused() -> None:
    """Never another error, never an item outside the text."""
    chance = random.Random(7)
    bits = [*(f"<{tag}>" for tag in ATTRIBUTES), *(f"</{tag}>" for tag in ATTRIBUTES), '<break time="1s"/>', "<break/>", '<say-as interpret-as="', *SAY_AS, '">', '<prosody rate="', "+10%", "st", "&amp;", "&lt;", "&", "<", ">", '"', "12", "日本", "é", "😀", "\n", "\n\n", "\0", "\ud800", "]]>", "<![CDATA[", "<!--", "-->", " ", "word."]  # fmt: skip
    read_well = 0
    for _ in range(4_000):
        text = "".join(chance.choice(bits) for _ in range(chance.randrange(1, 12)))
        text = f"<speak>{text}</speak>" if chance.random() < 0.6 else text
        try:
            found = items(text)
        except BadInput as refused:
            assert refused.field == "text" and refused.message.startswith("Line ")
            continue
        read_well += 1
        assert all(0 <= item.at <= item.to <= len(text) + 1 for item in found if isinstance(item, Run))
    assert read_well > 100


def test_a_break_is_heard_as_long_as_it_was_asked_for() -> None:
    """In the sound: how long it is 40 dB below the loudest moment, within 30 ms; on both engines that come along."""
    for words, voice in (("Hello my friend.", "voice"), ("こんにちは。", "japanese_voice")):
        for seconds in (0.2, 0.5, 1.0):
            _, samples, rate = speak(f'<speak>{words}<break time="{round(seconds * 1000)}ms"/>{words}</speak>', **{voice: "heart" if voice == "voice" else "mei"})
            longest = max(end - begin for begin, end in silences(samples, rate))
            assert longest == pytest.approx(seconds, abs=0.03)


def test_marks_change_what_is_heard() -> None:
    """Each mark of the subset moves the sound on both engines."""
    for words, more in (("Good morning", {}), ("おはよう", {"japanese_voice": "mei"})):
        plain, other = speak(f"<speak>{words}</speak>", **more)[1], {}
        for name, mark in {"rate": '<prosody rate="150%">', "pitch": '<prosody pitch="+4st">', "volume": '<prosody volume="-6dB">', "emphasis": '<emphasis level="strong">'}.items():
            other[name] = speak(f"<speak>{mark}{words}</{mark[1:].split()[0]}></speak>", **more)[1]
        assert len(other["rate"]) / len(plain) == pytest.approx(1 / 1.5, rel=0.05)
        assert other["pitch"].shape[0] == pytest.approx(plain.shape[0], rel=0.02) and abs(other["pitch"]).sum() != pytest.approx(abs(plain).sum(), rel=1e-4)
        assert (other["volume"] ** 2).mean() / (plain**2).mean() == pytest.approx(10**-0.6, rel=0.1)
        assert len(other["emphasis"]) > len(plain)


def test_the_pipeline_tells_where_ssml_is_wrong() -> None:
    with pytest.raises(BadInput, match="Line 1, column 9") as refused:
        speak("<speak>a<mark/></speak>", Context(catalog()))
    assert refused.value.field == "text"
