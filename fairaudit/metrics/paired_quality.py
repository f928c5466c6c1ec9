"""Quality of two samplers' images from the same noise: paired features -> difference -> interval and test.

Row i of both was made from the same noise, and both are held against the same real images. What the pairs
share, and the sampling error of the real images, then cancel as far as they do: the spread is that of the
difference itself, by the method that the interval of the measure alone rests on.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from fairaudit.metrics.extrapolation import ends_at_infinity
from fairaudit.metrics.kernels import Similar, jackknife_variance, leave_one_out
from fairaudit.metrics.kernels import too_few as too_few_for_kernels
from fairaudit.metrics.neighbours import FEW, FEWEST, NAMES, NEIGHBOURS, Balls, Manifold, balls_of
from fairaudit.metrics.quality import Reference, frechet_to, half_distances, too_few, vectors_of
from fairaudit.results import Estimate
from fairaudit.statistics.paired import PairedDifference

Array = NDArray[np.float64]

TEST = "paired t-test"


def paired_frechet(
    a: ArrayLike,
    b: ArrayLike,
    reference: Reference,
    *,
    replicates: int = 50,
    seed: int = 0,
    level: float = 0.05,
    name: str = "Frechet distance",
) -> PairedDifference:
    """`frechet_interval`'s distance of images a minus that of images b, from halves of the pairs.

    Parameters
    ----------
    a, b
        (n, d) features of pair i.
    replicates, seed
        Number of half-samples, which are the same pairs on both sides; and where they start.
    """
    first, second = _paired(a, b)
    method = f"{name}, paired: the same random half-samples of {len(first)} pairs on both sides"
    if reason := too_few(first, reference):
        return _nothing(method, reason)
    value = frechet_to(first, reference) - frechet_to(second, reference)
    of_a, of_b = (
        half_distances(vectors, reference, replicates, np.random.default_rng(seed))
        for vectors in (first, second)
    )
    return _tested(value, float((of_a - of_b).std(ddof=1)), replicates - 1, method=method, level=level)


def paired_infinity(
    a: ArrayLike,
    b: ArrayLike,
    reference: Reference,
    *,
    replicates: int = 25,
    seed: int = 0,
    level: float = 0.05,
    name: str = "Frechet distance",
) -> PairedDifference:
    """The same for `frechet_at_infinity`; both halvings split the same pairs."""
    first, second = _paired(a, b)
    method = f"{name} at infinite n, paired: the same halvings of {len(first)} pairs on both sides"
    of_a, of_b = (
        ends_at_infinity(vectors, reference, replicates, np.random.default_rng(seed))
        for vectors in (first, second)
    )
    if isinstance(of_a, str):
        return _nothing(method, of_a)
    if isinstance(of_b, str):
        return _nothing(method, of_b)
    value, curved = of_a.value - of_b.value, abs(of_a.curved - of_b.curved)
    deviation = np.sqrt(np.var(of_a.ends - of_b.ends, axis=1, ddof=1).mean() / 2)
    return _tested(value, float(deviation), replicates - 1, method=method, level=level, more=curved)


def paired_kernel(
    a: ArrayLike,
    b: ArrayLike,
    real: Similar,
    *,
    unbiased: bool,
    scale: float = 1.0,
    level: float = 0.05,
    name: str = "KID",
) -> PairedDifference:
    """Squared discrepancy (`kid`, `cmmd`) of images a minus that of images b.

    The jackknife leaves out a pair at a time, and a real image on both sides at a time.
    """
    first, second = _paired(a, b)
    method = f"{name}, paired jackknife over {len(first)} pairs and {len(real.vectors)} real ones"
    if reason := too_few_for_kernels(first, real):
        return _nothing(method, reason)
    of_a, of_b = (leave_one_out(vectors, real, unbiased=unbiased) for vectors in (first, second))
    deviation = np.sqrt(
        jackknife_variance(of_a.images - of_b.images) + jackknife_variance(of_a.real - of_b.real)
    )
    value, degrees = of_a.value - of_b.value, min(len(first), len(real.vectors)) - 1
    return _tested(scale * value, scale * float(deviation), degrees, method=method, level=level)


def paired_neighbourhoods(
    a: ArrayLike, b: ArrayLike, real: Manifold, level: float = 0.05
) -> Mapping[str, PairedDifference]:
    """Precision, recall, density and coverage of images a minus those of images b.

    The variance is that of the differences of the points that are counted, plus what leaving out one ball
    after the other (a real image's on both sides, or those of a pair) changes. Of fractions half a point is
    added to each of the four ways in which a point can count or not on either side (Agresti & Min 2005,
    Statistics in Medicine 24:729): no difference that was seen is not none. Where fewer than 10
    images of a side lie in any ball, the difference of densities has no value, see `neighbourhoods`.
    """
    first, second = _paired(a, b)
    n, m = len(first), len(real.vectors)
    method = f"paired: influences of {n} pairs and {m} real ones, {NEIGHBOURS} neighbours"
    if min(n, m) < FEWEST:
        return dict.fromkeys(NAMES, _nothing(method, f"fewer than {FEWEST} images or real ones"))
    made = Manifold(first), Manifold(second)
    real_a, real_b = (balls_of(real, one.vectors) for one in made)
    made_a, made_b = (balls_of(one, real.vectors) for one in made)
    counted = {
        "precision": (real_a.holders, real_b.holders, real_a.alone / n, real_b.alone / n),
        "recall": (made_a.holders, made_b.holders, made_a.alone / m, made_b.alone / m),
        "coverage": (real_a.held, real_b.held, real_a.sole / m, real_b.sole / m),
    }
    found = {
        name: _fractions(of_a > 0, of_b > 0, lost_a - lost_b, method=method, level=level)
        for name, (of_a, of_b, lost_a, lost_b) in counted.items()
    }
    found["density"] = _densities(real_a, real_b, method, level)
    return {name: found[name] for name in NAMES}


def _fractions(
    a: NDArray[np.bool_], b: NDArray[np.bool_], lost: Array, *, method: str, level: float
) -> PairedDifference:
    change, n = a.astype(np.float64) - b, len(a)
    value, worth = float(change.mean()), n + 2
    differing = (np.count_nonzero(change) + 1) / worth
    variance = (differing - (change.sum() / worth) ** 2) / worth + jackknife_variance(lost)
    degrees = min(n, len(lost)) - 1
    found = _tested(value, float(np.sqrt(variance)), degrees, method=method, level=level)
    ends = {"low": max(found.difference.low or 0.0, -1.0), "high": min(found.difference.high or 0.0, 1.0)}
    return PairedDifference(found.difference.model_copy(update=ends), found.p_value, found.test)


def _densities(a: Balls, b: Balls, method: str, level: float) -> PairedDifference:
    if min(np.count_nonzero(one.holders) for one in (a, b)) < FEW:
        return _nothing(method, f"fewer than {FEW} images of a side are near any real one")
    change, n = (a.holders - b.holders) / NEIGHBOURS, len(a.holders)
    variance = change.var(ddof=1) / n + 2 * jackknife_variance((a.held - b.held) / (NEIGHBOURS * n))
    return _tested(float(change.mean()), float(np.sqrt(variance)), n - 1, method=method, level=level)


def _tested(
    value: float, deviation: float, degrees: int, *, method: str, level: float, more: float = 0.0
) -> PairedDifference:
    """An interval by Student's t with its test; it reaches further by `more`, which the test allows for."""
    half = stats.t.ppf(1 - level / 2, degrees) * deviation + more
    estimate = Estimate(value=value, low=float(value - half), high=float(value + half), method=method)
    shown = max(abs(value) - more, 0.0)
    p_value = 1.0 if shown == 0 else float(2 * stats.t.sf(shown / max(deviation, 1e-300), degrees))
    return PairedDifference(estimate, p_value, TEST)


def _nothing(method: str, reason: str) -> PairedDifference:
    return PairedDifference(Estimate(value=None, method=method, reason=reason), None, "none")


def _paired(a: ArrayLike, b: ArrayLike) -> tuple[Array, Array]:
    first, second = vectors_of(a), vectors_of(b)
    if first.shape != second.shape:
        raise ValueError("features of both samplers are (n, d) arrays of one shape")
    return first, second
