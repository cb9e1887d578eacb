"""What a task leaves in its temporary folder does not outlive it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from spindle_worker.supervise.folders import TaskFolders


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_a_folder_vanishes_with_its_task_however_that_ends() -> None:
    """[W9] A failed task's inputs are as private as any."""
    folders = TaskFolders()
    with pytest.raises(ValueError), folders.folder() as folder:
        (folder / "portrait.jpg").write_bytes(b"a face")
        assert folder.stat().st_mode & 0o077 == 0
        raise ValueError
    assert not folder.exists()
    folders.close()
    assert not folders.root.exists()


def test_what_a_killed_supervisor_left_is_removed_by_the_next_and_nothing_of_one_that_runs(tmp_path: Path) -> None:
    """[W9] The lock of a folder says whether its supervisor lives."""
    running = TaskFolders()
    code = (
        "import os, time\n"
        "from spindle_worker.supervise.folders import TaskFolders\n"
        "folders = TaskFolders()\n"
        "(folders.root / 'voice.wav').write_bytes(b'a voice')\n"
        "print(folders.root, flush=True)\n"
        "time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    ) as other:
        assert other.stdout is not None
        left = Path(other.stdout.readline().strip())
        assert (left / "voice.wav").exists() and running.root.exists()
        other.send_signal(signal.SIGKILL)
    next_folders = TaskFolders()
    assert not left.exists()
    assert running.root.exists()
    next_folders.close()
    running.close()
