"""Temporary folders of tasks: a person's portrait and voice lie there only as long as the task that reads them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO


class TaskFolders:
    """Folders below one that is this supervisor's own; making it removes those of supervisors that were killed."""

    def __init__(self) -> None:
        base = Path(tempfile.gettempdir()) / f"spindle-tasks-{os.getuid()}"
        base.mkdir(mode=0o700, exist_ok=True)
        with _locked(base / "turn") as turn:
            assert turn is not None
            for folder in base.iterdir():
                if folder.is_dir():
                    _remove_if_left(folder)
            self.root = Path(tempfile.mkdtemp(dir=base))
            self._lock = (self.root / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """One for a task; it is removed however the task ends."""
        folder = Path(tempfile.mkdtemp(dir=self.root))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        self._lock.close()


def _remove_if_left(folder: Path) -> None:
    """Its supervisor holds its lock as long as it lives."""
    with contextlib.suppress(OSError), _locked(folder / "lock", wait=False) as lock:
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[IO[str] | None]:
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield None
            return
        yield handle
