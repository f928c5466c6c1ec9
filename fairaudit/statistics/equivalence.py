"""Evidence for fairness: the test that the discrepancy is *less* than a margin."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from fairaudit.metrics.fairness import fairness_discrepancy
from fairaudit.results import Equivalence
from fairaudit.statistics.correction import Array, check_confusion, invert_shares, prediction_rates
from fairaudit.statistics.discrepancy import bordered_draws, furthest
from fairaudit.statistics.shares import ShareEstimate, check_belonging, draw_shares

BINOMIAL = "two one-sided exact binomial tests"
SIMULATED = "simulation of generators at delta, and fiducial draws"


def equivalence_test(
    shares: ShareEstimate,
    target: ArrayLike,
    delta: float,
    *,
    n: int,
    confusion: ArrayLike | None = None,
    replicates: int = 2000,
    seed: int = 0,
) -> Equivalence:
    """Test of FD >= delta against FD < delta: a small p-value is evidence of fairness within delta.

    Two values without a calibration: two one-sided exact binomial tests (TOST, Schuirmann 1987)
    at target +- delta / sqrt(2); the p-value is the larger. Otherwise it is the larger of two, because
    either alone has a flaw:

    - The largest chance that a generator with FD = delta is estimated as near to the target as this one,
      from n simulated labels each, through a classifier that the calibration allows (a Dirichlet draw of
      it per replicate). These generators lie towards and away from every corner of the
      simplex, along the axes of the estimate's error, and towards the estimate. It keeps the level, but
      a useless classifier that happens to report the target looks like evidence to it.
    - The fraction of `discrepancy_draws` at delta or beyond: below 5 % where the 90 % interval of the
      discrepancy ends before delta. A wide interval is no evidence.

    Simulated for K 2, 3, 4, 7, n 60 to 1000, uniform and skewed targets, without and with a
    calibration on 400 a value (accuracy .75 and .9), delta .06 to .3: with FD = delta in random
    directions it rejects at 5 % in 2 % of audits on average, nowhere in more than 5 % beyond noise.

    Parameters
    ----------
    shares
        From `estimate_shares`.
    target
        (K,) fair shares.
    delta
        The margin, above 0; FD as large as this is not fair.
    n
        Number of labelled images.
    confusion
        (K, K) calibration counts that the shares were corrected with, or None.
    replicates, seed
        Number of draws, and where they start; equal seeds give equal results.

    Returns
    -------
    Equivalence
        p-value 0 if no shares are as far as delta from the target; None, with the reason, without shares.

    Raises
    ------
    ValueError
        If delta is not above 0.
    """
    if not delta > 0:
        raise ValueError(f"a margin is above 0, not {delta}")
    goal = check_belonging(shares, target)
    plain = confusion is None and len(goal) == 2
    test = BINOMIAL if plain else SIMULATED
    if shares.raw is None or shares.centre is None or shares.draws is None:
        return Equivalence(delta=delta, p_value=None, test=test, reason=shares.reason)
    if delta > furthest(goal):
        return Equivalence(delta=delta, p_value=0.0, test=test)
    if plain:
        p_value = _tost(round(n * float(shares.raw[0])), n, goal[0], delta / np.sqrt(2))
        return Equivalence(delta=delta, p_value=p_value, test=test)
    matrix = None if confusion is None else check_confusion(confusion, len(goal))
    truths = _margin(shares.centre, shares.draws, goal, delta)
    found = fairness_discrepancy(_simulated(truths, n, matrix, replicates, seed), goal)
    observed = float(fairness_discrepancy(shares.centre, goal))
    within = (found <= observed + 1e-12).sum(axis=1).max()
    chance = (int(within) + 1) / (replicates + 1)
    beyond = float((bordered_draws(shares.centre, shares.draws, goal) >= delta).mean())
    return Equivalence(delta=delta, p_value=max(chance, beyond), test=test)


def _tost(count: int, n: int, target: float, margin: float) -> float:
    """Larger p-value of "share <= target - margin" and "share >= target + margin", where these exist."""
    p_values = [0.0]
    if target >= margin:
        p_values.append(float(stats.binom.sf(count - 1, n, target - margin)))
    if target + margin <= 1:
        p_values.append(float(stats.binom.cdf(count, n, target + margin)))
    return max(p_values)


def _margin(centre: Array, draws: Array, goal: Array, delta: float) -> Array:
    """Shares (g, K) at distance delta from the target, in the directions that may be the hardest."""
    errors = draws - centre
    _, axes = np.linalg.eigh(errors.T @ errors)
    corners = np.eye(len(goal)) - goal
    directions = np.concatenate([corners, -corners, axes.T, -axes.T, [centre - goal]])
    directions -= directions.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(directions, axis=1)
    kept = directions[lengths > 1e-9] / lengths[lengths > 1e-9, None]
    truths = goal + delta * kept
    possible = truths.min(axis=1) >= -1e-12
    return np.asarray(np.clip(truths[possible], 0, 1))


def _simulated(truths: Array, n: int, confusion: Array | None, m: int, seed: int) -> Array:
    """Estimates (g, m, K) of shares (g, K), without the constraint to [0, 1]."""
    rng = np.random.default_rng(seed)
    if confusion is None:
        return np.asarray(rng.multinomial(n, truths[:, None], size=(len(truths), m)) / n)
    reported = np.einsum("gi,mij->gmj", truths, draw_shares(confusion, m, rng))
    drawn = rng.multinomial(n, reported / reported.sum(axis=-1, keepdims=True)) / n
    return invert_shares(drawn, prediction_rates(confusion))
