"""An engine's process: what it gets, what it may say, and how it ends."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spindle_worker.child.process import describe
from spindle_worker.engine.process import Engines, Launch, Listener
from spindle_worker.errors import EngineEndedError, EngineError, InstallationError, TransientError, UserError

MOODY = Launch(engine="moody", module="tests.programs.moody")


class Heard:
    """What an engine said on the way."""

    def __init__(self) -> None:
        self.progress: list[dict[str, Any]] = []
        self.previews: list[tuple[bytes, str, dict[str, Any]]] = []

    @property
    def listener(self) -> Listener:
        return Listener(progress=self.progress.append, preview=lambda data, mime, known: self.previews.append((data, mime, known)))


@pytest.fixture
def engines() -> Iterator[Engines]:
    engines = Engines()
    yield engines
    engines.end()


def request(engines: Engines, folder: Path, mood: str, launch: Launch = MOODY, heard: Heard | None = None) -> dict[str, Any]:
    return engines.request(launch, {"mood": mood}, folder, (heard or Heard()).listener)


def alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_load_is_reported_once_with_its_time(tmp_path: Path) -> None:
    """A second request to the same engine loads nothing."""
    loads: list[tuple[str, float]] = []
    engines = Engines(loaded=lambda engine, seconds: loads.append((engine, seconds)))
    try:
        for _ in range(2):
            request(engines, tmp_path, "calm")
    finally:
        engines.end()
    assert [engine for engine, _ in loads] == ["moody"]
    assert loads[0][1] > 0


def test_an_engine_gets_neither_the_workers_secrets_nor_the_network(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[W9] Its environment is made of names that are listed."""
    for name in ("SPINDLE_WORKER_KEY", "REDIS_URL", "PYTHONSTARTUP", "PYTHONHASHSEED"):
        monkeypatch.setenv(name, "17179869184")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-1")
    environment = request(engines, tmp_path, "calm")["environment"]
    assert {"SPINDLE_WORKER_KEY", "REDIS_URL", "PYTHONSTARTUP"}.isdisjoint(environment)
    assert (environment["CUDA_VISIBLE_DEVICES"], environment["HF_HUB_OFFLINE"], environment["PYTHONHASHSEED"]) == ("GPU-1", "1", "0")


def test_an_engine_stays_loaded_until_another_one_starts(engines: Engines, tmp_path: Path) -> None:
    """[W9] Two models never share a device's memory."""
    first = request(engines, tmp_path, "calm")["process"]
    assert request(engines, tmp_path, "calm")["process"] == first
    other = Launch(engine="other", module=MOODY.module)
    assert request(engines, tmp_path, "calm", other)["process"] != first
    assert not alive(first)


@pytest.mark.parametrize(
    ("mood", "kind", "words", "stays"),
    [
        ("user", UserError, "The text is empty.", True),
        ("broken", InstallationError, "A library is missing.", False),
        ("memory", MemoryError, "MemoryError: 16 GiB", False),
        ("strange", EngineError, "KeyError: 'x'", False),
    ],
)
def test_a_failure_keeps_its_class_and_only_what_may_have_broken_the_engine_ends_it(
    mood: str, kind: type[Exception], words: str, stays: bool, engines: Engines, tmp_path: Path
) -> None:
    """[E10] As the engine's program raised it."""
    first = request(engines, tmp_path, "calm")["process"]
    with pytest.raises(kind) as caught:
        request(engines, tmp_path, mood)
    assert words in str(caught.value)
    assert (request(engines, tmp_path, "calm")["process"] == first) is stays


def test_a_process_that_ends_is_told_with_the_last_20_lines_that_it_wrote(engines: Engines, tmp_path: Path) -> None:
    """[E10] As the crash that it is."""
    with pytest.raises(EngineEndedError) as caught:
        request(engines, tmp_path, "dies")
    lines = str(caught.value).splitlines()
    assert lines[0] == "The process of moody ended (7)."
    assert lines[-20:] == [f"line {number}" for number in range(10, 30)]
    assert describe(caught.value)["crashed"] is True


