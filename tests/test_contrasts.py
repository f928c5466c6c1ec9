"""Differences from intervals: what the simulation of their test says, and what is not known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fairaudit.contrasts import contrast, difference_of
from fairaudit.results import Estimate

LEVEL = 0.05
Z = 1.959964


def made(value: float, sd: float = 1.0) -> Estimate:
    return Estimate(value=value, low=value - Z * sd, high=value + Z * sd, method="made")


def test_the_difference_turns_with_its_sides():
    a = Estimate(value=10.0, low=8.0, high=11.0, method="")
    b = Estimate(value=4.0, low=3.5, high=6.0, method="")
    for independent in (True, False):
        one, p, _ = contrast(a, b, LEVEL, independent=independent)
        other, q, _ = contrast(b, a, LEVEL, independent=independent)
        assert (one.value, one.low, one.high) == (-other.value, -other.high, -other.low)
        assert p == pytest.approx(q)
        assert (p < LEVEL) == (one.low > 0)


@pytest.mark.parametrize(("independent", "correlation"), [(True, 0.0), (False, 0.0), (False, -1.0)])
def test_no_difference_is_called_one_at_most_as_often_as_the_level(independent, correlation):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, 2000))
    y = correlation * x + math.sqrt(1 - correlation**2) * y
    ps = [contrast(made(a), made(b), LEVEL, independent=independent)[1] for a, b in zip(x, y, strict=True)]
    share = np.mean(np.array(ps) < LEVEL)
    assert share <= 0.065
    if independent or correlation:
        assert share >= 0.035  # exact here, not merely careful


def test_equal_numbers_differ_by_nothing():
    found, p, _ = contrast(made(3.0), made(3.0), LEVEL, independent=True)
    assert (found.value, p) == (0, 1)


def test_what_is_missing_is_said():
    nothing = Estimate(value=None, method="", reason="no weights")
    bare = Estimate(value=1.0, method="")
    assert difference_of(made(1), nothing, independent=True).reason == "no weights"
    assert difference_of(made(1), bare, independent=True).reason == "one of the two has no interval"
    endless = Estimate(value=1.0, low=0.0, high=math.inf, method="")
    for other in (nothing, bare, endless):
        assert contrast(made(1), other, LEVEL, independent=False)[1:] == (None, "none")
