"""Fairness discrepancy over several prompts, where opposite biases must not cancel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from fairaudit.results import Discrepancy, Estimate
from fairaudit.statistics.correction import (
    Array,
    SingularConfusionError,
    invert_shares,
    prediction_rates,
)
from fairaudit.statistics.discrepancy import discrepancy_draws, furthest
from fairaudit.statistics.paired import PAIRED, PERMUTATION, PairedDifference
from fairaudit.statistics.pairs import marginals, pair_tables, reweight, swap
from fairaudit.statistics.shares import NO_LABELS, check_calibration, check_target, draw_shares

METHOD = "root mean square over prompts, bias-corrected; fiducial interval"


def prompt_discrepancy(
    counts: ArrayLike,
    target: ArrayLike,
    confusion: ArrayLike | None = None,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> Discrepancy:
    """Root mean square of the prompts' fairness discrepancies.

    Pooled shares hide a bias towards women in one prompt and towards men in another; this does not.
    Of few images a prompt, chance alone makes every discrepancy positive. What chance adds to
    the mean square is subtracted: ``value**2 = max(0, mean(FD**2) - V)`` with V the mean squared
    error of the share vectors, so that the value of a fair generator is near 0, whatever n is.

    Parameters
    ----------
    counts
        (P, K) labels of every declared value for each prompt. Prompts without a label are left out.
    target
        (K,) fair shares.
    confusion
        (K, K) calibration counts, or None. One draw of it serves all prompts of a replicate,
        because an error of the calibration shifts them all.

    Returns
    -------
    Discrepancy
        `raw` is the root mean square of the uncorrected discrepancies, with what chance adds;
        `null95` what a fair generator's value stays under with probability 1 - level. The
        interval is that of `discrepancy_draws` for the vector of all prompts' shares.
    """
    labels = np.asarray(counts, dtype=np.float64)
    labels = labels[labels.sum(axis=1) > 0]
    if not len(labels):
        return Discrepancy(value=None, method=METHOD, reason=NO_LABELS, raw=None, null95=None)
    goal = check_target(target, labels.shape[1])
    shares = labels / labels.sum(axis=1, keepdims=True)
    raw = float(np.sqrt(((shares - goal) ** 2).sum(axis=1).mean()))
    matrix = None if confusion is None else np.asarray(confusion, dtype=np.float64)
    rng = np.random.default_rng(seed)
    # With n - 3 and a prior that weighs 1, the draws vary as p (1 - p) / (n - 1): without bias.
    weights = labels * np.maximum(1 - 3 / labels.sum(axis=1, keepdims=True), 0.25)
    drawn = np.stack([draw_shares(row, replicates, rng) for row in weights], axis=1)
    try:
        if matrix is not None:
            check_calibration(matrix, level, replicates, seed)
            shares = invert_shares(shares, prediction_rates(matrix))
            drawn = invert_shares(drawn, draw_shares(matrix, replicates, rng)[:, None])
        null = _null(labels.sum(axis=1), goal, matrix, replicates, rng)
    except SingularConfusionError as error:
        return Discrepancy(value=None, method=METHOD, reason=str(error), raw=raw, null95=None)
    noise = float(((drawn - shares) ** 2).sum(axis=2).mean())
    value = float(np.sqrt(max(0.0, ((shares - goal) ** 2).sum(axis=1).mean() - noise)))
    quantiles = np.quantile(_draws(shares, drawn, goal), [level / 2, 1 - level / 2])
    low, high = np.clip(quantiles, 0, furthest(goal))
    value = min(value, furthest(goal))
    return Discrepancy(
        value=value,
        low=min(float(low), value),
        high=max(float(high), value),
        method=METHOD,
        raw=raw,
        null95=float(np.quantile(null, 1 - level)),
    )


def paired_prompt_difference(
    a: ArrayLike,
    b: ArrayLike,
    prompts: ArrayLike,
    target: ArrayLike,
    confusion: ArrayLike | None = None,
    *,
    level: float = 0.05,
    replicates: int = 2000,
    seed: int = 0,
) -> PairedDifference:
    """Sampler a's `prompt_discrepancy` minus sampler b's, on the same noise.

    Parameters as those of `paired_fd_difference`. Pairs are reweighted within their prompt, with
    one draw of the calibration for both samplers and all prompts; the p-value is that of
    exchanging the two labels of each pair at random.
    """
    goal = check_target(target, np.size(target))
    tables = pair_tables(a, b, prompts, len(goal))
    both = marginals(tables)
    usable = np.all(both.sum(axis=2) > 0, axis=1)
    tables, both = tables[usable], both[usable]
    if not len(tables):
        return _without("no prompt has labels of both samplers")
    matrix = None if confusion is None else np.asarray(confusion, dtype=np.float64)
    rng = np.random.default_rng(seed)
    shares = both / both.sum(axis=2, keepdims=True)
    weights = np.stack([marginals(reweight(table, 1, replicates, rng)) for table in tables], axis=1)
    drawn = weights / weights.sum(axis=3, keepdims=True)
    rates = None
    try:
        if matrix is not None:
            check_calibration(matrix, level, replicates, seed)
            rates = prediction_rates(matrix)
            shares = invert_shares(shares, rates)
            drawn = invert_shares(drawn, draw_shares(matrix, replicates, rng)[:, None, None])
    except SingularConfusionError as error:
        return _without(str(error))
    first, second = (_draws(shares[:, i], drawn[:, :, i], goal) for i in range(2))
    low, high = np.quantile(first - second, [level / 2, 1 - level / 2])
    noise = ((drawn - shares) ** 2).sum(axis=3).mean(axis=(0, 1))
    plain = ((shares - goal) ** 2).sum(axis=2).mean(axis=0)
    values = np.minimum(np.sqrt(np.maximum(0, plain - noise)), furthest(goal))
    value = float(values[0] - values[1])
    estimate = Estimate(value=value, low=min(float(low), value), high=max(float(high), value), method=PAIRED)
    exchanged = np.stack([swap(table, replicates, rng) for table in tables], axis=1)
    p_value = _permutation(plain, exchanged, goal, rates)
    return PairedDifference(estimate, p_value, PERMUTATION)


def _draws(centres: Array, drawn: Array, goal: Array) -> Array:
    """Draws (m,) of the root mean square, of centres (P, K) and draws (m, P, K).

    Where the correction throws the estimate beyond what is possible, they are moved back whole:
    cut off at the border they would feign certainty.
    """
    scale = 1 / np.sqrt(len(centres))
    flat = np.tile(goal, len(centres)) * scale
    excess = max(0.0, float(np.linalg.norm(centres.ravel() * scale - flat)) - furthest(goal))
    return discrepancy_draws(centres.ravel() * scale, drawn.reshape(len(drawn), -1) * scale, flat) - excess


def _null(sizes: Array, goal: Array, confusion: Array | None, m: int, rng: np.random.Generator) -> Array:
    """Values (m,) that a fair generator of prompts with these numbers of labels would be given."""
    rates = np.tile(goal, (m, 1)) if confusion is None else goal @ draw_shares(confusion, m, rng)
    shares = np.stack([rng.multinomial(int(n), rates) / n for n in sizes], axis=1)
    if confusion is not None:
        shares = invert_shares(shares, prediction_rates(confusion))
    squares = ((shares - goal) ** 2).sum(axis=2).mean(axis=1)
    return np.asarray(np.sqrt(np.maximum(0, squares - squares.mean())))


def _permutation(plain: Array, exchanged: Array, goal: Array, rates: Array | None) -> float:
    """Chance that exchanged pairs, counts (m, P, 2, K), differ as much in root mean square."""
    totals = exchanged.sum(axis=3, keepdims=True)
    shares = np.where(totals > 0, exchanged / np.maximum(totals, 1), goal)
    if rates is not None:
        shares = invert_shares(shares, rates)
    roots = np.sqrt(((shares - goal) ** 2).sum(axis=3).mean(axis=1))
    observed = abs(float(np.sqrt(plain[0]) - np.sqrt(plain[1])))
    extreme = np.abs(roots[:, 0] - roots[:, 1]) >= observed - 1e-12
    return (int(extreme.sum()) + 1) / (len(roots) + 1)


def _without(reason: str) -> PairedDifference:
    return PairedDifference(Estimate(value=None, method=PAIRED, reason=reason), None, PERMUTATION)
