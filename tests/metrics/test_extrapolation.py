import numpy as np
import pytest

from fairaudit.metrics.extrapolation import frechet_at_infinity
from fairaudit.metrics.gaps import gap_of
from fairaudit.metrics.quality import Moments, Reference, frechet_to
from fairaudit.results import Estimate

D = 24
SPREAD = 1 / np.sqrt(np.arange(1, D + 1))
REAL = Reference(Moments(None, np.zeros(D), np.diag(SPREAD**2)))


def drawn(n, seed, scale=1.0, shift=0.0):
    return scale * np.random.default_rng(seed).normal(size=(n, D)) * SPREAD + shift


@pytest.mark.parametrize("scale", [1.0, 1.2])
def test_it_finds_the_true_distance_where_the_distance_at_n_does_not(scale):
    truth = (scale - 1) ** 2 * (SPREAD**2).sum() + D * 0.02**2
    found = [frechet_at_infinity(drawn(120, seed, scale, 0.02), REAL, seed=seed) for seed in range(60)]
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.9
    plain = np.mean([frechet_to(drawn(120, seed, scale, 0.02), REAL) for seed in range(20)])
    assert abs(np.mean([one.value for one in found]) - truth) < (plain - truth) / 4


def test_it_is_the_same_again_and_has_a_floor():
    made = drawn(96, 3)
    assert frechet_at_infinity(made, REAL, seed=1) == frechet_at_infinity(made, REAL, seed=1)
    short = frechet_at_infinity(made[:71], REAL)
    assert (short.value, short.reason[:28]) == (None, "71 images, fewer than 72: th")


def test_gaps_cover_whatever_values_are_furthest_apart():
    rng, held = np.random.default_rng(0), []
    for _ in range(400):
        values = {
            name: Estimate(value=v, low=v - 1.96, high=v + 1.96, method="")
            for name, v in zip("abc", rng.normal(size=3), strict=True)
        }
        gap, between = gap_of(values)
        assert values[between[0]].value >= values[between[1]].value
        held.append(gap.low <= 0 <= gap.high)  # all three are equal in truth
    assert np.mean(held) >= 0.93


def test_a_gap_needs_both_sides():
    known = Estimate(value=1, low=0, high=2, method="")
    gap, between = gap_of({"female": known, "male": Estimate(value=None, method="", reason="too few")})
    assert (gap.value, gap.reason, between) == (None, "too few", None)
