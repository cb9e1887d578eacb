"""An engine's program for test_engine.py: it does what it is asked to."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from spindle_worker.engine.program import Request, Work, serve
from spindle_worker.errors import InstallationError, UserError


def load(setup: dict[str, Any]) -> Work:
    if setup.get("without"):
        __import__(setup["without"])
    if raised := setup.get("options", {}).get("raises"):
        kinds = {"SyntaxError": SyntaxError, "UserError": UserError, "MemoryError": MemoryError, "OSError": OSError}
        raise {**kinds, "RuntimeError": RuntimeError, "AssertionError": AssertionError, "AttributeError": AttributeError}[raised](
            setup["options"]["words"]
        )
    if killer := setup.get("options", {}).get("dies"):
        os.kill(os.getpid(), killer)
    if place := setup.get("options", {}).get("writes"):
        opened = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.exists()]
        Path(place).write_text(json.dumps({**os.environ, "open": opened}))
    return work


def work(request: Request) -> dict[str, Any]:
    mood = request.values["mood"]
    if mood == "user":
        raise UserError("The text is empty.")
    if mood == "broken":
        raise InstallationError("A library is missing.")
    if mood == "memory":
        raise MemoryError("16 GiB")
    if mood == "talks":
        print("A secret of one person", file=sys.stderr)
    if mood == "strange":
        print("What came before it", file=sys.stderr)
        raise KeyError("x")
    if mood == "dies":
        for number in range(30):
            print(f"line {number}", file=sys.stderr)
        os._exit(7)
    if mood == "draws":
        request.progress(0.5, step=1, steps=2)
        request.preview(b"picture", "image/png", width=1)
    if mood == "empty":
        return {"spoken_text": "", "seconds": 0}
    if mood == "litters":
        with tempfile.NamedTemporaryFile(delete=False) as file:
            return {"file": file.name}
    return {"environment": dict(os.environ), "process": os.getpid(), "files": [path.name for path in Path(request.folder).iterdir()]}


if __name__ == "__main__":
    serve(load)
