"""Reliability and temperature in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from fairaudit.statistics.reliability import cross_tempered, fit_temperature, reliability, temper


def honest(n: int, k: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities, and values drawn by them."""
    rng = np.random.default_rng(seed)
    given = rng.dirichlet(np.ones(k), size=n)
    return given, (given.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)


@pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5])
def test_the_temperature_that_was_put_in_is_found(temperature: float) -> None:
    given, truth = honest(20_000, 4, 1)
    assert fit_temperature(temper(given, 1 / temperature), truth) == pytest.approx(temperature, rel=0.05)


def test_tempering_is_undone_by_its_inverse_and_keeps_the_label() -> None:
    given, _ = honest(200, 5, 2)
    hot = temper(given, 3.0)
    np.testing.assert_allclose(temper(hot, 1 / 3.0), given, atol=1e-9)
    assert (hot.argmax(axis=1) == given.argmax(axis=1)).all()
    assert np.isnan(temper([[np.nan, np.nan]], 2.0)).all()


def test_honest_probabilities_have_no_error_and_sharpened_ones_have() -> None:
    given, truth = honest(30_000, 3, 3)
    assert reliability(given, truth).ece < 0.015
    sharp = temper(given, 0.3)
    assert reliability(sharp, truth).ece > 0.1
    assert reliability(cross_tempered(sharp, truth), truth).ece < 0.015


def test_the_error_in_closed_form() -> None:
    """Always 0.8 sure, right half of the time."""
    given, truth = np.tile([0.8, 0.2], (40, 1)), np.arange(40) % 2
    curve = reliability(given, truth)
    assert curve.ece == pytest.approx(0.3)
    assert (curve.faces.sum(), curve.right.sum()) == (40, 20)
    assert curve.confidence.max() == pytest.approx(0.8)
