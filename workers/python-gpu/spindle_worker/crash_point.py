"""Places where the fault harness may end a process (tests/slow/faults.test.ts). In production there are none.

The TypeScript half is packages/task-bus/src/crash-point.ts.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_SECONDS = 5.0
STEP_SECONDS = 0.005

_folder = None if os.environ.get("NODE_ENV", "production") == "production" else os.environ.get("SPINDLE_CRASH_POINTS")


def _hold(name: str) -> None:
    folder = Path(str(_folder))
    try:
        if (folder / "armed").read_text() != name:
            return
        (folder / "armed").rename(folder / "reached")  # only one process gets it
    except OSError:
        return
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and not (folder / "go").exists():
        with contextlib.suppress(InterruptedError):
            time.sleep(STEP_SECONDS)


def _nothing(_: str) -> None:
    return


crash_point: Callable[[str], None] = _nothing if _folder is None else _hold
