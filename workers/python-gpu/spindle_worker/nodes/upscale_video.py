"""A larger video: RealESRGAN frame by frame, or ffmpeg's Lanczos as a draft. What a person sees is enlarged: a phone's rotation is applied."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ..capability import PARAMETER, Capability, Engine, Ports, Video, installed
from ..context import TaskContext
from ..errors import UserError
from ..media import VideoFacts, called, ffmpeg, inspect_video

MAX_SIDE = 4096


class UpscaleInput(Ports):
    video_artifact: Annotated[Video, Field(title="Video")]
    scale: Annotated[
        int,
        Field(
            json_schema_extra=PARAMETER,
            ge=2,
            le=4,
            description="Times the width and the height. RealESRGAN doubles or quadruples; for 3 it quadruples and makes the result smaller.",
        ),
    ] = 2


class UpscaleOutput(Ports):
    video_artifact: Annotated[Video, Field(title="Video")]


def upscale_video(context: TaskContext, values: UpscaleInput) -> UpscaleOutput:
    source = context.fetch(values.video_artifact)
    video = inspect_video(source, called("video", values.video_artifact))
    width, height = (_even(side * values.scale) for side in (video.width, video.height))
    if max(width, height) > MAX_SIDE:
        raise UserError(f"The result would be {width} x {height}; the limit is {MAX_SIDE} a side.")
    target = context.folder / "upscaled.mp4"
    if context.engine == "lanczos":
        _lanczos(context, source, target, width, height, video)
    else:
        model = 2 if values.scale == 2 else 4
        large = (video.width * model, video.height * model)
        context.delegate(
            {
                "scale": values.scale,
                "width": video.width,
                "height": video.height,
                "frames": video.frames,
                "reader": _reader(source, video),
                "writer": _writer(source, target, large, (width, height), video),
            },
            makes={"video_artifact": target},
        )
    made = inspect_video(target)
    context.progress(1.0)
    return UpscaleOutput(video_artifact=context.put(target, "video/mp4", width=made.width, height=made.height, duration=made.duration))


def _even(side: int) -> int:
    """H.264 halves the resolution of the colours."""
    return side + side % 2


def _lanczos(context: TaskContext, source: Path, target: Path, width: int, height: int, video: VideoFacts) -> None:
    peek = context.folder / "peek.jpg"
    command = [ffmpeg(), "-v", "error", "-y", "-i", str(source), "-map", "0:v:0", "-map", "0:a?"]
    command += ["-vf", f"scale={width}:{height}:flags=lanczos,setsar=1", "-c:v", "libx264", "-preset", "superfast", "-crf", "17"]
    command += ["-pix_fmt", "yuv420p", "-c:a", "copy", "-movflags", "+faststart", "-progress", "pipe:1", str(target)]
    command += ["-map", "0:v:0", "-vf", "fps=4,scale=480:-2:flags=lanczos", "-update", "1", "-q:v", "4", str(peek)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        for line in process.stdout:
            if match := re.match(r"frame=(\d+)", line):
                step = min(video.frames, int(match[1]))
                context.progress(0.98 * step / video.frames, step=step, steps=video.frames)
            if peek.exists() and (data := peek.read_bytes()).endswith(b"\xff\xd9"):
                context.preview(data, "image/jpeg")
        words = process.stderr.read()
    if process.returncode != 0:
        raise UserError(f"ffmpeg could not scale the video: {words.strip()[-300:]}")


def _reader(source: Path, video: VideoFacts) -> list[str]:
    """Frames at a constant rate, as a pipe needs them, so that picture and sound stay together."""
    command = [ffmpeg(), "-v", "error", "-i", str(source), "-map", "0:v:0", "-vf", f"fps={video.fps}"]
    return [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]


def _writer(source: Path, target: Path, large: tuple[int, int], size: tuple[int, int], video: VideoFacts) -> list[str]:
    scale = f"scale={size[0]}:{size[1]}:flags=area"
    colours: list[str] = []
    if video.colours:
        matrix, primaries, transfer = video.colours
        scale += f":out_color_matrix={matrix.removesuffix('nc').removesuffix('c')}:out_range=tv"
        colours = ["-colorspace", matrix, "-color_primaries", primaries, "-color_trc", transfer, "-color_range", "tv"]
    command = [ffmpeg(), "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{large[0]}x{large[1]}", "-r", str(video.fps)]
    command += ["-i", "-", "-i", str(source), "-map", "0:v", "-map", "1:a?", "-vf", scale, *colours]
    return [*command, "-c:v", "libx264", "-crf", "16", "-pix_fmt", "yuv420p", "-c:a", "copy", "-movflags", "+faststart", str(target)]


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
        installed("realesrgan"),
        Engine(id="lanczos", label="ffmpeg Lanczos", draft=True, description="A plain enlargement on any CPU."),
    ],
    side_effects="model-write",
    idempotent=True,
)
