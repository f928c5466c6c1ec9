"""Do probabilities mean what they say? Reliability curves, and the temperature that mends them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from fairaudit.digests import seed_of
from fairaudit.statistics.correction import Array
from fairaudit.statistics.soft import check_probabilities

BINS = 15
_COLDEST, _HOTTEST = 0.05, 20.0
_LEAST = 1e-12


@dataclass(frozen=True)
class Curve:
    """How often labels are right, by their confidence.

    Attributes
    ----------
    faces, right
        (B,) counts of labels in equal bins of confidence over [0, 1], and of the right ones.
    confidence
        (B,) mean confidence in each bin; 0 where it is empty.
    ece
        Expected calibration error in [0, 1]: mean distance of confidence and accuracy (Naeini et al. 2015).
    """

    faces: NDArray[np.int64]
    right: NDArray[np.int64]
    confidence: Array
    ece: float


def reliability(probabilities: ArrayLike, truth: ArrayLike, bins: int = BINS) -> Curve:
    """The reliability curve of probabilities (n, K), n > 0, whose true values have the codes (n,)."""
    given, codes = check_probabilities(probabilities), np.asarray(truth, dtype=np.int64)
    top, hit = given.max(axis=1), given.argmax(axis=1) == codes
    place = np.minimum(np.floor(top * bins + 1e-9).astype(np.int64), bins - 1)
    faces = np.bincount(place, minlength=bins)
    right, total = (np.bincount(place, weights, minlength=bins) for weights in (hit, top))
    mean = total / np.maximum(faces, 1)
    ece = float(np.abs(right - total).sum() / len(given))
    return Curve(faces, right.astype(np.int64), mean, ece)


def temper(probabilities: ArrayLike, temperature: float) -> Array:
    """Probabilities (n, K) as a softmax gives them whose logits are divided by a temperature; NaN stays.

    Examples
    --------
    >>> temper([[0.9, 0.1]], 1.0).round(3).tolist(), temper([[0.9, 0.1]], 2.0).round(3).tolist()
    ([[0.9, 0.1]], [[0.75, 0.25]])
    """
    scores = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), _LEAST)) / temperature
    weights = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def fit_temperature(probabilities: ArrayLike, truth: ArrayLike) -> float:
    """The temperature of least log loss (Guo et al., ICML 2017), from 0.05 to 20."""
    given, codes = check_probabilities(probabilities), np.asarray(truth, dtype=np.int64)

    def loss(log_temperature: float) -> float:
        chances = temper(given, np.exp(log_temperature))[np.arange(len(codes)), codes]
        return float(-np.log(np.maximum(chances, _LEAST)).mean())

    found = minimize_scalar(loss, bounds=(np.log(_COLDEST), np.log(_HOTTEST)), method="bounded")
    return float(np.exp(found.x))


def cross_tempered(probabilities: ArrayLike, truth: ArrayLike) -> Array:
    """Probabilities (n, K), each half tempered by what the other half asks for.

    So what is counted on them has not seen the faces that its temperature was fitted on. The halves
    are drawn at random, the same for equal n.
    """
    given, codes = check_probabilities(probabilities), np.asarray(truth, dtype=np.int64)
    half = np.random.default_rng(seed_of("halves", len(given))).permutation(len(given)) % 2 == 0
    tempered = np.empty_like(given)
    for part in (half, ~half):
        tempered[part] = temper(given[part], fit_temperature(given[~part], codes[~part]))
    return tempered
