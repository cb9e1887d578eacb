"""The model's place for test_upscale.py: its pipes, and each pixel repeated."""

from __future__ import annotations

from typing import Any

import cv2

from spindle_worker.engine.program import Request, Work, serve
from spindle_worker.engine.programs.realesrgan import each_frame


def load(_setup: dict[str, Any]) -> Work:
    return work


def work(request: Request) -> dict[str, Any]:
    times = 2 if request.values["scale"] == 2 else 4
    return each_frame(
        request,
        lambda frame: frame.repeat(times, 0).repeat(times, 1),
        lambda picture: cv2.imencode(".jpg", picture[:, :, ::-1])[1].tobytes(),
    )


if __name__ == "__main__":
    serve(load)
