"""Engines as data: what is missing here, what is installed, and what a broken file or package is answered with."""

from __future__ import annotations

import dataclasses
import json
import socket
import sys
import uuid
from pathlib import Path

import pytest

from spindle_worker.capability import Ports, installed
from spindle_worker.child.process import _actor, describe
from spindle_worker.context import TaskContext
from spindle_worker.device import lock
from spindle_worker.engine.definition import EngineDefinition
from spindle_worker.engine.install import engine_command
from spindle_worker.engine.process import Engines, Listener
from spindle_worker.errors import InstallationError, UserError
from spindle_worker.manifest import manifest
from spindle_worker.nodes import capabilities
from spindle_worker.wire import Wire
from tests.described import WEIGHTS, describe_engine, put

QUIET = Listener(progress=lambda _: None, preview=lambda *_: None)


VOICE = capabilities()["generate.f5_to_tts"]
"""Made before any test puts an engine of its own in the place of the real ones."""


def test_what_is_missing_is_said_at_once_and_with_what_to_do(engine: EngineDefinition, tmp_path: Path) -> None:
    """[M4] Packages with their command, files with place, size, licence and address, and the device."""
    assert engine.why_not() == (
        "Missing: its packages, 0.001 GB (npx spindle engine install moody); "
        "model files, 12 bytes (npx spindle models fetch moody): "
        f"{tmp_path}/models/moody/model.bin (12 bytes, licence CC-BY-NC-4.0, from https://example.org/model.bin); "
        "an NVIDIA GPU with 4 GB (SPINDLE_ENGINE_DEVICE=cpu runs it on the CPU, slowly)."
    )


def test_a_program_that_the_system_lacks_is_named_with_its_package(engine: EngineDefinition, tmp_path: Path) -> None:
    """[M4] Like everything else that is missing."""
    assert "the program no-such-program (apt install it)" in (
        describe_engine(tmp_path, programs={"no-such-program": "apt install it"}).why_not() or ""
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, "model.bin (12 bytes"),
        (WEIGHTS[:5], "it has 5 bytes instead of 12"),
        (b"<!doctype html><title>Not found</title>", "it has 39 bytes instead of 12"),
        (b"some weightz", "its SHA-256 is"),
    ],
)
def test_a_file_that_is_missing_cut_a_web_page_or_another_one_is_named_before_anything_is_loaded(
    data: bytes | None, words: str, ready: EngineDefinition
) -> None:
    """[E10] It is the user's to mend: what it is, and where to get it."""
    ready.files["model"].place.unlink()
    if data is not None:
        put(ready, data)
    engines = Engines()
    with pytest.raises(UserError) as caught:
        engines.load(ready.launch(), QUIET)
    assert words in str(caught.value)
    assert "https://example.org/model.bin" in str(caught.value)
    assert "npx spindle models fetch moody" in str(caught.value)
    assert engines.running is None
    if data != b"some weightz":
        assert str(ready.files["model"].place) in (ready.why_not() or "")


def test_an_engine_is_installed_checked_and_removed(engine: EngineDefinition, capsys: pytest.CaptureFixture[str]) -> None:
    """[M4] What is still missing after the packages is said with the command that fetches it; nothing else is downloaded."""
    assert engine_command("install", "moody") == 0
    out = capsys.readouterr().out
    place = engine.files["model"].place
    assert f"- model files, 12 bytes (npx spindle models fetch moody): {place} (12 bytes" in out
    assert "Licence: CC-BY-NC-4.0. No commercial use." in out
    assert not place.exists()
    assert engine.python.exists() and "packages" not in (engine.why_not() or "")

    assert engine_command("remove", "moody") == 0
    assert "its packages" in (engine.why_not() or "")


