"""Whether images show what their prompts ask for, by a network that embeds both."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_ROWS = 1024
"""Images whose cosines with all texts are held in memory at once."""


def clip_score(images: ArrayLike, texts: ArrayLike) -> Array:
    """CLIP score of every image with its text: 100 max(cosine, 0) (Hessel et al. 2021).

    Parameters
    ----------
    images, texts
        (n, d) embeddings of image i and of what it should show; of any length.

    Returns
    -------
    (n,) in [0, 100]; nan where an embedding is zero.
    """
    first, second = _directions(images), _directions(texts)
    if first.shape != second.shape:
        raise ValueError("every image has a text, and both have embeddings of one length")
    return np.asarray(100 * np.clip((first * second).sum(axis=1), 0, 1))


def retrieved(images: ArrayLike, texts: ArrayLike, own: ArrayLike) -> Array:
    """Whether an image is closest to its own prompt among all prompts: zero-shot retrieval.

    An image that is equally close to several texts, its own among them, counts as one in so many, so
    that images which tell nothing have a mean of 1 / P.

    Parameters
    ----------
    images
        (n, d) embeddings.
    texts
        (P, d) embeddings of the prompts, at least two.
    own
        (n,) the place of each image's own prompt.

    Returns
    -------
    (n,) in [0, 1]; nan where an image's embedding is zero.
    """
    rows, said, places = _directions(images), _directions(texts), np.asarray(own)
    if len(said) < 2:
        raise ValueError("an image is told apart from at least two texts")
    if places.shape != rows.shape[:1] or not np.isin(places, np.arange(len(said))).all():
        raise ValueError("every image has the place of its own text")
    steps = range(0, len(rows), _ROWS)
    parts = [_found(rows[at : at + _ROWS] @ said.T, places[at : at + _ROWS]) for at in steps]
    return np.concatenate([*parts, np.zeros(0)])


def _found(cosines: Array, places: NDArray[np.int64]) -> Array:
    # Rounding must not decide between texts that say the same.
    best = cosines >= cosines.max(axis=1, keepdims=True) - 1e-9
    found = best[np.arange(len(places)), places] / np.maximum(best.sum(axis=1), 1)
    return np.where(np.isnan(cosines).any(axis=1), np.nan, found)


def _directions(embeddings: ArrayLike) -> Array:
    rows = np.asarray(embeddings, dtype=np.float64)
    if rows.ndim != 2:
        raise ValueError("embeddings are (n, d) arrays")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, np.nan))
