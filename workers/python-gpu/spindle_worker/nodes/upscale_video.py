"""A larger video: RealESRGAN frame by frame, or ffmpeg's Lanczos as a draft. What a person sees is enlarged: a phone's rotation is applied."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field

from ..capability import PARAMETER, Capability, Engine, Ports, Video, installed
from ..context import TaskContext
from ..errors import UserError, shortened
from ..media import PICTURE, VideoFacts, called, ffmpeg, inspect_video

MAX_SIDE = 4096
SCALE_MATRICES = {
    **{name: name for name in ("bt709", "fcc", "smpte170m", "smpte240m")},
    **{"bt470bg": "bt470", "bt2020nc": "bt2020"},
}
"""ffmpeg's names of a colour matrix, each with the one that its filter `scale` has for it. For others it has none."""
ASSUMED = "bt709"
TRANSFERS = {"bt470m": "gamma22", "bt470bg": "gamma28"}
"""Transfers that ffmpeg prints by another name than its options have."""
UNSAID = ("unknown", "reserved", "none")
MP4_SOUNDS = ("aac", "mp3", "ac3", "eac3", "opus", "flac", "alac")
"""Codecs that an MP4 can carry."""


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
    name = called("video", values.video_artifact)
    video = inspect_video(source, name)
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
    if video.duration - made.duration > max(2 / float(video.fps), video.duration / 50):
        raise UserError(
            f"{name} is damaged: of its {video.duration:.1f} s, {made.duration:.1f} s can be read. "
            "Copy or download it again, or convert what there is, and choose it again."
        )
    context.progress(1.0)
    return UpscaleOutput(video_artifact=context.put(target, "video/mp4", width=made.width, height=made.height, duration=made.duration))


def _even(side: int) -> int:
    """H.264 halves the resolution of the colours."""
    return side + side % 2


def _lanczos(context: TaskContext, source: Path, target: Path, width: int, height: int, video: VideoFacts) -> None:
    peek = context.folder / "peek.jpg"
    errors = context.folder / "ffmpeg.log"
    colours = _conversion(video)
    command = [ffmpeg(), "-v", "error", "-y", "-i", str(source), "-map", PICTURE, *_sounds(0, video)]
    command += [
        "-vf",
        f"{colours.assumed}scale={width}:{height}:flags=lanczos{colours.asked},setsar=1",
        "-c:v",
        "libx264",
        "-preset",
        "superfast",
    ]
    command += ["-crf", "17", "-pix_fmt", "yuv420p", *colours.tags, "-movflags", "+faststart", "-progress", "pipe:1", str(target)]
    command += ["-map", PICTURE, "-vf", f"{colours.assumed}fps=4,scale=480:-2:flags=lanczos", "-update", "1", "-q:v", "4", str(peek)]
    # A damaged video has more errors than a pipe holds that nobody reads.
    with errors.open("wb") as log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if match := re.match(r"frame=(\d+)", line):
                step = min(video.frames, int(match[1]))
                context.progress(0.98 * step / video.frames, step=step, steps=video.frames)
            if peek.exists() and (data := peek.read_bytes()).endswith(b"\xff\xd9"):
                context.preview(data, "image/jpeg")
    if process.returncode != 0:
        raise UserError(f"ffmpeg could not scale the video: {shortened(errors.read_text(errors='replace'))}")


def _reader(source: Path, video: VideoFacts) -> list[str]:
    """Frames at a constant rate, as a pipe needs them, so that picture and sound stay together."""
    command = [ffmpeg(), "-v", "error", "-i", str(source), "-map", PICTURE]
    command += [
        "-vf",
        f"{_conversion(video).assumed}fps={video.fps}" + ("" if video.square else f",scale={video.width}:{video.height}:flags=lanczos"),
    ]
    return [*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]


def _writer(source: Path, target: Path, large: tuple[int, int], size: tuple[int, int], video: VideoFacts) -> list[str]:
    colours = _conversion(video)
    command = [ffmpeg(), "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{large[0]}x{large[1]}", "-r", str(video.fps)]
    command += ["-i", "-", "-i", str(source), "-map", "0:v", *_sounds(1, video)]
    command += ["-vf", f"scale={size[0]}:{size[1]}:flags=area{colours.asked},setsar=1", *colours.tags, "-c:v", "libx264", "-crf", "16"]
    return [*command, "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(target)]


@dataclass(frozen=True)
class Conversion:
    """:param assumed: a filter that gives the picture a matrix that `scale` knows, which refuses others
    :param asked: what `scale` has to be asked for
    :param tags: of the result
    """

    assumed: str = ""
    asked: str = ""
    tags: tuple[str, ...] = ()


def _conversion(video: VideoFacts) -> Conversion:
    """To RGB and back by one matrix, so that the tags of the file fit the result."""
    if video.colours is None:
        return Conversion()
    matrix, primaries, transfer = video.colours
    matrix = "bt709" if matrix == "gbr" else matrix  # the result is not RGB
    assumed = "" if matrix in SCALE_MATRICES or matrix in UNSAID else f"setparams=colorspace={ASSUMED},"
    asked = "" if matrix in UNSAID else f":out_color_matrix={SCALE_MATRICES.get(matrix, SCALE_MATRICES[ASSUMED])}:out_range=tv"
    said = {"colorspace": matrix, "color_primaries": primaries, "color_trc": TRANSFERS.get(transfer, transfer), "color_range": "tv"}
    return Conversion(assumed, asked, tuple(word for tag, value in said.items() if value not in UNSAID for word in (f"-{tag}", value)))


def _sounds(source: int, video: VideoFacts) -> list[str]:
    """Each sound that can be read, as it is where MP4 carries it."""
    readable = [(index, codec) for index, codec in enumerate(video.sounds) if codec not in UNSAID]
    options: list[str] = []
    for place, (index, codec) in enumerate(readable):
        how = ["copy"] if codec in MP4_SOUNDS else ["aac", f"-b:a:{place}", "192k"]
        options += ["-map", f"{source}:a:{index}", f"-c:a:{place}", *how]
    return options


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
