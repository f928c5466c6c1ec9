"""Differences of sets of images without common noise: they cover, and know their null."""

from __future__ import annotations

import numpy as np
import pytest

from fairaudit.metrics.fairness import fairness_discrepancy
from fairaudit.statistics.discrepancy import estimate_discrepancy
from fairaudit.statistics.shares import estimate_shares
from fairaudit.statistics.unpaired import unpaired_difference

HALF = np.array([0.5, 0.5])


def test_the_value_is_the_difference_of_the_discrepancies() -> None:
    a, b = np.array([[80, 20]]), np.array([[110, 90]])
    found = unpaired_difference(a, b, HALF)
    expected = fairness_discrepancy(a[0] / 100, HALF) - fairness_discrepancy(b[0] / 200, HALF)
    assert found.difference.value == pytest.approx(expected)
    swapped = unpaired_difference(b, a, HALF)
    assert swapped.difference.value == pytest.approx(-expected)
    assert found.p_value is not None
    assert found.p_value < 0.01


def test_a_perfect_calibration_changes_nothing_and_a_poor_one_widens() -> None:
    a, b = np.array([[80, 20]]), np.array([[110, 90]])
    plain, perfect, poor = (
        unpaired_difference(a, b, HALF, confusion).difference
        for confusion in (None, np.eye(2) * 1_000_000, np.array([[80, 20], [20, 80]]))
    )
    assert perfect.value == pytest.approx(plain.value, abs=1e-3)
    assert perfect.high == pytest.approx(plain.high, abs=0.02)
    assert poor.value is not None
    assert plain.value is not None
    assert poor.value > plain.value
    assert poor.high - poor.low > plain.high - plain.low  # type: ignore[operator]


def test_prompts_without_labels_on_one_side_are_left_out() -> None:
    a, b = np.array([[30, 10], [5, 5]]), np.array([[20, 20], [0, 0]])
    assert unpaired_difference(a, b, HALF).difference == unpaired_difference(a[:1], b[:1], HALF).difference
    empty = unpaired_difference(a[1:], b[1:], HALF)
    assert empty.difference.value is None
    assert empty.p_value is None


@pytest.mark.parametrize(("prompts", "accuracy"), [(1, 1.0), (1, 0.9), (5, 0.9)])
def test_intervals_cover_and_equal_generators_are_seldom_told_apart(prompts: int, accuracy: float) -> None:
    """Unequal sets of 200 and 60 images, 150 times; three standard errors of leeway."""
    rng = np.random.default_rng(3)
    matrix = np.array([[accuracy, 1 - accuracy], [1 - accuracy, accuracy]])
    skewed = np.array([0.75, 0.25])
    true, covered, rejected = float(fairness_discrepancy(skewed, HALF)), 0, 0
    for seed in range(150):
        confusion = None if accuracy == 1 else np.stack([rng.multinomial(500, row) for row in matrix])
        a = rng.multinomial(200 // prompts, skewed @ matrix, size=prompts)
        b, c = (rng.multinomial(60 // prompts, share @ matrix, size=prompts) for share in (HALF, skewed))
        found = unpaired_difference(a, b, HALF, confusion, replicates=400, seed=seed).difference
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= true <= found.high
        p_value = unpaired_difference(a, c, HALF, confusion, replicates=400, seed=seed).p_value
        rejected += p_value is not None and p_value <= 0.05
    assert covered >= 150 * 0.95 - 3 * np.sqrt(150 * 0.95 * 0.05)
    assert rejected <= 150 * 0.05 + 3 * np.sqrt(150 * 0.95 * 0.05)


def test_opposite_biases_of_one_size_are_no_difference() -> None:
    """Labels dealt at random would look fair, the two sides do not: 200 times, three standard errors."""
    rng, rejected = np.random.default_rng(5), 0
    for seed in range(200):
        a, b = (rng.multinomial(200, share, size=10) for share in ([0.6, 0.4], [0.4, 0.6]))
        found = unpaired_difference(a, b, HALF, replicates=400, seed=seed)
        assert found.p_value is not None
        rejected += found.p_value <= 0.05
    assert rejected <= 200 * 0.05 + 3 * np.sqrt(200 * 0.95 * 0.05)


def test_each_side_has_its_own_target() -> None:
    a, b = np.array([[80, 20]]), np.array([[30, 70]])
    found = unpaired_difference(a, b, [0.8, 0.2], target_b=[0.3, 0.7])
    assert found.difference.value == 0
    other = unpaired_difference(a, b, HALF)
    assert other.difference.value == pytest.approx(np.sqrt(2) * (0.3 - 0.2))


def test_either_side_may_be_as_unfair_as_its_own_target_allows() -> None:
    """Only women: off by sqrt(2) / 2 where half are due, and by 0.9 sqrt(2) where one in ten is."""
    a, b = np.array([[5000, 5000]]), np.array([[10000, 0]])
    for prompts in (1, 4):
        sides = np.tile(a, (prompts, 1)), np.tile(b, (prompts, 1))
        found = unpaired_difference(*sides, HALF, target_b=[0.1, 0.9]).difference
        assert found.value == pytest.approx(-0.9 * np.sqrt(2), abs=0.01)
        assert found.low < -1.25
        turned = unpaired_difference(*sides[::-1], [0.1, 0.9], target_b=HALF).difference
        assert turned.value == pytest.approx(-found.value)


@pytest.mark.parametrize("corrected", [(True, True), (True, False)])
def test_the_value_is_that_of_the_discrepancies_as_each_side_alone_shows_them(corrected) -> None:
    """Of three values one is labelled less often than the classifier errs: its share is 0, not below."""
    confusion, third = np.array([[80, 10, 10], [10, 80, 10], [20, 10, 70]]) * 10, np.full(3, 1 / 3)
    counts = [np.array([[60, 38, 2]]), np.array([[30, 30, 40]])]
    shown = [
        estimate_discrepancy(estimate_shares(one[0], confusion if some else None), third).value
        for one, some in zip(counts, corrected, strict=True)
    ]
    found = unpaired_difference(*counts, third, confusion, corrected=corrected).difference
    assert found.value == pytest.approx(shown[0] - shown[1])


def test_labels_of_another_reader_are_taken_as_they_are() -> None:
    """80 % of 1,000 have the first value; a reader who is right 9 times in 10 sees 0.8 * 0.9 + 0.2 * 0.1."""
    read, true = [[740, 260]], [[800, 200]]
    confusion = [[9000, 1000], [1000, 9000]]
    for a, b, corrected in ((read, true, (True, False)), (true, read, (False, True))):
        alike = unpaired_difference(a, b, [0.5, 0.5], confusion, corrected=corrected).difference
        assert alike.value == pytest.approx(0, abs=1e-12)
        assert alike.low < 0 < alike.high
    # The other reader's labels, unmixed by this one's errors, would be 0.875 and 0.125.
    wrong = unpaired_difference(read, true, [0.5, 0.5], confusion).difference
    assert wrong.value == pytest.approx(-0.075 * 2**0.5)
