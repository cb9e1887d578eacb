"""Loads, makes the right file, says how far it is, gives the same bytes for the same seed, and names what is broken."""

from __future__ import annotations

import math
import os
import subprocess
import tempfile
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spindle_worker.contract.generated.models import ArtifactRef
from spindle_worker.engine.definition import EngineDefinition, definition
from spindle_worker.engine.install import engine_command
from spindle_worker.engine.process import Engines, clean_environment
from spindle_worker.errors import UserError
from spindle_worker.media import decode_sound, inspect_video, write_wav
from tests.runtime import Attempt, Runtime
from tests.test_upscale import VIDEOS, make_video, run_ffmpeg

needs = pytest.mark.needs
EACH = [pytest.param(name, marks=needs(name)) for name in ("f5-tts", "realesrgan", "kokoro")]
"""Each engine by itself: one is tested without the gigabytes of the others (`-k kokoro`)."""
TEXT = "It left a galaxy long before the Earth was made. " * 6


def sample(runtime: Runtime, folder: Path, seconds: float = 3) -> ArtifactRef:
    path = folder / "sample.wav"
    times = np.arange(round(seconds * 24000)) / 24000
    write_wav(path, (0.3 * np.sin(times * 2 * math.pi * 220)).astype(np.float32), 24000)
    return runtime.offer(path, "audio/wav")


def speak(attempt: Attempt, runtime: Runtime, folder: Path, **values: Any) -> ArtifactRef:
    known = {"narration": TEXT, "voice_sample": sample(runtime, folder), "ref_text": "Some call me nature.", "seed": 5}
    output = attempt.run("generate.f5_to_tts", "f5-tts", **{**known, **values})
    reference: ArtifactRef = output.audio_artifact  # type: ignore[attr-defined]
    return reference


@pytest.mark.parametrize("name", EACH)
def test_an_engine_is_ready_and_loads(name: str) -> None:
    assert definition(name).why_not() is None
    assert engine_command("check", name) == 0


