"""Agreement against published tables, against libraries, and under what must not change it."""

from __future__ import annotations

import krippendorff
import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import fleiss_kappa as reference_fleiss

from fairaudit.statistics.agreement import COHEN, FLEISS, Ratings, alpha, kappa, percent

FLEISS_TABLE = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip
"""Ten subjects, fourteen raters, five values: kappa .210."""

KRIPPENDORFF = """
1 2 3 3 2 1 4 1 2 . . .
1 2 3 3 2 2 4 1 2 5 . 3
. 3 3 3 2 3 4 2 2 5 1 .
1 2 3 3 2 4 4 1 2 5 1 .
"""
"""Four observers, twelve units (Krippendorff 2011): nominal alpha .743."""


def from_text(text: str) -> np.ndarray:
    rows = [line.split() for line in text.strip().splitlines()]
    return np.array([[-1 if cell == "." else int(cell) - 1 for cell in row] for row in rows]).T


def random_ratings(raters: int, missing: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    truth = rng.integers(4, size=80)
    ratings = np.where(rng.random((80, raters)) < 0.6, truth[:, None], rng.integers(4, size=(80, raters)))
    return np.where(rng.random(ratings.shape) < missing, -1, ratings)


def test_fleiss_as_published() -> None:
    ratings = np.array([np.repeat(np.arange(5), row) for row in FLEISS_TABLE])
    found = kappa(Ratings.of(ratings, 5))
    assert found.value == pytest.approx(0.210, abs=5e-4)
    assert found.method.startswith(FLEISS)


def test_cohen_as_published() -> None:
    ratings = [[0, 0]] * 20 + [[0, 1]] * 5 + [[1, 0]] * 10 + [[1, 1]] * 15
    found = kappa(Ratings.of(ratings, 2))
    assert found.value == pytest.approx(0.4)
    assert found.method.startswith(COHEN)
    assert found.low < 0.4 < found.high


def test_krippendorff_as_published() -> None:
    ratings = from_text(KRIPPENDORFF)
    assert alpha(Ratings.of(ratings, 5)).value == pytest.approx(0.743, abs=5e-4)


@pytest.mark.parametrize("seed", range(3))
def test_libraries_say_the_same(seed: int) -> None:
    three, two, gaps = random_ratings(3, 0, seed), random_ratings(2, 0, seed), random_ratings(4, 0.3, seed)
    table = (three[:, :, None] == np.arange(4)).sum(axis=1)
    assert kappa(Ratings.of(three, 4)).value == pytest.approx(reference_fleiss(table))
    assert kappa(Ratings.of(two, 4)).value == pytest.approx(cohen_kappa_score(*two.T))
    reference = krippendorff.alpha(
        np.where(gaps < 0, np.nan, gaps).T, level_of_measurement="nominal", value_domain=[0, 1, 2, 3]
    )
    assert alpha(Ratings.of(gaps, 4)).value == pytest.approx(reference)


@pytest.mark.parametrize("statistic", [percent, kappa, alpha])
def test_no_order_matters(statistic) -> None:
    ratings, rng = random_ratings(3, 0.2, 5), np.random.default_rng(0)
    expected = statistic(Ratings.of(ratings, 4))
    assert statistic(Ratings.of(rng.permutation(ratings), 4)) == expected
    others = Ratings.of(rng.permutation(ratings, axis=1), 4)
    renamed = Ratings.of(np.where(ratings < 0, -1, (ratings + 1) % 4), 4)
    for other in (others, renamed):
        assert statistic(other).value == pytest.approx(expected.value)


def test_perfect_agreement_and_chance() -> None:
    rng = np.random.default_rng(1)
    same = np.repeat(rng.integers(3, size=500)[:, None], 3, axis=1)
    noise = rng.integers(3, size=(4000, 3))
    for statistic in (kappa, alpha):
        assert statistic(Ratings.of(same, 3)).value == pytest.approx(1)
        found = statistic(Ratings.of(noise, 3))
        assert abs(found.value) < 0.03
        assert found.low < 0 < found.high
    assert percent(Ratings.of(noise, 3)).value == pytest.approx(1 / 3, abs=0.02)


def test_the_interval_holds_the_truth() -> None:
    """Two raters who each err one time in five, of two equal values: kappa is .36."""
    rng, held = np.random.default_rng(2), 0
    for stream in range(200):
        truth = rng.integers(2, size=150)
        ratings = np.where(rng.random((150, 2)) < 0.8, truth[:, None], 1 - truth[:, None])
        found = kappa(Ratings.of(ratings, 2), replicates=400, seed=stream)
        held += found.low <= 0.36 <= found.high
    assert 178 <= held <= 199


def test_what_says_nothing_has_a_reason() -> None:
    for ratings in ([[0, 1]] * 9, [[0, -1]] * 50):
        found = alpha(Ratings.of(ratings, 2))
        assert found.value is None
        assert "fewer than 10" in found.reason
    assert "same value" in kappa(Ratings.of([[1, 1]] * 40, 2)).reason
    with pytest.raises(ValueError, match="at least two raters"):
        Ratings.of([[0], [1]], 2)
    with pytest.raises(ValueError, match="codes from 0 to 1"):
        Ratings.of([[0, 2]], 2)
