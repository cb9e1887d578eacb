"""What a video is like, and that the draft keeps it so: rotation, odd sizes, no duration, colour tags, exact rates, sound."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from spindle_worker.media import ffmpeg, inspect_video
from tests.runtime import Attempt, Runtime


@dataclass(frozen=True)
class Video:
    """How ffmpeg makes one, and what it is then."""

    arguments: str
    width: int = 64
    height: int = 48
    fps: Fraction = Fraction(25)
    frames: int = 10
    colours: tuple[str, str, str] | None = None
    sound: bool = True
    suffix: str = ".mp4"
    rotation: int = 0


VIDEOS = {
    "plain": Video(""),
    "silent": Video("", sound=False),
    "rotated": Video("", width=48, height=64, rotation=90),
    "odd": Video("-vf crop=57:43 -pix_fmt yuv444p", width=57, height=43),
    "one frame": Video("-frames:v 1", frames=1),
    "ntsc": Video("-r 30000/1001", fps=Fraction(30000, 1001), frames=12),
    "tagged": Video("-colorspace bt709 -color_primaries bt709 -color_trc bt709", colours=("bt709", "bt709", "bt709")),
    "hdr": Video(
        "-colorspace bt2020nc -color_primaries bt2020 -color_trc smpte2084 -x264-params colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
        colours=("bt2020nc", "bt2020", "smpte2084"),
    ),
    "without duration": Video("-c:v libvpx -c:a libopus -live 1", suffix=".webm"),
}


def run_ffmpeg(arguments: list[str]) -> None:
    subprocess.run([ffmpeg(), "-v", "error", "-y", *arguments], check=True)


def make_video(kind: str, folder: Path) -> Path:
    video = VIDEOS[kind]
    made = folder / f"made{video.suffix}"
    sound = ["-f", "lavfi", "-i", "sine=frequency=440:duration=0.4"] if video.sound else []
    source = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=0.4", *sound]
    run_ffmpeg([*source, "-pix_fmt", "yuv420p", *video.arguments.split(), str(made)])
    if not video.rotation:
        return made
    turned = folder / f"turned{video.suffix}"
    run_ffmpeg(["-display_rotation", str(video.rotation), "-i", str(made), "-c", "copy", str(turned)])
    return turned


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    runtime = Runtime()
    yield runtime
    runtime.close()


@pytest.mark.parametrize("kind", sorted(VIDEOS))
def test_a_video_is_told_as_it_is_shown(kind: str, tmp_path: Path) -> None:
    """[M4] Whatever its container says or leaves out."""
    facts, video = inspect_video(make_video(kind, tmp_path)), VIDEOS[kind]
    assert (facts.width, facts.height, facts.fps, facts.frames) == (video.width, video.height, video.fps, video.frames)
    assert facts.colours == video.colours
    assert abs(facts.duration - video.frames / video.fps) < 0.05


@pytest.mark.parametrize("kind", sorted(VIDEOS))
@pytest.mark.parametrize("scale", [2, 3])
def test_the_draft_shows_the_same_only_larger(kind: str, scale: int, runtime: Runtime, tmp_path: Path) -> None:
    """[M4] A phone's video stays upright, and sound, rate and colours stay."""
    source, video = make_video(kind, tmp_path), VIDEOS[kind]
    attempt = Attempt(runtime, tmp_path)
    output: Any = attempt.run("generate.upscale_video", "lanczos", video_artifact=runtime.offer(source, "video/mp4"), scale=scale)
    facts = inspect_video(attempt.made(output.video_artifact, tmp_path / "large.mp4"))
    assert (facts.width, facts.height) == tuple(side * scale + side * scale % 2 for side in (video.width, video.height))
    assert facts.frames == video.frames
    assert video.colours in (None, facts.colours)
    assert attempt.progress == sorted(attempt.progress)
