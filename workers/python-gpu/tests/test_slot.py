"""A device slot by itself: who holds the GPU's lock, and what an error of this machine does to it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import types
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from spindle_worker.device import gpus, lock
from spindle_worker.nodes import capabilities
from spindle_worker.settings import Settings
from spindle_worker.supervise import slot as slots
from spindle_worker.supervise import supervisor
from spindle_worker.supervise.folders import TaskFolders
from spindle_worker.supervise.slot import Slot
from tests.runtime import Runtime


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if "whole_host" not in request.node.name:
        monkeypatch.setattr("spindle_worker.device.LOCKS", tmp_path)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    runtime = Runtime()
    yield runtime
    runtime.close()


def settings(runtime_url: str = "http://127.0.0.1:1") -> Settings:
    return Settings(
        redis_url="redis://127.0.0.1:1",
        runtime_url=runtime_url,
        worker_key="k",
        models=Path("/nowhere"),
        device_slots=1,
        metrics_host="127.0.0.1",
        metrics_port=0,
        drain_seconds=0,
        publish_seconds=0.01,
        worker="w",
    )


def eventually(holds: Callable[[], Any], words: str) -> Any:
    end = time.monotonic() + 60
    while not (found := holds()):
        assert time.monotonic() < end, words
        time.sleep(0.02)
    return found


def children_of(process: int) -> list[int]:
    """Each thread has those that it started."""
    return [int(child) for thread in Path(f"/proc/{process}/task").iterdir() for child in (thread / "children").read_text().split()]


def opened(process: int) -> set[str]:
    return {os.readlink(entry) for entry in Path(f"/proc/{process}/fd").iterdir()}


def test_a_gpu_is_locked_for_the_whole_host_whatever_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[W9] A service and a person's shell have different ones."""
    gpu = f"GPU-{uuid.uuid4()}"
    held = lock(gpu)
    assert held is not None
    code = "import sys\nfrom spindle_worker.device import lock\nprint(lock(sys.argv[1]))"
    elsewhere = {**os.environ, "TMPDIR": str(tmp_path / "other")}
    (tmp_path / "other").mkdir()
    try:
        done = subprocess.run([sys.executable, "-c", code, gpu], capture_output=True, text=True, check=True, env=elsewhere)
        assert done.stdout.strip() == "None"
    finally:
        Path(held.name).unlink()
        held.close()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_child_and_its_engine_hold_the_lock_of_the_device_by_themselves(runtime: Runtime, tmp_path: Path) -> None:
    """[E14, W9] The device is taken until the last of them has ended, whatever becomes of the supervisor."""
    gpu = f"GPU-{uuid.uuid4()}"
    slot = Slot("gpu", "gpu", settings(runtime.url), TaskFolders(), {}, gpu)
    assert slot._has_device()
    slot._ensure_child()
    assert slot._child and slot._wire and slot._lock
    try:
        task = json.dumps({"seconds": 600, "silent": True}).encode()
        runtime.objects["tasks/t/input"] = task
        version = capabilities()["dummy.dummy_task"].version
        message = {
            "type": "task",
            "task": "t",
            "capability": f"dummy.dummy_task@{version}",
            "engine": "process",
            "runtime": runtime.url,
            "token": "x",
        }
        slot._wire.send({**message, "inputSha256": hashlib.sha256(task).hexdigest(), "folder": str(tmp_path)})
        child = slot._child.pid
        (engine,) = eventually(lambda: children_of(child), "the engine's process starts")
        name = slot._lock.name
        assert [name in opened(process) for process in (child, engine)] == [True, True]
        slot._lock.close()  # as if this process were killed
        assert lock(gpu) is None
    finally:
        slot._kill()
    free = lock(gpu)
    assert free is not None
    free.close()


