"""Whisper by faster-whisper (SYSTRAN/faster-whisper): speech to text on the CPU.

The sound comes decoded. Nothing is drawn by chance, so that the same sound gives the same text.
"""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..program import Request, Work, serve


def load(setup: dict[str, Any]) -> Work:
    from faster_whisper import WhisperModel

    folder = Path(setup["files"]["model"]).parent
    model = WhisperModel(str(folder), device=setup["device"], compute_type=setup["options"]["computeType"], local_files_only=True)
    return lambda request: transcribe(request, model, setup["options"])


def transcribe(request: Request, model: Any, options: dict[str, Any]) -> dict[str, Any]:
    import numpy as np

    values = request.values
    if values["language"] and values["language"] not in model.supported_languages:
        known = ", ".join(model.supported_languages)
        raise UserError(f"faster-whisper knows no language {values['language']!r}. It knows: {known}.")
    with wave.open(values["sound"]) as file:
        sound = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    request.progress(0.05, note="Listening")
    segments, about = model.transcribe(
        sound,
        language=values["language"] or None,
        beam_size=options["beamSize"],
        temperature=0.0,  # a fallback to higher ones would draw
        condition_on_previous_text=False,  # one wrong sentence would be repeated to the end
        vad_filter=True,  # on noise alone Whisper makes sentences up
    )
    parts: list[str] = []
    for segment in segments:
        parts.append(segment.text.strip())
        request.progress(min(0.98, 0.05 + 0.93 * segment.end / values["seconds"]))
    return {"text": " ".join(part for part in parts if part), "language": about.language if parts else None}


if __name__ == "__main__":
    serve(load)
