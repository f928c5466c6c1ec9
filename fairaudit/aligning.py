"""Faces turned level and brought to one size, as dlib cuts its chips."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MEAN_FACE = np.array(
    [
        (0.225490, 0.215990),
        (0.754764, 0.215990),
        (0.490127, 0.515625),
        (0.254149, 0.780233),
        (0.726104, 0.780233),
    ]
)
"""Right eye, left eye, tip of the nose, right and left corner of the mouth (5, 2) of the mean face that
dlib's `get_face_chip_details` aligns to, in the unit square; an eye is the mean of its six points there."""

_LARGEST = 2048
"""Pixels on a side up to which a chip is drawn finer than it is asked for, and then averaged."""


def chip_of(
    image: NDArray[np.uint8], points: NDArray[np.float32], padding: float, size: int | None
) -> NDArray[np.uint8] | None:
    """The square that holds the mean face, moved, turned and scaled to fit five points best.

    The geometry of dlib's `get_face_chip`, with points that other detectors find too. What lies beyond the
    picture is black, as there.

    Parameters
    ----------
    points
        (5, 2) in the order of `MEAN_FACE`, in pixels from the picture's upper left corner.
    padding
        Added on every side of the mean face, as a part of its side; dlib's FairFace chips have 0.25.
    size
        Pixels on a side; None keeps the picture's own scale.

    Returns
    -------
    array or None
        (size, size, 3); None where the points coincide or are not finite, so that nothing fits.
    """
    turn, shift = similarity((MEAN_FACE + padding) / (1 + 2 * padding), points)
    if not (math.isfinite(abs(turn)) and math.isfinite(abs(shift)) and abs(turn) >= 1):
        return None
    side = size or min(round(abs(turn)), _LARGEST)
    finer = min(math.ceil(abs(turn) / side), max(1, _LARGEST // side))
    step = turn / (side * finer)
    drawn = Image.fromarray(image).transform(
        (side * finer, side * finer),
        Image.Transform.AFFINE,
        (step.real, -step.imag, shift.real, step.imag, step.real, shift.imag),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(drawn.reduce(finer) if finer > 1 else drawn)


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> tuple[complex, complex]:
    """Rotation with scale, and shift, that bring points (n, 2) nearest to others in least squares.

    As complex numbers: `target = rotation * source + shift`, the plane's similarities without mirroring
    (Umeyama 1991).
    """
    here, there = (points[:, 0] + 1j * points[:, 1] for points in (source, target.astype(np.float64)))
    centred = here - here.mean()
    turn = complex(np.vdot(centred, there) / np.vdot(centred, centred).real)
    return turn, complex(there.mean() - turn * here.mean())
