"""A task that is cancelled in the middle: its child is killed, and leaves no process and no file outside of the task's folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spindle_worker.media import decode_sound, write_wav
from spindle_worker.settings import PACKAGE_ROOT
from tests.test_upscale import run_ffmpeg

SAMPLES = PACKAGE_ROOT.parents[1] / "templates/samples"
TEXT = "It left a galaxy long before the Earth was made. "
CHILD = """
import json, sys, threading, time
from pathlib import Path
from spindle_worker.engine.process import Engines
from tests.runtime import Attempt, Runtime

capability, engine, files, values, folder = json.loads(sys.argv[1])
engines, runtime = Engines(), Runtime()
attempt = Attempt(runtime, Path(folder), engines)

def say() -> None:
    while not (engines.running and any(progress > 0 for progress in attempt.progress)): time.sleep(0.01)
    print(engines.running._process.pid, flush=True)

threading.Thread(target=say, daemon=True).start()
attempt.run(capability, engine, **values, **{name: runtime.offer(Path(path), mime) for name, (path, mime) in files.items()})
print("it ended", flush=True)
"""
"""Plays the worker's child, and says which process the engine is as soon as that works."""


def lives(process: int) -> bool:
    """One that nobody has waited for yet is dead all the same."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{process}/status").read_text()
    except FileNotFoundError:
        return False


def speech(folder: Path) -> dict[str, Any]:
    write_wav(folder / "long.wav", np.tile(decode_sound(SAMPLES / "voice.wav", folder, 16000), 300), 16000)
    return {"audio_artifact": [str(folder / "long.wav"), "audio/wav"]}


def voice(folder: Path) -> dict[str, Any]:
    return {"voice_sample": [str(SAMPLES / "voice.wav"), "audio/wav"]}


def video(folder: Path) -> dict[str, Any]:
    run_ffmpeg(["-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=20", str(folder / "long.mp4")])
    return {"video_artifact": [str(folder / "long.mp4"), "video/mp4"]}


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    ("engine", "capability", "files", "values"),
    [
        pytest.param(engine, capability, files, values, id=engine, marks=pytest.mark.needs(engine))
        for engine, capability, files, values in [
            ("f5-tts", "generate.f5_to_tts", voice, {"narration": TEXT * 300, "ref_text": "Some call me nature.", "seed": 5}),
            ("kokoro", "generate.f5_to_tts", lambda folder: {}, {"narration": TEXT * 300}),
            ("realesrgan", "generate.upscale_video", video, {"scale": 4}),
            ("faster-whisper", "speech.transcribe", speech, {}),
        ]
    ],
)
def test_a_cancel_leaves_no_process_and_no_file(engine: str, capability: str, files: Any, values: dict[str, Any], tmp_path: Path) -> None:
    given, task, elsewhere = (tmp_path / name for name in ("given", "task", "elsewhere"))
    for folder in (given, task, elsewhere):
        folder.mkdir()
    request = json.dumps([capability, engine, files(given), values, str(task)])
    inputs = sorted(os.listdir(given))
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, request],
        cwd=PACKAGE_ROOT,
        env={**os.environ, "TMPDIR": str(elsewhere)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    said = child.stdout.readline().strip()
    assert said.isdigit(), said
    process = int(said)
    assert lives(process)
    child.kill()
    assert child.wait() < 0
    end = time.monotonic() + 60
    while lives(process):
        assert time.monotonic() < end, "the engine outlives its child"
        time.sleep(0.02)
    assert os.listdir(elsewhere) == []
    assert sorted(os.listdir(given)) == inputs
