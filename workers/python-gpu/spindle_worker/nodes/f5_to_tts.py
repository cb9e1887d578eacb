"""Text to speech: F5-TTS in the sample's voice, or espeak-ng as a draft."""

from __future__ import annotations

import subprocess
import wave
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from ..capability import PARAMETER, Audio, Capability, Engine, Ports
from ..child.context import TaskContext
from ..errors import UserError
from ..media import espeak


class SpeechInput(Ports):
    narration: Annotated[
        str, Field(title="Text", description="What is said.", min_length=1, max_length=20_000, json_schema_extra={"x-multiline": True})
    ]
    voice_sample: Annotated[Audio | None, Field(title="Voice sample", description="5 to 30 seconds of the voice.")] = None
    ref_text: Annotated[
        str,
        Field(
            title="Text of the sample",
            description="What is said in the voice sample.",
            max_length=5000,
            json_schema_extra={"x-multiline": True},
        ),
    ] = ""
    speed: Annotated[float, Field(json_schema_extra={**PARAMETER, "x-widget": "slider"}, ge=0.5, le=2, description="1 is normal.")] = 1.0
    seed: Annotated[int, Field(json_schema_extra={**PARAMETER, "x-widget": "seed"}, ge=0, le=2**31 - 1)] = 0


class SpeechOutput(Ports):
    audio_artifact: Annotated[Audio, Field(title="Speech")]
    duration: Annotated[float, Field(title="Duration", description="Seconds.")]


def f5_to_tts(context: TaskContext, values: SpeechInput) -> SpeechOutput:
    if not values.narration.strip():
        raise UserError("There is no text to say.")
    target = context.folder / "speech.wav"
    context.progress(0.05, note="Speaking")
    (_espeak if context.engine == "espeak" else _f5)(context, values, target)
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


_MODEL: list[Any] = []


def _f5(context: TaskContext, values: SpeechInput, target: Path) -> None:
    """F5-TTS 1.1: `F5TTS.infer` (SWivid/F5-TTS, src/f5_tts/api.py)."""
    if values.voice_sample is None:
        raise UserError("F5-TTS needs a voice sample.")
    if not _MODEL:
        from f5_tts.api import F5TTS

        context.progress(note="Loading F5-TTS")
        _MODEL.append(F5TTS(model="F5TTS_v1_Base"))

    class Bars:
        """What `infer` wants of a progress library: `tqdm` over the batches."""

        @staticmethod
        def tqdm(batches: Any, *_: Any, **__: Any) -> Any:
            every = list(batches)
            for index, batch in enumerate(every):
                context.progress(0.1 + 0.8 * index / max(1, len(every)), step=index, steps=len(every))
                yield batch

    sample = context.fetch(values.voice_sample)
    _MODEL[0].infer(
        ref_file=str(sample),
        ref_text=values.ref_text,
        gen_text=values.narration,
        speed=values.speed,
        seed=values.seed or None,
        file_wave=str(target),
        show_info=lambda *_: None,
        progress=Bars,
    )


def _why_no_f5() -> str | None:
    missing = [name for name in ("torch", "f5_tts") if find_spec(name) is None]
    if missing:
        return f"Not installed: {', '.join(missing)}. pip install f5-tts==1.1.20"
    import torch

    return None if torch.cuda.is_available() else "No CUDA device."


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
    keywords=["tts", "speech", "f5", "voice cloning", "espeak"],
    input=SpeechInput,
    output=SpeechOutput,
    run=f5_to_tts,
    kind="gpu",
    stall_seconds=1800,  # a model may be read from a slow disk first
    engines=[
        Engine(id="f5-tts", label="F5-TTS", draft=False, description="Clones the voice of the sample.", why_not=_why_no_f5),
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
