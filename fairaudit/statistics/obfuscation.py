"""Epsilon-fairness: whether the image tells which value the sampler was told to aim at."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairaudit.results import Estimate, Obfuscation
from fairaudit.statistics.correction import Array
from fairaudit.statistics.simultaneous import wilson

PROBES = ("logistic regression", "small neural network")

_FOLDS = 5
_FEWEST = 10
_COMPONENTS = {"logistic regression": 256, "small neural network": 64}
"""Principal components that a probe sees, where there are more features."""


def probe_error(
    features: ArrayLike, codes: ArrayLike, k: int, *, level: float = 0.05, seed: int = 0
) -> Obfuscation:
    """Held-out balanced error of probes that guess an image's assigned value from its features.

    The epsilon of Feldman et al. (KDD 2015): no probe tells the value with a balanced error below it.
    All classifiers there are cannot be tried; a logistic regression and a small neural network stand
    for them, and the least of their errors counts, so the number is an upper bound. Every image is
    predicted once, by a probe that did not see it (5 stratified folds).

    The balanced error is the mean over values of the error rate among the images assigned that value.
    A probe that knows nothing has (K - 1) / K, with K the values that were assigned: 0.5 for two.
    Intervals join Wilson's of the values (Zou & Donner 2008, Statistics in Medicine 27:1693), at level / 2
    each for two probes; they are of the error of probes that learn from as many images as these.

    Parameters
    ----------
    features
        (n, d) finite features, one row an image, in any order.
    codes
        (n,) codes of the assigned values, from 0 to k - 1.
    k
        Number of declared values; those that no image was assigned are left out.
    level
        The intervals cover 1 - level.
    seed
        Of folds and first weights; equal seeds give equal results.

    Returns
    -------
    Obfuscation
        Without a value, and with the reason, for fewer than two assigned values, fewer than 10 images
        of one, or features that are the same for every image.

    Raises
    ------
    ValueError
        If features are not finite, or codes do not belong to them.
    """
    rows, assigned = _checked(features, codes, k)
    found, member, sizes = np.unique(assigned, return_inverse=True, return_counts=True)
    method = f"held-out balanced error; perfect obfuscation is {1 - 1 / max(len(found), 2):.3g}"
    rows = rows[:, np.ptp(rows, axis=0) > 0] if len(rows) else rows
    reason = _unusable(rows, sizes)
    if reason is not None:
        nothing = Estimate(value=None, method=method, reason=reason)
        return Obfuscation(error=nothing, probes=dict.fromkeys(PROBES, nothing))
    # One order of the rows, whatever the caller's, so that folds and weights do not depend on it.
    order = np.lexsort([*rows.T, member])
    wrong = _held_out_errors(rows[order], member[order], seed)
    probes = {name: _balanced(wrong[name], sizes, level / len(PROBES), method) for name in PROBES}
    ends = [[getattr(probe, end) for probe in probes.values()] for end in ("value", "low", "high")]
    value, low, high = (min(end) for end in ends)
    least = Estimate(value=value, low=low, high=high, method=f"least {method}")
    return Obfuscation(error=least, probes=probes)


def _checked(features: ArrayLike, codes: ArrayLike, k: int) -> tuple[Array, NDArray[np.int64]]:
    rows, assigned = np.asarray(features, dtype=np.float64), np.asarray(codes)
    if rows.ndim != 2 or assigned.shape != rows.shape[:1]:
        raise ValueError(f"features {rows.shape} are a row for each of the codes {assigned.shape}")
    if not np.isfinite(rows).all():
        raise ValueError("features must be finite")
    if not np.isin(assigned, np.arange(k)).all():
        raise ValueError(f"codes of assigned values are whole numbers from 0 to {k - 1}")
    largest = np.abs(rows).max(axis=0, initial=np.finfo(np.float64).tiny)
    return rows / largest, assigned.astype(np.int64)  # so that squares neither overflow nor vanish


def _unusable(rows: Array, sizes: NDArray[np.int64]) -> str | None:
    if len(sizes) < 2:
        return "fewer than two values were assigned"
    if sizes.min() < _FEWEST:
        return f"fewer than {_FEWEST} images were assigned one of the values"
    return None if rows.shape[1] else "the features are the same for every image"


def _held_out_errors(rows: Array, codes: NDArray[np.int64], seed: int) -> dict[str, Array]:
    """Number of wrong guesses of each value (K,), by probe."""
    state = int(np.random.default_rng(seed).integers(2**31))
    guesses = {name: np.zeros(len(codes), dtype=np.int64) for name in PROBES}
    for train, test in StratifiedKFold(_FOLDS, shuffle=True, random_state=state).split(rows, codes):
        prior = np.bincount(codes[train]) / len(train)
        for name in PROBES:
            probe = _probe(name, rows[train].shape, state)
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                # A probe that has not converged is a probe all the same.
                warnings.simplefilter("ignore", ConvergenceWarning)
                probe.fit(rows[train], codes[train])
                # The most likely value if all were assigned equally often has the least balanced error.
                guesses[name][test] = (probe.predict_proba(rows[test]) / prior).argmax(axis=1)
    return {
        name: np.bincount(codes, weights=guess != codes).astype(np.float64) for name, guess in guesses.items()
    }


def _probe(name: str, shape: tuple[int, ...], state: int) -> Any:
    steps: list[Any] = [StandardScaler()]
    components = min(_COMPONENTS[name], shape[0])
    if shape[1] > components:
        steps.append(PCA(components, random_state=state))
    if name == "logistic regression":
        return make_pipeline(*steps, LogisticRegression(C=0.1, max_iter=300))
    network = MLPClassifier((32,), solver="lbfgs", alpha=1.0, max_iter=100, random_state=state)
    return make_pipeline(*steps, network)


def _balanced(wrong: Array, sizes: NDArray[np.int64], level: float, method: str) -> Estimate:
    rates = wrong / sizes
    ends = [wilson(np.array([bad, n - bad]), level) for bad, n in zip(wrong, sizes, strict=True)]
    low, high = np.array([[end[0] for end in pair] for pair in ends]).T
    value = float(rates.mean())
    below, above = (float(np.linalg.norm(rates - end)) / len(rates) for end in (low, high))
    return Estimate(value=value, low=max(0.0, value - below), high=min(1.0, value + above), method=method)
