"""Frechet distance to real images: features -> moments -> distance -> interval."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from fairaudit.results import Estimate

Array = NDArray[np.float64]

FEWEST = 4
"""Images that a covariance of halves takes."""
_SHARE = 4


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of n feature vectors, in float64; parts merge to those of the whole.

    Attributes
    ----------
    n
        Number of vectors, at least 1; None where statistics that were brought do not say it.
    mean
        (d,).
    cov
        (d, d), divided by n - 1; zero for one vector.
    """

    n: int | None
    mean: Array
    cov: Array

    @classmethod
    def of(cls, features: ArrayLike) -> Moments:
        """Moments of (n, d) features; `ValueError` if there are none or one is not finite."""
        vectors = vectors_of(features)
        if len(vectors) == 0:
            raise ValueError("no features, no moments")
        mean = vectors.mean(axis=0)
        centred = vectors - mean
        return cls(len(vectors), mean, centred.T @ centred / max(len(vectors) - 1, 1))

    def merge(self, other: Moments) -> Moments:
        """Moments of both sets together (Chan, Golub & LeVeque 1979)."""
        if self.n is None or other.n is None:
            raise ValueError("moments merge by their numbers of vectors")
        n, shift = self.n + other.n, other.mean - self.mean
        scatter = (self.n - 1) * self.cov + (other.n - 1) * other.cov
        scatter = scatter + np.outer(shift, shift) * (self.n * other.n / n)
        return Moments(n, self.mean + shift * (other.n / n), scatter / (n - 1))


def frechet_distance(a: Moments, b: Moments) -> float:
    """|mean_a - mean_b|^2 + tr(cov_a + cov_b - 2 (cov_a cov_b)^(1/2)) (Dowson & Landau 1982).

    The FID of Heusel et al. (NeurIPS 2017) for Inception features. The trace of the root is the sum
    of the roots of the eigenvalues of cov_b^(1/2) cov_a cov_b^(1/2), which is symmetric: real,
    and exact where the covariances are singular, unlike a Schur root of their product.

    Returns
    -------
    At least 0, in squared units of the features. Biased upward by about 1 / n: compare at equal n.
    """
    half = _root(b.cov)
    root = np.sqrt(_eigenvalues(half @ a.cov @ half)).sum()
    distance = ((a.mean - b.mean) ** 2).sum() + np.trace(a.cov) + np.trace(b.cov) - 2 * root
    return max(float(distance), 0.0)


