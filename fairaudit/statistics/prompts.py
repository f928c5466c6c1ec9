"""Fairness discrepancy over several prompts, where opposite biases must not cancel."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from fairaudit.results import Discrepancy, Estimate
from fairaudit.statistics.correction import (
    Array,
    SingularConfusionError,
    check_separation,
    invert_shares,
    prediction_rates,
)
from fairaudit.statistics.discrepancy import furthest, percentile_interval
from fairaudit.statistics.draws import (
    Array32,
    Deviations,
    Gammas,
    dirichlet_shapes,
    inverse_draws,
    mean_square,
    normalise,
    unmix,
)
from fairaudit.statistics.paired import PAIRED, PERMUTATION, PairedDifference
from fairaudit.statistics.pairs import Codes, check_goal, marginals, pair_tables, reweight, swap
from fairaudit.statistics.shares import NO_LABELS, check_calibration, check_targets, draw_shares

METHOD = "root mean square over prompts, bias-corrected; fiducial interval"

_NULL = 2000
"""Draws that a 95 % point is read from; more would cost more than the interval and tell nothing."""

FEWEST = 3
"""Labels below which a prompt is left out: of one or two nobody can tell bias from chance."""
TOO_FEW = f"no prompt has {FEWEST} labels"


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
        (P, K) labels of every declared value for each prompt. Prompts with fewer than 3 labels are left out.
    target
        (K,) fair shares, or (P, K) where every prompt has its own.
    confusion
        (K, K) calibration counts, or None. One draw of it serves all prompts of a replicate,
        because an error of the calibration shifts them all.

    Returns
    -------
    Discrepancy
        `raw` is the root mean square of the uncorrected discrepancies, with what chance adds;
        `null95` what a fair generator's value stays under with probability 1 - level, read from
        2000 draws at most. The interval is that of `discrepancy_draws` for the vector of all
        prompts' shares. Simulated for K 2, 4, 7, 5 to 40 images in each of 6 to 200 prompts, accuracy
        .85 to 1: 94 to 98 % of nominal 95 % intervals hold.

    Raises
    ------
    ValueError
        If counts, target and matrix do not belong together, or the target has one value.
    """
    k = _values(target)
    labels = _checked(counts, k)
    goals, some, enough = check_targets(target, len(labels), k), labels.any(), labels.sum(axis=1) >= FEWEST
    labels, goals = labels[enough], goals[enough]
    if not len(labels):
        reason = TOO_FEW if some else NO_LABELS
        return Discrepancy(value=None, method=METHOD, reason=reason, raw=None, null95=None)
    shares = labels / labels.sum(axis=1, keepdims=True)
    raw = float(np.sqrt(((shares - goals) ** 2).sum(axis=1).mean()))
    matrix = None if confusion is None else np.asarray(confusion, dtype=np.float64)
    rng = np.random.default_rng(seed)
    try:
        if matrix is not None:
            shares = invert_shares(shares, _usable_rates(matrix, k, level, replicates, seed))
    except SingularConfusionError as error:
        return Discrepancy(value=None, method=METHOD, reason=str(error), raw=raw, null95=None)
    deviations = Deviations(shares, goals, replicates)
    inverses = None if matrix is None else inverse_draws(matrix, replicates, rng)
    shapes = dirichlet_shapes(labels)
    for prompt, drawn in enumerate(_share_draws(shapes, replicates, rng)):
        deviations.add(prompt, drawn if inverses is None else unmix(drawn, inverses))
    null = _null(labels.sum(axis=1), goals, matrix, min(replicates, _NULL), rng)
    limit = _limit(goals)
    value = deviations.discrepancy(mean_square(shapes, shares, inverses), limit)
    low, high = percentile_interval(value, deviations.discrepancies(limit), level, (0, limit))
    null95 = float(np.quantile(null, 1 - level))
    return Discrepancy(value=value, low=low, high=high, method=METHOD, raw=raw, null95=null95)


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

    Parameters as those of `paired_fd_difference`, and the target may be (P, K), one for each prompt in
    the order of their codes. Pairs are reweighted within their prompt, with
    one draw of the calibration for both samplers and all prompts; the p-value is that of
    exchanging the two labels of each pair at random. Simulated as for `prompt_discrepancy`: 92 to
    98 % of nominal 95 % intervals hold.
    """
    k = _values(target)
    tables = pair_tables(a, b, prompts, k)
    both, goals = marginals(tables), check_targets(target, len(tables), k)
    usable = np.all(both.sum(axis=2) >= FEWEST, axis=1)
    tables, both, goals = tables[usable], both[usable], goals[usable]
    if not len(tables):
        return _without(f"no prompt has {FEWEST} labels of both samplers")
    matrix = None if confusion is None else np.asarray(confusion, dtype=np.float64)
    rng = np.random.default_rng(seed)
    shares = both / both.sum(axis=2, keepdims=True)
    rates = None
    try:
        if matrix is not None:
            rates = _usable_rates(matrix, k, level, replicates, seed)
            shares = invert_shares(shares, rates)
    except SingularConfusionError as error:
        return _without(str(error))
    sides = [Deviations(shares[:, side], goals, replicates) for side in range(2)]
    inverses = None if matrix is None else inverse_draws(matrix, replicates, rng)
    for prompt, weights in enumerate(reweight(tables, replicates, rng, priors=1)):
        for side, drawn in zip(sides, normalise(weights), strict=True):
            side.add(prompt, drawn if inverses is None else unmix(drawn, inverses))
    # The distribution of what `reweight` draws.
    images = tables.sum(axis=(1, 2))[:, None, None]
    shapes = both * (np.maximum(images - 2, 1) / images) + 1 / (len(tables) * k)
    limit = _limit(goals)
    first, second = (side.discrepancies(limit) for side in sides)
    noises = [mean_square(shapes[:, side], shares[:, side], inverses) for side in range(2)]
    values = [side.discrepancy(noise, limit) for side, noise in zip(sides, noises, strict=True)]
    value = values[0] - values[1]
    low, high = percentile_interval(value, first - second, level, (-limit, limit))
    estimate = Estimate(value=value, low=low, high=high, method=PAIRED)
    observed = abs(sides[0].distance - sides[1].distance)
    return PairedDifference(
        estimate, _permutation(observed, tables, goals, rates, m=replicates, rng=rng), PERMUTATION
    )


def _values(target: ArrayLike) -> int:
    """How many values a target is of."""
    goals = np.atleast_2d(np.asarray(target, dtype=np.float64))
    return len(check_goal(goals[0])) if len(goals) else goals.shape[1]


def _limit(goals: Array) -> float:
    """The largest root mean square that prompts with these targets can have."""
    limits = [furthest(goal) for goal in goals]
    return limits[0] if len(set(limits)) == 1 else float(np.sqrt(np.mean(np.square(limits))))


def _checked(counts: ArrayLike, k: int) -> Array:
    labels = np.asarray(counts, dtype=np.float64)
    if labels.ndim != 2 or labels.shape[1] != k or not np.isfinite(labels).all() or (labels < 0).any():
        raise ValueError(f"label counts are a row of {k} finite numbers of at least 0 for each prompt")
    return labels


def _usable_rates(confusion: Array, k: int, level: float, replicates: int, seed: int) -> Array:
    """`prediction_rates` of a (k, k) matrix that can be inverted, and is known well enough."""
    rates = prediction_rates(confusion)
    if rates.shape != (k, k):
        raise ValueError(f"a {rates.shape} confusion matrix does not belong to {k} values")
    check_separation(rates)
    check_calibration(confusion, level, replicates, seed)
    return rates


def _share_draws(shapes: Array, m: int, rng: np.random.Generator) -> Iterator[Array32]:
    """Dirichlet draws (K, m) of one prompt's shares after the other, given shapes (P, K)."""
    draw = Gammas(shapes, m, rng)
    for row in shapes:
        yield normalise(np.stack([draw(shape) for shape in row]))


