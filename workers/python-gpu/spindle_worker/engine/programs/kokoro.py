"""Kokoro-82M by kokoro-onnx: a text in one of the model's own voices, sentence by sentence, on the CPU."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ...errors import UserError
from ..program import Request, Work, serve
from ..sound import Speech

PAUSE_SECONDS = 0.25


def load(setup: dict[str, Any]) -> Work:
    from kokoro_onnx import Kokoro

    model = Kokoro(setup["files"]["model"], setup["files"]["voices"])
    return lambda request: speak(request, model, setup["options"])


def speak(request: Request, model: Any, options: dict[str, str]) -> dict[str, Any]:
    values = request.values
    sentences = [text for text in re.split(r"(?<=[.!?])\s+|\n+", values["text"]) if re.search(r"\w", text)]
    if not sentences:
        raise UserError("The text holds no word that can be spoken.")
    speech = Speech(request)
    for index, sentence in enumerate(sentences):
        request.progress(0.05 + 0.9 * index / len(sentences), step=index, steps=len(sentences))
        try:
            spoken, rate = model.create(sentence, voice=options["voice"], speed=values["speed"], lang=options["language"])
        except ValueError as error:
            raise UserError(f"Kokoro cannot say {sentence[:80]!r}: {error}") from error
        if index:
            speech.pause(PAUSE_SECONDS)
        speech.add(spoken, rate)
    request.progress(0.98, step=len(sentences), steps=len(sentences))
    Path(values["target"]).write_bytes(speech.wav())
    return {"duration": speech.seconds}


if __name__ == "__main__":
    serve(load)
