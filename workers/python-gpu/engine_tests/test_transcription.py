"""Speech recognition with its real packages: what it gives, that it gives the same twice, and what it answers to broken files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spindle_worker.contract.generated.models import ArtifactRef
from spindle_worker.engine.definition import definition
from spindle_worker.engine.install import engine_command
from spindle_worker.engine.process import Engines
from spindle_worker.errors import UserError
from spindle_worker.media import write_wav
from tests.runtime import Attempt, Runtime

pytestmark = pytest.mark.needs("faster-whisper")
VOICE = Path(__file__).resolve().parents[3] / "templates/samples/voice.wav"


def voice(runtime: Runtime) -> ArtifactRef:
    return runtime.offer(VOICE, "audio/wav", "voice.wav")


def test_it_is_ready_on_the_cpu_and_loads() -> None:
    assert definition("faster-whisper").why_not() is None
    assert engine_command("check", "faster-whisper") == 0


def test_the_same_speech_gives_the_same_words_twice(attempt: Attempt, runtime: Runtime) -> None:
    first, second = (attempt.run("speech.transcribe", "faster-whisper", audio_artifact=voice(runtime)) for _ in range(2))
    made: Any = first
    assert first == second
    assert made.text.startswith("word") and made.language
    assert made.duration == pytest.approx(3.77, abs=0.02)
    half = len(attempt.progress) // 2
    for progress in (attempt.progress[:half], attempt.progress[half:]):
        assert progress == sorted(progress) and 0 < max(progress) <= 1


def test_the_language_is_taken_as_it_is_set_and_an_unknown_one_is_refused_with_those_there_are(attempt: Attempt, runtime: Runtime) -> None:
    made: Any = attempt.run("speech.transcribe", "faster-whisper", audio_artifact=voice(runtime), language="de")
    assert made.language == "de"
    with pytest.raises(UserError, match=r"knows no language 'xx'.*de, "):
        attempt.run("speech.transcribe", "faster-whisper", audio_artifact=voice(runtime), language="xx")


def test_forty_seconds_of_speech_are_read_to_the_end(attempt: Attempt, runtime: Runtime, tmp_path: Path) -> None:
    """Whisper hears 30 seconds at a time."""
    from spindle_worker.media import decode_sound

    long = np.tile(decode_sound(VOICE, tmp_path, 16000), 11)[: 40 * 16000]
    write_wav(tmp_path / "long.wav", long, 16000)
    made: Any = attempt.run("speech.transcribe", "faster-whisper", audio_artifact=runtime.offer(tmp_path / "long.wav", "audio/wav"))
    assert made.duration == 40
    assert attempt.progress == sorted(attempt.progress)


def test_sound_in_which_nobody_speaks_is_refused_with_the_files_name(attempt: Attempt, runtime: Runtime, tmp_path: Path) -> None:
    """And not given words that nobody said."""
    noise = np.random.default_rng(0).normal(0, 0.05, 3 * 16000).astype(np.float32)
    write_wav(tmp_path / "rain.wav", noise, 16000)
    with pytest.raises(UserError, match=r'No words were recognised in the speech "rain.wav"'):
        attempt.run("speech.transcribe", "faster-whisper", audio_artifact=runtime.offer(tmp_path / "rain.wav", "audio/wav", "rain.wav"))


@pytest.mark.parametrize("damage", ["missing", "cut", "a web page", "other bytes"])
@pytest.mark.parametrize("key", ["model", "tokenizer"])
def test_a_broken_file_is_named_with_its_address(key: str, damage: str, attempt: Attempt, runtime: Runtime, engines: Engines) -> None:
    engines.end()
    file = definition("faster-whisper").files[key]
    good = file.place.read_bytes()
    other = {"cut": good[: len(good) // 2], "a web page": b"<!doctype html>", "other bytes": good[:-1] + bytes([good[-1] ^ 1])}
    try:
        file.place.unlink()
        if damage != "missing":
            file.place.write_bytes(other[damage])
        with pytest.raises(UserError) as caught:
            attempt.run("speech.transcribe", "faster-whisper", audio_artifact=voice(runtime))
        assert str(file.place) in str(caught.value) and file.url in str(caught.value)
    finally:
        file.place.write_bytes(good)
