"""How fast Frechet distances are, beside the matrix square root that clean-fid takes.

    python benchmarks/frechet.py

Features are drawn from two Gaussians of d dimensions. The peer is the arithmetic of clean-fid: the root of
the product of both covariances by scipy, for every distance anew. Ours takes the root of the reference once,
and then only eigenvalues of a symmetric matrix, the smaller of the two that have them. Prints seconds,
ratios, and how far the distances are apart.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import sqrtm

from fairaudit.metrics.quality import Moments, Reference, frechet_to

Array = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dimensions", type=int, default=2048)
    parser.add_argument("--images", type=int, nargs="+", default=[4096, 512])
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of these counts")
    options = parser.parse_args()
    d = options.dimensions
    real = Moments.of(features(3 * d, d, 0, 1.0))
    began = time.perf_counter()
    reference = Reference(real)
    print(f"{d} dimensions; root of the reference, once: {time.perf_counter() - began:.2f} s")
    for n in options.images:
        made = features(n, d, 1, 1.2)
        ours, seconds = fastest(lambda made=made: frechet_to(made, reference), options.repeats)
        peer, slow = fastest(lambda made=made: plain(Moments.of(made), real), 1)
        print(
            f"n {n:6d}: {seconds:7.2f} s   as clean-fid {slow:7.2f} s   ratio {slow / seconds:6.1f} x   "
            f"relative difference {abs(ours - peer) / peer:.1e}"
        )


def features(n: int, d: int, seed: int, scale: float) -> Array:
    """Features whose variances fall off, as those of networks do."""
    spread = scale / np.sqrt(1 + np.arange(d))
    return np.random.default_rng(seed).normal(size=(n, d)) * spread + 0.01 * scale


def plain(a: Moments, b: Moments) -> float:
    """What clean-fid computes from moments."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        root = sqrtm(a.cov @ b.cov)
    difference = a.mean - b.mean
    return float(difference @ difference + np.trace(a.cov) + np.trace(b.cov) - 2 * np.trace(root).real)


def fastest(work: Callable[[], float], repeats: int) -> tuple[float, float]:
    """The result, and the least seconds of several turns."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        result = work()
        seconds.append(time.perf_counter() - began)
    return result, min(seconds)


if __name__ == "__main__":
    main()
