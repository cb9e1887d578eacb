"""A talking head from a portrait and a voice: Wan 2.1 InfiniteTalk, or a drawn mouth as a draft."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field

from ..capability import PARAMETER, Audio, Capability, Engine, Image, Ports, Video
from ..child.context import TaskContext
from ..errors import TransientError, UserError
from ..media import FPS, decode_sound, ffmpeg, loudness, measure
from ..settings import models_folder

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
        Field(json_schema_extra={**PARAMETER, "x-widget": "slider"}, ge=4, le=100, description="Sampling steps; the drawn mouth has none."),
    ] = 40
    seed: Annotated[int, Field(json_schema_extra={**PARAMETER, "x-widget": "seed"}, ge=0, le=2**31 - 1)] = 42


class TalkOutput(Ports):
    video_artifact: Annotated[Video, Field(title="Video")]
    mouth: Annotated[
        MouthBox | None, Field(title="Mouth", description="Where the drawn mouth is.", json_schema_extra={"type": "object"})
    ] = None
    note: Annotated[str | None, Field(title="Note")] = None


def infinite_talk(context: TaskContext, values: TalkInput) -> TalkOutput:
    audio = context.fetch(values.audio_artifact)
    portrait = context.fetch(values.portrait)
    if context.engine == "drawn-mouth":
        return _drawn_mouth(context, portrait, audio)
    return _infinite_talk(context, values, portrait, audio)


def _drawn_mouth(context: TaskContext, portrait: Path, audio: Path) -> TalkOutput:
    import cv2

    from ..drawn_mouth import MouthWarp, find_mouth, openness, scaled

    raw = cv2.imread(str(portrait), cv2.IMREAD_COLOR)
    if raw is None:
        raise UserError("The portrait is not a picture that can be read.")
    if raw.shape[0] * raw.shape[1] > MAX_PIXELS:
        raise UserError(f"The portrait has more than {MAX_PIXELS // 1_000_000} megapixels.")
    picture = scaled(raw.astype("uint8"))
    mouth = find_mouth(picture)
    note = None if mouth.found else "No face was found: the mouth is in the lower middle of the picture."
    context.progress(0.02, note=note or "Face found")
    samples = decode_sound(audio, context.folder, RATE)
    frames = max(1, math.ceil(len(samples) / RATE * FPS))
    opened = openness(loudness(samples, RATE, frames))
    warp = MouthWarp(picture, mouth)
    target = context.folder / "talk.mp4"
    height, width = picture.shape[:2]
    with subprocess.Popen(_encoder(target, audio, width, height), stdin=subprocess.PIPE, stderr=subprocess.PIPE) as encoder:
        assert encoder.stdin is not None and encoder.stderr is not None
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
        words = encoder.stderr.read().decode(errors="replace")
    if encoder.returncode != 0:
        raise UserError(f"ffmpeg could not write the video: {words.strip()[-300:]}")
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


def _infinite_talk(context: TaskContext, values: TalkInput, portrait: Path, audio: Path) -> TalkOutput:
    """MeiGen-AI/InfiniteTalk's own script, in a process of its own: its packages conflict with others."""
    home = models_folder() / "InfiniteTalk"
    request = context.folder / "input.json"
    request.write_text(json.dumps({"prompt": values.stage_prompt, "cond_video": str(portrait), "cond_audio": {"person1": str(audio)}}))
    target = context.folder / "talk"
    command = [
        sys.executable,
        "generate_infinitetalk.py",
        "--ckpt_dir",
        "weights/Wan2.1-I2V-14B-480P",
        "--wav2vec_dir",
        "weights/chinese-wav2vec2-base",
    ]
    command += [
        "--infinitetalk_dir",
        "weights/InfiniteTalk/single/infinitetalk.safetensors",
        "--input_json",
        str(request),
        "--size",
        "infinitetalk-480",
    ]
    command += [
        "--sample_steps",
        str(values.steps),
        "--base_seed",
        str(values.seed),
        "--mode",
        "streaming",
        "--motion_frame",
        "9",
        "--save_file",
        str(target),
    ]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        last = ""
        for line in process.stderr:
            last = line.strip() or last
            if match := re.search(r"(\d+)/(\d+) \[", line):
                step, steps = int(match[1]), int(match[2])
                context.progress(min(0.95, step / max(1, steps)), step=step, steps=steps)
    made = target.with_suffix(".mp4")
    if process.returncode != 0 or not made.exists():
        if "out of memory" in last.lower():
            raise MemoryError(last)
        raise TransientError(f"InfiniteTalk ended with {process.returncode}: {last[-300:]}")
    known = measure(made)
    known.pop("fps", None)
    return TalkOutput(video_artifact=context.put(made, "video/mp4", **known))


def _why_no_infinite_talk() -> str | None:
    if find_spec("torch") is None:
        return "Not installed: torch."
    home = models_folder() / "InfiniteTalk"
    needed = [
        "generate_infinitetalk.py",
        "weights/Wan2.1-I2V-14B-480P",
        "weights/chinese-wav2vec2-base",
        "weights/InfiniteTalk/single/infinitetalk.safetensors",
    ]
    missing = [name for name in needed if not (home / name).exists()]
    if missing:
        return f"Missing below the models folder (SPINDLE_MODELS): InfiniteTalk/{missing[0]}"
    import torch

    return None if torch.cuda.is_available() else "No CUDA device."


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
            id="infinitetalk",
            label="Wan 2.1 InfiniteTalk",
            draft=False,
            description="The model, on this worker's GPU.",
            why_not=_why_no_infinite_talk,
        ),
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
