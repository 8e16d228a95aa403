"""music.audio on tiny random models in the real formats: the same samples as the bare library call, fields that do something or are refused, continuation, Stop."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from pipelines.music.audio.generate import values_of
from pipelines.music.audio.params import AudioParams
from pipelines.music.sound.files import decode, encode
from studio import ui
from studio.api import BadInput, Studio, StudioError
from studio.downloads import Downloads
from studio.executor import InlineExecutor
from studio.i18n import Words
from studio.jobs import JobQueue
from studio.metadata import extract
from studio.plugins import Hooks
from tabs.music_audio import MEASURED, AudioPage
from tests import audio_models
from tests.house import finish, make_queue, worker_config

pytestmark = [pytest.mark.filterwarnings("ignore:`torch.nn.utils.weight_norm`:FutureWarning"), pytest.mark.filterwarnings("ignore:Should have:UserWarning")]  # diffusers' codec; torchsde's rounding

MADE = {
    "musicgen": audio_models.musicgen, "stereo": lambda folder: audio_models.musicgen(folder, channels=2), "melody": lambda folder: audio_models.musicgen(folder, melody=True),
    "stable": audio_models.stable_audio, "ace": audio_models.ace_step, "turbo": lambda folder: audio_models.ace_step(folder, turbo=True), "ldm": audio_models.audioldm2,
}  # fmt: skip
SHORT: dict[str, dict[str, Any]] = {
    "musicgen": {"seconds": 0.6},
    "stereo": {"seconds": 0.6},
    "melody": {"seconds": 0.6},
    "stable": {"seconds": 2, "steps": 3},
    "ace": {"seconds": 2, "steps": 3},
    "turbo": {"seconds": 2, "steps": 3},
    "ldm": {"seconds": 1, "steps": 3},
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for name, make in MADE.items():
        make(root / name)
    return root


@pytest.fixture(scope="module")
def queue(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JobQueue]:
    data = tmp_path_factory.mktemp("data")
    hooks = Hooks()
    hooks.load_builtin("pipelines.music")
    config = worker_config(data) | {"builtins": ["pipelines.music"], "roots": [str(models)], "budget": 2**34}
    made = make_queue(data, InlineExecutor(config), hooks)
    made.catalog.roots = [models]
    made.start()
    yield made
    finish(made)


def tone(rate: int, hertz: float, seconds: float, channels: int = 1) -> np.ndarray[Any, Any]:
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[None], channels, 0).astype(np.float32)


def make(queue: JobQueue, model: str, **values: Any) -> list[Any]:
    job = queue.submit("music.audio", {"prompt": "calm piano", "model": model, "seed": 7} | SHORT[model] | values, owner="me").wait()
    assert job.state == "done", list(job.events())[-1]
    return [queue.store.output(output) for output in job.outputs]


KNOWN: dict[str, np.ndarray[Any, Any]] = {}  # the same again is not made again; that it would be equal is what the comparisons with the libraries say


def heard(queue: JobQueue, model: str, **values: Any) -> np.ndarray[Any, Any]:
    asked = repr((model, sorted(values.items())))
    if asked not in KNOWN:
        KNOWN[asked] = decode(Path(make(queue, model, **values)[0].path))[0]
    return KNOWN[asked]


def whole(samples: Any) -> np.ndarray[Any, Any]:
    """As a file of 16 bits holds it."""
    return np.clip(np.rint(np.asarray(samples, dtype=np.float64) * 32768), -32768, 32767) / 32768


# -- equal to the bare libraries -----------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["musicgen", "stereo", pytest.param("melody", marks=pytest.mark.slow)])
def test_tokens_are_those_of_the_bare_library(queue: JobQueue, models: Path, model: str) -> None:
    import torch
    import transformers

    name = "MusicgenMelodyForConditionalGeneration" if model == "melody" else "MusicgenForConditionalGeneration"
    net, words = getattr(transformers, name).from_pretrained(models / model), transformers.AutoTokenizer.from_pretrained(models / model)
    torch.manual_seed(7)
    bare = net.generate(**words(["calm piano"], return_tensors="pt"), do_sample=True, guidance_scale=3.0, temperature=1.0, top_k=250, max_new_tokens=30 + 1)
    ours = heard(queue, model)
    assert ours.shape == (2 if model == "stereo" else 1, 9600)
    np.testing.assert_allclose(ours, whole(bare[0].detach().numpy()), atol=1 / 32768 + 1e-7)
    assert 0.001 < np.sqrt(np.mean(ours**2)) < 0.9


BARE: dict[str, dict[str, Any]] = {
    "stable": {"audio_end_in_s": 2.0, "negative_prompt": "loud", "guidance_scale": 7.0}, "ldm": {"audio_length_in_s": 1.0, "negative_prompt": "loud", "guidance_scale": 3.5},
    "ace": {"audio_duration": 2.0, "lyrics": "love song", "vocal_language": "ja", "bpm": 120, "guidance_scale": 7.0}, "turbo": {"audio_duration": 2.0, "lyrics": "", "guidance_scale": 1.0},
}  # fmt: skip
OURS: dict[str, dict[str, Any]] = {"stable": {"negative_prompt": "loud"}, "ldm": {"negative_prompt": "loud"}, "ace": {"lyrics": "love song", "language": "ja", "tempo": 120}, "turbo": {}}


@pytest.mark.parametrize("model", BARE)
def test_denoised_sounds_are_those_of_the_bare_library(queue: JobQueue, models: Path, model: str) -> None:
    import diffusers
    import torch
    import transformers

    more = {"language_model": transformers.GPT2LMHeadModel.from_pretrained(models / model / "language_model")} if model == "ldm" else {}
    pipe = diffusers.DiffusionPipeline.from_pretrained(models / model, **more)
    pipe.set_progress_bar_config(disable=True)
    bare = np.atleast_2d(np.asarray(pipe("calm piano", num_inference_steps=3, generator=torch.Generator().manual_seed(7), **BARE[model]).audios[0]))
    ours = heard(queue, model, **OURS[model])
    assert ours.shape == bare.shape and np.abs(bare).max() > 0.003
    np.testing.assert_allclose(ours, whole(bare), atol=1 / 32768 + 1e-5)


# -- longer than a window ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_long_sound_is_as_long_as_was_asked_and_goes_through_windows_without_a_gap(queue: JobQueue, models: Path) -> None:
    """70 frames more than a window of 30 s: two windows, the second hearing 10 s of the first."""
    samples = heard(queue, "musicgen", seconds=31.4)[0]
    first = heard(queue, "musicgen", seconds=30)[0]
    assert len(samples) == round(31.4 * 50) * 320
    kept = 30 * 16000 - round(0.16 * 16000)
    np.testing.assert_array_equal(samples[:kept], first[:kept])
    blocks = samples[: len(samples) // 800 * 800].reshape(-1, 800)
    level = np.sqrt((blocks**2).mean(1))
    seam = level[round(29.7 * 20) : round(30.3 * 20)]
    assert seam.min() > 0.3 * np.median(level) and seam.max() < 3 * np.median(level)


@pytest.mark.parametrize("model", ["musicgen", pytest.param("stereo", marks=pytest.mark.slow)])
def test_what_is_there_goes_on_and_stays(queue: JobQueue, model: str) -> None:
    given = tone(16000, 440, 2.5, 2 if model == "stereo" else 1)
    key = queue.desk.inputs.keep(encode(given, 16000, ".wav"))
    samples = heard(queue, model, mode="Continue", sound=key, seconds=1)
    assert samples.shape[1] == round(2.5 * 16000) + 16000
    np.testing.assert_allclose(samples[:, :39000], given[:, :39000], atol=2 / 32768)
    other = heard(queue, model, mode="Continue", sound=queue.desk.inputs.keep(encode(tone(16000, 200, 2.5), 16000, ".wav")), seconds=1)
    assert not np.array_equal(samples[:, -12000:], other[:, -12000:])
    assert not np.array_equal(samples[:, -12000:], heard(queue, model, mode="Continue", sound=key, seconds=1, overlap=0.5)[:, -12000:])


@pytest.mark.slow
def test_codes_that_go_before_are_those_of_the_library(models: Path) -> None:
    """The bare library encodes a given sound by itself: the same tokens follow."""
    import torch

    from pipelines.music.audio.families import FAMILIES, _tokens
    from pipelines.music.audio.nets.load import load
    from pipelines.music.audio.nets.tokens import Ask, encoded, write
    from pipelines.music.audio.tape import Tape

    for name in ("musicgen", "stereo"):
        family = _tokens(FAMILIES["MusicgenForConditionalGeneration"], models / name)
        model = load(models / name, family, device="cpu", half=False, parts=False, report=lambda note, share: None)
        given = tone(16000, 300, 2.0, family.channels)
        torch.manual_seed(3)
        bare = model.net.generate(**model.words(["calm"], return_tensors="pt"), input_values=torch.from_numpy(given)[None], do_sample=True, guidance_scale=2.0, temperature=0.9, top_k=20, max_new_tokens=25 + 1)[0].numpy()
        tape = Tape(family.channels, family.rate)
        tape.append(given)
        torch.manual_seed(3)
        write(model, Ask("calm", 0.5, 2.0, 0.9, 20, 10.0), tape, lambda made, of: False, codes=encoded(model, given, 10.0))
        ours = tape.read(0, tape.frames)
        np.testing.assert_allclose(ours[:, 32000:], bare[:, 32000:], atol=1e-5)
        tape.close()


# -- melody --------------------------------------------------------------------------------------------------


def test_filters_are_those_of_an_independent_computation() -> None:
    from transformers.audio_utils import chroma_filter_bank

    from pipelines.music.audio.nets.chroma import filters

    np.testing.assert_allclose(filters(32000, 16384), chroma_filter_bank(num_frequency_bins=16384, num_chroma=12, sampling_rate=32000, tuning=0), atol=1e-12)


def test_each_note_of_a_scale_is_heard_as_its_pitch_class() -> None:
    from pipelines.music.audio.nets.chroma import loudest

    for octave in (3, 4, 5):
        for pitch in range(12):
            hertz = 440 * 2 ** ((12 * (octave + 1) + pitch - 69) / 12)
            found = loudest(tone(32000, hertz, 1.5)[0], 32000)[0]
            assert found.shape == (12, 12) and (found.argmax(1) == pitch).all(), (octave, pitch)
    short = loudest(tone(32000, 440, 0.1)[0], 32000)
    assert short.shape[2] == 12 and (short.sum(2) == 1).all()


def test_a_melody_is_the_one_the_bare_library_is_given(queue: JobQueue, models: Path) -> None:
    import torch
    import transformers

    from pipelines.music.audio.nets.chroma import loudest

    given = np.concatenate([tone(16000, hertz, 1.0) for hertz in (262, 330, 392)], 1)
    key = queue.desk.inputs.keep(encode(given, 16000, ".wav"))
    ours = heard(queue, "melody", mode="Melody", sound=key)
    net, words = transformers.MusicgenMelodyForConditionalGeneration.from_pretrained(models / "melody"), transformers.AutoTokenizer.from_pretrained(models / "melody")
    torch.manual_seed(7)
    features = loudest(np.rint(given[0] * 32768) / 32768, 16000)
    bare = net.generate(**words(["calm piano"], return_tensors="pt"), input_features=features, do_sample=True, guidance_scale=3.0, top_k=250, max_new_tokens=31)[0].detach().numpy()
    np.testing.assert_allclose(ours, whole(bare), atol=1 / 32768 + 1e-7)
    assert not np.array_equal(ours, heard(queue, "melody"))


# -- given sounds of denoisers -------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_given_sound_changes_more_with_more_strength(queue: JobQueue) -> None:
    key = queue.desk.inputs.keep(encode(tone(8000, 220, 3.0, 2), 8000, ".wav"))
    little, much, new = (heard(queue, "stable", **more) for more in ({"mode": "From a sound", "sound": key, "strength": 0.1}, {"mode": "From a sound", "sound": key, "strength": 0.9}, {}))
    assert little.shape == new.shape and not np.array_equal(little, much) and not np.array_equal(much, new)


@pytest.mark.parametrize(("begin", "end"), [(1.0, 2.0), (0.0, 1.0), (2.0, 0.0)])
def test_what_is_not_repainted_stays_sample_by_sample(queue: JobQueue, begin: float, end: float) -> None:
    given = tone(8000, 220, 3.0, 2)
    key = queue.desk.inputs.keep(encode(given, 8000, ".wav"))
    made = heard(queue, "ace", mode="Repaint", sound=key, seconds=0, repaint_from=begin, repaint_to=end)
    first, last = round(begin * 8000), round((end or 3.0) * 8000)
    outside = np.ones(24000, bool)
    outside[first:last] = False
    assert made.shape == given.shape
    np.testing.assert_array_equal(made[:, outside], whole(given)[:, outside].astype(np.float32))
    assert np.abs(made[:, first + 500 : last - 500] - given[:, first + 500 : last - 500]).max() > 0.01


def test_a_song_goes_on_behind_what_is_there(queue: JobQueue) -> None:
    given = tone(8000, 220, 2.0, 2)
    made = heard(queue, "turbo", mode="Continue", sound=queue.desk.inputs.keep(encode(given, 8000, ".wav")), seconds=1)
    assert made.shape[1] == 24000
    np.testing.assert_array_equal(made[:, :15500], whole(given)[:, :15500].astype(np.float32))
    assert np.sqrt((made[:, 16000:] ** 2).mean()) > 0.005


def test_a_decoder_in_windows_says_the_same_as_in_one_go(models: Path) -> None:
    import diffusers
    import torch

    from pipelines.music.audio.nets.denoise import in_windows

    vae = diffusers.AutoencoderOobleck.from_pretrained(models / "stable" / "vae")
    latents = torch.randn(1, 8, 300, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        at_once, parted = vae.decode(latents).sample[0].numpy(), in_windows(vae, latents, 64, 8000, lambda: None, seconds=0.5)
    np.testing.assert_allclose(parted, at_once, atol=1e-5)


# -- every control does something or is refused --------------------------------------------------------------

CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("musicgen", {"prompt": "loud drum"}), ("musicgen", {"seed": 8}), ("musicgen", {"guidance": 1.0}), ("musicgen", {"temperature": 0.3}), ("musicgen", {"top_k": 3}), ("musicgen", {"precision": "Half"}),
    ("stable", {"negative_prompt": "soft"}), ("stable", {"guidance": 2.0}), ("stable", {"steps": 4}), ("stable", {"scheduler": "DPM++ 2M"}), ("stable", {"seconds": 3}),
    ("ldm", {"negative_prompt": "loud"}), ("ldm", {"scheduler": "Euler"}), ("ldm", {"scheduler": "DPM++ 2M"}), ("ldm", {"scheduler": "DDIM", "steps": 2}),
    ("ace", {"lyrics": "love night"}), ("ace", {"lyrics": "love night", "language": "ja"}), ("ace", {"tempo": 90}), ("ace", {"key": "C major"}), ("ace", {"metre": "3"}), ("ace", {"guidance": 2.0}), ("turbo", {"steps": 5}),
]  # fmt: skip


@pytest.mark.parametrize(("model", "values"), CHANGES)
def test_a_control_changes_the_sound(queue: JobQueue, model: str, values: dict[str, Any]) -> None:
    before = {"lyrics": "love night"} if "language" in values else {}
    assert not np.array_equal(heard(queue, model, **before), heard(queue, model, **values))


REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("musicgen", {"prompt": "  "}, "prompt"), ("musicgen", {"negative_prompt": "x"}, "negative_prompt"), ("musicgen", {"steps": 5}, "steps"), ("musicgen", {"lyrics": "la"}, "lyrics"), ("musicgen", {"scheduler": "DDIM"}, "scheduler"),
    ("musicgen", {"mode": "Melody", "sound": "?"}, "mode"), ("musicgen", {"mode": "Continue"}, "sound"), ("musicgen", {"sound": "?"}, "mode"), ("musicgen", {"overlap": 5}, "overlap"), ("musicgen", {"seconds": 0.2}, "seconds"),
    ("musicgen", {"mode": "Continue", "sound": "?", "seconds": 599}, "seconds"), ("musicgen", {"mode": "Continue", "sound": "0" * 64 + ".wav"}, "sound"), ("musicgen", {"model": "no-such"}, "model"), ("musicgen", {"guidance": 0.5}, "guidance"), ("ldm", {"guidance": 0.9}, "guidance"),
    ("stable", {"temperature": 1.0}, "temperature"), ("stable", {"top_k": 5}, "top_k"), ("stable", {"seconds": 9}, "seconds"), ("stable", {"strength": 0.5}, "strength"), ("stable", {"scheduler": "DDIM"}, "scheduler"), ("stable", {"tempo": 100}, "tempo"),
    ("stable", {"negative_prompt": "x", "guidance": 1.0}, "negative_prompt"), ("ldm", {"mode": "Continue", "sound": "?"}, "mode"), ("ldm", {"seconds": 31}, "seconds"), ("turbo", {"guidance": 5.0}, "guidance"), ("ace", {"language": "ja"}, "language"),
    ("ace", {"repaint_from": 1.0}, "repaint_from"), ("ace", {"mode": "Repaint", "sound": "?", "seconds": 0, "repaint_from": 2.0, "repaint_to": 1.0}, "repaint_from"), ("ace", {"mode": "Repaint", "sound": "?", "seconds": 0, "repaint_to": 9.0}, "repaint_to"),
    ("ace", {"mode": "Repaint", "sound": "?", "seconds": 5}, "seconds"), ("ace", {"negative_prompt": "x"}, "negative_prompt"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "values", "field"), REFUSED)
def test_what_can_not_be_done_is_refused_at_its_field(queue: JobQueue, model: str, values: dict[str, Any], field: str) -> None:
    if values.get("sound") == "?":
        values = values | {"sound": queue.desk.inputs.keep(encode(tone(8000, 220, 3.0), 8000, ".wav"))}
    with pytest.raises(StudioError) as refused:
        queue.submit("music.audio", {"prompt": "calm piano", "model": model, "seed": 7} | SHORT[model] | values, owner="me")
    assert refused.value.field == field and refused.value.message and refused.value.hint


def test_every_field_is_tested_above() -> None:
    changed = {name for _, values in CHANGES for name in values} | {name for _, values, _ in REFUSED for name in values}
    assert set(AudioParams.model_fields) - changed == {"count", "format"}  # below


def test_a_broken_sound_is_refused_at_its_field(queue: JobQueue) -> None:
    key = queue.desk.inputs.keep(b"RIFF\x24\0\0\0WAVEfmt broken")
    with pytest.raises(BadInput) as refused:
        queue.submit("music.audio", {"prompt": "calm", "model": "musicgen", "mode": "Continue", "sound": key, "seconds": 1}, owner="me")
    assert refused.value.field == "sound"


@pytest.mark.parametrize("form", ["WAV", "FLAC", pytest.param("MP3", marks=pytest.mark.slow), pytest.param("OGG", marks=pytest.mark.slow)])
def test_files_carry_their_settings_and_the_same_sound(queue: JobQueue, form: str) -> None:
    output = make(queue, "musicgen", format=form)[0]
    samples, rate = decode(Path(output.path))
    assert Path(output.path).suffix == f".{form.lower()}" and rate == 16000 and abs(samples.shape[1] - 9600) <= 2400
    found = extract(Path(output.path))
    assert found and found["params"]["seed"] == 7 and found["params"]["prompt"] == "calm piano"
    if form in ("WAV", "FLAC"):
        np.testing.assert_array_equal(samples, heard(queue, "musicgen"))


@pytest.mark.slow
def test_several_have_seeds_that_follow_each_other(queue: JobQueue) -> None:
    outputs = make(queue, "musicgen", count=2)
    assert [output.metadata["facts"]["seed"] for output in outputs] == [7, 8]
    np.testing.assert_array_equal(decode(Path(outputs[1].path))[0], heard(queue, "musicgen", seed=8))


# -- stop, finish, place -------------------------------------------------------------------------------------


def _ended(queue: JobQueue, mode: Any, after: float, **values: Any) -> Any:
    from studio.api import Progress

    job = queue.submit("music.audio", {"prompt": "calm piano", "model": "musicgen", "seed": 7, "seconds": 60} | values, owner="me")
    for event in job.events():
        if isinstance(event, Progress) and event.step >= after * 10:
            queue.cancel(job.id, by="me", mode=mode)
            break
    return job.wait()


@pytest.mark.slow
def test_finishing_early_keeps_what_sounds_so_far(queue: JobQueue) -> None:
    job = _ended(queue, "finish", 3)
    samples = decode(Path(queue.store.output(job.outputs[0]).path))[0]
    assert job.state == "done" and 3 * 16000 <= samples.shape[1] < 55 * 16000
    assert job.summary["notes"] == ["It was finished early: this is what was there."]
    full = heard(queue, "musicgen", seconds=30)
    count = min(samples.shape[1], full.shape[1]) - 4000
    np.testing.assert_allclose(samples[:, :count], full[:, :count], atol=2e-3)


@pytest.mark.slow
def test_stop_keeps_the_sounds_that_are_finished(queue: JobQueue) -> None:
    job = _ended(queue, "cancel", 3, seconds=2, count=8)
    assert job.state == "cancelled" and 1 <= len(job.outputs) < 8


def test_weights_are_counted_from_headers(queue: JobQueue, models: Path) -> None:
    import safetensors.torch

    pipeline = queue.pipelines["music.audio"]
    for name in ("musicgen", "ace"):
        need = pipeline.need(AudioParams(prompt="x", model=name), queue.catalog)
        numbers = sum(tensor.numel() for file in (models / name).rglob("*.safetensors") for tensor in safetensors.torch.load_file(file).values())
        assert need.weight_bytes == 4 * numbers and need.working_bytes > 0 and not need.missing
        assert pipeline.place(AudioParams(prompt="x", model=name), queue.catalog, "cuda", 2**40).weight_bytes == 2 * numbers
    assert pipeline.need(AudioParams(prompt="x", model="gone"), queue.catalog).missing


def test_parts_are_moved_in_turn_where_not_all_fit(queue: JobQueue) -> None:
    pipeline = queue.pipelines["music.audio"]
    params = AudioParams(prompt="x", model="stable", seconds=2)
    whole_need = pipeline.place(params, queue.catalog, "cuda", 2**40)
    tight = pipeline.place(params, queue.catalog, "cuda", whole_need.weight_bytes + whole_need.working_bytes - 1)
    assert tight.facts["placement"] == ["each part moved in when it is needed"] and tight.weight_bytes < whole_need.weight_bytes
    assert not pipeline.place(params, queue.catalog, "cpu", 1).facts["placement"]


def test_a_model_of_another_family_and_a_broken_one_are_told(queue: JobQueue, models: Path, tmp_path: Path) -> None:
    shutil.copytree(models / "musicgen", models / "broken")
    try:
        (models / "broken" / "config.json").write_text('{"architectures": ["MusicgenForConditionalGeneration"]}')
        queue.catalog.refresh()
        with pytest.raises(StudioError) as refused:
            queue.submit("music.audio", {"prompt": "x", "model": "broken"}, owner="me")
        assert refused.value.field == "model" and "broken" in refused.value.message
    finally:
        shutil.rmtree(models / "broken")
        queue.catalog.refresh()


def test_what_is_left_to_the_model_is_told_in_its_facts(queue: JobQueue) -> None:
    facts = make(queue, "stable")[0].metadata["facts"]
    assert facts["guidance"] == 7.0 and facts["steps"] == 3 and facts["family"] == "Stable Audio" and facts["seconds"] == 2.0
    from pipelines.music.audio.families import FAMILIES

    assert values_of(AudioParams(), FAMILIES["MusicgenForConditionalGeneration"])["top_k"] == 250


# -- the page, without being drawn ---------------------------------------------------------------------------


def request() -> Any:
    return SimpleNamespace(headers={"x-seisei-owner": "me", "x-seisei-arrived": "1"}, session_hash="page", cookies={}, query_params={})


@pytest.fixture
def page(queue: JobQueue) -> AudioPage:
    page = AudioPage(Studio(queue.settings, queue.hooks, queue.pipelines, queue.catalog, queue, queue.store, Words(), Downloads(lambda: queue.settings, queue.catalog.refresh)))
    page.controls, page.extras = {name: SimpleNamespace() for name in page.fields if name != "sound"}, {}
    return page


def given(page: AudioPage, **values: Any) -> dict[str, Any]:
    return {name: ui.show_value(field.get_default(call_default_factory=True)) for name, field in page.fields.items() if name != "sound"} | {"audio": None, "prompt": "calm piano"} | values


def test_a_sound_that_is_given_chooses_what_is_made_of_it(page: AudioPage) -> None:
    assert [page.on_sound(model, "New") for model in ("melody", "musicgen", "stable", "ace")] == ["Melody", "Continue", "From a sound", "Continue"]
    assert page.on_sound("ldm", "New") == gr.skip() == page.on_sound("ace", "Timbre")


def test_a_sound_is_never_dropped(page: AudioPage, tmp_path: Path) -> None:
    """The model that listens to none says so at its field."""
    path = tmp_path / "given.wav"
    path.write_bytes(encode(tone(8000, 220, 3.0), 8000, ".wav"))
    values, extras = page.asked("me", given(page, model="ldm", audio=str(path)))
    assert values["sound"]
    with pytest.raises(BadInput, match="“New” listens to none") as refused:
        page.studio.submit("music.audio", values, owner="me", extras=extras)
    assert refused.value.field == "mode"


def test_memory_and_time_stand_beside_generate(page: AudioPage, queue: JobQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {name: value for name, value in given(page, model="musicgen", seconds=2).items() if name in MEASURED}
    queue.store.remember("", "pace:cpu:musicgen", {"work": 3.0})
    told = page.on_measure(request(), **asked)
    assert told.startswith("Fits: ") and " of 1.0 GB" in told and "about 6 s" in told
    assert page.on_measure(request(), **asked | {"steps": 50}) == told, "a control of other models says nothing here"
    assert page.on_measure(request(), **asked | {"seconds": 0}).endswith("about 30 s"), "the model's usual length"
    monkeypatch.setattr(queue, "_budget", lambda settings: 2**20)
    assert page.on_measure(request(), **asked).startswith("Too large: ")