@needs("f5-tts")
def test_a_voice_is_a_wave_file_with_progress_and_previews(attempt: Attempt, runtime: Runtime, tmp_path: Path) -> None:
    made = attempt.made(speak(attempt, runtime, tmp_path), tmp_path / "made.wav")
    with wave.open(str(made)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (24000, 1, 2)
        assert file.getnframes() > 24000
    assert attempt.progress == sorted(attempt.progress) and attempt.progress[-1] == 1.0
    assert len(attempt.previews) >= 2
    assert any(message.get("steps", 0) > 1 for message in attempt.news)


@needs("f5-tts")
@pytest.mark.parametrize("seed", [0, 5])
def test_a_seed_gives_the_same_bytes_twice_and_another_one_others(seed: int, attempt: Attempt, runtime: Runtime, tmp_path: Path) -> None:
    """A long text too: each of its parts is drawn from the seed."""
    first, second = (speak(attempt, runtime, tmp_path, seed=seed) for _ in range(2))
    assert first.sha256 == second.sha256
    assert speak(attempt, runtime, tmp_path, seed=seed + 1).sha256 != first.sha256


@needs("f5-tts")
def test_a_text_of_one_word_is_spoken(attempt: Attempt, runtime: Runtime, tmp_path: Path) -> None:
    assert speak(attempt, runtime, tmp_path, narration="Yes").size > 1000


@needs("kokoro")
def test_the_light_voice_says_each_sentence_without_a_sample(attempt: Attempt, runtime: Runtime, tmp_path: Path) -> None:
    made: list[Any] = [attempt.run("generate.f5_to_tts", "kokoro", narration=TEXT) for _ in range(2)]
    assert made[0].audio_artifact.sha256 == made[1].audio_artifact.sha256
    with wave.open(str(attempt.made(made[0].audio_artifact, tmp_path / "made.wav"))) as file:
        assert (file.getframerate(), file.getnchannels()) == (24000, 1)
        assert file.getnframes() > 24000
    assert attempt.previews
    first = attempt.progress[: attempt.progress.index(1.0) + 1]
    assert first == sorted(first) and len(first) > 3
    with pytest.raises(UserError, match="no word"):
        attempt.run("generate.f5_to_tts", "kokoro", narration="... !")


@needs("f5-tts")
def test_what_a_sample_must_be_is_said_before_anything_is_loaded(
    attempt: Attempt, runtime: Runtime, tmp_path: Path, engines: Engines
) -> None:
    engines.end()
    with pytest.raises(UserError, match="text of the voice sample"):
        speak(attempt, runtime, tmp_path, ref_text=" ")
    with pytest.raises(UserError, match=r"40.0 s of sound"):
        speak(attempt, runtime, tmp_path, voice_sample=sample(runtime, tmp_path, 40))
    assert engines.running is None


@needs("realesrgan")
@pytest.mark.parametrize("kind", sorted(VIDEOS))
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_upscaled_video_is_shown_as_before_only_larger(
    kind: str, scale: int, attempt: Attempt, runtime: Runtime, tmp_path: Path
) -> None:
    source = make_video(kind, tmp_path)
    before, video = inspect_video(source), VIDEOS[kind]
    output: Any = attempt.run("generate.upscale_video", "realesrgan", video_artifact=runtime.offer(source, "video/mp4"), scale=scale)
    made = attempt.made(output.video_artifact, tmp_path / "made.mp4")
    after = inspect_video(made)
    assert (after.width, after.height) == tuple(side * scale + side * scale % 2 for side in (before.width, before.height))
    expected = video.kept or video.colours
    assert expected is None or "reserved" in expected or expected == after.colours
    assert after.fps == before.fps
    assert abs(after.duration - before.duration) <= 2 / before.fps
    assert len(after.sounds) == (video.sounds if video.sound else 0)
    assert attempt.progress == sorted(attempt.progress)
    assert attempt.previews


@needs("realesrgan")
def test_the_same_video_is_enlarged_to_the_same_bytes_twice(attempt: Attempt, runtime: Runtime, tmp_path: Path) -> None:
    video = runtime.offer(make_video("plain", tmp_path), "video/mp4")
    made: list[Any] = [attempt.run("generate.upscale_video", "realesrgan", video_artifact=video, scale=2) for _ in range(2)]
    assert made[0].video_artifact.sha256 == made[1].video_artifact.sha256


@needs("realesrgan")
def test_tiles_show_no_seam(tmp_path: Path) -> None:
    """A picture in tiles of 64 is the picture in one tile."""
    code = (
        "import sys, torch\n"
        "from spandrel import ModelLoader\n"
        "from spindle_worker.engine.programs.realesrgan import Tiles\n"
        "model = ModelLoader(device='cpu').load_from_file(sys.argv[1])\n"
        "picture = torch.randint(0, 256, (3, 150, 130), dtype=torch.uint8)\n"
        "small, large = Tiles(model, 'cpu'), Tiles(model, 'cpu')\n"
        "small.size = 64\n"
        "with torch.inference_mode(): difference = (small(picture).int() - large(picture).int()).abs().max()\n"
        "print(int(difference))\n"
    )
    engine = definition("realesrgan")
    done = subprocess.run(
        [str(engine.python), "-c", code, str(engine.files["x4"].place)],
        capture_output=True,
        text=True,
        check=False,
        env=clean_environment(),
    )
    assert done.stdout.strip() in ("0", "1"), done.stderr


@needs("realesrgan")
@pytest.mark.parametrize("words", ["torch.OutOfMemoryError('CUDA')", 'RuntimeError("DefaultCPUAllocator: can\'t allocate memory")'])
def test_tiles_are_halved_where_the_memory_is_short(words: str) -> None:
    """Once, for all pictures that follow; the smallest that do not fit are a failure."""
    code = (
        "import torch\n"
        "from spindle_worker.engine.programs.realesrgan import Tiles\n"
        "class Model:\n"
        "    scale, dtype, most, tries = 2, torch.float32, 200, 0\n"
        "    def __call__(self, piece):\n"
        "        self.tries += 1\n"
        f"        if max(piece.shape[2:]) > self.most: raise {words}\n"
        "        return piece.repeat_interleave(2, 2).repeat_interleave(2, 3)\n"
        "model = Model()\n"
        "tiles = Tiles(model, 'cpu')\n"
        "picture = torch.randint(0, 256, (3, 300, 520), dtype=torch.uint8)\n"
        "same = bool((tiles(picture) == picture.repeat_interleave(2, 1).repeat_interleave(2, 2)).all())\n"
        "first, model.tries = model.tries, 0\n"
        "tiles(picture)\n"
        "print(same, tiles.size, first - model.tries)\n"
        "model.most = 50\n"
        "try: tiles(picture)\n"
        f"except type({words}): print('failed', tiles.size)\n"
    )
    python = str(definition("realesrgan").python)
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False, env=clean_environment())
    assert done.stdout.splitlines() == ["True 128 2", "failed 64"], done.stderr


