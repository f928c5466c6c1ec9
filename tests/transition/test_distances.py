"""Distances between laws, against formulas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from fairaudit.transition.distances import Energy, sliced_wasserstein, witness

ROWS = np.arange(400)


def samples(shift: float, seed: int, size: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, size=(400, size))


def test_a_moved_sample_is_as_far_as_it_was_moved() -> None:
    """Sliced Wasserstein of a shift by delta is |delta| / sqrt(d) on average over directions."""
    sample = samples(0, 0, 3)
    moved = sample + np.array([1.0, -2.0, 2.0])
    assert sliced_wasserstein(sample, moved, directions=4000) == pytest.approx(3 / 3**0.5, rel=0.03)
    assert sliced_wasserstein(sample, sample) == 0


def test_energy_distance_of_two_normals() -> None:
    """E|N(delta, 2)| in closed form; the mean over repetitions is unbiased where the laws are equal."""

    def folded(delta: float) -> float:
        return 2 / np.pi**0.5 * np.exp(-(delta**2) / 4) + delta * (1 - 2 * norm.cdf(-delta / 2**0.5))

    delta = 1.5
    truth = 2 * folded(delta) - 2 * folded(0)
    found = [Energy(samples(0, seed), samples(delta, 1000 + seed)).of(ROWS) for seed in range(10)]
    assert np.mean(found) == pytest.approx(truth, rel=0.05)
    null = [Energy(samples(0, seed), samples(0, 1000 + seed)).of(ROWS) for seed in range(30)]
    assert abs(np.mean(null)) < 3 * np.std(null) / 30**0.5


def test_energy_distance_of_a_sample_to_itself_is_nothing() -> None:
    sample = samples(0, 0, 4)
    assert Energy(sample, sample).of(ROWS[:50]) == 0


def test_the_witness_tells_the_samples_apart() -> None:
    first, second = samples(-6, 1), samples(6, 2)
    assert (witness(samples(-6, 3), first, second) > 0).all()
    assert (witness(samples(6, 4), first, second) < 0).all()
    assert abs(witness(samples(0, 5), first, second).mean()) < 0.3
