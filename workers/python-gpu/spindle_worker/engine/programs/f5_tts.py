"""F5-TTS 1.1 (SWivid/F5-TTS, src/f5_tts/infer/utils_infer.py): a text in the voice of a sample, sentence group by sentence group.

The sample comes decoded, so neither the system's FFmpeg nor torchcodec is used. Each group is drawn from the same seed: one seed is one voice.
"""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

from ..program import Request, Work, serve
from ..sound import Speech
from ..text import groups_of

CROSS_FADE_SECONDS = 0.15
GROUP_SECONDS = 22
"""Sample and speech of a group together: what the model was trained on at most."""


def load(setup: dict[str, Any]) -> Work:
    from f5_tts.infer.utils_infer import load_model, load_vocoder
    from f5_tts.model import DiT

    device = setup["device"]
    vocoder = load_vocoder("vocos", True, str(Path(setup["files"]["vocoder"]).parent), device)
    model = load_model(DiT, setup["options"]["architecture"], setup["files"]["model"], device=device)
    return lambda request: speak(request, model, vocoder, device)


def speak(request: Request, model: Any, vocoder: Any, device: str) -> dict[str, Any]:
    import numpy as np
    import torch
    from f5_tts.infer.utils_infer import infer_batch_process

    values = request.values
    with wave.open(values["sample"]) as file:
        rate = file.getframerate()
        sample = np.frombuffer(file.readframes(file.getnframes()), np.int16).astype(np.float32) / 32768
    seconds = len(sample) / rate
    text = values["sampleText"].strip()
    text = text if text.endswith("。") else text.rstrip(".") + ". "
    room = int(len(text.encode()) / seconds * (GROUP_SECONDS - seconds) * values["speed"])
    groups = groups_of(values["text"], max(10, room))
    speech = Speech(request, CROSS_FADE_SECONDS)
    for index, group in enumerate(groups):
        request.progress(0.05 + 0.9 * index / len(groups), step=index, steps=len(groups))
        torch.manual_seed(values["seed"])
        spoken, sound_rate, _ = next(
            infer_batch_process(
                (torch.from_numpy(sample).unsqueeze(0), rate),
                text,
                [group],
                model,
                vocoder,
                progress=None,
                speed=values["speed"],
                device=device,
            )
        )
        speech.add(spoken, sound_rate)
    request.progress(0.98, step=len(groups), steps=len(groups))
    Path(values["target"]).write_bytes(speech.wav())
    return {"duration": speech.seconds}


if __name__ == "__main__":
    serve(load)
