"""What each capability answers to a file or a text that it cannot work with: a sentence with the file's name and the next step."""

from __future__ import annotations

import math
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import ValidationError

from spindle_worker.child.process import describe
from spindle_worker.errors import UserError
from spindle_worker.media import espeak, write_wav
from spindle_worker.nodes.f5_to_tts import refuse_other_text, voice_sample
from tests.runtime import Attempt, Runtime
from tests.test_upscale import make_video, run_ffmpeg

PAGE = b"<!DOCTYPE html><html><title>Sign in</title></html>"
PORTRAIT = Path(__file__).resolve().parents[3] / "templates/samples/portrait.jpg"


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    runtime = Runtime()
    yield runtime
    runtime.close()


def sound(folder: Path, seconds: float, volume: float = 0.3) -> Path:
    path = folder / "sound.wav"
    times = np.arange(round(seconds * 16000)) / 16000
    write_wav(path, (volume * np.sin(times * 2 * math.pi * 220)).astype(np.float32), 16000)
    return path


def cut(folder: Path) -> Path:
    """The first half of a file whose list of contents lies at its end."""
    whole = folder / "whole.m4a"
    run_ffmpeg(["-i", str(sound(folder, 2)), str(whole)])
    path = folder / "cut.m4a"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return path


def written(folder: Path, data: bytes) -> Path:
    path = folder / "file.bin"
    path.write_bytes(data)
    return path


SOUNDS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "is silent": (lambda folder: sound(folder, 3, 0), r"is silent: .* 3\.0 s .*Record it again"),
    "is a video without sound": (lambda folder: make_video("silent", folder), "has no sound. Choose a file with sound"),
    "is a picture": (lambda _: PORTRAIT, "has no sound. Choose a file with sound"),
    "is cut": (cut, "no sound that can be read; it may be cut or damaged. Save it anew"),
    "has no samples": (lambda folder: sound(folder, 0), "no sound that can be read"),
    "is empty": (lambda folder: written(folder, b""), "is empty: .*choose it again"),
    "is a web page": (lambda folder: written(folder, PAGE), "is a web page, and no sound. Download the sound itself"),
}
USES = {
    "the speech": ("speech.transcribe", ["typed", "faster-whisper"], lambda ref: {"audio_artifact": ref}),
    "the voice sample": (
        "generate.f5_to_tts",
        ["f5-tts"],
        lambda ref: {"voice_sample": ref, "ref_text": "Some call me nature.", "narration": "Hello."},
    ),
}


@pytest.mark.parametrize("kind", sorted(SOUNDS))
@pytest.mark.parametrize(("use", "engine"), [(use, engine) for use, (_, engines, _) in USES.items() for engine in engines])
def test_sound_that_holds_no_voice_is_refused_by_name_before_anything_is_loaded(
    use: str, engine: str, kind: str, runtime: Runtime, tmp_path: Path
) -> None:
    """[E10] By the draft as by the model: no engine's process is there to be asked."""
    capability, _, values = USES[use]
    make, words = SOUNDS[kind]
    given = runtime.offer(make(tmp_path), "audio/wav", "mine.wav")
    with pytest.raises(UserError, match=words) as caught:
        Attempt(runtime, tmp_path).run(capability, engine, **values(given))
    assert str(caught.value).startswith(f'{use[0].upper()}{use[1:]} "mine.wav" ')


@pytest.mark.parametrize(
    ("seconds", "words"), [(40, "40.0 s of sound; F5-TTS clones from 1 to 12 s. Cut it"), (0.5, "0.5 s of sound; .*Choose a longer one")]
)
def test_a_voice_sample_of_the_wrong_length_is_refused_with_the_lengths_that_fit(
    seconds: float, words: str, runtime: Runtime, tmp_path: Path
) -> None:
    """[E10] Its text could not fit what the engine would cut off."""
    given = runtime.offer(sound(tmp_path, seconds), "audio/wav", "mine.wav")
    with pytest.raises(UserError, match=f'The voice sample "mine.wav" has {words}'):
        Attempt(runtime, tmp_path).run("generate.f5_to_tts", "f5-tts", narration="Hello.", voice_sample=given, ref_text="Hello.")


@pytest.mark.parametrize(
    ("seconds", "text", "words"),
    [
        (11.9, "a", r"is too short for its 11\.9 s of sound \(1 characters\): type exactly"),
        (3, "Yes.", "is too short for its 3.0 s"),
        (1, "One two three. " * 10, r"is too long for its 1\.0 s"),
        (3, ".", "holds no word: type exactly what is said"),
        (3, "... \u2026 ?!", "holds no word"),
    ],
)
def test_a_text_that_nobody_says_in_the_samples_time_is_refused(
    seconds: float, text: str, words: str, runtime: Runtime, tmp_path: Path
) -> None:
    """[E10] Before anything is loaded: the model would make nonsense of it, or fail with words of its own."""
    given = runtime.offer(sound(tmp_path, seconds), "audio/wav")
    with pytest.raises(UserError, match=f"^The text of the voice sample {words}"):
        Attempt(runtime, tmp_path).run("generate.f5_to_tts", "f5-tts", narration="Good evening.", voice_sample=given, ref_text=text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(3, "Good evening."), (12, "I say, very slowly, a few words here."), (2, "\u4f60\u597d\u3002")]
)
def test_a_text_that_is_said_slowly_or_in_few_letters_fits(seconds: float, text: str) -> None:
    """[M4] Chinese needs few characters, and a slow voice few words."""
    refuse_other_text(text, seconds)