def fewest(d: int) -> int:
    """Images below which a Frechet distance on d features is not given: a quarter of d.

    At n images the distance is not least for a generator like the real images, but for one whose
    features spread less, by a factor R < 1: the expected trace term over its limit. With variances
    that fall off as those of networks do (k^-1 to k^-1.3), R is 0.82 to 0.94 at n = d / 4 for
    d = 2048, and 0.73 to 0.90 at half as many: below, the distance rewards a generator that lost a
    fifth of its variety, and more. Kernel distances have no such bias.
    """
    return max(FEWEST, -(-d // _SHARE))


def frechet_interval(
    features: ArrayLike,
    reference: Reference,
    *,
    real: ArrayLike | None = None,
    replicates: int = 50,
    seed: int = 0,
    level: float = 0.05,
    name: str = "Frechet distance",
) -> Estimate:
    """Frechet distance of images to a reference, with an interval over the images.

    The distance is biased upward by about 1 / n, and a bootstrap sample, which has but 0.63 n
    different images, is biased once more and by an amount that varies: its percentiles miss the
    estimate, and where n < d they lie more than twice too far apart. Halves drawn without replacement
    (Shao & Wu 1989, Annals of Statistics 17:1176) all have the same bias, which goes with
    their mean; what is left varies as the distance of n images does, or up to 1.7 times as
    much, most where images are like the real ones (simulated for d 64 to 192, n 64 to 500): the
    interval is on the safe side.

    The interval is one for the distance *at this n*, the one to compare with others of equal n; it
    does not extrapolate to infinite n. It carries the reference's own sampling error only where `real` is
    given: distances to one reference share that error, which cancels between samplers, but those to
    references of their own do not.

    Parameters
    ----------
    features
        (n, d) features of the generated images.
    reference
        Of the real images' features.
    real
        (m, d) those features, to carry their sampling error: by halves of them, too.
    replicates, seed
        Number of half-samples, and where they start; equal seeds give equal results.
    level
        The interval covers 1 - level.
    name
        What the distance is called in its method.

    Returns
    -------
    Estimate
        Without a value, and with the reason, below `fewest` images or real ones.
    """
    vectors = vectors_of(features)
    method = f"{name} at n = {len(vectors)}, from random half-samples of the images"
    if reason := too_few(vectors, reference):
        return Estimate(value=None, method=method, reason=reason)
    value = frechet_to(vectors, reference)
    rng = np.random.default_rng(seed)
    spread = float(half_distances(vectors, reference, replicates, rng).std(ddof=1))
    if real is not None:
        others, images = vectors_of(real), Reference(Moments.of(vectors))
        method = f"{method} and of {len(others)} real ones"
        spread = float(np.hypot(spread, half_distances(others, images, replicates, rng).std(ddof=1)))
    half = stats.t.ppf(1 - level / 2, replicates - 1) * spread
    return Estimate(value=value, low=max(value - half, 0.0), high=value + half, method=method)


def too_few(vectors: Array, reference: Reference) -> str | None:
    """Why a Frechet distance would mislead at these numbers of images; None where it would not."""
    n, d = vectors.shape
    for count, what in ((n, "images"), (reference.moments.n, "real images")):
        if count is not None and count < fewest(d):
            return (
                f"{count} {what}, fewer than {fewest(d)}: with {d} features a Frechet distance would "
                "reward a lack of variety; see the kernel distance (KID)"
            )
    return None


class Reference:
    """Real images' moments with the root of their covariance, which every distance to them needs.

    Attributes
    ----------
    root
        (d, d), symmetric; computed once.
    """

    def __init__(self, moments: Moments) -> None:
        self.moments = moments
        self.root = _root(moments.cov)
        self.trace = float(np.trace(moments.cov))


def frechet_to(features: ArrayLike, reference: Reference) -> float:
    """`frechet_distance` of (n, d) features, n at least 2, to real images, at a fraction of its cost."""
    vectors = vectors_of(features)
    return max(distance_of(vectors, vectors @ reference.root, reference), 0.0)


def half_distances(vectors: Array, reference: Reference, m: int, rng: np.random.Generator) -> Array:
    """Distances (m,) of random halves about their mean, spread as distances of n images are."""
    n, half, rotated = len(vectors), len(vectors) // 2, vectors @ reference.root
    drawn = (rng.permutation(n)[:half] for _ in range(m))
    distances = np.array([distance_of(vectors[rows], rotated[rows], reference) for rows in drawn])
    spread = distances - distances.mean()
    return np.asarray(spread * np.sqrt(half / (n - half)))  # 1, unless n is odd


def distance_of(vectors: Array, rotated: Array, reference: Reference) -> float:
    """Frechet distance of vectors (n, d), also given rotated by the root of the reference's covariance.

    The singular values of the centred rotated vectors sum to the trace term; the smaller of their
    two Gram matrices has them all.
    """
    mean, turned = vectors.mean(axis=0), rotated - rotated.mean(axis=0)
    gram = turned @ turned.T if len(turned) < turned.shape[1] else turned.T @ turned
    degrees = len(vectors) - 1
    root = np.sqrt(_eigenvalues(gram / degrees)).sum()
    spread = ((vectors - mean) ** 2).sum() / degrees
    return float(((mean - reference.moments.mean) ** 2).sum() + spread + reference.trace - 2 * root)


def _root(cov: Array) -> Array:
    values, vectors = np.linalg.eigh(cov)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def _eigenvalues(symmetric: Array) -> Array:
    """Eigenvalues of a positive matrix; those that rounding made negative are 0."""
    return np.asarray(np.maximum(np.linalg.eigvalsh(symmetric), 0))


def vectors_of(features: ArrayLike) -> Array:
    """Features as (n, d) in float64; `ValueError` if they are not, or one is not finite."""
    vectors = np.asarray(features, dtype=np.float64)
    if vectors.ndim != 2 or not np.isfinite(vectors).all():
        raise ValueError("features are an (n, d) array of finite numbers")
    return vectors
