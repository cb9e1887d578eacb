"""An engine's process, seen from within: it loads once, then does one request after the other, and ends with whoever started it.

It runs in the engine's own environment, so this module and what it imports keep to the standard library.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..errors import InstallationError, UserError, is_out_of_memory, is_passing
from ..wire import Wire

PR_SET_PDEATHSIG = 1
BEGINS, FAILED = "\x1eBEGINS", "\x1eFAILED"
"""Lines among what a program writes: a request begins, and all was written before a failure is answered."""


class Request:
    """One piece of work. `folder` vanishes when the task ends, with whatever lies in it."""

    def __init__(self, values: dict[str, Any], folder: Path, wire: Wire) -> None:
        self.values = values
        self.folder = folder
        self._wire = wire

    def progress(
        self, progress: float | None = None, *, step: int | None = None, steps: int | None = None, note: str | None = None
    ) -> None:
        """:param progress: 0 to 1"""
        news = {"progress": progress, "step": step, "steps": steps, "note": note}
        self._wire.send({"type": "progress", "progress": {key: value for key, value in news.items() if value is not None}})

    def preview(self, data: bytes, mime: str, **known: Any) -> None:
        """Shows something on the node while it runs."""
        path = Path(tempfile.mkstemp(dir=self.folder, prefix="preview-")[1])
        path.write_bytes(data)
        self._wire.send({"type": "preview", "path": str(path), "mime": mime, "known": known})


Work = Callable[[Request], dict[str, Any]]


def serve(load: Callable[[dict[str, Any]], Work]) -> None:
    """Answers requests until the other end closes.

    :param load: gets the engine's setup (`device`, `files`, `options`) and returns what does the work
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--channel", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    options = parser.parse_args()
    end_with_parent(options.parent)
    wire = Wire(socket.socket(fileno=options.channel))
    work: Work | None = None
    while True:
        try:
            message = wire.receive(None)
        except EOFError:
            return
        assert message is not None
        _write(BEGINS)
        try:
            if message["type"] == "load":
                work, values = load(message["setup"]), {}
            else:
                assert work is not None
                # What a library leaves in the temporary folder goes with the task's.
                tempfile.tempdir = message["folder"]
                values = work(Request(message["values"], Path(message["folder"]), wire))
            answer = {"type": "done", "values": values}
        except Exception as error:
            traceback.print_exc()
            _write(FAILED)
            kind = _kind(error, at_load=message["type"] == "load")
            answer = {"type": "failed", "kind": kind, "message": _sentence(error), "trace": "".join(traceback.format_exc()[-4000:])}
        wire.send(answer)


def _write(mark: str) -> None:
    sys.stdout.flush()
    print(f"\n{mark}", file=sys.stderr, flush=True)


def end_with_parent(parent: int) -> None:
    """The kernel ends this process with the one that started it, even if that is killed. :param parent: its process id"""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it ended before the kernel knew


def _kind(error: Exception, *, at_load: bool) -> str:
    """:param at_load: nothing of a task was read yet and the files are the right ones, so what fails is the installation"""
    if isinstance(error, UserError):
        return "user"
    if is_out_of_memory(error):
        return "oom"
    if is_passing(error):
        return "transient"
    return "installation" if at_load or isinstance(error, InstallationError | ImportError) else "exception"


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, UserError | InstallationError) else f"{type(error).__name__}: {error}"