def test_the_silence_around_a_voice_is_no_part_of_the_sample(tmp_path: Path) -> None:
    """[M4] 20 s with 3 s of voice in them are a sample of 3 s."""
    rate = 24000
    tone = (0.3 * np.sin(np.arange(3 * rate) / rate * 2 * math.pi * 220)).astype(np.float32)
    samples = np.concatenate([np.zeros(8 * rate, np.float32), tone, np.zeros(9 * rate, np.float32)])
    spoken = voice_sample(samples, "The voice sample")
    assert len(spoken) / rate == pytest.approx(3, abs=0.11)
    assert np.abs(spoken).max() == pytest.approx(0.3, abs=0.01)


def clicks(times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.where((times == 0.5) | (times == 2.5), 0.9, 0.0)


NO_VOICES: dict[str, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]] = {
    "two clicks": clicks,
    "a faint hiss": lambda times: np.random.default_rng(1).normal(0, 0.005, len(times)),
    "an offset": lambda times: np.full(len(times), 0.2),
}


@pytest.mark.parametrize("kind", sorted(NO_VOICES))
def test_what_only_single_samples_make_loud_is_silent(kind: str) -> None:
    """[E10] Neither a click nor the offset of a bad card is a voice."""
    samples = NO_VOICES[kind](np.arange(3 * 24000) / 24000).astype(np.float32)
    with pytest.raises(UserError, match="The voice sample is silent"):
        voice_sample(samples, "The voice sample")


@pytest.mark.parametrize(
    ("use", "engine", "minutes", "limit"),
    [("the speech", "typed", 360, 60), ("the voice sample", "f5-tts", 60, 5)],
)
def test_a_small_file_of_hours_is_decoded_no_further_than_its_limit(
    use: str, engine: str, minutes: int, limit: int, runtime: Runtime, tmp_path: Path
) -> None:
    """[E10] Six hours of silence are a few megabytes, and would be gigabytes of memory."""
    path = tmp_path / "hours.flac"
    run_ffmpeg(["-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono", "-t", str(minutes * 60), str(path)])
    capability, _, values = USES[use]
    with pytest.raises(UserError, match=f'"hours.flac" is longer than {limit} minutes, which is the limit. Cut it'):
        Attempt(runtime, tmp_path).run(capability, engine, **values(runtime.offer(path, "audio/flac", "hours.flac")))
    decoded = sum(found.stat().st_size for found in tmp_path.glob("*.wav"))
    assert decoded <= (limit * 60 + 2) * 24000 * 2


@pytest.mark.parametrize("missing", ["voice_sample", "ref_text"])
def test_what_a_cloned_voice_lacks_is_asked_for(missing: str, runtime: Runtime, tmp_path: Path) -> None:
    """[E10] An empty text is what the draft of the speech recognition gives until somebody types."""
    known = {"narration": "Hello.", "voice_sample": runtime.offer(sound(tmp_path, 2), "audio/wav"), "ref_text": "Some call me nature."}
    words = {"voice_sample": "needs a voice sample: choose a file", "ref_text": "type exactly what is said in it"}
    with pytest.raises(UserError, match=words[missing]):
        Attempt(runtime, tmp_path).run(
            "generate.f5_to_tts", "f5-tts", **{**known, missing: {"voice_sample": None, "ref_text": " \n"}[missing]}
        )


@pytest.mark.skipif(espeak() is None, reason="espeak-ng is not installed")
@pytest.mark.parametrize("narration", ["Yes", "One two three. " * 1333], ids=["a word", "20,000 characters"])
def test_one_word_and_the_longest_text_are_spoken_by_the_draft(narration: str, runtime: Runtime, tmp_path: Path) -> None:
    """[M4] 20,000 characters are allowed, and take no more than seconds."""
    made: Any = Attempt(runtime, tmp_path).run("generate.f5_to_tts", "espeak", narration=narration)
    assert made.duration > 0.2 * len(narration.split())


@pytest.mark.parametrize("engine", ["espeak", "kokoro", "f5-tts"])
@pytest.mark.parametrize(
    ("narration", "words"),
    [("x" * 20_001, "at most 20000 characters"), (" \n", "no text to say"), ("", "at least 1"), ("... !", "no word that can be spoken")],
    ids=["too long", "blank", "empty", "marks only"],
)
def test_a_text_that_cannot_be_spoken_is_refused_before_anything_is_loaded(
    engine: str, narration: str, words: str, runtime: Runtime, tmp_path: Path
) -> None:
    """[E10] By every voice."""
    with pytest.raises((UserError, ValidationError)) as caught:
        Attempt(runtime, tmp_path).run("generate.f5_to_tts", engine, narration=narration)
    assert words in describe(caught.value)["message"]


