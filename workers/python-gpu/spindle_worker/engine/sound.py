"""Sound as the engines' programs make it: mono samples in -1..1. NumPy is each environment's own."""

from __future__ import annotations

import io
import wave
from typing import Any


def joined(first: Any, second: Any, overlap: int) -> Any:
    """The second fades in while the first fades out."""
    import numpy as np

    overlap = min(overlap, len(first), len(second))
    if overlap == 0:
        return np.concatenate([first, second])
    fade = np.linspace(0, 1, overlap, dtype=np.float32)
    return np.concatenate([first[:-overlap], first[-overlap:] * (1 - fade) + second[:overlap] * fade, second[overlap:]])


def as_wav(speech: Any, rate: int) -> bytes:
    import numpy as np

    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(speech, -1, 1) * 32767).astype(np.int16).tobytes())
    return data.getvalue()