def test_a_child_has_ended_only_when_the_last_process_on_its_device_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """[W9] One that left the child's process group is not killed with it, and still uses the memory."""
    slot = Slot("gpu", "gpu", settings(), TaskFolders(), {}, None)
    slot._gone, life = os.pipe()
    slot._child = subprocess.Popen(["true"], start_new_session=True)
    engine = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[life], start_new_session=True)
    os.close(life)
    assert engine.stdin
    waited: list[Any] = []

    def until_it_ends(read: list[int], *others: Any) -> Any:
        assert engine.stdin and engine.poll() is None
        engine.stdin.close()
        waited.append(select([read[0]], *others)[0] == [read[0]])
        return [read[0]], [], []

    select = slots.select.select
    monkeypatch.setattr(slots.select, "select", until_it_ends)
    try:
        slot._kill()
        assert waited == [True]
    finally:
        engine.kill()
        engine.wait()


def test_a_driver_that_does_not_answer_costs_the_gpu_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[W9] The worker starts, and says so in its log."""
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nexec sleep 600\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr("spindle_worker.device.ANSWER_SECONDS", 0.1)
    assert gpus.__wrapped__() == []


class Entries:
    """A bus that hands out one task after another."""

    def __init__(self, *_: object) -> None:
        self.handed_out = 0
        self.published: list[dict[str, Any]] = []

    def claim(self, _streams: list[str]) -> Any:
        self.handed_out += 1
        return types.SimpleNamespace(task="t", capability="a@1", engine="e", input_sha256="0", beat_ms=1000, timeout_ms=0, stall_ms=0)

    def beat(self, _entry: object) -> str:
        return "ok"

    def publish(self, manifest: dict[str, Any], _ttl: int) -> None:
        self.published.append(manifest)

    def is_to_drain(self) -> bool:
        return False

    def withdraw(self) -> None:
        pass


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OUTAGE_SECONDS", "LOCK_RETRY_SECONDS"):
        monkeypatch.setattr(slots, name, 0.01)
    monkeypatch.setattr(slots, "Bus", Entries)


def running(slot: Slot) -> threading.Thread:
    thread = threading.Thread(target=slot.run, daemon=True)
    thread.start()
    return thread


@pytest.mark.usefixtures("impatient")
def test_a_slot_survives_an_error_of_this_machine_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """[W9] Tasks that nobody works on would wait for ever beside a worker that says it is well."""
    folders = TaskFolders()
    shutil.rmtree(folders.root)
    slot = Slot("cpu", "cpu", settings(), folders, {})
    monkeypatch.setattr(slot, "_ensure_child", lambda: None)
    thread = running(slot)
    bus: Any = slot._bus
    eventually(lambda: bus.handed_out > 2, "the slot asks for another task")
    slot.stop()
    thread.join(10)
    assert not thread.is_alive()


@pytest.mark.usefixtures("impatient")
def test_a_slot_survives_a_lock_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """[W9] It may be another person's, and be gone later."""
    tries: list[str] = []

    def refused(gpu: str) -> None:
        tries.append(gpu)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(slots, "lock", refused)
    slot = Slot("gpu", "gpu", settings(), TaskFolders(), {}, "GPU-1")
    thread = running(slot)
    eventually(lambda: len(tries) > 2, "the slot tries again")
    slot.stop()
    thread.join(10)
    assert not thread.is_alive()


def test_a_manifest_that_cannot_be_worked_out_leaves_the_last_one_standing(monkeypatch: pytest.MonkeyPatch) -> None:
    """[M4] A worker that says nothing is taken for dead."""

    failures: list[int] = []

    def broken(*_: object) -> dict[str, Any]:
        failures.append(1)
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

    bus = Entries()
    monkeypatch.setattr(supervisor, "Bus", lambda *_: bus)
    monkeypatch.setattr(supervisor, "manifest", broken)
    monkeypatch.setattr(supervisor, "LOOK_SECONDS", 0.0)
    stop = threading.Event()
    current = {"capabilities": []}
    thread = threading.Thread(target=supervisor._publish, args=(settings(), [], current, stop), daemon=True)
    thread.start()
    eventually(lambda: len(failures) > 2, "it tries again")
    monkeypatch.setattr(supervisor, "manifest", lambda *_: {"capabilities": [], "generatedAt": "later"})
    eventually(lambda: bus.published and "generatedAt" in bus.published[-1], "the next manifest is published")
    stop.set()
    thread.join(10)
