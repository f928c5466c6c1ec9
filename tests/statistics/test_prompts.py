"""Discrepancy over several prompts: opposite biases do not cancel, and chance does not count as bias."""

from __future__ import annotations

import numpy as np
import pytest

from fairaudit.statistics.discrepancy import estimate_discrepancy
from fairaudit.statistics.prompts import paired_prompt_difference, prompt_discrepancy
from fairaudit.statistics.shares import estimate_shares

HALF = [0.5, 0.5]
CONFUSION = np.array([[900, 100], [150, 850]])


def test_opposite_biases_do_not_cancel() -> None:
    result = prompt_discrepancy([[190, 10], [10, 190]], HALF)
    # Either prompt is off by sqrt(2) * 0.45.
    assert result.value == pytest.approx(np.sqrt(2) * 0.45, abs=0.01)
    assert result.low is not None
    assert result.low > 0.5
    pooled = estimate_discrepancy(estimate_shares([200, 200]), HALF)
    assert pooled.value == pytest.approx(0, abs=1e-9)


def test_one_prompt_is_the_plain_discrepancy() -> None:
    result = prompt_discrepancy([[700, 300]], HALF)
    plain = estimate_discrepancy(estimate_shares([700, 300]), HALF)
    assert result.raw == plain.raw
    assert result.value == pytest.approx(plain.value, abs=0.005)
    assert result.low == pytest.approx(plain.low, abs=0.01)
    assert result.high == pytest.approx(plain.high, abs=0.01)


def test_the_order_of_prompts_and_values_does_not_matter() -> None:
    counts = np.array([[30, 10, 5], [12, 20, 13], [9, 9, 30]])
    one = prompt_discrepancy(counts, [1 / 3] * 3, replicates=4000)
    other = prompt_discrepancy(counts[::-1, ::-1], [1 / 3] * 3, replicates=4000)
    assert one.raw == pytest.approx(other.raw)
    assert one.value == pytest.approx(other.value, abs=0.01)
    assert one.high == pytest.approx(other.high, abs=0.03)


@pytest.mark.parametrize("confusion", [None, CONFUSION])
def test_fair_prompts_of_few_images_are_not_called_unfair(confusion: np.ndarray | None) -> None:
    """16 images a prompt: every prompt looks off by chance, the corrected value does not."""
    rng = np.random.default_rng(1)
    rates = HALF if confusion is None else np.array(HALF) @ (confusion / confusion.sum(1, keepdims=True))
    zero = below = 0
    values = []
    for audit in range(150):
        counts = rng.multinomial(16, rates, size=12)
        result = prompt_discrepancy(counts, HALF, confusion, replicates=400, seed=audit)
        assert result.value is not None
        assert result.null95 is not None
        zero += result.low == 0
        below += result.value <= result.null95
        values.append(result.value**2)
        assert result.raw is not None
    assert zero >= 0.92 * 150
    assert 0.89 * 150 <= below <= 150
    # Without the correction the mean square would be near 0.5 / 16, in every audit.
    assert np.mean(values) < 0.4 * 0.5 / 16 * (1 if confusion is None else 2)


@pytest.mark.parametrize("confusion", [None, CONFUSION])
def test_intervals_cover_the_truth(confusion: np.ndarray | None) -> None:
    rng = np.random.default_rng(2)
    shares = np.array([0.9, 0.75, 0.6, 0.4, 0.2, 0.1])
    truth = np.sqrt((2 * (shares - 0.5) ** 2).mean())
    shares = np.stack([shares, 1 - shares], axis=1)
    rates = np.eye(2) if confusion is None else confusion / confusion.sum(1, keepdims=True)
    covered = 0
    for audit in range(150):
        counts = rng.multinomial(60, shares @ rates)
        known = None
        if confusion is not None:  # the calibration is a sample, too
            known = np.stack([rng.multinomial(1000, row) for row in rates])
        result = prompt_discrepancy(counts, HALF, known, replicates=400, seed=audit)
        assert result.low is not None
        assert result.high is not None
        covered += result.low <= truth <= result.high
    assert covered >= 0.91 * 150


def test_prompts_at_the_border_keep_an_interval() -> None:
    """All women in one prompt, all men in the other: the classifier could still have erred."""
    result = prompt_discrepancy([[30, 0], [0, 30]], HALF, CONFUSION)
    assert result.value == pytest.approx(np.sqrt(0.5))
    assert result.low is not None
    assert result.low < 0.68


