"""One device slot: a child process and the task it runs. The supervisor renews the lease; the child knows nothing of it."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any, Literal

import redis
from tenacity import (
    Retrying,
    retry_if_exception_type,
    sleep_using_event,
    stop_when_event_set,
    wait_fixed,
)

from ..bus import BadEntry, Bus
from ..contract.generated.constants import BUS
from ..contract.generated.models import TaskEntry
from ..crash_point import crash_point
from ..device import lock
from ..log import tasks
from ..settings import Settings
from ..wire import Wire
from .folders import TaskFolders
from .metrics import BUSY, CHILDREN, HELD, MODEL_LOAD_SECONDS, MODEL_LOADS, REDIS_ERRORS, TASK_SECONDS, TASKS, TASKS_LOST
from .output import Output

log = logging.getLogger("spindle.slot")

TICK_SECONDS = 0.1  # how long one look at the child lasts, between two looks at the lease
PROGRESS_EVERY = BUS["coalesce"]["progressMs"] / 1000
FIRST_REPORT_AFTER_SECONDS = 0.05  # a task that is over sooner reports no beginning
TERM_SECONDS = 1.0  # for a child to end after each signal
OUTAGE_SECONDS = 0.5  # between two tries to reach Redis
LOCK_RETRY_SECONDS = 0.5  # between two tries to lock a device that another process has
GROUP_END_TIMEOUT_SECONDS = 30.0  # for the last process of a killed child's group to end


class Slot:
    """Takes one task at a time from its streams.

    :param gpu: the UUID of the GPU that it works on; it takes nothing while another process of this host has that one
    """

    def __init__(
        self,
        label: str,
        kind: Literal["cpu", "gpu"],
        settings: Settings,
        folders: TaskFolders,
        environment: dict[str, str],
        gpu: str | None = None,
    ) -> None:
        self.label = label
        self._folders = folders
        self._gpu = gpu
        self._lock: IO[str] | None = None
        self.kind = kind
        self.streams: list[str] = []
        self.bell = threading.Event()
        self.current: str | None = None
        self._settings = settings
        self._environment = {**os.environ, **environment}
        self._bus = Bus(settings.redis_url, f"{settings.worker}:{label}", settings.worker_key)
        self._child: subprocess.Popen[bytes] | None = None
        self._wire: Wire | None = None
        self._output: Output | None = None
        self._gone: int | None = None
        self._draining = threading.Event()
        self._stop = threading.Event()
        self._waits = False
        BUSY.labels(label).set(0)
        HELD.labels(label).set(gpu is None)

    @property
    def is_ready(self) -> bool:
        """Whether no other process has its GPU."""
        return self._gpu is None or self._lock is not None

    def run(self) -> None:
        """Until `drain`: outages are waited out."""
        while not self._draining.is_set():
            try:
                if not self._has_device():
                    self._draining.wait(LOCK_RETRY_SECONDS)
                    continue
                self._ensure_child()
                entry = self._bus.claim(self.streams)
                if entry is None:
                    self.bell.wait(1.0)
                    self.bell.clear()
                else:
                    self._attempt(entry)
            except BadEntry as error:
                log.error("%s: an entry is refused: %s", self.label, error)
            except redis.RedisError as error:
                REDIS_ERRORS.labels("slot").inc()
                if "Function not found" not in str(error):  # the runtime has yet to load them: a start, or a Redis that lost all
                    log.warning("%s: Redis: %s", self.label, error)
                self._draining.wait(OUTAGE_SECONDS)
            except Exception:  # a full disk, a file of another user: the next task may find it mended
                log.exception("%s: this try failed", self.label)
                self._kill()  # what it still works on, nobody waits for
                self._draining.wait(OUTAGE_SECONDS)
        self._kill()
        if self._lock:
            self._lock.close()

    def drain(self) -> None:
        """Lets it take no more. What runs goes on."""
        self._draining.set()
        self.bell.set()

    def stop(self) -> None:
        """Ends it: what still runs is handed back."""
        self.drain()
        self._stop.set()

    def _has_device(self) -> bool:
        if self._gpu is None or self._lock is not None:
            HELD.labels(self.label).set(1)
            return True
        self._lock = lock(self._gpu)
        HELD.labels(self.label).set(self._lock is not None)
        if self._lock is not None:
            log.info("%s: the device is ours", self.label)
        elif not self._waits:
            log.warning("%s: another process of this machine uses the device; waiting for it", self.label)
        self._waits = self._lock is None
        return self._lock is not None

    def _ensure_child(self) -> None:
        if self._child and self._child.poll() is None:
            return
        self._kill()  # of one that died by itself, an engine's process may be left
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        self._gone, life = os.pipe()
        # The child and the engine processes that it starts hold the lock too: while one of them lives the device is taken, even if this
        # process is killed. They also hold the end of a pipe, which tells this process when the last of them has ended.
        held = [life, *([self._lock.fileno()] if self._lock else [])]
        command = [sys.executable, "-m", "spindle_worker", "child", "--socket", str(theirs.fileno())]
        for descriptor in held:
            command += ["--hold", str(descriptor)]
        CHILDREN.labels(self.label).inc()
        self._child = subprocess.Popen(
            command,
            pass_fds=[theirs.fileno(), *held],
            env=self._environment,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=write,
            stderr=write,
        )
        theirs.close()
        os.close(write)
        os.close(life)
        self._output = Output(read)
        self._wire = Wire(ours)

    def _kill(self) -> None:
        """The whole process group, so that nothing the node started stays; returns when the device is free."""
        child, self._child = self._child, None
        if child is None:
            return
        for sign, patience in ((signal.SIGTERM, TERM_SECONDS), (signal.SIGKILL, TERM_SECONDS)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, sign)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(patience)
        self._wait_until_gone()
        if self._wire:
            self._wire.socket.close()

    def _wait_until_gone(self) -> None:
        gone, self._gone = self._gone, None
        if gone is None:
            return
        if not select.select([gone], [], [], GROUP_END_TIMEOUT_SECONDS)[0]:
            log.error("%s: a process of the last child still runs after %d s", self.label, GROUP_END_TIMEOUT_SECONDS)
        os.close(gone)

    def _attempt(self, entry: TaskEntry) -> None:
        self.current = entry.task
        service = entry.capability.split("@")[0]
        BUSY.labels(self.label).set(1)
        crash_point("afterTake")
        try:
            state = self._bus.beat(entry)
            if state == "lost":
                TASKS_LOST.labels(service).inc()
                return
            began = time.monotonic()
            with self._folders.folder() as folder:
                result = {"outcome": "cancelled"} if state == "cancel" else self._watch(entry, folder)
            if result is None:
                TASKS_LOST.labels(service).inc()
                return
            TASK_SECONDS.labels(service, entry.engine).observe(time.monotonic() - began)
            TASKS.labels(service, entry.engine, result["outcome"]).inc()
            error: Any = result.get("error")
            ids = {"run": entry.run, "nodeRun": entry.node_run, **({"code": error["code"]} if error else {})}
            tasks.info("task %s of %s", result["outcome"], service, extra=ids)
            log_text = self._output.collect() if self._output else ""
            self._settle(entry.task, {**result, **({"log": log_text} if log_text else {})})
        finally:
            self.current = None
            BUSY.labels(self.label).set(0)

    def _watch(self, entry: TaskEntry, folder: Path) -> dict[str, Any] | None:
        """The result, or None if the task is no longer ours."""
        assert self._wire is not None
        assert self._output is not None
        self._output.begin()
        beats = Beats(self._bus, entry)
        progress = Progress(self._bus, entry.task)
        token = self._bus.token(entry.task)
        try:
            self._wire.send(
                {
                    "type": "task",
                    "task": entry.task,
                    "capability": entry.capability,
                    "engine": entry.engine,
                    "inputSha256": entry.input_sha256,
                    "folder": str(folder),
                    "token": token,
                    "runtime": self._settings.runtime_url,
                }
            )
            progress.begin()
            crash_point("afterStart")
            while True:
                message = self._wire.receive(progress.due_in(TICK_SECONDS))
                if message is not None and message["type"] == "result":
                    progress.close()
                    return dict(message["result"])
                if message is not None and message["type"] == "loaded":
                    MODEL_LOADS.labels(message["engine"]).inc()
                    MODEL_LOAD_SECONDS.labels(message["engine"]).observe(message["seconds"])
                elif message is not None:
                    progress.send(message["progress"])
                progress.flush_if_due()
                if self.bell.is_set():
                    self.bell.clear()
                    beats.due = 0.0
                verdict = beats.renew(progress.moved_at)
                if verdict is not None:
                    self._kill()
                    return verdict or None
                if self._stop.is_set():
                    self._kill()
                    return HANDED_BACK
        except (EOFError, OSError):
            code = self._child.wait(TERM_SECONDS) if self._child else None
            self._kill()
            return failed("infra", "task.crashed", f"The process that ran the node ended ({code}).", crashed=True)

    def _settle(self, task: str, result: dict[str, Any]) -> None:
        """Again and again while the worker is not to end; then once more."""
        patiently = Retrying(
            retry=retry_if_exception_type(redis.RedisError),
            wait=wait_fixed(OUTAGE_SECONDS),
            stop=stop_when_event_set(self._stop),
            sleep=sleep_using_event(self._stop),
            before_sleep=lambda state: log.warning(
                "%s: the result of %s waits for Redis: %s", self.label, task, state.outcome and state.outcome.exception()
            ),
            retry_error_callback=lambda _: None,
        )
        patiently(self._bus.settle, task, result)
        crash_point("afterResult")


HANDED_BACK: dict[str, Any] = {
    "outcome": "returned",
    "error": {"class": "infra", "code": "task.handed_back", "message": "The worker was told to end before the task was done."},
}


def failed(kind: str, code: str, message: str, *, crashed: bool = False) -> dict[str, Any]:
    return {"outcome": "failed", "error": {"class": kind, "code": code, "message": message, **({"crashed": True} if crashed else {})}}


class Beats:
    """Renews the lease and says when the child must end."""

    def __init__(self, bus: Bus, entry: TaskEntry) -> None:
        self._bus = bus
        self._entry = entry
        self._began = time.monotonic()
        self.due = self._began + entry.beat_ms / 1000

    def renew(self, moved_at: float) -> dict[str, Any] | None:
        """None: go on. An empty dict: the task is lost. Else the result that ends it."""
        now = time.monotonic()
        if self._entry.timeout_ms and (now - self._began) * 1000 > self._entry.timeout_ms:
            return failed("user", "task.timeout", "The node took longer than its time-out.")
        if self._entry.stall_ms and (now - moved_at) * 1000 > self._entry.stall_ms:
            return failed("infra", "task.stalled", f"Nothing moved for {self._entry.stall_ms} ms.")
        if now < self.due:
            return None
        self.due = now + self._entry.beat_ms / 1000
        try:
            state = self._bus.beat(self._entry)
        except redis.RedisError as error:
            log.warning("The lease of %s could not be renewed: %s", self._entry.task, error)
            self.due = now + min(OUTAGE_SECONDS, self._entry.beat_ms / 1000)
            return None
        if state == "cancel":
            return {"outcome": "cancelled"}
        return {} if state == "lost" else None


class Progress:
    """At most four messages a second; the latest wins (DESIGN W8)."""

    def __init__(self, bus: Bus, task: str) -> None:
        self._bus = bus
        self._task = task
        self._waiting: dict[str, Any] = {}
        self._sent_at = 0.0
        self.moved_at = time.monotonic()

    def begin(self) -> None:
        """Says that the work began, if it is not over at once: then its result says all there is to say."""
        self._waiting = {"progress": 0.0}
        self._sent_at = time.monotonic() - PROGRESS_EVERY + FIRST_REPORT_AFTER_SECONDS

    def send(self, news: dict[str, Any]) -> None:
        self._waiting.update(news)
        self.moved_at = time.monotonic()

    def due_in(self, most: float) -> float:
        """Seconds until there is something to send."""
        return min(most, max(0.001, self._sent_at + PROGRESS_EVERY - time.monotonic())) if self._waiting else most

    def close(self) -> None:
        """What a result is about to say need not be said before it; a last preview is worth seeing."""
        if "preview" in self._waiting:
            self.flush()

    def flush_if_due(self) -> None:
        if time.monotonic() - self._sent_at >= PROGRESS_EVERY:
            self.flush()

    def flush(self) -> None:
        if not self._waiting:
            return
        message, self._waiting = self._waiting, {}
        self._sent_at = time.monotonic()
        with contextlib.suppress(redis.RedisError):
            self._bus.progress({"v": 1, "task": self._task, **message})
