"""What a video is like, and that the draft keeps it so: rotation, odd sizes, no duration, colour tags, exact rates, sound."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from spindle_worker.engine.process import Engines, Launch
from spindle_worker.errors import UserError, shortened
from spindle_worker.media import decode_sound, ffmpeg, inspect_video
from tests.runtime import Attempt, Runtime


@dataclass(frozen=True)
class Video:
    """How ffmpeg makes one, and what it is then.

    :param tags: matrix, primaries and transfer by their numbers (ITU-T H.273), written over what the encoder said
    :param kept: the colours of the enlarged one, if they are others
    :param trimmed: at both ends and without encoding it anew, as a phone does: an edit list hides what is outside
    """

    arguments: str = ""
    width: int = 64
    height: int = 48
    fps: Fraction = Fraction(25)
    frames: int = 10
    colours: tuple[str, str, str] | None = None
    kept: tuple[str, str, str] | None = None
    sound: bool = True
    sounds: int = 1
    suffix: str = ".mp4"
    rotation: int = 0
    tags: tuple[int, int, int] | None = None
    cover: bool = False
    trimmed: bool = False
    picture: str = "testsrc=size=64x48:rate=25:duration=0.4"


def tagged(matrix: str, primaries: str, transfer: str, numbers: tuple[int, int, int]) -> Video:
    return Video(colours=(matrix, primaries, transfer), tags=numbers)


VIDEOS = {
    "plain": Video(),
    "silent": Video(sound=False),
    "rotated": Video(width=48, height=64, rotation=90),
    "odd": Video("-vf crop=57:43 -pix_fmt yuv444p", width=57, height=43),
    "one frame": Video("-frames:v 1", frames=1),
    "ntsc": Video("-r 30000/1001", fps=Fraction(30000, 1001), frames=12),
    "tagged": Video("-colorspace bt709 -color_primaries bt709 -color_trc bt709", colours=("bt709", "bt709", "bt709")),
    "hdr": Video(
        "-colorspace bt2020nc -color_primaries bt2020 -color_trc smpte2084 -x264-params colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc",
        colours=("bt2020nc", "bt2020", "smpte2084"),
    ),
    "without duration": Video("-c:v libvpx -c:a libopus -live 1", suffix=".webm"),
    "pal": tagged("bt470bg", "bt470bg", "bt470bg", (5, 5, 5)),
    "pal, partly": tagged("bt470bg", "unknown", "unknown", (5, 2, 2)),
    "a phone's": tagged("smpte170m", "bt470bg", "smpte170m", (6, 5, 6)),
    "smpte240m": tagged("smpte240m", "smpte240m", "smpte240m", (7, 7, 7)),
    "fcc": tagged("fcc", "bt470m", "bt470m", (4, 4, 4)),
    "no matrix": tagged("unknown", "smpte432", "bt709", (2, 12, 1)),
    "ycgco": tagged("ycgco", "bt709", "bt709", (8, 1, 1)),
    "ycgco of 10 bits": Video("-pix_fmt yuv420p10le", colours=("ycgco", "bt709", "bt709"), tags=(8, 1, 1)),
    "bt2020c": tagged("bt2020c", "bt2020", "bt2020-10", (10, 9, 14)),
    "a reserved tag": tagged("bt709", "reserved", "bt709", (1, 3, 1)),
    "rgb": Video("-c:v libx264rgb -pix_fmt rgb24", colours=("gbr", "unknown", "unknown"), kept=("bt709", "unknown", "unknown")),
    "anamorphic": Video("-vf setsar=2/1", width=128),
    "anamorphic, rotated": Video("-vf setsar=4/3", width=48, height=85, rotation=90),
    "trimmed": Video("-g 100", frames=20, trimmed=True, picture="testsrc=size=64x48:rate=25:duration=4"),
    "trimmed, silent": Video("-g 100", frames=20, trimmed=True, sound=False, picture="testsrc=size=64x48:rate=25:duration=4"),
    "a cover first": Video(cover=True, colours=None),
    "sound of wmv": Video("-c:v wmv2 -c:a wmav2", suffix=".wmv"),
    "sound of avi": Video("-c:v mpeg4 -c:a adpcm_ms", suffix=".avi"),
    "sound of a telephone": Video("-c:a pcm_mulaw -ar 8000", suffix=".mov"),
    "pcm": Video("-c:a pcm_f32le", suffix=".mkv"),
    "vorbis": Video("-c:v libvpx -c:a libvorbis", suffix=".webm"),
    "two sounds": Video("-map 0:v -map 1:a -map 1:a -c:a:0 aac -c:a:1 pcm_s16le", suffix=".mkv", sounds=2),
    "without times": Video("-c:v libx264 -bf 2", suffix=".h264", sound=False),
    "a varying rate": Video(
        "-vf select='lt(n,10)+not(mod(n,5))' -fps_mode vfr",
        fps=Fraction(20),
        frames=20,
        sound=False,
        picture="testsrc=size=64x48:rate=30:duration=2",
    ),
}


def run_ffmpeg(arguments: list[str]) -> None:
    subprocess.run([ffmpeg(), "-v", "error", "-y", *arguments], check=True)


def make_video(kind: str, folder: Path) -> Path:
    video = VIDEOS[kind]
    made = folder / f"made{video.suffix}"
    seconds = 4 if video.trimmed else 0.4
    sound = ["-f", "lavfi", "-i", f"sine=frequency=440:duration={seconds}"] if video.sound else []
    tags = ["matrix_coefficients", "colour_primaries", "transfer_characteristics"]
    rewritten = ":".join(f"{tag}={number}" for tag, number in zip(tags, video.tags or (), strict=False))
    written = ["-bsf:v", f"h264_metadata={rewritten}"] if rewritten else []
    run_ffmpeg(["-f", "lavfi", "-i", video.picture, *sound, "-pix_fmt", "yuv420p", *written, *video.arguments.split(), str(made)])
    if video.cover:
        picture = folder / "cover.jpg"
        run_ffmpeg(["-f", "lavfi", "-i", "color=red:size=200x200", "-frames:v", "1", str(picture)])
        covered = folder / "covered.mp4"
        both = ["-i", str(picture), "-i", str(made), "-map", "0", "-map", "1", "-c", "copy"]
        run_ffmpeg([*both, "-disposition:v:0", "attached_pic", str(covered)])
        return covered
    if video.trimmed:
        trimmed = folder / "trimmed.mp4"
        run_ffmpeg(["-ss", "1.5", "-i", str(made), "-c", "copy", str(trimmed)])
        trimmed.write_bytes(ends_earlier(trimmed.read_bytes(), 800))
        return trimmed
    if not video.rotation:
        return made
    turned = folder / f"turned{video.suffix}"
    run_ffmpeg(["-display_rotation", str(video.rotation), "-i", str(made), "-c", "copy", str(turned)])
    return turned


def ends_earlier(movie: bytes, milliseconds: int) -> bytes:
    """The MP4 with a shorter edit of each track: the length of its first entry (ISO/IEC 14496-12, 8.6.6)."""
    for found in re.finditer(b"elst", movie):
        length = found.end() + 8
        movie = movie[:length] + milliseconds.to_bytes(4, "big") + movie[length + 4 :]
    return movie


def shown(path: Path, width: int, height: int) -> npt.NDArray[np.float64]:
    """The first frame as a player shows it."""
    command = [ffmpeg(), "-v", "error", "-i", str(path), "-map", "0:V:0", "-vf", f"scale={width}:{height}:flags=area", "-frames:v", "1"]
    raw = subprocess.run([*command, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"], capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.uint8).astype(np.float64)


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    runtime = Runtime()
    yield runtime
    runtime.close()


@pytest.mark.parametrize("kind", sorted(VIDEOS))
def test_a_video_is_told_as_it_is_shown(kind: str, tmp_path: Path) -> None:
    """[M4] Whatever its container says or leaves out."""
    facts, video = inspect_video(make_video(kind, tmp_path)), VIDEOS[kind]
    if kind == "a varying rate":
        assert (facts.frames, facts.duration) == (20, pytest.approx(2, abs=0.2))
        assert facts.fps == pytest.approx(10, abs=1)  # the mean, and not the 30 that the container has
        return
    assert (facts.width, facts.height, facts.fps, facts.frames) == (video.width, video.height, video.fps, video.frames)
    assert facts.colours == video.colours
    assert abs(facts.duration - video.frames / video.fps) < 0.05


ENGINES = {"lanczos": None, "realesrgan": Launch(engine="realesrgan", module="tests.programs.repeats")}
"""The draft, and the model's pipes with a program in the model's place that repeats each pixel."""


def enlarge(source: Path, engine: str, scale: int, runtime: Runtime, folder: Path, name: str | None = None) -> tuple[Path, Attempt]:
    engines = Engines()
    attempt = Attempt(runtime, folder, engines, ENGINES[engine])
    try:
        output: Any = attempt.run("generate.upscale_video", engine, video_artifact=runtime.offer(source, "video/mp4", name), scale=scale)
    finally:
        engines.end()
    return attempt.made(output.video_artifact, folder / "large.mp4"), attempt


@pytest.mark.parametrize("kind", sorted(VIDEOS))
@pytest.mark.parametrize(("engine", "scale"), [("lanczos", 3), ("realesrgan", 3)])
def test_an_enlarged_video_shows_the_same_only_larger(kind: str, engine: str, scale: int, runtime: Runtime, tmp_path: Path) -> None:
    """[M4] A phone's video stays upright, and sound, rate and colours stay."""
    source, video = make_video(kind, tmp_path), VIDEOS[kind]
    before = inspect_video(source)
    made, attempt = enlarge(source, engine, scale, runtime, tmp_path)
    facts = inspect_video(made)
    assert (facts.width, facts.height) == tuple(side * scale + side * scale % 2 for side in (video.width, video.height))
    assert facts.square
    assert abs(facts.duration - before.duration) <= 2 / before.fps
    if kind != "a varying rate":
        assert facts.fps == video.fps
        late = video.sound and video.suffix in (".mkv", ".wmv")  # the picture begins after the sound
        assert facts.frames in ((video.frames, video.frames + 1) if late else (video.frames,))
    expected = video.kept or video.colours
    if expected and "reserved" not in expected:
        assert facts.colours == expected
    assert len(facts.sounds) == (video.sounds if video.sound else 0)
    if video.sound:
        assert len(decode_sound(made, tmp_path)) / 16000 == pytest.approx(len(decode_sound(source, tmp_path)) / 16000, abs=0.15)
    assert attempt.progress == sorted(attempt.progress)
    if video.frames > 1:
        assert attempt.previews
    if "ycgco" not in kind and kind != "bt2020c":  # ffmpeg cannot show them
        first, last = (shown(path, video.width, video.height) for path in (source, made))
        assert 10 * np.log10(255**2 / ((first - last) ** 2).mean()) > 22


