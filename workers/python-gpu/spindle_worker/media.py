"""ffmpeg and sound, as the draft engines need them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import wave
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import UserError

FPS = 25


def ffmpeg() -> str:
    """The binary that the imageio-ffmpeg wheel carries."""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def espeak() -> list[str] | None:
    """How espeak-ng is called here, or None. SPINDLE_ESPEAK names one that is not on the PATH."""
    named = os.environ.get("SPINDLE_ESPEAK")
    found = named if named and Path(named).exists() else shutil.which("espeak-ng")
    return [found] if found else None


def run(command: list[str], what: str) -> None:
    """:raises UserError: with the tool's last words"""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"{what}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f'exit {done.returncode}'}"[:500])


def decode_sound(path: Path, folder: Path, rate: int = 16000) -> npt.NDArray[np.float32]:
    """Mono samples in -1..1 at `rate` Hz. :raises UserError: if there is no sound in the file"""
    target = folder / f"{path.stem}-{rate}.wav"
    run(
        [ffmpeg(), "-v", "error", "-y", "-i", str(path), "-map", "0:a:0", "-ac", "1", "-ar", str(rate), "-c:a", "pcm_s16le", str(target)],
        "The sound cannot be read",
    )
    with wave.open(str(target)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
    return (samples / 32768).astype(np.float32)


def loudness(samples: npt.NDArray[np.float32], rate: int, frames: int) -> npt.NDArray[np.float64]:
    """RMS of each video frame's stretch of sound."""
    edges = np.linspace(0, frames * rate / FPS, frames + 1).astype(int)
    padded = np.pad(samples, (0, max(0, edges[-1] - len(samples))))
    squares = np.concatenate([[0.0], np.cumsum(padded.astype(np.float64) ** 2)])
    return np.asarray(np.sqrt((squares[edges[1:]] - squares[edges[:-1]]) / np.maximum(1, np.diff(edges))), dtype=np.float64)


def measure(path: Path) -> dict[str, Any]:
    """Width, height, duration (seconds) and frame rate, as far as ffmpeg names them."""
    said = subprocess.run([ffmpeg(), "-hide_banner", "-i", str(path)], capture_output=True, text=True, check=False).stderr
    found: dict[str, Any] = {}
    if match := re.search(r"Duration: (\d+):(\d+):(\d+\.\d+)", said):
        hours, minutes, seconds = match.groups()
        found["duration"] = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if match := re.search(r"Video:.*?(\d{2,5})x(\d{2,5})", said):
        found["width"], found["height"] = int(match[1]), int(match[2])
    if match := re.search(r"([\d.]+) fps", said):
        found["fps"] = float(match[1])
    return found
