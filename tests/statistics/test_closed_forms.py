"""Intervals and plans where the answer is known: closed forms, published examples, invariances."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, stats

from fairaudit.metrics.fairness import total_variation
from fairaudit.statistics.across import across_prompts
from fairaudit.statistics.amplification import bias_amplification
from fairaudit.statistics.boxes import discrepancy_bounds
from fairaudit.statistics.changes import paired_changes
from fairaudit.statistics.detection import alternatives
from fairaudit.statistics.discrepancy import null_band
from fairaudit.statistics.inversion import shoot
from fairaudit.statistics.margins import null_box
from fairaudit.statistics.means import CLUSTERS, mean_interval, split_interval
from fairaudit.statistics.obfuscation import probe_error
from fairaudit.statistics.power import images_for_discrepancy
from fairaudit.statistics.prediction_powered import EXACT, Judged, powered_share
from fairaudit.statistics.prompts import paired_prompt_difference, prompt_discrepancy
from fairaudit.statistics.reliability import cross_tempered
from fairaudit.statistics.sequential import ConfidenceSequence, log_evidence
from fairaudit.statistics.shares import estimate_shares
from fairaudit.statistics.simultaneous import goodman
from fairaudit.statistics.unpaired import unpaired_difference

HALF = [0.5, 0.5]
SURE = 10**7


@pytest.mark.parametrize(("n", "k"), [(30, 2), (100, 3)])
def test_an_absent_value_has_the_one_sided_exact_bound(n: int, k: int) -> None:
    """Clopper & Pearson: (1 - high)^n is the level; here through a classifier without error."""
    found = estimate_shares([n, *[0] * (k - 1)], SURE * np.eye(k), replicates=20000)
    assert found.high[1] == pytest.approx(1 - 0.05 ** (1 / n), rel=0.02)


def test_intervals_for_all_values_are_no_longer_than_bonferroni_has_them() -> None:
    counts = np.array([25, 20, 15, 12, 11, 9, 8])
    low, high = estimate_shares(counts, SURE * np.eye(7), replicates=20000).simultaneous
    wanted = goodman(counts, 0.05)
    assert high - low == pytest.approx(wanted[1] - wanted[0], rel=0.04)


@pytest.mark.parametrize(
    ("confusion", "claim"),
    [([[45, 15], [2, 98]], None), ([[40, 5], [20, 100]], "calibration faces"), (None, None)],
)
def test_what_is_claimed_rests_on_faces_of_true_values_and_four_labels(
    confusion: list[list[int]] | None, claim: str | None
) -> None:
    """47 faces were read as the first value, but 60 are; and the other way round."""
    found = estimate_shares([96, 4], confusion).claim
    assert found is None if claim is None else claim in found


def test_means_of_few_images_have_the_interval_of_t() -> None:
    x = stats.norm.ppf((np.arange(16) + 0.5) / 16)
    found = mean_interval(x, replicates=40000)
    half = stats.t.ppf(0.975, 15) * stats.sem(x)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.015)


def test_a_mean_over_prompts_of_unequal_size_lies_in_its_interval() -> None:
    """Five prompts of one image each are not five sixths of what is averaged."""
    codes = np.concatenate([np.zeros(100), np.arange(1, 6)])
    found = mean_interval((codes == 0).astype(float), codes)
    assert found.method == CLUSTERS
    assert found.low <= found.value <= found.high


@pytest.mark.parametrize(
    ("ones", "sizes", "ends"),
    [((0, 0), (10, 20), (-0.1611, 0.2775)), ((10, 0), (10, 20), (0.6791, 1.0))],
)
def test_published_examples_of_a_difference_of_proportions(
    ones: tuple[int, int], sizes: tuple[int, int], ends: tuple[float, float]
) -> None:
    """Newcombe (1998), table II, method 10: 0/10 - 0/20 and 10/10 - 0/20."""
    x = np.concatenate([np.arange(n) < one for one, n in zip(ones, sizes, strict=True)]).astype(float)
    found = split_interval(x, np.arange(sum(sizes)) < sizes[0])
    assert (found.low, found.high) == pytest.approx(ends, abs=5e-5)


def test_the_mean_over_prompts_has_the_interval_of_t() -> None:
    shares = np.array([0.2, 0.35, 0.5, 0.65, 0.8])
    counts = np.round(np.stack([shares, 1 - shares], axis=1) * 10**6)
    found = across_prompts(counts, replicates=20000)[0].mean
    half = stats.t.ppf(0.975, 4) * stats.sem(shares)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.02)


def test_prompts_that_differ_exactly_as_coins_do_have_no_spread() -> None:
    """Two images each: a quarter of the prompts has both of one value, half one of each."""
    found = across_prompts([[2, 0], [1, 1], [1, 1], [0, 2]] * 200)[0].spread
    assert found.value == pytest.approx(0, abs=0.02)


def test_shares_with_heavy_tails_tell_their_spread_less_surely() -> None:
    """Equal variances: forty prompts at 0.5 +- 0.1, and thirty-two at 0.5 with eight further out."""
    light = np.repeat([0.4, 0.6], 20)
    heavy = np.repeat([0.5, 0.5 - 0.1 * 5**0.5, 0.5 + 0.1 * 5**0.5], [32, 4, 4])
    spreads = [across_prompts(np.stack([s, 1 - s], axis=1) * 10**6)[0].spread for s in (light, heavy)]
    assert spreads[0].value == pytest.approx(spreads[1].value, rel=1e-3)
    lengths = [spread.high - spread.low for spread in spreads]
    assert lengths[1] > 1.3 * lengths[0]


def test_the_changed_fraction_over_prompts_has_the_interval_of_t() -> None:
    rates = np.linspace(0.42, 0.58, 12)
    prompts = np.repeat(np.arange(12), 1000)
    b = np.concatenate([np.arange(1000) < round(1000 * rate) for rate in rates]).astype(int)
    found = paired_changes("x", ["a", "b"], b * 0, b, prompts, replicates=10).changed
    half = stats.t.ppf(0.975, 11) * stats.sem(np.round(1000 * rates) / 1000)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.01)


def test_prompts_more_alike_than_chance_are_worth_no_more_images() -> None:
    moved = np.array([10, 10, 10, 10, 11, 9])
    b = np.concatenate([np.arange(20) < n for n in moved]).astype(int)
    found = paired_changes("x", ["a", "b"], b * 0, b, np.repeat(np.arange(6), 20), replicates=10).changed
    ends = stats.binomtest(60, 120).proportion_ci(method="wilson")
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))


def test_amplification_varies_as_means_of_labels_do() -> None:
    """100 prompts of 10 images of which 7 have a value: variance p (1 - p) / (n - 1), over 100."""
    found = bias_amplification([[7, 3]] * 100, [[0.6, 0.4]] * 100, HALF, replicates=4000)
    assert found.value == pytest.approx(0.1)
    half = 1.96 * np.sqrt(0.7 * 0.3 / 9 / 100)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.07)
    assert (found.high + found.low) / 2 == pytest.approx(0.1, abs=0.1 * half)


def test_the_root_mean_square_over_prompts_by_hand() -> None:
    found = prompt_discrepancy([[9000, 1000], [5000, 5000]], HALF)
    assert found.raw == pytest.approx(np.sqrt(2) * 0.4 / np.sqrt(2))
    assert found.value == pytest.approx(0.4, abs=1e-3)


def test_amplification_over_prompts_shares_the_error_of_one_calibration() -> None:
    """Of very many labels only that error is left, and ten prompts do not average it."""
    faces, right, share = 500, 0.9, 0.75
    confusion = faces * np.array([[right, 1 - right], [1 - right, right]])
    found = bias_amplification([[7 * 10**5, 3 * 10**5]] * 10, [[0.6, 0.4]] * 10, HALF, confusion)
    assert found.value == pytest.approx(share - 0.6)
    error = np.sqrt((share**2 + (1 - share) ** 2) * right * (1 - right) / faces) / (2 * right - 1)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * error, rel=0.06)


def test_the_band_of_a_fair_generator_knows_the_error_of_its_calibration() -> None:
    """Of very many images nothing else is left: sqrt(2) times 1.96 standard errors of the share."""
    faces, right = 500, 0.9
    confusion = faces * np.array([[right, 1 - right], [1 - right, right]])
    error = 0.5 * np.sqrt(2 * right * (1 - right) / faces) / (2 * right - 1)
    assert null_band(10**7, HALF, confusion) == pytest.approx(np.sqrt(2) * 1.96 * error, rel=0.06)


def test_tests_turned_round_give_the_mid_p_interval_of_a_binomial() -> None:
    """16 of 20: the shares at which as many and more, or fewer, have 2.5 %, half of "as many" counted."""
    n, x = 20, 16
    errors = 0.09 * np.random.default_rng(5).normal(size=(500, 1)) * [[1, -1]]
    ray = shoot(np.array([0.8, 0.2]), np.array(HALF), errors, n, None, replicates=20000, seed=0)
    found = ray.interval(lambda p: total_variation(p, HALF), x / n - 0.5, 0.05)

    def mid_p(share: float) -> float:
        return float(stats.binom.sf(x, n, share) + stats.binom.pmf(x, n, share) / 2)

    ends = [optimize.brentq(lambda p, c=chance: mid_p(p) - c, 0.5, 1) for chance in (0.025, 0.975)]
    assert found == pytest.approx([end - 0.5 for end in ends], abs=0.006)


def test_no_error_of_a_probe_has_the_joined_interval_of_wilson_at_half_the_level() -> None:
    """Two values of n images and two probes: z^2 / (n + z^2) for each value, as squares, halved."""
    codes = np.arange(40) % 2
    features = np.random.default_rng(6).normal(size=(40, 2)) + 40 * codes[:, None]
    found = probe_error(features, codes, 2).error
    z = stats.norm.isf(0.05 / 4)
    assert (found.value, found.low) == (0, 0)
    assert found.high == pytest.approx(z**2 / (20 + z**2) * np.sqrt(2) / 2)


def test_prompts_may_be_as_unfair_as_their_own_targets_allow() -> None:
    """Only women: off by sqrt(2) / 2 where half are due, by 0.9 sqrt(2) where one in ten is."""
    counts, targets = [[10**5, 0], [10**5, 0]], [HALF, [0.1, 0.9]]
    worst = np.sqrt((0.5 + 2 * 0.9**2) / 2)
    assert prompt_discrepancy(counts, targets).value == pytest.approx(worst, abs=1e-3)
    fair = [[5 * 10**4, 5 * 10**4], [10**4, 9 * 10**4]]
    assert unpaired_difference(counts, fair, targets).difference.value == pytest.approx(worst, abs=0.01)


def test_the_band_of_fair_prompts_has_no_room_for_what_chance_adds() -> None:
    """FD^2 of n coins is 1 / (2 n) on average with that standard deviation; the average is taken off."""
    n, prompts = 16, 400
    found = prompt_discrepancy([[8, 8]] * prompts, HALF, replicates=2000).null95
    assert found**2 == pytest.approx(1.645 * np.sqrt(2 / prompts) / (2 * n), rel=0.1)


def test_the_band_of_fair_prompts_knows_that_they_share_one_calibration() -> None:
    """Of very many images only the calibration's error is left, and it moves all prompts together.

    FD^2 is then 2 s^2 times a chi-square of one degree, with s the standard error of the share.
    """
    faces, right = 500, 0.9
    confusion = faces * np.array([[right, 1 - right], [1 - right, right]])
    found = prompt_discrepancy([[10**6, 10**6]] * 10, HALF, confusion, replicates=2000).null95
    error = 0.5 * np.sqrt(2 * right * (1 - right) / faces) / (2 * right - 1)
    assert found == pytest.approx(np.sqrt(2 * (stats.chi2.ppf(0.95, 1) - 1)) * error, rel=0.08)


def test_pairs_and_single_sets_take_off_the_same_for_chance() -> None:
    """Against a sampler that gives one value only, which nothing is taken off, six images a prompt."""
    rng = np.random.default_rng(0)
    a, prompts = (rng.random(60 * 6) < 0.7).astype(int), np.repeat(np.arange(60), 6)
    paired = paired_prompt_difference(a, a * 0, prompts, HALF, replicates=100).difference.value
    counts = np.stack([np.bincount(a[prompts == p], minlength=2) for p in range(60)])
    alone = prompt_discrepancy(counts, HALF, replicates=100).value
    assert paired == pytest.approx(alone - np.sqrt(0.5), abs=0.01)


def test_unpaired_prompts_take_off_what_chance_adds_and_a_single_set_does_not() -> None:
    """Fair coins, ten a prompt, against one value only: mean FD^2 of coins is 1 / 20."""
    rng = np.random.default_rng(1)
    coins, one = rng.multinomial(10, HALF, size=300), np.tile([10, 0], (300, 1))
    many = unpaired_difference(coins, one, HALF, replicates=100).difference.value
    assert many == pytest.approx(-np.sqrt(0.5), abs=0.08)
    single = unpaired_difference([[8, 2]], [[10, 0]], HALF, replicates=100).difference.value
    assert single == pytest.approx(np.sqrt(2) * (0.3 - 0.5))


def test_a_sequence_spends_its_level_once() -> None:
    """A fifth of the level pays for the calibration, so that evidence of 1 / level is not enough."""
    target, confusion = np.array(HALF), np.array([[900.0, 100], [100, 900]])
    box = null_box(target, confusion, 0.01)
    for first in range(500, 1000):
        evidence = float(log_evidence(np.array([first, 1000 - first]), *box, target))
        sequence = ConfidenceSequence(target, confusion)
        if evidence > np.log(20):
            break
    assert evidence < np.log(25)
    sequence.update([first, 1000 - first])
    assert sequence.verdict(0.01) == "not enough evidence"
    sequence.update([first + 20, 1000 - first])
    assert sequence.verdict(0.01) == "unfair"


def test_errors_of_a_small_calibration_are_not_held_against_the_generator() -> None:
    """100 faces say that 47.5 % of fair labels are the first value; 50 % are, and images are many."""
    sequence = ConfidenceSequence(HALF, [[70, 30], [25, 75]])
    sequence.update([10**4, 10**4])
    assert sequence.verdict(0.01) == "not enough evidence"


def test_bounds_of_a_discrepancy_take_intervals_that_hold_together() -> None:
    third = np.full(3, 1 / 3)
    sequence, strict = ConfidenceSequence(third, level=0.05), ConfidenceSequence(third, level=0.05 / 3)
    for one in (sequence, strict):
        one.update([60, 30, 10])
    expected = discrepancy_bounds(strict.low, strict.high, third)
    assert sequence.discrepancy() == pytest.approx([float(end) for end in expected])


def test_the_box_of_fair_labels_holds_them_all_at_once() -> None:
    """Six hundred calibrations on 100 faces a value, at a level that one can count."""
    rng, target, level = np.random.default_rng(2), np.full(4, 0.25), 0.2
    rates = np.full((4, 4), 0.3 / 3) + (0.7 - 0.1) * np.eye(4)
    confusion = rng.multinomial(100, rates, size=(600, 4)).astype(float)
    low, high = null_box(target, confusion, level)
    held = ((low <= target @ rates) & (target @ rates <= high)).all(axis=1).mean()
    assert held >= 1 - level - 3 * np.sqrt(level * (1 - level) / 600)


def test_the_box_of_a_target_of_one_value_has_the_exact_limits_of_its_row() -> None:
    low, high = null_box(np.array([1.0, 0.0]), np.array([[90.0, 10], [30, 170]]), 0.05)
    exact = stats.binomtest(90, 100).proportion_ci()
    assert (low[0], high[0]) == pytest.approx((exact.low, exact.high))


def test_prompts_are_planned_for_as_one_family_with_all_images() -> None:
    """Three prompts and all images are four tests; Holm's first step is a quarter of the level."""
    several = images_for_discrepancy(0.2, HALF, prompts=3).images
    assert several == images_for_discrepancy(0.2, HALF, level=0.05 / 4).images
    assert several > images_for_discrepancy(0.2, HALF, level=0.05 / 3).images