@needs("f5-tts", "realesrgan")
def test_speech_a_talking_head_and_a_larger_video_are_made_in_one_child(
    attempt: Attempt, runtime: Runtime, engines: Engines, tmp_path: Path
) -> None:
    """Nothing that one engine leaves behind keeps the next from working."""
    speech = speak(attempt, runtime, tmp_path, narration="Good evening.")
    voice = engines.running
    assert voice is not None
    portrait = tmp_path / "portrait.png"
    run_ffmpeg(["-f", "lavfi", "-i", "testsrc=size=96x128", "-frames:v", "1", str(portrait)])
    talk: Any = attempt.run("generate.infinite_talk", "drawn-mouth", audio_artifact=speech, portrait=runtime.offer(portrait, "image/png"))
    large: Any = attempt.run("generate.upscale_video", "realesrgan", video_artifact=talk.video_artifact, scale=2)
    assert large.video_artifact.width == 2 * talk.video_artifact.width
    assert not voice.alive()
    sound = decode_sound(attempt.made(large.video_artifact, tmp_path / "large.mp4"), tmp_path)
    assert len(sound) > 0


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("damage", ["missing", "cut", "a web page", "other bytes"])
def test_a_broken_file_is_named_with_its_address(
    name: str, damage: str, attempt: Attempt, runtime: Runtime, engines: Engines, tmp_path: Path
) -> None:
    engines.end()
    file = next(iter(definition(name).files.values()))
    good = file.place.read_bytes()
    try:
        if damage == "missing":
            file.place.unlink()
        else:
            other = {"cut": good[: len(good) // 2], "a web page": b"<!doctype html>", "other bytes": good[:-1] + bytes([good[-1] ^ 1])}
            file.place.write_bytes(other[damage])
        with pytest.raises(UserError) as caught:
            if name == "f5-tts":
                speak(attempt, runtime, tmp_path)
            elif name == "kokoro":
                attempt.run("generate.f5_to_tts", "kokoro", narration="Hello.")
            else:
                video = runtime.offer(make_video("plain", tmp_path), "video/mp4")
                attempt.run("generate.upscale_video", "realesrgan", video_artifact=video)
        assert str(file.place) in str(caught.value) and file.url in str(caught.value)
    finally:
        file.place.write_bytes(good)


@needs("f5-tts")
def test_no_file_of_a_task_is_left_elsewhere(attempt: Attempt, runtime: Runtime, tmp_path: Path, f5: EngineDefinition) -> None:
    """The libraries' own temporary files lie in the task's folder."""
    before = set(os.listdir(tempfile.gettempdir()))
    speak(attempt, runtime, tmp_path)
    left = {entry for entry in set(os.listdir(tempfile.gettempdir())) - before if entry.endswith(".wav")}
    assert left == set()
