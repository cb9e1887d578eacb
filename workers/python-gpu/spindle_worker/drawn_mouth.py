"""The draft talking head: a mouth that opens with the loudness of the sound, as a warp of the portrait's own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

MAX_SIDE = 640
OPEN_AT_MOST = 0.34
"""Share of the box's height by which the lips part at full loudness."""


@dataclass(frozen=True)
class Mouth:
    """Pixels of the video: left, top, width, height; `found` is whether a face was."""

    x: int
    y: int
    width: int
    height: int
    found: bool


def scaled(picture: Picture) -> Picture:
    """At most 640 pixels a side, both even, as H.264 with 4:2:0 wants."""
    height, width = picture.shape[:2]
    factor = min(1.0, MAX_SIDE / max(height, width))
    size = (max(2, round(width * factor / 2) * 2), max(2, round(height * factor / 2) * 2))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def find_mouth(picture: Picture) -> Mouth:
    """The lower part of the surest face; without one, a box in the lower middle."""
    height, width = picture.shape[:2]
    cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"))
    grey = cv2.equalizeHist(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    side = max(20, min(height, width) // 8)
    faces, _, weights = cascade.detectMultiScale3(grey, scaleFactor=1.05, minNeighbors=4, minSize=(side, side), outputRejectLevels=True)
    if len(faces) == 0:
        return _even(width * 0.36, height * 0.62, width * 0.28, height * 0.2, width, height, found=False)
    # The surest face, not the largest: a helmet or a flag can look like one.
    x, y, w, h = faces[int(np.argmax(np.ravel(weights)))]
    return _even(x + w * 0.27, y + h * 0.66, w * 0.46, h * 0.3, width, height, found=True)


def _even(x: float, y: float, w: float, h: float, width: int, height: int, *, found: bool) -> Mouth:
    """On even pixels and inside the picture: colour has half the resolution, and must not bleed over the box's edge."""
    left, top = max(0, int(x) // 2 * 2), max(0, int(y) // 2 * 2)
    return Mouth(left, top, max(2, min(int(w), width - left) // 2 * 2), max(2, min(int(h), height - top) // 2 * 2), found)


class MouthWarp:
    """Draws frames of one portrait. Displacement falls to nothing at the box's edge; a share of 0 is the portrait itself."""

    def __init__(self, picture: Picture, mouth: Mouth) -> None:
        self.picture = picture
        self.mouth = mouth
        self._box = picture[mouth.y : mouth.y + mouth.height, mouth.x : mouth.x + mouth.width]
        rows, columns = np.mgrid[0 : mouth.height, 0 : mouth.width].astype(np.float32)
        down = rows / max(1, mouth.height - 1) * 2 - 1  # -1 at the top, 0 on the lips, 1 at the chin
        across = columns / max(1, mouth.width - 1) * 2 - 1
        self._rows, self._columns = rows, columns
        # Lips part: the further from the edges, the further a pixel is drawn from the line between the lips.
        self._window = np.clip(np.cos(across * np.pi / 2), 0, 1) ** 1.5 * (1 - down**2)
        self._side = np.tanh(down * 6)

    def frame(self, openness: float) -> Picture:
        """:param openness: 0 to 1"""
        frame = self.picture.copy()
        if openness <= 0:
            return frame
        shift = (openness * OPEN_AT_MOST * self.mouth.height / 2) * self._window * self._side
        opened = cv2.remap(
            self._box, self._columns, (self._rows - shift).astype(np.float32), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        frame[self.mouth.y : self.mouth.y + self.mouth.height, self.mouth.x : self.mouth.x + self.mouth.width] = opened
        return frame


def openness(loud: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Loudness per frame -> 0..1. Silence is shut; the 95th percentile is fully open."""
    if len(loud) == 0 or loud.max() < 1e-4:
        return np.zeros_like(loud)
    full = max(float(np.percentile(loud, 95)), 1e-4)
    share = np.clip(loud / full, 0, 1)
    return np.where(share < 0.04, 0.0, share)