def test_planned_images_give_pearsons_test_its_power() -> None:
    """Three values: 20,000 audits of the planned size, under whichever alternative is the hardest."""
    target, rng = np.full(3, 1 / 3), np.random.default_rng(4)
    n = images_for_discrepancy(0.15, target).images
    powers = []
    for off in alternatives(target, 0.15):
        statistic = ((rng.multinomial(n, off, size=20000) - n * target) ** 2 / (n * target)).sum(axis=1)
        powers.append((statistic > stats.chi2.isf(0.05, 2)).mean())
    assert min(powers) == pytest.approx(0.8, abs=0.02)


def test_a_generator_may_be_off_in_either_direction() -> None:
    """Each of three values up or down; from 80 %, 0.3 sqrt(2) is possible downwards only."""
    target = np.array([0.5, 0.3, 0.2])
    found = alternatives(target, 0.1)
    mirrored = 2 * target - found
    assert len(found) == 6
    assert all(np.isclose(found, other).all(axis=1).any() for other in mirrored)
    assert alternatives(np.array([0.8, 0.2]), np.sqrt(2) * 0.3)[:, 0] == pytest.approx([0.5, 0.5])


def test_few_labels_of_unequal_strata_are_weighed_and_count_for_fewer() -> None:
    """None of ten has the value in nine tenths of the images, and all of ten have it in the rest.

    That none of ten has it leaves 31 % of that stratum open, which the interval of the whole must hold.
    """
    strata = np.repeat([0, 1], [900, 100])
    images = np.concatenate([np.arange(10), 900 + np.arange(10)])
    found = powered_share(Judged(strata, images, np.repeat([0, 1], 10), strata), 1).share
    assert found.method == EXACT
    assert found.value == pytest.approx(0.1)
    assert found.low < 0.1 < 0.9 * stats.beta.isf(0.025, 1, 10) + 0.1 < found.high < 0.45


def test_no_probability_is_tempered_by_its_own_truth() -> None:
    """A face in the half that a temperature is fitted on is in the other half's tempering only."""
    rng = np.random.default_rng(3)
    given = rng.dirichlet(np.ones(3), size=60)
    truth = np.array([rng.choice(3, p=row) for row in given])
    before = cross_tempered(given, truth)
    for i in range(10):
        other = truth.copy()
        other[i] = (other[i] + 1) % 3
        after = cross_tempered(given, other)
        assert np.array_equal(after[i], before[i])
        assert not np.array_equal(after, before)