def talk(runtime: Runtime, folder: Path, portrait: Path = PORTRAIT, speech: Path | None = None) -> Any:
    return Attempt(runtime, folder).run(
        "generate.infinite_talk",
        "drawn-mouth",
        portrait=runtime.offer(portrait, "image/jpeg", "me.jpg"),
        audio_artifact=runtime.offer(speech or sound(folder, 0.2), "audio/wav", "mine.wav"),
    )


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (PAGE, "is a web page, and no picture. Download the picture itself"),
        (b"", "is empty: .*choose it again"),
        (PORTRAIT.read_bytes()[:100], "no picture that can be read; it may be cut or damaged"),
    ],
)
def test_a_portrait_that_is_no_picture_is_refused_by_name(data: bytes, words: str, runtime: Runtime, tmp_path: Path) -> None:
    """[E10] With what the file seems to be."""
    with pytest.raises(UserError, match=f'The portrait "me.jpg" .*{words}|The portrait "me.jpg" {words}'):
        talk(runtime, tmp_path, portrait=written(tmp_path, data))


def test_a_portrait_of_too_many_pixels_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    """[E10] Its header says how many: a small file may be a picture of gigabytes. OpenCV reads its limit once, so this is a new process."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 9000, 9000, 8, 2, 0, 0, 0))
    portrait = written(tmp_path, b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b""))
    code = (
        "import sys\nfrom pathlib import Path\nfrom spindle_worker.errors import UserError\nfrom tests.runtime import Attempt, Runtime\n"
        "runtime, folder = Runtime(), Path(sys.argv[1])\n"
        "files = {'portrait': runtime.offer(Path(sys.argv[2]), 'image/png', 'me.png')}\n"
        "files['audio_artifact'] = runtime.offer(Path(sys.argv[3]), 'audio/wav')\n"
        "try: Attempt(runtime, folder).run('generate.infinite_talk', 'drawn-mouth', **files)\n"
        "except UserError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path), str(portrait), str(sound(tmp_path, 0.2))]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).resolve().parents[1])
    assert done.stdout.strip() == 'The portrait "me.png" has more than 50 megapixels. Make it smaller, and choose it again.', done.stderr


def test_a_portrait_without_a_face_is_used_and_said_to_have_none(runtime: Runtime, tmp_path: Path) -> None:
    """[M4] A drawing may have a face that the draft does not see."""
    plain = tmp_path / "plain.png"
    run_ffmpeg(["-f", "lavfi", "-i", "color=gray:size=64x64", "-frames:v", "1", str(plain)])
    made = talk(runtime, tmp_path, portrait=plain)
    assert made.note == "No face was found: the mouth is in the lower middle of the picture."
    assert made.mouth.found is False


def test_a_silent_speech_makes_a_video_of_its_length_with_a_shut_mouth(runtime: Runtime, tmp_path: Path) -> None:
    """[M4] It is a pause."""
    made = talk(runtime, tmp_path, speech=sound(tmp_path, 0.4, 0))
    assert made.video_artifact.duration == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("kind", sorted(SOUNDS.keys() - {"is silent"}))
def test_a_talking_heads_speech_that_is_no_sound_is_refused_by_name(kind: str, runtime: Runtime, tmp_path: Path) -> None:
    """[E10] As a voice sample is."""
    make, words = SOUNDS[kind]
    with pytest.raises(UserError, match=f'The speech "mine.wav" .*{words}|The speech "mine.wav" {words}'):
        talk(runtime, tmp_path, speech=make(tmp_path))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda folder: sound(folder, 1), "has no picture, only sound or text. Choose a video"),
        (lambda folder: written(folder, PAGE), "is a web page, and no video. Download the video itself"),
        (lambda folder: written(folder, make_video("plain", folder).read_bytes()[:2000]), "no video that can be read; it may be cut"),
        (lambda folder: written(folder, b""), "is empty"),
    ],
    ids=["sound", "web page", "cut", "empty"],
)
@pytest.mark.parametrize("engine", ["lanczos", "realesrgan"])
def test_a_video_that_has_no_picture_is_refused_by_name_before_anything_is_loaded(
    engine: str, make: Callable[[Path], Path], words: str, runtime: Runtime, tmp_path: Path
) -> None:
    """[E10] By the draft as by the model."""
    given = runtime.offer(make(tmp_path), "video/mp4", "clip.mp4")
    with pytest.raises(UserError, match=words) as caught:
        Attempt(runtime, tmp_path).run("generate.upscale_video", engine, video_artifact=given)
    assert str(caught.value).startswith('The video "clip.mp4" ')


def test_a_file_without_a_name_is_called_by_its_port(runtime: Runtime, tmp_path: Path) -> None:
    """[E10] A file that another node made has none."""
    given = runtime.offer(sound(tmp_path, 3, 0), "audio/wav")
    with pytest.raises(UserError, match=r"^The voice sample is silent"):
        Attempt(runtime, tmp_path).run("generate.f5_to_tts", "f5-tts", narration="Hello.", voice_sample=given, ref_text="Hello.")
