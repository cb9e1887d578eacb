"""Packages and files that somebody broke: each gives a sentence with its cause and the command that ends it."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path
from typing import Any

import pytest

from spindle_worker.child.process import describe
from spindle_worker.engine.definition import EngineDefinition
from spindle_worker.engine.install import engine_command
from spindle_worker.engine.process import Engines, Listener
from spindle_worker.errors import EngineEndedError, InstallationError, TransientError, UserError
from tests.described import describe_engine

QUIET = Listener(progress=lambda _: None, preview=lambda *_: None)
INSTALL = "npx spindle engine install moody"


def pin(engine: EngineDefinition, requirements: str, *packages: str) -> None:
    """Says that these packages, as `NAME-VERSION`, were installed from these requirements."""
    (site,) = engine.environment.glob("lib/python*/site-packages")
    for package in packages:
        (site / f"{package}.dist-info").mkdir()
    engine.requirements.write_text(requirements)
    (engine.environment / "installed").write_text(engine.stamp())


@pytest.mark.parametrize(
    ("packages", "words"),
    [
        (["Two_Words-1.5", "torch-2.4.0"], "torch is 2.4.0 instead of 2.13.0"),
        (["two_words-1.5"], "torch 2.13.0 is missing"),
        (["two_words-1.5", "torch-2.13.0", "torch-2.4.0"], "torch is 2.13.0 and 2.4.0 instead of 2.13.0"),
        ([], "torch 2.13.0 is missing, two-words 1.5.0 is missing"),
        (["two_words-1.5", "torch-2.13.0+cu130", "numpy-2.3.0"], "numpy is 2.3.0 instead of 2.4.6 or 2.5.5"),
    ],
)
def test_a_package_that_is_missing_or_of_another_version_is_named(packages: list[str], words: str, ready: EngineDefinition) -> None:
    """[M4] Somebody called pip in the environment, or a copy was cut: it is not what was tried."""
    requirements = (
        "torch==2.13.0\nTwo.Words[extra]==1.5.0\nnumpy==2.4.6 ; python_version < '3.12'\nnumpy==2.5.5 ; python_version >= '3.12'\n"
    )
    pin(ready, requirements, *packages)
    assert f"Missing: its packages as they were tried: {words} ({INSTALL})." == ready.why_not()
    with pytest.raises(InstallationError, match="as they were tried"):
        ready.launch()


def test_packages_as_they_were_tried_are_ready(ready: EngineDefinition) -> None:
    """[M4] A build of a version is that version, and what a condition leaves out is not missed."""
    pin(ready, "torch==2.13.0\ncolorama==0.4.6 ; sys_platform == 'win32'\nodd @ file:///nowhere\n", "torch-2.13.0+cu130", "other-1.0")
    assert ready.why_not() is None


def test_packages_that_do_not_load_are_told_with_the_command_that_installs_them_again(ready: EngineDefinition, tmp_path: Path) -> None:
    """[E10] The node's words end the problem; the engine's are about the cause alone."""
    engine = describe_engine(tmp_path, options={"raises": "RuntimeError", "words": "The NVIDIA driver on your system is too old"})
    with pytest.raises(InstallationError) as caught:
        Engines().load(engine.launch(), QUIET)
    first, second, *_ = str(caught.value).splitlines()
    assert first == "The packages of moody do not work: RuntimeError: The NVIDIA driver on your system is too old"
    assert second.startswith(f"Install them again: {INSTALL}. If the cause lies elsewhere")
    assert "npx spindle engine check moody" in second
    assert f"{engine.requirements.parent}/engine.json" in second, "a definition of one's own may not fit its program"
    assert caught.value.cause == "RuntimeError: The NVIDIA driver on your system is too old"
    assert describe(caught.value)["class"] == "installation"


def test_a_check_says_what_to_do(ready: EngineDefinition, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """[M4] After what cannot be imported, and after what does not load."""
    describe_engine(tmp_path, imports=["no_such_package"])
    assert engine_command("check", "moody") == 1
    assert f"Install them again: {INSTALL}." in capsys.readouterr().err
    describe_engine(tmp_path, options={"raises": "RuntimeError", "words": "Bad"})
    assert engine_command("check", "moody") == 1
    assert f"Install them again: {INSTALL}." in capsys.readouterr().err


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGBUS", "SIGILL"])
def test_a_crash_while_an_engine_loads_is_its_packages_fault(name: str, ready: EngineDefinition, tmp_path: Path) -> None:
    """[E10] A library that was cut, or that is for another processor. No other try would help."""
    engine = describe_engine(tmp_path, options={"dies": getattr(signal, name)})
    with pytest.raises(InstallationError, match=f"its process crashed while it loaded \\({name}\\)") as caught:
        Engines().load(engine.launch(), QUIET)
    assert INSTALL in str(caught.value)


def test_a_process_that_is_killed_says_that_memory_may_be_short(ready: EngineDefinition, tmp_path: Path) -> None:
    """[E10] The system's memory watch says nothing by itself."""
    engine = describe_engine(tmp_path, options={"dies": signal.SIGKILL})
    with pytest.raises(
        EngineEndedError, match=r"^The process of moody ended \(-9\)\. The system kills a process where its memory is short"
    ):
        Engines().load(engine.launch(), QUIET)


@pytest.mark.parametrize("kind", ["not executable", "no program"])
def test_a_python_that_cannot_be_started_is_a_sentence(kind: str, ready: EngineDefinition, capsys: pytest.CaptureFixture[str]) -> None:
    """[M4] Of the check and of a task."""
    ready.python.unlink()
    ready.python.write_text("half a program\n")
    ready.python.chmod(0o644 if kind == "not executable" else 0o755)
    with pytest.raises(InstallationError, match=INSTALL):
        Engines().load(ready.launch(), QUIET)
    assert engine_command("check", "moody") == 1
    said = capsys.readouterr().err
    assert "The packages of Moody cannot be imported" in said and f"Install them again: {INSTALL}." in said
    assert "working packages" in (ready.why_not() or "")
    assert not stat.S_ISLNK(os.lstat(ready.python).st_mode)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (PermissionError(13, "Permission denied"), UserError, "cannot be read (Permission denied): let the worker read it"),
        (OSError(5, "Input/output error"), TransientError, "cannot be read (Input/output error)"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    error: OSError, kind: type[Exception], words: str, ready: EngineDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[E10] The user's to mend, but for a disk that fails."""
    launch = ready.launch()

    def fails(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(Path, "open", fails)
    with pytest.raises(kind) as caught:
        launch.verify()
    assert str(ready.files["model"].place) in str(caught.value) and words in str(caught.value)
    monkeypatch.undo()


def test_a_folder_of_files_that_is_closed_is_named(ready: EngineDefinition, monkeypatch: pytest.MonkeyPatch) -> None:
    """[M4] On the engine, with the others that are missing."""

    def closed(*_: Any, **__: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    file = ready.files["model"]
    monkeypatch.setattr(Path, "stat", closed)
    assert file.whats_wrong() == f"{file.place} cannot be read (Permission denied): let the worker read it ({file.origin()})"
