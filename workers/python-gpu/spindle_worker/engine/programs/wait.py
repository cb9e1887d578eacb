"""Waits and says how far it is: the engine of `dummy.dummy_task` that has a process of its own, and needs nothing to be installed."""

from __future__ import annotations

import time
from typing import Any

from ..program import Request, Work, serve


def load(_setup: dict[str, Any]) -> Work:
    return wait


def wait(request: Request) -> dict[str, Any]:
    seconds, silent = float(request.values["seconds"]), bool(request.values["silent"])
    start = time.monotonic()
    while (waited := time.monotonic() - start) < seconds:
        if not silent:
            request.progress(waited / seconds, note=f"{waited:.1f} of {seconds:.1f} s")
        time.sleep(min(0.1, seconds - waited))
    return {"waited": waited}


if __name__ == "__main__":
    serve(load)
