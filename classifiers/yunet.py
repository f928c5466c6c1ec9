"""`yunet`: OpenCV's face detector, which also finds eyes, nose and mouth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fairaudit.digests import sha256_of
from fairaudit.errors import ModelError, UsageError
from fairaudit.faces import Face, in_reading_order
from fairaudit.fetching import find_asset
from fairaudit.lending import Lender

if TYPE_CHECKING:
    import cv2

SIDES = (640, 320)
"""Longest sides that pictures are shown at. The network was trained on faces of about 10 to 300 pixels, so
what fills a picture is looked for again at half the size where nothing was found."""

SCORE = 0.7
OVERLAP = 0.3
"""Boxes of one face overlap more than this (non-maximum suppression)."""


class YuNet:
    """YuNet (Wu, Peng & Yu 2023, Machine Intelligence Research 20:656-665), weights under the MIT licence.

    Raises
    ------
    UsageError
        If the weights are not there.
    ModelError
        If OpenCV cannot load them.
    """

    name = "yunet"

    def __init__(self) -> None:
        path = find_asset("yunet")
        if path is None:
            raise UsageError(
                "the face detector yunet is not on this machine; get it with `fairaudit fetch yunet`, "
                "or name --detector haar"
            )
        self.path = Path(path)
        self.networks = Lender(self._load)
        with self.networks.lend():
            pass  # broken weights are told now, not at the first picture

    def find(self, image: NDArray[np.uint8]) -> Sequence[Face]:
        """All faces of a picture (h, w, 3), from top to bottom."""
        for side in SIDES:
            faces = self._find_at(image, side)
            if faces:
                return faces
        return []

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the weights."""
        return {self.path.name: sha256_of(self.path)}

    def _find_at(self, image: NDArray[np.uint8], side: int) -> list[Face]:
        import cv2

        height, width = image.shape[:2]
        scale = min(1.0, side / max(height, width))
        shown = np.ascontiguousarray(image[..., ::-1])  # OpenCV's pictures are BGR
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if scale < 1:
            shown = cv2.resize(shown, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        with self.networks.lend() as network:
            network.setInputSize(size)
            rows: Any = network.detect(shown)[1]  # None where it finds nothing
        if rows is None:
            return []
        zoom = np.array((width / size[0], height / size[1]), dtype=np.float32)
        return in_reading_order([_face(row, zoom) for row in rows], image.shape)

    def _load(self) -> cv2.FaceDetectorYN:
        import cv2

        try:
            return cv2.FaceDetectorYN.create(str(self.path), "", (320, 320), SCORE, OVERLAP)
        except cv2.error as error:
            raise ModelError(f"OpenCV cannot load {self.path}: {error.err}") from error


def _face(row: NDArray[np.float32], zoom: NDArray[np.float32]) -> Face:
    """A row of 15: box, the five points, score."""
    left, top, width, height = (float(number) for number in row[:4] * np.tile(zoom, 2))
    return Face((left, top, width, height), row[4:14].reshape(5, 2) * zoom, float(row[14]))