def test_a_check_really_imports_and_loads(ready: EngineDefinition, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """[M4] A package that is there and cannot be imported is not installed."""
    assert ready.why_not() is None
    assert engine_command("check", "moody") == 0
    assert "it loads in" in capsys.readouterr().out
    broken = describe_engine(tmp_path, imports=["json", "no_such_package"])
    assert engine_command("check", "moody") == 1
    assert "No module named 'no_such_package'" in capsys.readouterr().err
    assert "working packages: ModuleNotFoundError" in (broken.why_not() or "")
    assert engine_command("install", "moody") == 1
    assert not (broken.environment / "installed").exists()
    describe_engine(tmp_path)
    assert engine_command("install", "moody") == 0


def test_other_requirements_than_the_installed_ones_are_installed_anew(ready: EngineDefinition) -> None:
    """[M4] An update may bring other packages."""
    ready.requirements.write_text("# other ones\n")
    assert "its packages as they are now" in (ready.why_not() or "")
    with pytest.raises(InstallationError):
        ready.launch()


def test_an_installation_that_turns_out_to_be_broken_is_not_live_until_it_is_mended(ready: EngineDefinition, tmp_path: Path) -> None:
    """[E10] A class of its own: no other try, and no other task."""
    engine = installed("moody")
    assert engine.why_not() is None and engine.process is not None
    engines = Engines()
    with pytest.raises(InstallationError) as caught:
        engines.request(engine.process(), {"mood": "broken"}, tmp_path, QUIET)
    engine.broken(caught.value.cause)
    assert describe(caught.value)["class"] == "installation"
    assert "working packages: A library is missing" in (engine.why_not() or "")
    assert engine_command("check", "moody") == 0
    assert engine.why_not() is None


def test_a_broken_installation_that_a_task_meets_takes_the_engine_out_of_the_live_ones(
    ready: EngineDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[E10] The child tells the definition, and nobody else does."""

    def meets(*_: object) -> Ports:
        raise InstallationError("A library is missing.")

    monkeypatch.setattr(TaskContext, "input", lambda *_: {"narration": "Hello."})
    offered = dataclasses.replace(VOICE, run=meets, engines=[installed("moody")])
    ours, theirs = socket.socketpair()
    version = f"{offered.id}@{offered.version}"
    about = {"capability": version, "engine": "moody", "inputSha256": "0"}
    task = {**about, "folder": str(tmp_path), "runtime": "", "task": "t", "token": "x"}
    with ours, theirs, pytest.raises(InstallationError):
        _actor(offered, Wire(theirs), Engines())(task)
    assert "working packages: A library is missing" in (ready.why_not() or "")


@pytest.fixture
def on_gpu(ready: EngineDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A GPU of this machine, as far as its driver says. :returns: its UUID"""
    monkeypatch.delenv("SPINDLE_ENGINE_DEVICE")
    monkeypatch.setattr("spindle_worker.device.LOCKS", tmp_path)
    gpu = f"GPU-{uuid.uuid4()}"
    for module in ("definition", "install"):
        monkeypatch.setattr(f"spindle_worker.engine.{module}.gpus", lambda: [gpu])
    return gpu


def test_a_check_loads_on_a_gpu_that_nobody_uses_and_holds_it_meanwhile(
    ready: EngineDefinition, on_gpu: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """[W9] Two models never share a device's memory, and the check's is one."""
    seen = tmp_path / "seen"
    describe_engine(tmp_path, options={"writes": str(seen)})
    ready.mark_broken("A library is missing.")
    held = lock(on_gpu)
    assert held is not None
    assert engine_command("check", "moody") == 1
    assert "A worker uses the GPU" in capsys.readouterr().err
    assert not seen.exists()
    assert "A library is missing" in (ready.why_not() or ""), "nothing was found out"
    held.close()
    assert engine_command("check", "moody") == 0
    said = json.loads(seen.read_text())
    assert said["CUDA_VISIBLE_DEVICES"] == on_gpu
    assert any(on_gpu in name for name in said["open"])
    assert ready.why_not() is None
    free = lock(on_gpu)
    assert free is not None
    free.close()


@pytest.mark.parametrize(
    ("raises", "words"),
    [("MemoryError", "CUDA out of memory"), ("UserError", "The file is cut."), ("OSError", "[Errno 28] No space left on device")],
)
def test_a_check_that_meets_trouble_of_the_machine_or_of_a_file_breaks_nothing(
    raises: str, words: str, ready: EngineDefinition, tmp_path: Path
) -> None:
    """[E10] The packages are as good as they were."""
    describe_engine(tmp_path, options={"raises": raises, "words": words})
    assert engine_command("check", "moody") == 1
    assert ready.why_not() is None
    ready.mark_broken("A library is missing.")
    assert engine_command("check", "moody") == 1
    assert "A library is missing" in (ready.why_not() or ""), "and as bad"


def test_a_check_that_finds_packages_which_do_not_load_takes_the_engine_out(ready: EngineDefinition, tmp_path: Path) -> None:
    """[E10] Importing alone does not tell that a driver is too old."""
    describe_engine(tmp_path, options={"raises": "RuntimeError", "words": "The NVIDIA driver on your system is too old"})
    assert engine_command("check", "moody") == 1
    assert "working packages: RuntimeError: The NVIDIA driver" in (ready.why_not() or "")


def test_an_engine_without_its_device_is_not_started(ready: EngineDefinition, monkeypatch: pytest.MonkeyPatch) -> None:
    """[E10] A GPU may be gone since the manifest was made."""
    monkeypatch.delenv("SPINDLE_ENGINE_DEVICE")
    with pytest.raises(UserError, match="cannot run: an NVIDIA GPU with 4 GB"):
        ready.launch()


def test_an_installation_that_the_disk_has_no_room_for_is_not_begun(
    engine: EngineDefinition, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """[M4] A disk that is full in the middle leaves nothing that works."""
    describe_engine(tmp_path, installedGigabytes=10_000_000)
    assert engine_command("install", "moody") == 1
    assert "Moody needs 1e+07 GB" in capsys.readouterr().err
    assert not engine.environment.exists()


def test_an_engine_that_cannot_be_examined_is_not_live_and_says_why(ready: EngineDefinition, monkeypatch: pytest.MonkeyPatch) -> None:
    """[M4] One folder that is closed to the worker must not keep the others from being offered."""

    def closed(*_: object) -> bool:
        raise PermissionError(13, "Permission denied", str(ready.environment))

    monkeypatch.setattr(Path, "is_file", closed)
    capability = dataclasses.replace(VOICE, engines=[installed("moody")])
    monkeypatch.setattr("spindle_worker.capability.definition", lambda _: ready)
    (entry,) = manifest([capability])["capabilities"]
    assert entry["engines"][0]["live"] is False
    assert "cannot be examined: PermissionError" in entry["engines"][0]["reason"]


def test_a_mark_of_half_written_bytes_is_another_installation(ready: EngineDefinition) -> None:
    """[M4] A disk that was full may leave any."""
    (ready.environment / "installed").write_bytes(b"\xff\xfe")
    assert "its packages as they are now" in (ready.why_not() or "")


def test_an_installation_that_fails_leaves_the_one_that_works(ready: EngineDefinition, capsys: pytest.CaptureFixture[str]) -> None:
    """[M4] An update without a network costs no engine."""
    mark = ready.environment / "mine"
    mark.touch()
    ready.requirements.write_text("no-such-package @ file:///nowhere/at/all.whl\n")
    assert engine_command("install", "moody") == 1
    assert "A working installation that was there before is kept" in capsys.readouterr().err
    assert mark.exists() and "others are installed" in (ready.why_not() or "")
    ready.requirements.write_text("# nothing\n")
    assert ready.why_not() is None
    assert engine_command("install", "moody") == 0
    assert not mark.exists() and ready.why_not() is None
    assert sorted(path.name for path in ready.environment.parent.iterdir()) == [".moody.lock", "moody"]


def spoil(engine: EngineDefinition, what: str) -> None:
    definition_file = engine.requirements.parent / "engine.json"
    if what == "its Python":
        engine.python.unlink()
        engine.python.symlink_to("/nowhere/python3")
    elif what == "its requirements":
        engine.requirements.unlink()
    elif what == "half its definition":
        definition_file.write_text(definition_file.read_text()[:100])
    elif what == "a field of its definition":
        definition_file.write_text("{}")
    else:
        (engine.environment / "broken").mkdir()


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("its Python", "the Python that they were installed with is gone (npx spindle engine install moody)"),
        ("its requirements", "requirements.txt cannot be read"),
        ("half its definition", "engine.json is no definition of an engine"),
        ("a field of its definition", "engine.json is no definition of an engine"),
        ("a folder for its mark", "working packages"),
    ],
)
@pytest.mark.parametrize("command", ["list", "check", "report", "install"])
def test_an_installation_that_was_spoiled_is_a_sentence_and_no_traceback(
    command: str, what: str, words: str, ready: EngineDefinition, capsys: pytest.CaptureFixture[str]
) -> None:
    """[M4] A system's update may remove the Python, and a person may cut a file."""
    spoil(ready, what)
    code = engine_command(command, "moody")
    said = capsys.readouterr()
    if command == "install" and what == "its Python":
        assert code == 0 and ready.why_not() is None
        return
    if what == "a folder for its mark" and command != "list":
        assert code == 0 and ready.why_not() is None, "a check that succeeds removes the mark"
        return
    assert words in said.out + said.err
    assert code == (0 if command == "list" else 1)


def test_a_definition_that_cannot_be_read_costs_its_engine_alone(ready: EngineDefinition) -> None:
    """[M4] The worker starts, and the other engines are offered."""
    spoil(ready, "half its definition")
    other = next(engine for engine in VOICE.engines if engine.id == "espeak")
    (entry,) = manifest(
        [dataclasses.replace(VOICE, engines=[installed("moody"), installed("absent"), dataclasses.replace(other, why_not=lambda: None)])]
    )["capabilities"]
    cut, absent, espeak = entry["engines"]
    assert cut["live"] is False and "engine.json is no definition of an engine" in cut["reason"]
    assert absent["live"] is False and "engine.json" in absent["reason"]
    assert espeak["live"] is True
    process = installed("moody").process
    assert process is not None
    with pytest.raises(InstallationError, match=r"engine\.json is no definition"):
        process()


def test_a_folder_that_is_wrong_is_a_sentence(
    engine: EngineDefinition, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """[M4] On the command line, with the place that was looked at."""
    monkeypatch.setenv("SPINDLE_ENGINES", str(tmp_path / "nowhere"))
    assert engine_command("list", None) == 1
    assert f"{tmp_path}/nowhere holds no engine. Set SPINDLE_ENGINES" in capsys.readouterr().err
    monkeypatch.setenv("SPINDLE_ENGINES", str(tmp_path / "engines"))
    with monkeypatch.context() as relative:
        relative.setenv("SPINDLE_MODELS", "models")
        assert engine_command("list", None) == 1
        assert "SPINDLE_MODELS is 'models', but has to be an absolute path." in capsys.readouterr().err
    monkeypatch.setenv("SPINDLE_ENGINE_CACHE", str(engine.requirements / "cache"))
    assert [engine_command(command, "moody") for command in ("install", "check", "remove")] == [1, 1, 1]
    assert "Not a directory" in capsys.readouterr().err


def test_an_unknown_engine_is_answered_with_those_there_are(engine: EngineDefinition, capsys: pytest.CaptureFixture[str]) -> None:
    """[M4] On the command line."""
    assert engine_command("install", "nothing") == 1
    assert "There are: moody." in capsys.readouterr().err


def test_an_engine_on_the_cpu_says_so_in_its_name(ready: EngineDefinition) -> None:
    """[M4] It is slow."""
    assert installed("moody").label == "Moody on the CPU (slow)"
    assert sys.platform != "linux" or ready.launch().setup["device"] == "cpu"
