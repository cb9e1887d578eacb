"""A talking head from a portrait and a voice: a drawn mouth as a draft. The models are ComfyUI workflows (templates/comfy)."""

from __future__ import annotations

import math
import os
import subprocess
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from ..capability import PARAMETER, Audio, Capability, Engine, Image, Ports, Video
from ..context import TaskContext
from ..errors import UserError, shortened
from ..media import FPS, called, decode_sound, ffmpeg, loudness, measure, unreadable

MAX_PIXELS = 50_000_000
RATE = 16000


class MouthBox(BaseModel):
    """Pixels of the video."""

    x: int
    y: int
    width: int
    height: int
    found: bool


class TalkInput(Ports):
    audio_artifact: Annotated[Audio, Field(title="Speech")]
    portrait: Annotated[Image, Field(title="Portrait", description="A face, from the front; at most 50 megapixels.")]
    stage_prompt: Annotated[
        str, Field(title="Stage prompt", description="How the scene looks.", max_length=10_000, json_schema_extra={"x-multiline": True})
    ] = ""
    steps: Annotated[
        int,
        Field(
            json_schema_extra={**PARAMETER, "x-widget": "slider"},
            ge=4,
            le=100,
            description="Sampling steps: 4 to 8 with the distilled models of the workflows; the drawn mouth has none.",
        ),
    ] = 6
    seed: Annotated[int, Field(json_schema_extra={**PARAMETER, "x-widget": "seed"}, ge=0, le=2**31 - 1)] = 42


class TalkOutput(Ports):
    video_artifact: Annotated[Video, Field(title="Video")]
    mouth: Annotated[MouthBox | None, Field(title="Mouth", description="Where the drawn mouth is.")] = None
    note: Annotated[str | None, Field(title="Note")] = None


def infinite_talk(context: TaskContext, values: TalkInput) -> TalkOutput:
    return _drawn_mouth(context, values)


def _drawn_mouth(context: TaskContext, values: TalkInput) -> TalkOutput:
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))  # it is read once, when the library is loaded
    import cv2

    from ..drawn_mouth import MouthWarp, find_mouth, openness, scaled

    audio, portrait = context.fetch(values.audio_artifact), context.fetch(values.portrait)
    name = called("portrait", values.portrait)
    try:
        raw = cv2.imread(str(portrait), cv2.IMREAD_COLOR)
    except cv2.error as error:
        if "IMAGE_PIXELS" not in str(error):
            raise unreadable(portrait, name, "picture") from error
        raise UserError(f"{name} has more than {MAX_PIXELS // 1_000_000} megapixels. Make it smaller, and choose it again.") from error
    if raw is None:
        raise unreadable(portrait, name, "picture")
    picture = scaled(raw.astype("uint8"))
    mouth = find_mouth(picture)
    note = None if mouth.found else "No face was found: the mouth is in the lower middle of the picture."
    context.progress(0.02, note=note or "Face found")
    samples = decode_sound(audio, context.folder, RATE, called("speech", values.audio_artifact))
    frames = max(1, math.ceil(len(samples) / RATE * FPS))
    opened = openness(loudness(samples, RATE, frames))
    warp = MouthWarp(picture, mouth)
    target = context.folder / "talk.mp4"
    height, width = picture.shape[:2]
    errors = context.folder / "ffmpeg.log"
    with errors.open("wb") as log, subprocess.Popen(_encoder(target, audio, width, height), stdin=subprocess.PIPE, stderr=log) as encoder:
        assert encoder.stdin is not None
        try:
            for index in range(frames):
                frame = warp.frame(float(opened[index]))
                encoder.stdin.write(frame.tobytes())
                context.progress((index + 1) / frames * 0.97, step=index + 1, steps=frames)
                if index % 5 == 0:
                    context.preview(
                        cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes(), "image/jpeg", width=width, height=height
                    )
            encoder.stdin.close()
        except BrokenPipeError:
            pass  # ffmpeg says why below
    if encoder.returncode != 0:
        raise UserError(f"ffmpeg could not write the video: {shortened(errors.read_text(errors='replace'))}")
    known = measure(target)
    video = context.put(target, "video/mp4", width=width, height=height, duration=known.get("duration", frames / FPS))
    context.progress(1.0)
    return TalkOutput(video_artifact=video, mouth=MouthBox(**mouth.__dict__), note=note)


def _encoder(target: Path, audio: Path, width: int, height: int) -> list[str]:
    """A crf this low keeps the still part of the picture equal to the portrait."""
    raw = ["-f", "rawvideo", "-pix_fmt", "bgr24", "-s", f"{width}x{height}", "-r", str(FPS), "-i", "-"]
    colours = [
        "-vf",
        "scale=out_color_matrix=bt709:flags=accurate_rnd+full_chroma_int",
        "-colorspace",
        "bt709",
        "-color_primaries",
        "bt709",
        "-color_trc",
        "bt709",
    ]
    video = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "12", "-pix_fmt", "yuv420p"]
    return [
        ffmpeg(),
        "-v",
        "error",
        "-y",
        *raw,
        "-i",
        str(audio),
        "-map",
        "0:v",
        "-map",
        "1:a:0",
        *colours,
        *video,
        "-c:a",
        "aac",
        "-b:a",
        "160k",
        "-movflags",
        "+faststart",
        str(target),
    ]


capability = Capability(
    id="generate.infinite_talk",
    label="Talking head",
    description="Makes a portrait say what is heard.",
    version="2026.01.0",
    category="Video",
    keywords=["lip sync", "avatar", "infinitetalk", "wan", "portrait"],
    input=TalkInput,
    output=TalkOutput,
    run=infinite_talk,
    kind="gpu",
    stall_seconds=1800,  # a model may be read from a slow disk first
    engines=[
        Engine(
            id="drawn-mouth",
            label="Drawn mouth",
            draft=True,
            description="The mouth of the portrait opens with the loudness of the sound; any CPU.",
        ),
    ],
    side_effects="model-write",
    idempotent=True,
)
