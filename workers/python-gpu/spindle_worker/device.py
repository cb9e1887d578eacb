"""Devices of this machine. A GPU is guarded by a lock that holds for the whole host (DESIGN W9)."""

from __future__ import annotations

import fcntl
import functools
import logging
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

log = logging.getLogger("spindle.device")

LOCKS = Path("/tmp")
"""One for all processes of a host: TMPDIR may name another folder for each."""
ANSWER_SECONDS = 20


@functools.cache
def gpus() -> list[str]:
    """UUIDs of the NVIDIA GPUs, in order; none where there is no driver, or it does not answer."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=uuid", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=ANSWER_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        log.error("%s gave no answer in %g s, so no GPU is used. Restart the driver, and start Spindle again.", tool, ANSWER_SECONDS)
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.startswith("GPU-")]


@dataclass(frozen=True)
class Usage:
    """:param utilization: 0 to 1
    :param memory_used: bytes, as `memory`
    """

    uuid: str
    utilization: float
    memory_used: int
    memory: int


def usage() -> list[Usage]:
    """What the GPUs do now; empty where there is no driver, or it does not answer."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = "--query-gpu=uuid,utilization.gpu,memory.used,memory.total"
    try:
        answer = subprocess.run([tool, query, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=5, check=False)
    except subprocess.TimeoutExpired:
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in answer.stdout.splitlines()]
    # Parts of a GPU (MIG) have no utilization of their own; the driver then says so in words.
    return [
        Usage(uuid, int(busy) / 100 if busy.isdigit() else 0.0, int(used) * 2**20, int(total) * 2**20)
        for uuid, busy, used, total in (row for row in rows if len(row) == 4)
        if used.isdigit() and total.isdigit()
    ]


def lock(uuid: str) -> IO[str] | None:
    """The open lock file, to be kept as long as the device is used; None if another process has it."""
    path = LOCKS / f"spindle-{uuid}.lock"
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
