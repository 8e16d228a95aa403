"""The Style and Lab pages without a browser: mixes and their parameters, cards, thumbnails, the pictures that come along."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from pipelines.image.style.names import STYLES
from studio.api import BadInput, Stats, Studio
from studio.downloads import Downloads
from studio.i18n import Words
from studio.metadata import extract
from tabs.image_picture import keep_data, known_size
from tabs.image_samples import FIRST, FOLDER, keep_samples, painting, photo, photo_strip, samples
from tabs.image_style_cards import KIND, StyleCards, remember_used
from tabs.image_style_form import StyleForm
from tabs.image_style_mix import ANY, BLEND, FINE, METHODS, MODEL, Mix, method_of, mix_of, read_mix, single, style_values, tile
from tabs.image_style_sheet import SHEET, StyleSheet
from tabs.image_style_strip import SHIPPED, STRIP, Strip
from tests.house import finish
from tests.image_models import image_queue

ONE, TWO = "a" * 64 + ".webp", "b" * 64 + ".png"
BLENDED: Mix = [{"style": ONE, "weight": 0.5}, {"style": TWO, "weight": 0.25}]


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    queue = image_queue(tmp_path / "data", tmp_path / "none")
    yield Studio(queue.settings, queue.hooks, queue.pipelines, queue.catalog, queue, queue.store, Words(), Downloads(lambda: queue.settings, queue.catalog.refresh))
    finish(queue)


# -- what comes along ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["photos", "paintings"])
def test_every_picture_that_comes_along_says_where_it_is_from_and_may_be_passed_on(kind: str) -> None:
    listed = {one["id"]: one for one in json.loads((FOLDER / "sources.json").read_text(encoding="utf-8"))[kind]}
    assert sorted(listed) == sorted(path.stem for path in (FOLDER / kind).iterdir())
    for one in listed.values():
        assert one["by"] and one["package"].startswith(("Debian ", "PyPI ")) and re.fullmatch(r"[0-9a-f]{64}", one["sha256"])
        assert one["licence"].split(" ")[0] in ("public", "CC0-1.0"), one
    for sample in samples(kind):
        with Image.open(sample.path) as picture:
            assert picture.format == "WEBP" and max(picture.size) <= 640 and sample.path.stat().st_size <= 60_000


def test_the_documents_name_every_one_of_them() -> None:
    guide = (FOLDER.parent.parent / "docs" / "style-samples.md").read_text(encoding="utf-8")
    for kind in ("photos", "paintings"):
        for one in json.loads((FOLDER / "sources.json").read_text(encoding="utf-8"))[kind]:
            assert f"| {one['title']} | {one['by']} |" in guide and one["package"] in guide


def test_the_photo_of_the_first_visit_was_painted_by_the_same_method(studio: Studio) -> None:
    about = extract(FOLDER / "styled" / f"{FIRST}.webp")
    first = photo(FIRST)
    assert first and about["pipeline"] == ANY and about["params"]["image"] == first.key and about["params"]["style"] == samples("paintings")[0].key
    studio.pipelines[ANY].Params.parse(about["params"])


def test_every_card_has_a_thumbnail_of_the_sample_photo(studio: Studio) -> None:
    strip = Strip(studio)
    needed = {tile(mix) for mix in StyleCards(studio, strip).all("me")}
    assert needed == {path.stem for path in SHIPPED.iterdir()} == strip.ready(strip.shipped), "python tabs/samples/make.py"


def test_samples_are_put_among_the_inputs_under_the_names_they_are_called_by(studio: Studio) -> None:
    inputs = studio.jobs.desk.inputs
    keep_samples(inputs, [samples("paintings")[1].key])
    assert inputs.path(samples("paintings")[1].key).read_bytes() == samples("paintings")[1].path.read_bytes()
    assert len(list(inputs.folder.iterdir())) == 1 and painting(samples("photos")[0].key) is None
    assert photo_strip(studio.words, "ja", "cat").count('aria-pressed="true"') == 1 and "猫" in photo_strip(studio.words, "ja")


# -- mixes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mix", [single("n:Dusk"), [{"style": "n:Dusk", "weight": 0.7}, {"style": "n:Cut paper", "weight": 0.3}], single(ONE), BLENDED])
def test_a_mix_becomes_parameters_and_comes_back_from_them(studio: Studio, mix: Mix) -> None:
    pipeline = method_of(mix, "Quick")
    values = style_values(mix, studio.pipelines[pipeline].Params.model_fields)
    assert mix_of(studio.pipelines[pipeline].Params.parse(values).model_dump()) == mix


def test_the_method_follows_the_style_where_only_one_can_paint_it() -> None:
    assert [method_of(single("n:Dusk"), method) for method in ("Quick", "Fine", "With the image model")] == [BLEND] * 3
    assert [method_of(single(ONE), method) for method in ("Quick", "Fine", "With the image model")] == [ANY, FINE, MODEL]


@pytest.mark.parametrize("given", ["", "{", "[1]", '[{"style": "n:Dusk"}]', json.dumps([{"style": "../secret", "weight": 1}]), json.dumps([*single(ONE), *single("n:Dusk")]), json.dumps(single(ONE) * 4)])
def test_what_is_no_mix_is_refused(given: str) -> None:
    with pytest.raises(BadInput, match="no style"):
        read_mix(given)


def test_one_style_picture_is_all_that_the_image_model_takes(studio: Studio) -> None:
    with pytest.raises(BadInput, match="one style picture"):
        style_values(BLENDED, studio.pipelines[MODEL].Params.model_fields)


def test_a_thumbnail_s_name_knows_weights_by_their_shares_and_no_order() -> None:
    assert tile(BLENDED) == tile([{"style": TWO, "weight": 0.5}, {"style": ONE, "weight": 1.0}]) != tile([{"style": ONE, "weight": 0.5}, {"style": TWO, "weight": 0.5}])


# -- cards ---------------------------------------------------------------------------------------------------


def test_cards_are_one_s_own_first_and_everything_from_outside_is_escaped(studio: Studio) -> None:
    cards = StyleCards(studio, Strip(studio))
    studio.store.put_document(kind=KIND, owner="me", title='<b>"mine"', body={"mix": BLENDED})
    studio.store.put_document(kind=KIND, owner="me", title="broken", body={"mix": [{"style": "../x", "weight": 1}]})
    remember_used(studio, "me", single("n:Dusk"))
    drawn = cards.drawn("me", single("n:Dusk"), "", "ja")
    assert drawn.index("&lt;b&gt;") < drawn.index("前に使った画風") < drawn.index("星月夜") and "<b>&quot;" not in drawn and "broken" not in drawn
    assert drawn.count("data-delete") == 1 and "data-delete" not in cards.drawn("you", [], "", "en")


def test_the_last_styles_are_kept_once_each_the_newest_first(studio: Studio) -> None:
    for name in ("Dusk", "Red glow", "Cut paper", "Dusk", "Rough oil", "Night dots", "Neon strokes", "Copper etching"):
        remember_used(studio, "me", single(f"n:{name}"))
    assert [mix[0]["style"] for mix in studio.store.recall("me", "image.style.used")] == ["n:Copper etching", "n:Neon strokes", "n:Night dots", "n:Rough oil", "n:Dusk", "n:Cut paper"]


# -- thumbnails ----------------------------------------------------------------------------------------------


def test_thumbnails_are_found_by_names_never_by_paths(studio: Studio) -> None:
    strip = Strip(studio)
    assert strip.path(ONE, "../../secret") is None and strip.path("../x", "0" * 16) is None and strip.path(ONE + "/..", "0" * 16) is None
    assert strip.path(ONE, "0" * 16) == studio.settings.data / "cache" / "styles" / ONE / f"{'0' * 16}.webp"
    assert strip.path(strip.shipped, "0" * 16) == SHIPPED / f"{'0' * 16}.webp"


def test_thumbnails_are_painted_once_and_kept(studio: Studio) -> None:
    inputs = studio.jobs.desk.inputs
    source = inputs.keep(photo("cat").path.read_bytes())  # type: ignore[union-attr]
    mixes = [single("n:Dusk"), [{"style": "n:Dusk", "weight": 0.5}, {"style": "n:Red glow", "weight": 0.5}], single(samples("paintings")[0].key), single(ONE)]
    studio.jobs.start()
    strip = Strip(studio)
    ready = list(strip.make("me", source, mixes))
    assert len(ready) == 3 and ready[-1] == strip.ready(source) == {tile(mix) for mix in mixes[:3]}, "what is gone from the inputs is left out"
    small = [Image.open(strip.path(source, tile(mix))).convert("RGB") for mix in mixes[:3]]  # type: ignore[arg-type]
    assert {picture.size for picture in small} == {(216, 144)} and len({picture.tobytes() for picture in small}) == 3
    assert list(strip.make("me", source, mixes)) == [] and studio.store.outputs(owner="me") == []


def test_the_strip_s_pipeline_tells_each_style_and_refuses_what_is_none(studio: Studio) -> None:
    source = studio.jobs.desk.inputs.keep(photo("cup").path.read_bytes())  # type: ignore[union-attr]
    for styles, field in (([], "model"), (["No such style"], "styles"), (["c" * 64 + ".png"], "style")):
        with pytest.raises(BadInput) if field != "style" else pytest.raises(Exception, match="not here"):
            studio.submit(STRIP, {"image": source, "styles": styles}, owner="me")
    studio.jobs.start()
    job = studio.submit(STRIP, {"image": source, "styles": ["Dusk", "3"]}, owner="me")
    told = [event.values for event in job.events() if isinstance(event, Stats)]
    assert [one["style"] for one in told] == ["Dusk", "3"]
    assert all(Image.open(io.BytesIO(base64.b64decode(one["picture"]))).size == (216, 144) for one in told)


# -- the forms -----------------------------------------------------------------------------------------------


def drawn(studio: Studio) -> StyleForm:
    """The form with a stand-in for each component: gr.Blocks leaves event loops open."""
    form = StyleForm(studio)
    for name in ("picture", "source", "editor", "brush", "samples", "mix", "method"):
        setattr(form, name, SimpleNamespace())
    own = {f"{title}:{name}": kind for title in form.methods for id, kind in form.kinds.items() if id in METHODS[title] for name in form._fields(id) if name not in form.shared}
    fields = {name: form.kinds[ANY].model_fields[name] for name in form.shared} | {key: kind.model_fields[key.partition(":")[2]] for key, kind in own.items()}
    form.controls = {key: SimpleNamespace(value=field.get_default(call_default_factory=True)) for key, field in fields.items()}
    return form


def test_the_form_reads_what_its_controls_hold_for_each_method(studio: Studio) -> None:
    form = drawn(studio)
    source = samples("photos")[0].key
    given: dict[str, Any] = {name: component.value for name, component in form.controls.items()} | {
        "picture": "shown.png",
        "source": source,
        "editor": "",
        "method": "Quick",
        "mix": single("n:Dusk"),
        "Quick:stroke": 2.0,
        "strength": 0.5,
    }
    values = form.values("me", given)
    assert values["styles"] == "Dusk" and values["image"] == source and (values["stroke"], values["strength"], values["mask"]) == (2.0, 0.5, "")
    studio.submit(BLEND, values, owner="me")
    assert form.values("me", given | {"mix": BLENDED})["style2_weight"] == 0.25
    words = form.values("me", given | {"method": "With the image model", "mix": single(ONE), "With the image model:preset": "Watercolour"})
    assert words["preset"] == "Watercolour" and words["style"] == "", "without an IP-Adapter words tell the manner"
    for lacking, field in (({"picture": None}, "image"), ({"mix": []}, "style")):
        with pytest.raises(BadInput) as refused:
            form.values("me", given | lacking)
        assert refused.value.field == field


def test_what_is_filled_in_along_an_axis_of_a_sheet_is_painted(studio: Studio) -> None:
    sheet = StyleSheet(studio, drawn(studio))
    assert {title: sheet.on_fill(title, "") for title in ("Strength", "Colours", "Styles", "Nothing of it")} == {
        "Strength": "0, 0.33, 0.67, 1", "Colours": "Style, Lightness only, Matched", "Styles": ", ".join(STYLES[:6]), "Nothing of it": "",
    }  # fmt: skip
    sheet.axes = {f"{which}_{part}": None for which in "xyz" for part in ("axis", "values")}
    given: dict[str, Any] = {name: component.value for name, component in sheet.form.controls.items()} | {
        "picture": "shown.png", "source": samples("photos")[0].key, "editor": "", "method": "Quick", "mix": single("n:Dusk"),
        "x_axis": "Styles", "x_values": sheet.on_fill("Styles", ""), "y_axis": "Colours", "y_values": sheet.on_fill("Colours", ""), "z_axis": "Strength", "z_values": "0.5, 1",
    }  # fmt: skip
    values = sheet.values("me", given)
    assert studio.jobs.verdict(studio.pipelines[SHEET], studio.pipelines[SHEET].Params.parse(values)).facts["cells"] == 6 * 3 * 2


@pytest.mark.parametrize("kind", ["BMP", "TIFF", "AVIF"])
def test_a_picture_of_another_kind_is_kept_as_png_with_the_same_pixels_and_stands_upright(studio: Studio, kind: str) -> None:
    turned, shown = io.BytesIO(), Image.linear_gradient("L").resize((24, 16)).convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    shown.save(turned, kind, **({} if kind == "BMP" else {"exif": exif}), **({"quality": 100} if kind == "AVIF" else {}))
    key = keep_data(studio.inputs("me"), turned.getvalue())
    assert key.endswith(".png")
    with Image.open(turned) as before, Image.open(studio.jobs.desk.inputs.path(key)) as kept:
        assert kept.convert("RGB").tobytes() == before.convert("RGB").tobytes()
    assert known_size(studio, key) == ((24, 16) if kind == "BMP" else (16, 24))


def test_print_colours_lose_their_profile_and_what_is_no_still_picture_is_refused(studio: Studio) -> None:
    printed, pages = io.BytesIO(), io.BytesIO()
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(printed, "TIFF", icc_profile=b"of print")
    with Image.open(studio.jobs.desk.inputs.path(keep_data(studio.inputs("me"), printed.getvalue()))) as kept:
        assert kept.mode == "RGB" and kept.getpixel((0, 0)) == (255, 0, 0) and "icc_profile" not in kept.info
    Image.new("L", (16, 16)).save(pages, "TIFF", save_all=True, append_images=[Image.new("L", (16, 16), 9)])
    for data in (pages.getvalue(), printed.getvalue()[:200], b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"BM but no picture", b"RIFF\x24\0\0\0WAVEfmt ", b""):
        with pytest.raises(BadInput, match="no picture"):
            keep_data(studio.inputs("me"), data)


def test_a_job_s_settings_fill_the_form_again(studio: Studio) -> None:
    form = drawn(studio)
    source = samples("photos")[1].key
    keep_samples(studio.jobs.desk.inputs, [source])
    shown = dict(zip(map(id, form.filled), form.shown(BLEND, {"image": source, "strength": 0.25, "stroke": 3.0}, single("n:Dusk"), "en"), strict=True))
    assert shown[id(form.picture)].size == (640, 480) and shown[id(form.source)] == source and shown[id(form.method)] == "Quick"
    assert shown[id(form.controls["strength"])] == 0.25 and shown[id(form.controls["Quick:stroke"])] == 3.0 and shown[id(form.mix)] == single("n:Dusk")