def test_packages_that_are_missing_are_the_installations_fault(engines: Engines, tmp_path: Path) -> None:
    """[E10] Not the user's, and not worth another try."""
    with pytest.raises(InstallationError, match="No module named 'no_such_package'"):
        request(engines, tmp_path, "calm", Launch(engine="moody", module=MOODY.module, setup={"without": "no_such_package"}))
    with pytest.raises(InstallationError, match="nowhere"):
        request(engines, tmp_path, "calm", Launch(engine="moody", module=MOODY.module, python="/nowhere/bin/python"))


@pytest.mark.parametrize(
    ("raised", "words", "kind"),
    [
        ("RuntimeError", "The NVIDIA driver on your system is too old", InstallationError),
        ("AssertionError", "Torch not compiled with CUDA enabled", InstallationError),
        ("SyntaxError", "invalid syntax", InstallationError),
        ("OSError", "libcudnn.so.9: cannot open shared object file", InstallationError),
        ("AttributeError", "module 'numpy' has no attribute 'bool8'", InstallationError),
        ("RuntimeError", "CUDA error: out of memory", MemoryError),
        ("MemoryError", "16 GiB", MemoryError),
        ("RuntimeError", "DefaultCPUAllocator: can't allocate memory: you tried to allocate 5637144576 bytes", MemoryError),
        ("RuntimeError", "[ONNXRuntimeError] : 6 : bfc_arena.cc:376 Failed to allocate memory for requested buffer", MemoryError),
        ("RuntimeError", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`", MemoryError),
        ("OSError", "[Errno 12] Cannot allocate memory", MemoryError),
        ("OSError", "libgomp.so.1: cannot allocate memory in static TLS block", InstallationError),
        ("OSError", "[Errno 28] No space left on device", TransientError),
        ("OSError", "[Errno 5] Input/output error", TransientError),
        ("OSError", "[Errno 24] Too many open files", TransientError),
        ("RuntimeError", "CUDA error: all CUDA-capable devices are busy or unavailable", TransientError),
        ("UserError", "The text is empty.", UserError),
    ],
)
def test_what_fails_while_an_engine_loads_is_the_installations_fault(
    raised: str, words: str, kind: type[Exception], engines: Engines, tmp_path: Path
) -> None:
    """[E10] Nothing of the task was read yet, and the files are the right ones. A short memory breaks nothing, nor does the machine's trouble."""
    with pytest.raises(kind, match=re.escape(words)):
        request(
            engines, tmp_path, "calm", Launch(engine="moody", module=MOODY.module, setup={"options": {"raises": raised, "words": words}})
        )


def test_a_failure_has_the_last_words_of_its_own_task_and_of_no_other(engines: Engines, tmp_path: Path) -> None:
    """[E10] A process does the tasks of several people."""
    request(engines, tmp_path, "talks")
    with pytest.raises(EngineError) as caught:
        request(engines, tmp_path, "strange")
    assert "KeyError: 'x'\nThe last that it wrote:" in str(caught.value)
    assert "What came before it" in str(caught.value)
    assert "secret" not in str(caught.value) and "\x1e" not in str(caught.value)


def test_progress_and_previews_reach_the_task_and_no_file_of_them_stays(engines: Engines, tmp_path: Path) -> None:
    """[W8] A preview's bytes go through the task's folder."""
    heard = Heard()
    request(engines, tmp_path, "draws", heard=heard)
    assert heard.progress[-1] == {"progress": 0.5, "step": 1, "steps": 2}
    assert heard.previews == [(b"picture", "image/png", {"width": 1})]
    assert list(tmp_path.iterdir()) == []


def test_what_a_library_leaves_in_the_temporary_folder_lies_in_the_tasks(engines: Engines, tmp_path: Path) -> None:
    """[W9] So it vanishes with it."""
    assert Path(request(engines, tmp_path, "litters")["file"]).parent == tmp_path


def test_every_process_on_a_device_holds_what_the_child_holds(tmp_path: Path) -> None:
    """[W9] The end of a pipe tells when the last of them has ended."""
    read, write = os.pipe()
    engines = Engines([write])
    process = request(engines, tmp_path, "calm")["process"]
    os.close(write)
    os.set_blocking(read, False)
    with pytest.raises(BlockingIOError):
        os.read(read, 1)
    engines.end()
    end = time.monotonic() + 5
    while alive(process) and time.monotonic() < end:
        time.sleep(0.01)
    assert os.read(read, 1) == b""
    os.close(read)
