"""What a debiasing sampler keeps of the baseline's image on the same noise, image by image."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def feature_cosine(a: ArrayLike, b: ArrayLike) -> Array:
    """Cosine between the features of paired images.

    Parameters
    ----------
    a, b
        (n, d) features of image i under either sampler.

    Returns
    -------
    (n,) in [-1, 1]; nan where a feature vector is zero and so has no direction.
    """
    first, second = _paired(a, b)
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    cosines = (first * second).sum(axis=1) / np.where(lengths > 0, lengths, np.nan)
    return np.asarray(np.clip(cosines, -1, 1))


def pixel_mse(a_uint8: ArrayLike, b_uint8: ArrayLike) -> Array:
    """Mean squared difference of the pixels of paired images, on the scale where white is 1.

    Parameters
    ----------
    a_uint8, b_uint8
        (n, ...) images of bytes.

    Returns
    -------
    (n,) in [0, 1].

    Raises
    ------
    ValueError
        If the images are not bytes, or differ in shape.
    """
    first, second = np.asarray(a_uint8), np.asarray(b_uint8)
    if first.dtype != np.uint8 or second.dtype != np.uint8 or first.shape != second.shape:
        raise ValueError("images are compared as bytes of one shape")
    # Image by image: a whole run in float64 would take eight times its memory.
    squares = [
        np.square(x.astype(np.float64) - y).mean() / 255**2 for x, y in zip(first, second, strict=True)
    ]
    return np.array(squares, dtype=np.float64)


def unchanged(a_codes: ArrayLike, b_codes: ArrayLike) -> Array:
    """Whether an image keeps its value.

    Parameters
    ----------
    a_codes, b_codes
        (n,) codes of the predicted values, -1 without a label.

    Returns
    -------
    (n,) 1 where both are equal, 0 where they differ, nan where either has no label.
    """
    first, second = np.asarray(a_codes), np.asarray(b_codes)
    if first.shape != second.shape:
        raise ValueError("labels of both samplers are rows of one length")
    return np.where((first < 0) | (second < 0), np.nan, (first == second).astype(np.float64))


def flipped(a_codes: ArrayLike, b_codes: ArrayLike) -> Array:
    """Whether an image's value is another: 1, 0, or nan where either has no label."""
    return 1 - unchanged(a_codes, b_codes)


def _paired(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 2:
        raise ValueError("features of both samplers are (n, d) arrays of one shape")
    return first, second
