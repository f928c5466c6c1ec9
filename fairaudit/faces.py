"""Which face of a picture is judged, and what of it a classifier is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fairaudit.aligning import chip_of
from fairaudit.labelling import MANY_FACES, NO_FACE

Policy = Literal["whole-image", "largest", "exclude-many"]
"""`whole-image` takes every picture as one face; the others look for faces, and differ in what they do
with several: take the largest, or count the picture as `many_faces`."""


KEPT = 768


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
        Added on every side: of the face's box, as a part of its longer side; of an aligned face, as the
        padding of dlib's chips.
    aligned
        Whether the face is turned level and centred as dlib does it, where the detector tells where eyes,
        nose and mouth are.
    size
        Pixels on a side of what the classifier is shown; None keeps the picture's own scale.
    """

    margin: float = 0.25
    aligned: bool = False
    size: int | None = None


class Detector(Protocol):
    """Finds faces; several threads may ask at once.

    A detector whose class has `caveats`, sentences, has them said in the results of every run that used it.
    """

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
    """The square around a face, with its margin: at least one pixel, wherever the box lies.

    What lies beyond the picture repeats its edge; around an aligned face it is black, as in dlib's chips.
    """
    if crop.aligned and face.points is not None:
        chip = chip_of(image, face.points, crop.margin, crop.size)
        if chip is not None:
            return chip
    left, top, width, height = face.box
    longest = max(image.shape[:2])
    side = max(1, min(round(max(width, height) * (1 + 2 * crop.margin)), 2 * longest))
    corner = (left + width / 2 - side / 2, top + height / 2 - side / 2)
    columns, rows = (
        np.clip(np.arange(side) + math.floor(begin + 0.5), 0, length - 1)
        for begin, length in zip(corner, (image.shape[1], image.shape[0]), strict=True)
    )
    square = image[np.ix_(rows, columns)]
    if crop.size is None:
        return square
    shown = Image.fromarray(square).resize((crop.size, crop.size), Image.Resampling.LANCZOS)
    return np.asarray(shown)


def keep_near(image: NDArray[np.uint8], face: Face) -> tuple[NDArray[np.uint8], Face]:
    """Of a large picture (h, w, 3) only what any crop of the face shows, at `KEPT` to twice `KEPT` pixels.

    Classifiers look at a few hundred pixels; a hundred whole photographs would fill the memory. Pictures of
    less than twice `KEPT` pixels are left as they are.
    """
    height, width = image.shape[:2]
    if max(height, width) < 2 * KEPT:
        return image, face
    left, top, wide, high = face.box
    reach = max(wide, high)
    begin = max(0, math.floor(left - reach)), max(0, math.floor(top - reach))
    end = min(width, math.ceil(left + wide + reach)), min(height, math.ceil(top + high + reach))
    part = image[begin[1] : end[1], begin[0] : end[0]]
    factor = max(1, max(part.shape[:2]) // KEPT)
    points = None if face.points is None else (face.points - np.array(begin, np.float32)) / factor
    box = ((left - begin[0]) / factor, (top - begin[1]) / factor, wide / factor, high / factor)
    return np.asarray(Image.fromarray(part).reduce(factor)), Face(box, points, face.score)


def in_reading_order(faces: Sequence[Face], shape: tuple[int, ...]) -> list[Face]:
    """The faces whose box has an area in a picture (h, w, ...), in an order that hangs on nothing else."""
    height, width = shape[:2]
    found = []
    for face in faces:
        left, top, wide, high = face.box
        inside = left < width and top < height and left + wide > 0 and top + high > 0
        if math.isfinite(sum(face.box)) and min(wide, high) > 0 and inside:
            found.append(face)
    return sorted(found, key=lambda face: (face.box[1], face.box[0], face.box[2], -face.score))
