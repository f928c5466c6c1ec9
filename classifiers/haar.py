"""`haar`: the cascade that comes with OpenCV, for machines where better weights cannot be had."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fairaudit.digests import sha256_of
from fairaudit.errors import ModelError
from fairaudit.faces import Face, in_reading_order
from fairaudit.lending import Lender

if TYPE_CHECKING:
    import cv2

SIDE = 640
"""Larger pictures are searched at this many pixels on the longer side."""
PADDING = 0.25
"""Edge that is repeated around a picture, as a part of its longer side: faces that fill it need room."""
STEP = 1.1
NEIGHBOURS = 2
SMALLEST = 24


class Haar:
    """Boosted Haar features (Viola & Jones 2001; the cascade `frontalface_alt2` of Lienhart 2002).

    It sees upright frontal faces and tells no eyes, nose or mouth, so nothing is aligned. Of 1,000 tight
    crops of FairFace's validation photographs, each of which shows a face, it misses 21.4 %: 17.5 % of the
    452 women and 24.6 % of the 548 men, 29.1 % of the 148 Black faces, 23.9 % of 117 Middle Eastern, 23.5 %
    of 187 White, 22.0 % of 141 East Asian, 20.0 % of 140 Indian, 16.5 % of 121 Southeast Asian and 13.7 % of
    146 Latino ones (homogeneous with p = 0.008 and p = 0.04). In 0.6 % it sees several. Take YuNet where it
    can be had.
    """

    name = "haar"
    caveats = (
        "The face detector haar misses many faces, and not in all groups alike: of 1,000 photographs of "
        "one face it missed 21 % (17 % of the women and 25 % of the men; by race from 14 to 29 %). What it "
        "missed counts as no face.",
    )

    def __init__(self) -> None:
        import cv2

        self.path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt2.xml"
        self.cascades = Lender(self._load)

    def find(self, image: NDArray[np.uint8]) -> Sequence[Face]:
        """All faces of a picture (h, w, 3), from top to bottom."""
        import cv2

        height, width = image.shape[:2]
        scale = min(1.0, SIDE / max(height, width))
        grey = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY)
        if scale < 1:
            size = (max(1, round(width * scale)), max(1, round(height * scale)))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        room = round(PADDING * max(grey.shape))
        padded = np.pad(grey, room, mode="edge")
        with self.cascades.lend() as cascade:
            boxes = cascade.detectMultiScale(padded, STEP, NEIGHBOURS, minSize=(SMALLEST, SMALLEST))
        found = np.asarray(boxes, dtype=np.float64).reshape(-1, 4) - (room, room, 0, 0)
        faces = [Face((float(x), float(y), float(w), float(h))) for x, y, w, h in found / scale]
        return in_reading_order(faces, image.shape)

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the cascade."""
        return {self.path.name: sha256_of(self.path)}

    def _load(self) -> cv2.CascadeClassifier:
        import cv2

        cascade = cv2.CascadeClassifier(str(self.path))
        if cascade.empty():
            raise ModelError(f"this OpenCV has no cascade {self.path.name}; name --detector yunet")
        return cascade
