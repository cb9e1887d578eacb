"""An engine's process, seen from the child that starts it. A device has one at most, so that two models never share its memory."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import (
    EngineEndedError,
    EngineError,
    InstallationError,
    TransientError,
    UserError,
    install_again,
    is_out_of_memory,
    is_passing,
)
from ..settings import PACKAGE_ROOT, engines_folder
from ..wire import Wire
from .program import BEGINS, FAILED

KEPT_LINES = 20
LONGEST_LINE = 4000
CRASHES = {-sign: sign.name for sign in (signal.SIGSEGV, signal.SIGBUS, signal.SIGILL)}
"""How a process ends whose libraries are cut or made for another processor."""
END_SECONDS = 5.0
PASSED_ON = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"),
    *("SPINDLE_DEVICE", "SPINDLE_TRACE"),  # by these a device's processes are recognised from outside
)


@dataclass(frozen=True)
class Launch:
    """How an engine's process is started. Two launches that are equal are one process.

    :param setup: `device`, `files` and `options`, as its program's `load` gets them
    :param verify: raises if a file of it is not what it should be; called before it is started
    """

    engine: str
    module: str
    python: str = sys.executable
    setup: dict[str, Any] = field(default_factory=dict)
    verify: Callable[[], None] = field(default=lambda: None, compare=False)


@dataclass(frozen=True)
class Listener:
    """What is done with what an engine says on the way."""

    progress: Callable[[dict[str, Any]], None]
    preview: Callable[[bytes, str, dict[str, Any]], None]


class Engines:
    """The engine processes of one device.

    :param held: descriptors that every process on the device holds open: the device is taken until the last of them has ended
    :param loaded: called with the name of each engine that was loaded, and the seconds that it took
    """

    def __init__(self, held: Sequence[int] = (), loaded: Callable[[str, float], None] = lambda engine, seconds: None) -> None:
        self._held = tuple(held)
        self._loaded = loaded
        self.running: EngineProcess | None = None

    def request(self, launch: Launch, values: dict[str, Any], folder: Path, listener: Listener) -> dict[str, Any]:
        """What the engine's program returns. Another engine's process ends first.

        :raises UserError: and the other classes of `errors`, as the program raised them
        """
        process = self.load(launch, listener)
        try:
            return process.exchange({"type": "request", "values": values, "folder": str(folder)}, listener)
        except BaseException as error:
            if not isinstance(error, UserError):
                self.end()  # its memory is free for the next try
            raise

    def load(self, launch: Launch, listener: Listener) -> EngineProcess:
        """The process, started and loaded if it is not yet. :raises UserError: and the others, as `request`"""
        if self.running is None or self.running.launch != launch or not self.running.alive():
            self.end()
            listener.progress({"note": f"Loading {launch.engine}"})
            began = time.monotonic()
            launch.verify()
            process = EngineProcess(launch, self._held)
            try:
                process.exchange({"type": "load", "setup": launch.setup}, listener)
            except BaseException:
                process.end()
                raise
            self.running = process
            self._loaded(launch.engine, time.monotonic() - began)
        return self.running

    def end(self) -> None:
        process, self.running = self.running, None
        if process:
            process.end()


class EngineProcess:
    def __init__(self, launch: Launch, held: Sequence[int]) -> None:
        self.launch = launch
        self._lines: deque[str] = deque(maxlen=KEPT_LINES)
        self._read_all = threading.Event()
        ours, theirs = socket.socketpair()
        read, write = os.pipe()
        command = [launch.python, "-m", launch.module, "--channel", str(theirs.fileno()), "--parent", str(os.getpid())]
        try:
            self._process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno(), *held],
                env=clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=write,
            )
        except OSError as error:
            ours.close()
            os.close(read)
            if is_passing(error) or is_out_of_memory(error):
                raise TransientError(f"{launch.engine} cannot be started: {error}") from error
            raise self._broken(f"its Python cannot be started: {error}") from error
        finally:
            theirs.close()
            os.close(write)
        self._wire = Wire(ours)
        self._reader = threading.Thread(target=self._read, args=(read,), daemon=True)
        self._reader.start()

    def alive(self) -> bool:
        return self._process.poll() is None

    def exchange(self, message: dict[str, Any], listener: Listener) -> dict[str, Any]:
        try:
            self._wire.send(message)
            while True:
                answer = self._wire.receive(None)
                assert answer is not None
                if answer["type"] == "progress":
                    listener.progress(answer["progress"])
                elif answer["type"] == "preview":
                    path = Path(answer["path"])
                    listener.preview(path.read_bytes(), answer["mime"], answer["known"])
                    path.unlink()
                elif answer["type"] == "done":
                    return dict(answer["values"])
                else:
                    raise self._failure(answer)
        except (EOFError, ConnectionError) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(END_SECONDS)
            self._reader.join(1.0)
            code = self._process.returncode
            if message["type"] == "load" and (crash := CRASHES.get(code)):
                raise self._broken(f"its process crashed while it loaded ({crash})") from error
            killed = " The system kills a process where its memory is short: free some, and try again." if code == -signal.SIGKILL else ""
            raise EngineEndedError(f"The process of {self.launch.engine} ended ({code}).{killed}{self._last_words()}") from error

    def end(self) -> None:
        """Returns when it has ended: by itself, or killed."""
        self._wire.socket.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _failure(self, answer: dict[str, Any]) -> Exception:
        self._read_all.wait(END_SECONDS)
        message = str(answer["message"])
        if answer["kind"] == "user":
            return UserError(message)
        if answer["kind"] == "oom":
            return MemoryError(message)
        if answer["kind"] == "transient":
            return TransientError(f"{message}{self._last_words()}")
        if answer["kind"] == "installation":
            return self._broken(message)
        return EngineError(f"{message}{self._last_words()}")

    def _broken(self, cause: str) -> InstallationError:
        engine, folder = self.launch.engine, engines_folder()
        own = folder != PACKAGE_ROOT / "engines"
        doubt = f" Or the files and options of {folder / engine / 'engine.json'} do not fit its program." if own else ""
        message = f"The packages of {engine} do not work: {cause}\n{install_again(engine)}{doubt}{self._last_words()}"
        return InstallationError(message, cause)

    def _last_words(self) -> str:
        return "\nThe last that it wrote:\n" + "\n".join(self._lines) if self._lines else ""

    def _read(self, descriptor: int) -> None:
        """What it writes is the task's log; progress bars end their lines with a carriage return."""
        with open(descriptor, encoding="utf-8", errors="replace", newline=None) as stream:
            while line := stream.readline(LONGEST_LINE):
                mark = line.rstrip("\n")
                if mark == BEGINS:  # what came before is another task's, another person's perhaps
                    self._lines.clear()
                    self._read_all.clear()
                    continue
                if mark == FAILED:
                    self._read_all.set()
                    continue
                self._lines.append(line.rstrip())
                sys.stderr.write(line)
                sys.stderr.flush()


def clean_environment() -> dict[str, str]:
    """Neither the worker's secrets nor what an earlier engine left behind; nothing is downloaded, and equal seeds give equal bytes."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(PACKAGE_ROOT),
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONHASHSEED": "0",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }
