"""A larger video: RealESRGAN frame by frame, or ffmpeg's Lanczos as a draft."""

from __future__ import annotations

import re
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ..capability import PARAMETER, Capability, Engine, Ports, Video
from ..child.context import TaskContext
from ..errors import UserError
from ..media import ffmpeg, measure
from ..settings import models_folder

MODEL = "upscale_models/RealESRGAN_x2plus.safetensors"
MAX_SIDE = 4096


class UpscaleInput(Ports):
    video_artifact: Annotated[Video, Field(title="Video")]
    scale: Annotated[int, Field(json_schema_extra=PARAMETER, ge=2, le=4, description="Times the width and the height.")] = 2


class UpscaleOutput(Ports):
    video_artifact: Annotated[Video, Field(title="Video")]


def upscale_video(context: TaskContext, values: UpscaleInput) -> UpscaleOutput:
    source = context.fetch(values.video_artifact)
    known = measure(source)
    if "width" not in known or "duration" not in known:
        raise UserError("The file has no picture that can be read.")
    width, height = known["width"] * values.scale, known["height"] * values.scale
    if max(width, height) > MAX_SIDE:
        raise UserError(f"The result would be {width} x {height}; the limit is {MAX_SIDE} a side.")
    target = context.folder / "upscaled.mp4"
    if context.engine == "lanczos":
        _lanczos(context, source, target, width, height, known)
    else:
        _realesrgan(context, source, target, width, height, known)
    done = measure(target)
    context.progress(1.0)
    return UpscaleOutput(
        video_artifact=context.put(target, "video/mp4", width=width, height=height, duration=done.get("duration", known["duration"]))
    )


def _lanczos(context: TaskContext, source: Path, target: Path, width: int, height: int, known: dict[str, Any]) -> None:
    frames = max(1, round(known["duration"] * known.get("fps", 25)))
    peek = context.folder / "peek.jpg"
    command = [
        ffmpeg(),
        "-v",
        "error",
        "-y",
        "-i",
        str(source),
        "-map",
        "0:v:0",
        "-map",
        "0:a?",
        "-vf",
        f"scale={width}:{height}:flags=lanczos",
        "-c:v",
        "libx264",
        "-preset",
        "superfast",
        "-crf",
        "17",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "copy",
        "-movflags",
        "+faststart",
        "-progress",
        "pipe:1",
        str(target),
    ]
    command += ["-map", "0:v:0", "-vf", "fps=4,scale=480:-2:flags=lanczos", "-update", "1", "-q:v", "4", str(peek)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            if match := re.match(r"frame=(\d+)", line):
                step = min(frames, int(match[1]))
                context.progress(0.98 * step / frames, step=step, steps=frames)
            if peek.exists() and (data := peek.read_bytes()).endswith(b"\xff\xd9"):
                context.preview(data, "image/jpeg")
        words = process.stderr.read()
    if process.returncode != 0:
        raise UserError(f"ffmpeg could not scale the video: {words.strip()[-300:]}")


def _realesrgan(context: TaskContext, source: Path, target: Path, width: int, height: int, known: dict[str, Any]) -> None:
    """spandrel loads the weights (safetensors only); frames go through ffmpeg pipes, never to the disk."""
    import cv2
    import numpy as np
    import torch
    from spandrel import ModelLoader

    model = ModelLoader().load_from_file(str(models_folder() / MODEL)).cuda().train(False).half()
    fps = known.get("fps", 25)
    frames = max(1, round(known["duration"] * fps))
    size = known["width"] * known["height"] * 3
    reader = subprocess.Popen(
        [ffmpeg(), "-v", "error", "-i", str(source), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], stdout=subprocess.PIPE
    )
    command = [
        ffmpeg(),
        "-v",
        "error",
        "-y",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        f"{width}x{height}",
        "-r",
        str(fps),
        "-i",
        "-",
        "-i",
        str(source),
        "-map",
        "0:v",
        "-map",
        "1:a?",
    ]
    writer = subprocess.Popen(
        [*command, "-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p", "-c:a", "copy", "-movflags", "+faststart", str(target)],
        stdin=subprocess.PIPE,
    )
    assert reader.stdout is not None and writer.stdin is not None
    with torch.inference_mode():
        for index in range(frames):
            raw = reader.stdout.read(size)
            if len(raw) < size:
                break
            frame = torch.from_numpy(np.frombuffer(raw, np.uint8).reshape(known["height"], known["width"], 3).copy()).cuda()
            large = model(frame.permute(2, 0, 1).unsqueeze(0).half() / 255)[0].clamp(0, 1).mul(255).byte().permute(1, 2, 0).cpu().numpy()
            large = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
            writer.stdin.write(large.tobytes())
            context.progress(0.98 * (index + 1) / frames, step=index + 1, steps=frames)
            context.preview(cv2.imencode(".jpg", cv2.cvtColor(large, cv2.COLOR_RGB2BGR))[1].tobytes(), "image/jpeg")
    writer.stdin.close()
    if writer.wait() != 0:
        raise UserError("ffmpeg could not write the upscaled video.")
    reader.wait()


def _why_no_realesrgan() -> str | None:
    missing = [name for name in ("torch", "spandrel") if find_spec(name) is None]
    if missing:
        return f"Not installed: {', '.join(missing)}."
    if not (models_folder() / MODEL).exists():
        return f"Missing below the models folder (SPINDLE_MODELS): {MODEL}"
    import torch

    return None if torch.cuda.is_available() else "No CUDA device."


capability = Capability(
    id="generate.upscale_video",
    label="Upscale video",
    description="Makes a video two to four times as large; sound, length and frame rate stay.",
    version="2026.01.0",
    category="Video",
    keywords=["resolution", "realesrgan", "codeformer", "lanczos", "enlarge"],
    input=UpscaleInput,
    output=UpscaleOutput,
    run=upscale_video,
    kind="gpu",
    stall_seconds=1800,  # a model may be read from a slow disk first
    engines=[
        Engine(
            id="realesrgan", label="RealESRGAN", draft=False, description="Frame by frame on this worker's GPU.", why_not=_why_no_realesrgan
        ),
        Engine(id="lanczos", label="ffmpeg Lanczos", draft=True, description="A plain enlargement on any CPU."),
    ],
    side_effects="model-write",
    idempotent=True,
)
