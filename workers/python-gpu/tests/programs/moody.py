"""An engine's program for test_engine.py: it does what it is asked to."""

from __future__ import annotations

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
    return work


def work(request: Request) -> dict[str, Any]:
    mood = request.values["mood"]
    if mood == "user":
        raise UserError("The text is empty.")
    if mood == "broken":
        raise InstallationError("A library is missing.")
    if mood == "memory":
        raise MemoryError("16 GiB")
    if mood == "strange":
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
