"""Devices of this machine. A GPU is guarded by a lock that holds for the whole host (DESIGN W9)."""

from __future__ import annotations

import fcntl
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import IO


@functools.cache
def gpus() -> list[str]:
    """UUIDs of the NVIDIA GPUs, in order; none where there is no driver."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    answer = subprocess.run([tool, "--query-gpu=uuid", "--format=csv,noheader"], capture_output=True, text=True, timeout=20, check=False)
    return [line.strip() for line in answer.stdout.splitlines() if line.startswith("GPU-")]


def lock(uuid: str) -> IO[str] | None:
    """The open lock file, to be kept as long as the device is used; None if another process has it."""
    path = Path(tempfile.gettempdir()) / f"spindle-{uuid}.lock"
    try:
        handle = path.open("w")
    except PermissionError:
        handle = path.open()  # another person's: who may read it can lock it
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle
