"""ffmpeg and sound, as the draft engines need them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import wave
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .contract.generated.models import ArtifactRef
from .errors import UserError

FPS = 25
MAX_FPS = 240
MOST_SECONDS = 3600
QUIET = 0.01
"""Of full scale: about -40 dB."""
PICTURE = "0:V:0"
"""ffmpeg's name of a file's first picture that moves: a cover is none."""
ALIKE = ("bt709", "smpte170m", "bt470bg", "smpte240m")
"""What ffmpeg prints once where matrix, primaries and transfer have the same name."""
CUT = ("partial file", "ended prematurely")
"""How ffmpeg says that a file ends before what its index names."""
UNTIMED = "-9223372036854775808"
"""How ffmpeg prints a time that nobody knows (AV_NOPTS_VALUE): a raw stream, without a container, says when a frame is decoded alone."""
HIDDEN = 0x4
"""The flag of a packet that is decoded and never shown: an edit list leaves it out, as after a trim without encoding (AV_PKT_FLAG_DISCARD)."""


def ffmpeg() -> str:
    """The binary that the imageio-ffmpeg wheel carries."""
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def espeak() -> list[str] | None:
    """How espeak-ng is called here, or None. SPINDLE_ESPEAK names one that is not on the PATH."""
    named = os.environ.get("SPINDLE_ESPEAK")
    found = named if named and Path(named).exists() else shutil.which("espeak-ng")
    return [found] if found else None


def called(title: str, file: ArtifactRef) -> str:
    """How a sentence names an input: by its port, and by its file where that has a name."""
    return f'The {title} "{file.name}"' if file.name else f"The {title}"


def unreadable(path: Path, name: str, kind: str) -> UserError:
    """What keeps a file from being read, and the next step.

    :param name: of the file, as `called` makes it
    :param kind: what it should be: "sound", "picture" or "video"
    """
    with path.open("rb") as file:
        head = file.read(512).lstrip().lower()
    if not head:
        return UserError(f"{name} is empty: there is no {kind} in it. Save the file anew, and choose it again.")
    if head.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return UserError(f"{name} is a web page, and no {kind}. Download the {kind} itself, and choose that file.")
    return UserError(f"{name} is no {kind} that can be read; it may be cut or damaged. Save it anew or convert it, and choose it again.")


def decode_sound(
    path: Path, folder: Path, rate: int = 16000, name: str = "The file", *, most: float = MOST_SECONDS
) -> npt.NDArray[np.float32]:
    """Mono samples in -1..1 at `rate` Hz, one at least. No more than `most` seconds are decoded: a small file may hold days.

    :param name: of the file, for messages; see `called`
    :raises UserError: if there is no sound in the file, or more than `most` seconds
    """
    target = folder / f"{path.stem}-{rate}.wav"
    command = [
        ffmpeg(),
        "-v",
        "error",
        "-y",
        "-i",
        str(path),
        "-map",
        "0:a:0",
        "-ac",
        "1",
        "-ar",
        str(rate),
        "-t",
        str(most + 1),
        "-c:a",
        "pcm_s16le",
        str(target),
    ]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if "matches no streams" in done.stderr:
        raise UserError(f"{name} has no sound. Choose a file with sound in it.")
    if done.returncode != 0:
        raise unreadable(path, name, "sound")
    with wave.open(str(target)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
    if len(samples) == 0:
        raise unreadable(path, name, "sound")
    if len(samples) > most * rate:
        limit = f"{most / 60:g} minutes" if most >= 60 else f"{most:g} s"
        raise UserError(f"{name} is longer than {limit}, which is the limit. Cut it into parts, and choose one.")
    return np.asarray(samples.astype(np.float32) / 32768, dtype=np.float32)


def without_silence(samples: npt.NDArray[np.float32], rate: int, name: str) -> npt.NDArray[np.float32]:
    """The sound without the silence around it.

    :param name: of the file, for messages; see `called`
    :raises UserError: if all of it is silence
    """
    edge = rate // 20
    count = len(samples) // edge + 1
    volume = np.abs(samples - np.median(samples))  # an offset is no sound
    loud = np.flatnonzero(volume > QUIET)
    # A click is a few samples: a voice is loud for a while.
    if np.quantile(np.pad(volume, (0, count * edge - len(samples))).reshape(count, edge), 0.8, axis=1).max() <= QUIET:
        raise UserError(
            f"{name} is silent: nothing in its {len(samples) / rate:.1f} s is loud enough to be a voice. Record it again, and louder."
        )
    return samples[max(0, int(loud[0]) - edge) : int(loud[-1]) + edge]


def loudness(samples: npt.NDArray[np.float32], rate: int, frames: int) -> npt.NDArray[np.float64]:
    """RMS of each video frame's stretch of sound."""
    edges = np.linspace(0, frames * rate / FPS, frames + 1).astype(int)
    padded = np.pad(samples, (0, max(0, edges[-1] - len(samples))))
    squares = np.concatenate([[0.0], np.cumsum(padded.astype(np.float64) ** 2)])
    return np.asarray(np.sqrt((squares[edges[1:]] - squares[edges[:-1]]) / np.maximum(1, np.diff(edges))), dtype=np.float64)


@dataclass(frozen=True)
class VideoFacts:
    """A video as it is shown: after its rotation and with square pixels, whatever its container says or leaves out.

    :param fps: exact; for one with a varying rate the mean
    :param colours: matrix, primaries and transfer as ffmpeg prints them; None where the file says nothing
    :param sounds: the codec of each sound, as ffmpeg prints it
    :param square: its pixels are square already
    """

    width: int
    height: int
    fps: Fraction
    frames: int
    duration: float
    colours: tuple[str, str, str] | None
    sounds: tuple[str, ...] = ()
    square: bool = True


def inspect_video(path: Path, name: str = "The file") -> VideoFacts:
    """:param name: of the file, for messages; see `called`
    :raises UserError: if there is no picture in the file, or its end is missing
    """
    # Some matrices cannot be converted from, and here no colour matters.
    first = [ffmpeg(), "-v", "error", "-i", str(path), "-map", PICTURE, "-frames:v", "1", "-vf", "setparams=colorspace=unknown"]
    first += ["-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-"]
    read = subprocess.run(first, capture_output=True, check=False)
    header = read.stdout.split(b"\n", 1)[0].decode(errors="replace")
    found = re.match(r"YUV4MPEG2 W(\d+) H(\d+) F(\d+):(\d+) I\S+(?: A(\d+):(\d+))?", header)
    if found is None:
        if b"matches no streams" in read.stderr:
            raise UserError(f"{name} has no picture, only sound or text. Choose a video.")
        raise unreadable(path, name, "video")
    packets = _packets(path, name)
    frames = max(1, len(packets))
    duration = max((end for _, end in packets), default=0.0) - min((begin for begin, _ in packets), default=0.0)
    fps = Fraction(int(found[3]), max(1, int(found[4])))
    if duration <= 0:
        duration = frames / float(fps)
    elif fps > MAX_FPS or abs(frames / float(fps) - duration) > max(0.5, duration * 0.1):  # a time base, or a rate that varies
        fps = Fraction(frames / duration).limit_denominator(1001)
    pixel = Fraction(int(found[5] or 1) or 1, int(found[6] or 1) or 1)  # 0:0 is unknown
    width = round(int(found[1]) * max(pixel, Fraction(1)))
    height = round(int(found[2]) / min(pixel, Fraction(1)))
    colours, sounds = _streams(path)
    return VideoFacts(width, height, fps, frames, duration, colours, sounds, pixel == 1)


def _packets(path: Path, name: str) -> list[tuple[float, float]]:
    """Begin and end of each frame that is shown in seconds, without decoding one: the container may say nothing of the whole."""
    listed = [ffmpeg(), "-v", "error", "-i", str(path), "-map", PICTURE, "-c", "copy", "-copyts", "-f", "framecrc", "-"]
    read = subprocess.run(listed, capture_output=True, text=True, errors="replace", check=False)
    if any(sign in read.stderr for sign in CUT):
        raise UserError(f"{name} is cut: its end is missing. Copy or download it again, or convert what there is, and choose it again.")
    lines = read.stdout.splitlines()
    base = next((Fraction(line.split(":")[1].strip()) for line in lines if line.startswith("#tb 0:")), Fraction(1))
    fields = [[part.strip() for part in line.split(",")] for line in lines if line.startswith("0,") and not _is_hidden(line)]
    times = [(int(decoded if shown == UNTIMED else shown), int(length)) for _, decoded, shown, length, *_ in fields]
    return [(float(begin * base), float((begin + length) * base)) for begin, length in times]


def _is_hidden(packet: str) -> bool:
    """:param packet: a line of ffmpeg's `framecrc`, which prints the flags of what is no plain key frame"""
    flags = re.search(r"F=0x([0-9A-Fa-f]+)", packet)
    return flags is not None and bool(int(flags[1], 16) & HIDDEN)


def _streams(path: Path) -> tuple[tuple[str, str, str] | None, tuple[str, ...]]:
    """The colours of the picture that PICTURE chooses, and the codec of each sound."""
    said = subprocess.run([ffmpeg(), "-hide_banner", "-i", str(path)], capture_output=True, text=True, errors="replace", check=False).stderr
    streams = re.findall(r"^ *Stream #0:\d+.*?: (Video|Audio): (.*)$", said, re.MULTILINE)
    pictures = [words for kind, words in streams if kind == "Video" and "(attached pic)" not in words]
    return _colours(pictures[0]) if pictures else None, tuple(re.split(r"[ ,]", words)[0] for kind, words in streams if kind == "Audio")


def _colours(words: str) -> tuple[str, str, str] | None:
    for part in re.findall(r"\w+\(([^()]*)\)", words):
        for entry in part.split(", "):
            names = entry.split("/")
            if len(names) == 3 and all(re.fullmatch(r"[a-z0-9-]+", name) for name in names):
                return names[0], names[1], names[2]
            if entry in ALIKE:
                return entry, entry, entry
    return None


def measure(path: Path) -> dict[str, Any]:
    """Width, height and duration (seconds) of a file that ffmpeg wrote, as far as it names them."""
    said = subprocess.run([ffmpeg(), "-hide_banner", "-i", str(path)], capture_output=True, text=True, errors="replace", check=False).stderr
    found: dict[str, Any] = {}
    if match := re.search(r"Duration: (\d+):(\d+):(\d+\.\d+)", said):
        hours, minutes, seconds = match.groups()
        found["duration"] = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    if match := re.search(r"Video:.*?(\d{2,5})x(\d{2,5})", said):
        found["width"], found["height"] = int(match[1]), int(match[2])
    return found


def write_wav(path: Path, samples: npt.NDArray[np.float32], rate: int) -> None:
    """Mono, 16 bit."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype(np.int16).tobytes())
