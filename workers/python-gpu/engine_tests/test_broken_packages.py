"""Packages that somebody broke, of each engine's real ones: a task is answered with a sentence that ends the problem."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine_tests.test_engines import speak
from spindle_worker.engine.definition import EngineDefinition, definition
from spindle_worker.engine.install import engine_command
from spindle_worker.engine.process import Engines, Listener
from spindle_worker.errors import InstallationError
from tests.runtime import Attempt, Runtime

QUIET = Listener(progress=lambda _: None, preview=lambda *_: None)
PACKAGE = {"f5-tts": "f5_tts", "realesrgan": "spandrel", "kokoro": "kokoro_onnx", "faster-whisper": "faster_whisper"}
LIBRARY = {"f5-tts": "safetensors", "realesrgan": "safetensors", "kokoro": "onnxruntime", "faster-whisper": "ctranslate2"}


def shadowed(engine: EngineDefinition, cache: Path) -> Path:
    """An environment of links to the real one, so that parts of it can be broken. :returns: where its packages are"""
    (real,) = engine.environment.glob("lib/python*/site-packages")
    site = cache / engine.name / real.relative_to(engine.environment)
    site.mkdir(parents=True)
    for entry in real.iterdir():
        (site / entry.name).symlink_to(entry)
    (cache / engine.name / "bin").mkdir()
    (cache / engine.name / "bin/python").symlink_to(engine.python.resolve())
    for name in ("pyvenv.cfg", "installed"):
        shutil.copy(engine.environment / name, cache / engine.name / name)
    return site


def owned(site: Path, package: str) -> Path:
    """A copy of a package in the place of its link."""
    real = (site / package).resolve()
    (site / package).unlink()
    shutil.copytree(real, site / package)
    return site / package


def missing(engine: str, site: Path) -> None:
    (site / PACKAGE[engine]).unlink()


def cut_source(engine: str, site: Path) -> None:
    source = owned(site, PACKAGE[engine]) / "__init__.py"
    source.write_text("from (")


def cut_library(engine: str, site: Path) -> None:
    for library in owned(site, LIBRARY[engine]).rglob("*.so"):
        library.write_bytes(library.read_bytes()[: library.stat().st_size // 2])


def other_version(engine: str, site: Path) -> None:
    (note,) = site.glob(f"{PACKAGE[engine]}-*.dist-info")
    note.rename(site / f"{PACKAGE[engine]}-0.0.1.dist-info")


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.needs(name)) for name in PACKAGE])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (missing, "No module named '{package}'"),
        (cut_source, "SyntaxError"),
        (cut_library, ""),
        (other_version, "{pin} is 0.0.1 instead of"),
    ],
    ids=["missing", "a cut source", "a cut library", "another version"],
)
def test_a_broken_package_is_a_sentence_with_the_command(
    name: str,
    damage: Callable[[str, Path], None],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Of a task and of the check, and the engine is not live."""
    site = shadowed(definition(name), tmp_path)
    monkeypatch.setenv("SPINDLE_ENGINE_CACHE", str(tmp_path))
    engine: Any = definition(name)
    assert engine.why_not() is None
    damage(name, site)
    with pytest.raises(InstallationError) as caught:
        Engines().load(engine.launch(), QUIET)
    package = PACKAGE[name]
    assert words.format(package=package, pin=package.replace("_", "-")) in caught.value.cause
    assert f"npx spindle engine install {name}" in str(caught.value)
    assert engine_command("check", name) == 1
    said = capsys.readouterr()
    assert f"npx spindle engine install {name}" in said.out + said.err
    assert f"npx spindle engine install {name}" in (engine.why_not() or "")


@pytest.mark.needs("f5-tts")
def test_a_voice_needs_no_ffmpeg_of_the_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: Runtime) -> None:
    """TorchCodec, a package of F5-TTS, loads FFmpeg's libraries, which a machine may lack: nothing imports it."""
    site = shadowed(definition("f5-tts"), tmp_path / "cache")
    monkeypatch.setenv("SPINDLE_ENGINE_CACHE", str(tmp_path / "cache"))
    (owned(site, "torchcodec") / "__init__.py").write_text("raise RuntimeError('libavutil.so.60: cannot open shared object file')")
    engines, folder = Engines(), tmp_path / "task"
    folder.mkdir()
    try:
        assert speak(Attempt(runtime, folder, engines), runtime, tmp_path, narration="Good evening.").size > 1000
    finally:
        engines.end()
