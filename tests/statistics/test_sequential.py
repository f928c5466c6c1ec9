import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

from fairaudit.statistics.betting import log_capital, mean_bounds
from fairaudit.statistics.boxes import discrepancy_bounds, nearest
from fairaudit.statistics.margins import calibrated, null_box
from fairaudit.statistics.power import symmetric_confusion
from fairaudit.statistics.sequential import (
    CALIBRATION,
    ConfidenceSequence,
    log_bayes_factor,
    log_evidence,
)
from fairaudit.statistics.shares import estimate_shares


def streams(shares, images, unit, size, seed=0):
    """Cumulative counts (size, looks, K)."""
    drawn = np.random.default_rng(seed).multinomial(unit, shares, size=(size, images // unit))
    return drawn.cumsum(axis=1).astype(float)


@pytest.mark.parametrize(
    ("counts", "alpha", "expected"),
    [
        ([10, 5], [1, 1], -0.38275),
        ([60, 40], [1, 1], -0.09096),
        ([166, 84], [1, 1], 11.1055),
        ([60, 40], [50, 50], 0.65889),
    ],
)
def test_bayes_factors_known_in_advance(counts, alpha, expected):
    assert log_bayes_factor(counts, [0.5, 0.5], alpha) == pytest.approx(expected, abs=1e-4)


def test_the_bayes_factor_is_the_integral_of_the_likelihood_ratio():
    def ratio(share):
        return stats.beta.pdf(share, 2, 3) * (share / 0.3) ** 7 * ((1 - share) / 0.7) ** 4

    integral, _ = integrate.quad(ratio, 0, 1)
    assert log_bayes_factor([7, 4], [0.3, 0.7], [2, 3]) == pytest.approx(np.log(integral))


def test_evidence_has_expectation_one_under_the_null():
    # All outcomes of 12 labels of 3 values, weighted by their probability.
    target, n = np.array([0.5, 0.3, 0.2]), 12
    outcomes = np.array([(i, j, n - i - j) for i in range(n + 1) for j in range(n + 1 - i)], dtype=float)
    weights = stats.multinomial.pmf(outcomes, n, target)
    assert weights @ np.exp(log_evidence(outcomes, target, target, target)) == pytest.approx(1)
    scores = np.array([[0.0, 0.4, 1.0]])
    capital = np.exp(log_capital(outcomes, scores, scores @ target))
    assert weights @ capital[:, 0] == pytest.approx(1)


def test_stratified_images_do_not_raise_the_expectation():
    # 6 images that are the first value with probability .9, and 6 with .1: half on average.
    first = np.convolve(stats.binom.pmf(range(7), 6, 0.9), stats.binom.pmf(range(7), 6, 0.1))
    outcomes = np.stack([np.arange(13.0), 12 - np.arange(13.0)], axis=1)
    half = np.array([0.5, 0.5])
    assert first @ np.exp(log_evidence(outcomes, half, half, half)) < 1
    assert first @ np.exp(log_capital(outcomes, np.eye(2), half))[:, 0] < 1


@pytest.mark.parametrize("k", [2, 7])
def test_a_fair_generator_is_rarely_called_unfair_at_any_of_125_looks(k):
    target, size = np.full(k, 1 / k), 1000
    counts = streams(target, 2000, 16, size)
    alarms = (log_evidence(counts, target, target, target) >= np.log(20)).any(axis=1).mean()
    assert alarms < 0.05
    most = log_bayes_factor(counts, target, 10 * target).max(axis=1)
    for level in (0.01, 0.05, 0.2):
        assert (most >= np.log(1 / level)).mean() <= level + 3 * np.sqrt(level / size)


@pytest.mark.parametrize(("k", "accuracy", "faces"), [(2, 0.75, 100), (4, 0.9, 200)])
def test_a_fair_generator_is_rarely_called_unfair_through_calibrations_of_its_own(k, accuracy, faces):
    target, size, rng = np.full(k, 1 / k), 400, np.random.default_rng(0)
    rates = symmetric_confusion(k, accuracy, 1)
    counts = streams(target @ rates, 2000, 16, size)
    confusion = rng.multinomial(faces, rates, size=(size, k)).astype(float)
    low, high = (end[:, None] for end in null_box(target, confusion, CALIBRATION * 0.05))
    evidence = log_evidence(counts, low, high, target)
    assert (evidence >= np.log(1 / ((1 - CALIBRATION) * 0.05))).any(axis=1).mean() < 0.05


def test_a_calibration_that_is_taken_for_the_truth_refutes_fair_generators():
    rates, half = symmetric_confusion(2, 0.75, 1), np.array([0.5, 0.5])
    confusion = np.random.default_rng(0).multinomial(100, rates, size=(400, 2))
    known = (half @ confusion / 100)[:, None]
    evidence = log_evidence(streams(half, 2000, 16, 400), known, known, half)
    assert (evidence >= np.log(20)).any(axis=1).mean() > 0.1


@pytest.mark.parametrize("level", [0.05, 0.2])
def test_bounds_hold_the_mean_at_all_looks(level):
    shares, scores = np.array([0.7, 0.2, 0.1]), np.array([[1.0, 0.2, 0.0], [0.0, 0.0, 1.0]])
    counts = streams(shares, 1000, 20, 400)
    truth = scores @ shares
    bets = log_capital(counts, scores, truth), log_capital(counts, 1 - scores, 1 - truth)
    outside = (np.maximum(*bets) >= np.log(2 / level)).any(axis=1).mean(axis=0)
    assert (outside < level).all()
    low, high = mean_bounds(counts[:5, -1], scores, level)
    assert ((low <= truth) == (bets[0][:5, -1] < np.log(2 / level))).all()
    assert ((high >= truth) == (bets[1][:5, -1] < np.log(2 / level))).all()


def test_intervals_are_not_much_longer_than_those_for_a_number_fixed_in_advance():
    sequence = ConfidenceSequence([0.5, 0.5])
    sequence.update([500, 500])
    fixed = estimate_shares([500, 500])
    ratio = (sequence.high - sequence.low) / (fixed.high - fixed.low)
    assert (ratio > 1).all()
    assert (ratio < 1.8).all()


def test_calibrated_intervals_cover_the_true_shares():
    shares, rng = np.array([0.6, 0.3, 0.1]), np.random.default_rng(0)
    rates = np.array([[0.8, 0.15, 0.05], [0.1, 0.85, 0.05], [0.2, 0.1, 0.7]])
    confusion = rng.multinomial(300, rates, size=(300, 3)).astype(float)
    reading = calibrated(confusion, CALIBRATION * 0.05)
    bounds = mean_bounds(streams(shares @ rates, 600, 100, 300), reading.scores[:, None], 0.04)
    low, high = reading.share_bounds(bounds[0].max(axis=1), bounds[1].min(axis=1))
    assert ((low <= shares) & (shares <= high)).mean(axis=0).min() > 0.95


def test_a_sequence_is_what_its_parts_make_of_all_looks():
    confusion, counts = np.array([[80.0, 15, 5], [10, 170, 20], [5, 5, 60]]), [[20, 9, 6], [30, 40, 20]]
    sequence, reading = ConfidenceSequence([0.2, 0.3, 0.5], confusion), calibrated(confusion, 0.01)
    for row in counts:
        sequence.update(row)
    bounds = mean_bounds(np.array(counts, dtype=float), reading.scores, 0.04)
    low, high = reading.share_bounds(bounds[0].max(axis=0), bounds[1].min(axis=0))
    assert sequence.low == pytest.approx(low)
    assert sequence.high == pytest.approx(high)


def test_a_large_calibration_of_a_perfect_classifier_changes_little():
    plain, sure = ConfidenceSequence([0.5, 0.5]), ConfidenceSequence([0.5, 0.5], 1e7 * np.eye(2))
    for sequence in (plain, sure):
        sequence.update([70, 30])
    assert sure.low == pytest.approx(plain.low, abs=0.01)
    assert sure.high == pytest.approx(plain.high, abs=0.01)


def test_two_values_mirror_each_other():
    sequence = ConfidenceSequence([0.5, 0.5], [[90, 10], [30, 170]])
    sequence.update([70, 30])
    assert sequence.low == pytest.approx(1 - sequence.high[::-1], abs=1e-6)


def test_values_may_be_listed_in_any_order():
    confusion, order = np.array([[80, 15, 5], [10, 170, 20], [5, 5, 60]]), [2, 0, 1]
    first = ConfidenceSequence([0.2, 0.3, 0.5], confusion)
    other = ConfidenceSequence(np.array([0.2, 0.3, 0.5])[order], confusion[np.ix_(order, order)])
    first.update([30, 50, 20])
    other.update(np.array([30, 50, 20])[order])
    assert other.low == pytest.approx(first.low[order], abs=1e-6)
    assert other.discrepancy() == pytest.approx(first.discrepancy(), abs=1e-6)


def test_verdicts():
    sequence = ConfidenceSequence([0.5, 0.5])
    assert sequence.verdict(0.1) == "not enough evidence"
    sequence.update([5, 5])
    assert sequence.verdict(0.1) == "not enough evidence"
    sequence.update([1000, 1000])
    assert sequence.verdict(0.1) == "fair"
    assert sequence.verdict(0.01) == "not enough evidence"
    biased = ConfidenceSequence([0.5, 0.5])
    biased.update([30, 2])
    assert biased.verdict(0.1) == "unfair"
    biased.update([40, 30])  # what was excluded once stays excluded
    assert biased.verdict(0.1) == "unfair"


def test_what_the_classifier_errs_is_not_held_against_the_generator():
    # Of a fair generator this classifier labels 70 % as the first value.
    sequence, naive = ConfidenceSequence([0.5, 0.5], [[900, 100], [500, 500]]), ConfidenceSequence([0.5, 0.5])
    for one in (sequence, naive):
        one.update([700, 300])
    assert sequence.verdict(0.1) == "not enough evidence"
    assert naive.verdict(0.1) == "unfair"


def test_intervals_only_shrink():
    sequence = ConfidenceSequence(np.full(3, 1 / 3))
    sequence.update([20, 5, 5])
    low, high = sequence.low, sequence.high
    sequence.update([21, 25, 25])
    assert (sequence.low >= low).all()
    assert (sequence.high <= high).all()
    assert (sequence.low <= sequence.high).all()


@pytest.mark.parametrize("confusion", [[[50, 50], [50, 50]], [[3, 2], [2, 3]], [[10, 0], [0, 0]]])
def test_a_useless_calibration_decides_nothing_and_says_why(confusion):
    sequence = ConfidenceSequence([0.5, 0.5], confusion)
    sequence.update([1000, 0])
    assert sequence.reason
    assert sequence.value is None
    assert sequence.verdict(0.1) == "not enough evidence"
    assert (sequence.low == 0).all()
    assert (sequence.high == 1).all()


@pytest.mark.parametrize("counts", [[4, 5], [5, 4, 1], [np.nan, 9], [5, -1]])
def test_counts_must_be_those_of_more_labels(counts):
    sequence = ConfidenceSequence([0.5, 0.5])
    sequence.update([5, 5])
    with pytest.raises(ValueError, match="counts"):
        sequence.update(counts)


def test_one_value_is_nothing_to_look_for():
    with pytest.raises(ValueError, match="one value"):
        ConfidenceSequence([1.0])


def test_an_impossible_value_refutes_the_target():
    sequence = ConfidenceSequence([0.5, 0.5, 0])
    sequence.update([4, 4, 0])
    assert sequence.verdict(0.1) == "not enough evidence"
    sequence.update([4, 4, 1])
    assert sequence.verdict(0.1) == "unfair"


@settings(max_examples=30)
@given(st.lists(st.integers(0, 300), min_size=3, max_size=3), st.integers(0, 100))
def test_the_nearest_label_distribution_is_the_likeliest_of_the_box(counts, seed):
    low = np.random.default_rng(seed).uniform(0.02, 0.3, 3)
    high = low + 0.25
    counts = np.array(counts, dtype=float) + 1
    found = nearest(counts, low, high)
    best = optimize.minimize(
        lambda q: -counts @ np.log(q) / counts.sum(), (low + high) / 2, bounds=np.transpose([low, high]),
        constraints={"type": "eq", "fun": lambda q: q.sum() - 1}, method="SLSQP",
    )  # fmt: skip
    if low.sum() <= 1 <= high.sum() and best.success:
        assert found.sum() == pytest.approx(1, abs=1e-6)
        assert counts @ np.log(found) >= counts @ np.log(best.x) - 1e-4 * counts.sum()


@given(st.integers(0, 1000), st.integers(2, 6))
def test_discrepancy_bounds_hold_every_vector_of_the_box(seed, k):
    rng = np.random.default_rng(seed)
    shares, target = rng.dirichlet(np.ones(k), size=50), rng.dirichlet(np.ones(k))
    low, high = discrepancy_bounds(shares.min(axis=0), shares.max(axis=0), target)
    distances = np.linalg.norm(shares - target, axis=1)
    assert low <= distances.min() + 1e-12
    assert distances.max() <= high + 1e-12


def test_discrepancy_bounds_of_two_values_are_exact():
    low, high = discrepancy_bounds(np.array([0.6, 0.1]), np.array([0.9, 0.4]), np.array([0.5, 0.5]))
    assert (low, high) == pytest.approx((0.1 * np.sqrt(2), 0.4 * np.sqrt(2)))


def test_margins_of_two_values_are_those_of_jeffreys():
    reading = calibrated(np.array([[90.0, 10], [30, 170]]), 0.1)
    # Score 1 of true value 1 is (t - f) / (t - f) at the observed rates; t alone moves it.
    upper = stats.beta.ppf(0.95, 90.5, 10.5)
    assert reading.above[0, 0] == pytest.approx((upper - 0.9) / (0.9 - 0.15))
