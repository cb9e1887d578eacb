"""Sound as the engines' programs make it: mono samples in -1..1. NumPy is each environment's own."""

from __future__ import annotations

import io
import wave
from typing import Any

from .program import Request


class Speech:
    """A sound that grows part by part. It is shown at doubling lengths: all previews together are no longer than the whole twice.

    :param fade: seconds in which the end of a part and the beginning of the next one overlap
    """

    def __init__(self, request: Request, fade: float = 0) -> None:
        import numpy as np

        self._request = request
        self._fade = fade
        self._parts: list[Any] = []
        self._end: Any = np.zeros(0, np.float32)
        self._length = 0
        self._shown = 0
        self._rate = 0

    def add(self, part: Any, rate: int) -> None:
        """:param rate: the same for all parts"""
        import numpy as np

        self._rate = rate
        overlap = round(self._fade * rate)
        before = len(self._end)
        both = joined(self._end, np.asarray(part, np.float32), overlap)
        settled = max(0, len(both) - overlap)
        self._parts.append(both[:settled])
        self._end = both[settled:]
        self._length += len(both) - before
        if self._length >= max(1, 2 * self._shown):
            self._shown = self._length
            self._request.preview(self.wav(), "audio/wav", duration=self.seconds)

    def pause(self, seconds: float) -> None:
        import numpy as np

        silence = np.zeros(round(seconds * self._rate), np.float32)
        self._parts += [self._end, silence]
        self._end = self._end[:0]
        self._length += len(silence)

    @property
    def seconds(self) -> float:
        return self._length / self._rate if self._rate else 0.0

    def wav(self) -> bytes:
        import numpy as np

        return as_wav(np.concatenate([*self._parts, self._end]), self._rate)


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