def test_paired_difference_finds_what_pairing_shows_and_keeps_its_level() -> None:
    rng = np.random.default_rng(3)
    prompts = np.repeat(np.arange(6), 40)
    biased = np.where(prompts % 2 == 0, rng.random(240) < 0.9, rng.random(240) < 0.1).astype(int)
    fair = np.tile([0, 1], 120)
    found = paired_prompt_difference(fair, biased, prompts, HALF, CONFUSION)
    assert found.p_value is not None
    assert found.p_value < 0.01
    assert found.difference.high is not None
    assert found.difference.high < -0.3
    rejected = 0
    for audit in range(150):
        a, b = rng.integers(0, 2, size=(2, 240))
        p_value = paired_prompt_difference(a, b, prompts, HALF, replicates=300, seed=audit).p_value
        assert p_value is not None
        rejected += p_value < 0.05
    assert rejected <= 0.09 * 150


@pytest.mark.parametrize("confusion", [None, CONFUSION])
def test_paired_difference_is_the_difference_of_the_two_discrepancies(confusion: np.ndarray | None) -> None:
    rng = np.random.default_rng(5)
    prompts = np.repeat(np.arange(4), 40)
    extreme = (prompts % 2 == 0).astype(int)
    milder = np.where(rng.random(160) < 0.8, extreme, 1 - extreme)
    paired = paired_prompt_difference(milder, extreme, prompts, HALF, confusion).difference
    each = [
        prompt_discrepancy(
            [np.bincount(labels[prompts == p], minlength=2) for p in range(4)], HALF, confusion
        )
        for labels in (milder, extreme)
    ]
    assert each[0].value is not None
    assert each[1].value is not None
    assert paired.value == pytest.approx(each[0].value - each[1].value, abs=0.02)
    assert paired.low is not None
    assert paired.high is not None
    assert paired.low < paired.value < paired.high < 0


def test_a_sampler_against_itself_differs_by_nothing() -> None:
    labels = np.random.default_rng(4).integers(0, 2, 100)
    prompts = np.repeat(np.arange(5), 20)
    same = paired_prompt_difference(labels, labels, prompts, HALF)
    assert same.difference.value == 0
    assert same.p_value == 1


def test_without_labels_or_with_a_guessing_classifier_there_is_a_reason() -> None:
    for result in (
        prompt_discrepancy(np.zeros((3, 2)), HALF),
        prompt_discrepancy([[5, 5]], HALF, [[50, 50], [50, 50]]),
    ):
        assert result.value is None
        assert result.reason
    nothing = paired_prompt_difference([-1, -1], [0, 1], [0, 0], HALF)
    assert nothing.difference.value is None
    assert nothing.p_value is None


@pytest.mark.parametrize(("values", "prompts", "images"), [(2, 50, 10), (2, 12, 5), (7, 40, 25)])
def test_intervals_of_many_prompts_of_few_images_hold(values: int, prompts: int, images: int) -> None:
    """A prior that weighs as an image in every prompt would pull all of them towards fair together."""
    rng, covered, misses = np.random.default_rng(6), 0, []
    for audit in range(100):
        shares = rng.dirichlet(np.ones(values), size=prompts)
        truth = np.sqrt(((shares - 1 / values) ** 2).sum(axis=1).mean())
        counts = [rng.multinomial(images, row) for row in shares]
        result = prompt_discrepancy(counts, np.full(values, 1 / values), replicates=300, seed=audit)
        assert result.value is not None
        assert result.low is not None
        assert result.high is not None
        covered += result.low <= truth <= result.high
        misses.append(result.value - truth)
    assert covered >= 88
    assert abs(np.mean(misses)) < 0.02


def test_paired_intervals_of_many_prompts_hold() -> None:
    rng, covered, prompts = np.random.default_rng(7), 0, np.repeat(np.arange(40), 10)
    for audit in range(100):
        one, other = rng.beta(1, 1, size=40), rng.beta(3, 3, size=40)
        truth = np.sqrt((2 * (one - 0.5) ** 2).mean()) - np.sqrt((2 * (other - 0.5) ** 2).mean())
        noise = rng.random(400)
        a, b = (noise < one[prompts]).astype(int), (noise < other[prompts]).astype(int)
        found = paired_prompt_difference(a, b, prompts, HALF, replicates=300, seed=audit).difference
        assert found.low is not None
        assert found.high is not None
        covered += found.low <= truth <= found.high
    assert covered >= 88
