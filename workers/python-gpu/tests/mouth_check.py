"""Measures a talking head: does the mouth follow the sound, and does the rest stay still? Used by the end-to-end test too.

`python tests/mouth_check.py VIDEO PORTRAIT X Y WIDTH HEIGHT` prints one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from spindle_worker.media import FPS, decode_sound, ffmpeg, inspect_video, loudness, measure

RATE = 16000


def check(video: Path, portrait: Path, box: tuple[int, int, int, int]) -> dict[str, Any]:
    """Correlation of mouth movement and loudness, movement in silence, and PSNR (dB) outside the box."""
    known = measure(video)
    width, height = known["width"], known["height"]
    raw = subprocess.run(
        [ffmpeg(), "-v", "error", "-i", str(video), "-f", "rawvideo", "-pix_fmt", "bgr24", "-"], capture_output=True, check=True
    ).stdout
    frames = np.frombuffer(raw, np.uint8).reshape(-1, height, width, 3)
    still = cv2.resize(cv2.imread(str(portrait)), (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        loud = loudness(decode_sound(video, Path(folder), RATE), RATE, len(frames))
    x, y, w, h = box
    outside = np.ones((height, width), bool)
    outside[y : y + h, x : x + w] = False
    difference = np.array([np.abs(frame[y : y + h, x : x + w].astype(np.float32) - still[y : y + h, x : x + w]).mean() for frame in frames])
    psnr = [10 * np.log10(255**2 / max(1e-9, float(((frame.astype(np.float32) - still)[outside] ** 2).mean()))) for frame in frames]
    quiet = difference[loud < 0.02 * max(loud.max(), 1e-9)]
    p95 = float(np.percentile(difference, 95))
    return {
        "frames": len(frames),
        "fps": float(inspect_video(video).fps),
        "duration": known["duration"],
        "seconds": len(frames) / FPS,
        "correlation": float(np.corrcoef(difference, loud)[0, 1]),
        "silent": len(quiet),
        "silence": float(quiet.max() / p95) if len(quiet) else 0.0,
        "psnr": float(min(psnr)),
    }


if __name__ == "__main__":
    print(json.dumps(check(Path(sys.argv[1]), Path(sys.argv[2]), tuple(map(int, sys.argv[3:7])))))  # type: ignore[arg-type]