@pytest.mark.parametrize("engine", ["lanczos", "realesrgan"])
def test_a_video_whose_end_is_missing_is_refused(engine: str, runtime: Runtime, tmp_path: Path) -> None:
    """[E10] Half of it would be no success."""
    whole = tmp_path / "whole.mp4"
    run_ffmpeg(["-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=2", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(whole)])
    half = tmp_path / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    with pytest.raises(UserError, match=r'^The video "clip\.mp4" is cut: its end is missing'):
        enlarge(half, engine, 2, runtime, tmp_path, "clip.mp4")


@pytest.mark.parametrize("engine", ["lanczos", "realesrgan"])
def test_a_video_whose_second_half_is_damaged_is_refused(engine: str, runtime: Runtime, tmp_path: Path) -> None:
    """[E10] Its index names frames that nobody can decode."""
    whole = tmp_path / "whole.mkv"
    run_ffmpeg(["-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=2", "-c:v", "mjpeg", str(whole)])
    data = whole.read_bytes()
    for place in [found.start() for found in re.finditer(b"\xff\xd8\xff", data)][25:]:
        data = data[:place] + b"\0" * 2000 + data[place + 2000 :]
    whole.write_bytes(data)
    with pytest.raises(UserError, match=r'^The video "clip.mkv" is damaged: of its 2\.0 s, 1\.0 s can be read'):
        enlarge(whole, engine, 2, runtime, tmp_path, "clip.mkv")


@pytest.mark.parametrize("engine", ["lanczos", "realesrgan"])
def test_a_video_that_would_be_too_large_is_refused_before_anything_is_loaded(engine: str, runtime: Runtime, tmp_path: Path) -> None:
    """[E10] H.264 and players have a limit."""
    source = tmp_path / "wide.mp4"
    run_ffmpeg(["-f", "lavfi", "-i", "color=size=1026x16:rate=5:duration=0.2", "-pix_fmt", "yuv420p", str(source)])
    with pytest.raises(UserError, match=r"The result would be 4104 x 64; the limit is 4096 a side"):
        Attempt(runtime, tmp_path).run("generate.upscale_video", engine, video_artifact=runtime.offer(source, "video/mp4"), scale=4)


def test_what_ffmpeg_says_keeps_its_beginning_which_has_the_cause() -> None:
    """[E10] The end of it is how the rest fell over."""
    words = shortened("The cause\n" + "then this failed\n" * 1000 + "the end")
    assert words.startswith("The cause\n") and words.endswith("the end") and len(words) < 700
