import numpy as np
import pytest
from scipy import stats

from fairaudit.statistics.means import (
    CLUSTERS,
    IMAGES,
    fraction_interval,
    mean_interval,
    mean_test,
    split_interval,
)


def test_many_images_have_the_interval_of_t():
    x = np.random.default_rng(0).normal(3, 2, size=200)
    found = mean_interval(x, replicates=20000)
    low, high = stats.t.interval(0.95, 199, x.mean(), stats.sem(x))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.03)
    assert found.value == pytest.approx(x.mean())
    assert found.method == IMAGES


@pytest.mark.parametrize(("clusters", "size"), [(6, 20), (30, 4)])
def test_intervals_hold_over_prompts(clusters, size):
    rng, held = np.random.default_rng(1), 0
    codes = np.repeat(np.arange(clusters), size)
    for seed in range(300):
        x = rng.normal(size=clusters)[codes] + rng.normal(size=codes.size)
        found = mean_interval(x, codes, replicates=1000, seed=seed)
        held += found.low <= 0 <= found.high
    assert found.method == CLUSTERS
    assert held / 300 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)


def test_fewer_than_five_prompts_are_no_sample_of_prompts():
    assert mean_interval(np.arange(40.0), np.repeat(np.arange(4), 10)).method == IMAGES
    assert mean_interval(np.arange(40.0), np.repeat(np.arange(5), 8)).method == CLUSTERS


def test_images_without_a_value_are_left_out():
    with_gaps = mean_interval([1, np.nan, 2, 4, np.nan], [0, 0, 1, 2, 3])
    assert with_gaps == mean_interval([1, 2, 4], [0, 1, 2])


def test_what_cannot_be_computed_has_a_reason():
    for empty in ([], [np.nan, np.nan]):
        found = mean_interval(empty)
        assert (found.value, found.low, found.reason) == (None, None, "no image has a value")
    single = mean_interval([2.0])
    assert (single.value, single.low, single.reason) == (2, None, "one image has no interval")


def test_the_difference_of_two_groups_holds_over_prompts():
    rng, held = np.random.default_rng(4), 0
    codes = np.repeat(np.arange(12), 10)
    for seed in range(300):
        first = rng.random(120) < 0.4
        x = 0.3 * first + rng.normal(size=12)[codes] * 0.5 + rng.normal(size=120)
        found = split_interval(x, first, codes, replicates=1000, seed=seed)
        held += found.low <= 0.3 <= found.high
    assert found.method == CLUSTERS
    assert held / 300 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 300)


def test_the_difference_of_two_groups_by_hand():
    found = split_interval([1, 2, np.nan, 6, 8], [True, True, True, False, False])
    assert found.value == pytest.approx(1.5 - 7)
    assert found.low <= found.value <= found.high < 0
    assert split_interval([1, 2, np.nan], [True, True, False]).reason.startswith("one of the two groups")


@pytest.mark.parametrize("clusters", [None, np.repeat(np.arange(8), 5)])
def test_sign_flips_keep_their_level_and_find_what_is_there(clusters):
    rng = np.random.default_rng(5)
    null = [mean_test(rng.normal(size=40), clusters, replicates=400, seed=seed)[0] for seed in range(300)]
    assert np.mean(np.array(null) <= 0.05) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)
    assert mean_test(rng.normal(1, 1, size=40), clusters, seed=1)[0] < 0.02


def test_sign_flips_of_few_prompts_are_counted_exactly():
    # Six prompts with equal signs: 2 of 64 flips are as extreme.
    p_value, test = mean_test(np.ones(12), np.repeat(np.arange(6), 2), replicates=20000)
    assert p_value == pytest.approx(2 / 64, abs=0.004)
    assert test == "paired sign flips over prompts"
    assert mean_test([np.nan, 1.0])[0] is None


def test_images_that_are_all_alike_are_no_certainty():
    few = fraction_interval([0, 0, np.nan, 0])
    assert few.value == few.low == 0
    # Nobody of three: Wilson's upper end is z^2 / (n + z^2).
    assert few.high == pytest.approx(1.96**2 / (3 + 1.96**2), abs=1e-3)
    assert fraction_interval(np.ones(3)).low == pytest.approx(3 / (3 + 1.96**2), abs=1e-3)
    mixed = [0, 1, 1, 0, 1]
    assert fraction_interval(mixed) == mean_interval(mixed)
    apart = split_interval(np.zeros(8), np.arange(8) < 4)
    assert apart.value == 0
    assert apart.high == -apart.low == pytest.approx(1.96**2 / (4 + 1.96**2), abs=1e-3)