def _null(sizes: Array, goals: Array, confusion: Array | None, m: int, rng: np.random.Generator) -> Array:
    """Values (m,) that a fair generator of prompts with these numbers of labels would be given."""
    mixing = None if confusion is None else draw_shares(confusion, m, rng)
    unmixing = np.eye(goals.shape[1]) if confusion is None else np.linalg.inv(prediction_rates(confusion))
    squares = np.zeros(m)
    for n, goal in zip(sizes, goals, strict=True):
        rates = goal if mixing is None else goal @ mixing
        shares = rng.multinomial(int(n), rates, size=m) / n @ unmixing
        squares += ((shares - goal) ** 2).sum(axis=1) / len(sizes)
    return np.asarray(np.sqrt(np.maximum(0, squares - squares.mean())))


def _permutation(
    observed: float, tables: Codes, goals: Array, rates: Array | None, *, m: int, rng: np.random.Generator
) -> float:
    """Chance that exchanged pairs differ as much in the root mean square of their discrepancies."""
    squares = np.zeros((2, m))
    unmixing = np.eye(goals.shape[1]) if rates is None else np.linalg.inv(rates).T
    for table, goal in zip(tables, goals, strict=True):
        counts = swap(table, m, rng)
        totals = counts.sum(axis=1, keepdims=True)
        # An exchange may leave a sampler of very few labels without any: that is no discrepancy.
        off = unmixing.astype(np.float32) @ (counts / np.maximum(totals, 1)) - goal[:, None].astype(
            np.float32
        )
        squares += np.where(totals[:, 0] > 0, np.einsum("skm,skm->sm", off, off), 0)
    roots = np.sqrt(squares / len(tables))
    extreme = np.abs(roots[0] - roots[1]) >= observed - 1e-6
    return (int(extreme.sum()) + 1) / (m + 1)


def _without(reason: str) -> PairedDifference:
    return PairedDifference(Estimate(value=None, method=PAIRED, reason=reason), None, PERMUTATION)
