"""Which face of a picture is judged, and what of it a classifier is shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from fairaudit.labelling import MANY_FACES, NO_FACE

Policy = Literal["whole-image", "largest", "exclude-many"]
"""`whole-image` takes every picture as one face; the others look for faces, and differ in what they do
with several: take the largest, or count the picture as `many_faces`."""


@dataclass(frozen=True)
class Face:
    """A face in a picture.

    Attributes
    ----------
    box
        Left, top, width and height in pixels; may reach beyond the picture.
    points
        Right eye, left eye, nose, right and left corner of the mouth (5, 2) in pixels, as the person
        has them, where the detector tells them.
    score
        Confidence of the detector, in [0, 1].
    """

    box: tuple[float, float, float, float]
    points: NDArray[np.float32] | None = None
    score: float = 1.0


@dataclass(frozen=True)
class Crop:
    """What a classifier is shown of a face.

    Attributes
    ----------
    margin
        Added on every side of the face's box, as a part of its longer side.
    aligned
        Whether the eyes are turned level, where the detector tells where they are.
    """

    margin: float = 0.25
    aligned: bool = False


class Detector(Protocol):
    """Finds faces."""

    name: str

    def find(self, image: NDArray[np.uint8]) -> Sequence[Face]:
        """All faces of a picture (h, w, 3)."""

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of its weights, by file name."""


@dataclass(frozen=True)
class Finder:
    """A policy, with the detector that it needs."""

    policy: Policy
    detector: Detector | None = None

    def __call__(self, image: NDArray[np.uint8]) -> Face | str:
        """The face of a picture (h, w, 3) that is judged, or the outcome of a picture without one."""
        height, width = image.shape[:2]
        if self.policy == "whole-image":
            return Face((0, 0, width, height))
        assert self.detector is not None, "only whole pictures need no detector"
        faces = self.detector.find(image)
        if not faces:
            return NO_FACE
        if len(faces) > 1 and self.policy == "exclude-many":
            return MANY_FACES
        return max(faces, key=lambda face: face.box[2] * face.box[3])

    def cut(self, image: NDArray[np.uint8], face: Face, crop: Crop) -> NDArray[np.uint8]:
        """What a classifier is shown of a face; the whole picture where nobody looked for faces."""
        return image if self.policy == "whole-image" else cut(image, face, crop)


def cut(image: NDArray[np.uint8], face: Face, crop: Crop) -> NDArray[np.uint8]:
    """The square around a face, with its margin; what lies beyond the picture repeats its edge."""
    left, top, width, height = face.box
    side = max(width, height)
    reach = side * (0.5 + crop.margin)
    centre = (left + width / 2, top + height / 2)
    columns, rows = (
        np.clip(np.arange(round(c - reach), round(c + reach)), 0, length - 1)
        for c, length in zip(centre, (image.shape[1], image.shape[0]), strict=True)
    )
    return image[np.ix_(rows, columns)]
