"""Does the generator exaggerate the imbalance of its training data, or of any other reference?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fairaudit.results import Estimate
from fairaudit.statistics.correction import (
    Array,
    SingularConfusionError,
    check_confusion,
    correct_shares,
    invert_shares,
    prediction_rates,
)
from fairaudit.statistics.shares import (
    NO_LABELS,
    ShareEstimate,
    check_belonging,
    check_calibration,
    check_target,
    check_targets,
    draw_shares,
)

CHANGE = "share minus planted share"
PLAIN = "bias amplification, mean over prompts; Dirichlet draws of labels and calibration"
DIRECTIONAL = "directional bias amplification, prompt to value; Dirichlet draws of labels and calibration"

_ON_TARGET = 1e-9


def amplify(shares: ShareEstimate, planted: ArrayLike) -> list[Estimate]:
    """Share minus planted share of every value, with the interval of the share.

    Parameters
    ----------
    shares
        From `estimate_shares`; one without a value gives estimates without one, for its reason.
    planted
        (K,) shares of the reference, taken as known.
    """
    known = check_belonging(shares, planted)
    if shares.value is None or shares.low is None or shares.high is None:
        return [Estimate(value=None, method=CHANGE, reason=shares.reason) for _ in known]
    method = f"{CHANGE}; {shares.method}"
    rows = (end - known for end in (shares.value, shares.low, shares.high))
    return [
        Estimate(value=float(value), low=float(low), high=float(high), method=method)
        for value, low, high in zip(*rows, strict=True)
    ]


def bias_amplification(
    counts: ArrayLike,
    planted: ArrayLike,
    target: ArrayLike,
    confusion: ArrayLike | None = None,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> Estimate:
    """How much further than planted the shares lean to the side that the plant leans to.

    After Zhao et al. (EMNLP 2017, arXiv 1707.09457): the mean over prompts of the sum, over values planted
    above the target, of share minus planted share. For two values that is the mean of
    sign(planted - target) * (share - planted), of either value. Above 0 where the generator exaggerates,
    below 0 where it evens out; between -1 and 1. Prompts planted on target lean nowhere: they are
    left out, as are prompts without a label.

    The statistic is linear in the corrected shares, which are not clipped and so add no bias.
    The interval is one for these prompts: it draws the labels of each, and the calibration once a
    replicate for all, because its errors shift all prompts. Simulated for K 2, 4, 7, 1 prompt of 250 to 36
    of 16 images, without and with a calibration on 300 a value (accuracy .85): nominal 95 % intervals
    of this and of the directional measure cover 92 to 98 %.

    Parameters
    ----------
    counts
        (P, K) labels of every declared value for each prompt.
    planted
        (P, K) shares of the reference for each prompt, taken as known.
    target
        (K,) fair shares, or (P, K) where every prompt has its own.
    confusion
        (K, K) calibration counts, or None.
    level
        The interval covers 1 - level.
    replicates, seed
        Number of draws, and where they start; equal seeds give equal results.

    Returns
    -------
    Estimate
        Without a value, and with the reason, if no prompt leans, none has labels, or the classifier
        cannot tell the values apart.

    Raises
    ------
    ValueError
        If counts and reference do not belong together.
    """
    labels, known = _tables(counts, planted)
    goals = check_targets(target, len(np.asarray(counts)), labels.shape[1])[np.any(counts, axis=1)]
    favoured = (known > goals + _ON_TARGET).astype(np.float64)
    leaning = favoured.any(axis=1)
    if len(labels) and not leaning.any():
        return Estimate(value=None, method=PLAIN, reason="every prompt is planted on target")
    statistic = _Linear(PLAIN, known[leaning], favoured[leaning] / max(int(leaning.sum()), 1))
    return statistic.estimate(labels[leaning], confusion, level, replicates, seed)


def directional_bias_amplification(
    counts: ArrayLike,
    reference: ArrayLike,
    confusion: ArrayLike | None = None,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> Estimate:
    """BiasAmp T -> A of Wang & Russakovsky (ICML 2021, arXiv 2102.12594), tasks being prompts.

    The mean over prompts t and values a of y_ta * (P(a | t) generated - P(a | t) in the reference), where
    y_ta is 1 if prompt and value go together in the reference more often than by chance,
    P(a, t) > P(a) P(t), and -1 if less often; 0 if neither (as in the authors' code). All
    prompts are equally common, so P(a) is the mean of the reference over prompts.
    Unlike `bias_amplification` it knows no target: a value rare everywhere is no bias here.

    Parameters and returns as those of `bias_amplification`; prompts without a label are left out.
    """
    labels, known = _tables(counts, reference)
    association = known - known.mean(axis=0) if len(known) else known
    signs = np.where(np.abs(association) > _ON_TARGET, np.sign(association), 0)
    if len(labels) and not signs.any():
        return Estimate(value=None, method=DIRECTIONAL, reason="the reference is the same for every prompt")
    statistic = _Linear(DIRECTIONAL, known, signs / max(signs.size, 1))
    return statistic.estimate(labels, confusion, level, replicates, seed)


def _tables(counts: ArrayLike, reference: ArrayLike) -> tuple[Array, Array]:
    """Counts and reference shares (P, K) of the prompts that have labels."""
    labels, known = np.asarray(counts, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if labels.ndim != 2 or not np.isfinite(labels).all() or (labels < 0).any():
        raise ValueError("label counts of prompts are rows of finite numbers of at least 0")
    if known.shape != labels.shape:
        raise ValueError(f"reference shares of shape {known.shape} for counts of shape {labels.shape}")
    labelled = labels.sum(axis=1) > 0
    shares = [check_target(row, labels.shape[1]) for row in known[labelled]]
    return labels[labelled], np.array(shares).reshape(-1, labels.shape[1])


@dataclass(frozen=True)
class _Linear:
    """The statistic sum weights * (share - known), both (P, K)."""

    method: str
    known: Array
    weights: Array

    def estimate(
        self, labels: Array, confusion: ArrayLike | None, level: float, replicates: int, seed: int
    ) -> Estimate:
        if not len(labels):
            return self.without(NO_LABELS)
        rng = np.random.default_rng(seed)
        shares, drawn = labels / labels.sum(axis=1, keepdims=True), _label_draws(labels, replicates, rng)
        if confusion is not None:
            try:
                matrix = check_confusion(confusion, labels.shape[1])
                check_calibration(matrix, level, replicates, seed)
                correct_shares(shares, matrix)
            except SingularConfusionError as error:
                return self.without(str(error))
            shares = invert_shares(shares, prediction_rates(matrix))
            drawn = invert_shares(drawn, draw_shares(matrix, replicates, rng)[:, None])
        value = float((self.weights * shares).sum())
        ends = np.quantile((self.weights * drawn).sum(axis=(1, 2)), [level / 2, 1 - level / 2])
        # No shares of these prompts give less, or more.
        limits = self.weights.min(axis=1).sum(), self.weights.max(axis=1).sum()
        # Errors may drive the estimate beyond; moved back whole, the interval keeps its length.
        excess = value - float(np.clip(value, *limits))
        found = np.clip(np.array([value, min(ends[0], value), max(ends[1], value)]) - excess, *limits)
        value, low, high = (float(each) for each in found - (self.weights * self.known).sum())
        return Estimate(value=value, low=low, high=high, method=self.method)

    def without(self, reason: str) -> Estimate:
        return Estimate(value=None, method=self.method, reason=reason)


def _label_draws(labels: Array, m: int, rng: np.random.Generator) -> Array:
    """Draws (m, P, K) of reported shares about the observed ones, varying as p (1 - p) / (n - 1).

    Moved back to their mean: the prior's pull towards uniform would add up over prompts.
    """
    sizes = labels.sum(axis=1, keepdims=True)
    weights = labels * np.maximum(1 - 3 / sizes, 0.25)
    drawn = np.stack([draw_shares(row, m, rng) for row in weights], axis=1)
    prior = weights + 1 / labels.shape[1]
    return np.asarray(drawn - prior / prior.sum(axis=1, keepdims=True) + labels / sizes)
