"""Text to speech: F5-TTS in the sample's voice; Kokoro or espeak-ng as drafts on any CPU."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
from pydantic import Field

from ..capability import PARAMETER, Audio, Capability, Engine, Ports, installed
from ..context import TaskContext
from ..errors import UserError
from ..media import called, decode_sound, espeak, without_silence, write_wav

SAMPLE_RATE = 24000
MIN_SECONDS, MAX_SECONDS = 1, 12
MOST_DECODED = 300
"""Seconds of a file, with the silence around the voice."""
SLOWEST, FASTEST = 3, 40
"""Bytes in UTF-8 that the slowest voice says in a second, and characters that the fastest does. By the text of the sample F5-TTS works out
how long another one takes, so a text that does not fit makes nonsense."""


class SpeechInput(Ports):
    narration: Annotated[
        str, Field(title="Text", description="What is said.", min_length=1, max_length=20_000, json_schema_extra={"x-multiline": True})
    ]
    voice_sample: Annotated[
        Audio | None, Field(title="Voice sample", description="3 to 12 seconds of one voice, without noise or music.")
    ] = None
    ref_text: Annotated[
        str,
        Field(
            title="Text of the sample",
            description="Exactly what is said in the voice sample; F5-TTS needs it. Transcribe speech can give it.",
            max_length=5000,
            json_schema_extra={"x-multiline": True},
        ),
    ] = ""
    speed: Annotated[float, Field(json_schema_extra={**PARAMETER, "x-widget": "slider"}, ge=0.5, le=2, description="1 is normal.")] = 1.0
    seed: Annotated[int, Field(json_schema_extra={**PARAMETER, "x-widget": "seed"}, ge=0, le=2**31 - 1)] = 0


class SpeechOutput(Ports):
    audio_artifact: Annotated[Audio, Field(title="Speech")]
    duration: Annotated[float | None, Field(title="Duration", description="Seconds, where the engine says it; the speech says it too.")] = (
        None
    )


def f5_to_tts(context: TaskContext, values: SpeechInput) -> SpeechOutput:
    if not values.narration.strip():
        raise UserError("There is no text to say.")
    if not _has_words(values.narration):
        raise UserError("The text holds no word that can be spoken.")
    target = context.folder / "speech.wav"
    context.progress(0.05, note="Speaking")
    SPEAKERS[context.engine](context, values, target)
    with wave.open(str(target)) as file:
        duration = file.getnframes() / file.getframerate()
    if duration <= 0:
        raise UserError("The text gave no sound; it may hold no word that can be spoken.")
    context.preview(target.read_bytes(), "audio/wav", force=True, duration=duration)
    context.progress(1.0)
    return SpeechOutput(audio_artifact=context.put(target, "audio/wav", duration=duration), duration=round(duration, 3))


def _espeak(context: TaskContext, values: SpeechInput, target: Path) -> None:
    command = espeak()
    if command is None:
        raise UserError("espeak-ng is not installed.")
    done = subprocess.run(
        [*command, "-v", "en", "-s", str(round(165 * values.speed)), "-w", str(target), "--stdin"],
        input=values.narration,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0 or not target.exists():
        raise UserError(f"espeak-ng failed: {done.stderr.strip()[:300]}")
    context.progress(0.9)


def _f5(context: TaskContext, values: SpeechInput, target: Path) -> None:
    if values.voice_sample is None:
        raise UserError("F5-TTS needs a voice sample: choose a file, or an engine that needs none.")
    if not values.ref_text.strip():
        raise UserError("F5-TTS needs the text of the voice sample: type exactly what is said in it, or have a model recognise it.")
    if not _has_words(values.ref_text):
        raise UserError("The text of the voice sample holds no word: type exactly what is said in it.")
    name = called("voice sample", values.voice_sample)
    sample = voice_sample(decode_sound(context.fetch(values.voice_sample), context.folder, SAMPLE_RATE, name, most=MOST_DECODED), name)
    refuse_other_text(values.ref_text.strip(), len(sample) / SAMPLE_RATE)
    prepared = context.folder / "sample.wav"
    write_wav(prepared, sample, SAMPLE_RATE)
    request = {"text": values.narration, "speed": values.speed, "seed": values.seed}
    request |= {"sample": str(prepared), "sampleText": values.ref_text, "target": str(target)}
    context.delegate(request, makes={"audio_artifact": target})


def _kokoro(context: TaskContext, values: SpeechInput, target: Path) -> None:
    context.delegate({"text": values.narration, "speed": values.speed, "target": str(target)}, makes={"audio_artifact": target})


SPEAKERS = {"f5-tts": _f5, "kokoro": _kokoro, "espeak": _espeak}


def voice_sample(samples: npt.NDArray[np.float32], name: str) -> npt.NDArray[np.float32]:
    """The sample without the silence around it. :raises UserError: if it is silent, too short or too long for its text to fit it"""
    spoken = without_silence(samples, SAMPLE_RATE, name)
    seconds = len(spoken) / SAMPLE_RATE
    if not MIN_SECONDS <= seconds <= MAX_SECONDS:
        raise UserError(
            f"{name} has {seconds:.1f} s of sound; F5-TTS clones from {MIN_SECONDS} to {MAX_SECONDS} s. "
            f"{'Cut it' if seconds > MAX_SECONDS else 'Choose a longer one'}, and give the text of just what is said in it."
        )
    return spoken


def refuse_other_text(text: str, seconds: float) -> None:
    """:raises UserError: if nobody says just that text in so many seconds"""
    slow = len(text.encode()) < SLOWEST * seconds
    if slow or len(text) > FASTEST * seconds:
        raise UserError(
            f"The text of the voice sample is too {'short' if slow else 'long'} for its {seconds:.1f} s of sound ({len(text)} characters): "
            "type exactly what is said in it, every word, and numbers as words."
        )


def _has_words(text: str) -> bool:
    return any(letter.isalnum() for letter in text)


def _why_no_espeak() -> str | None:
    command = espeak()
    if command is None:
        return "espeak-ng is not installed."
    tried = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"espeak-ng does not start: {tried.stderr.strip()[:200]}"


capability = Capability(
    id="generate.f5_to_tts",
    label="Make voice",
    description="Says a text, in the voice of a sample where the engine can.",
    version="2026.01.0",
    category="Voice",
    keywords=["tts", "speech", "f5", "voice cloning", "kokoro", "espeak"],
    input=SpeechInput,
    output=SpeechOutput,
    run=f5_to_tts,
    kind="gpu",
    stall_seconds=1800,  # a model may be read from a slow disk first
    engines=[
        installed("f5-tts"),
        installed("kokoro"),
        Engine(
            id="espeak",
            label="espeak-ng",
            draft=True,
            description="A synthetic voice on any CPU; the sample is not used.",
            why_not=_why_no_espeak,
        ),
    ],
    side_effects="model-write",
    idempotent=True,
)
