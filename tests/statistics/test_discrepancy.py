import numpy as np
import pytest

from fairaudit.statistics.discrepancy import estimate_discrepancy, null_band
from fairaudit.statistics.shares import estimate_shares
from tests.statistics.test_shares import symmetric


def audit(shares, n, accuracy, calibration, rng):
    rates = symmetric(len(shares), accuracy)
    confusion = np.array([rng.multinomial(calibration, row) for row in rates])
    return rng.multinomial(n, shares @ rates), confusion


@pytest.mark.parametrize(
    ("shares", "n"),
    [([0.5, 0.5], 100), ([1 / 7] * 7, 60), ([0.2, 0.2, 0.2, 0.4], 100), ([0.97, 0.03], 30)],
)
def test_intervals_hold_the_true_discrepancy(shares, n):
    rng, target, held = np.random.default_rng(1), np.full(len(shares), 1 / len(shares)), 0
    truth = np.linalg.norm(shares - target)
    for seed in range(200):
        counts, confusion = audit(np.array(shares), n, 0.9, 500, rng)
        found = estimate_shares(counts, confusion, replicates=400, seed=seed)
        interval = estimate_discrepancy(found, target)
        held += interval.low <= truth + 1e-12 and truth <= interval.high
    assert held / 200 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)


def test_binary_discrepancy_is_root_two_times_the_distance():
    found = estimate_discrepancy(estimate_shares([70, 30]), [0.5, 0.5])
    assert found.value == found.raw == pytest.approx(0.28284, abs=1e-5)


def test_binary_interval_is_that_of_the_share():
    shares = estimate_shares([80, 20], [[95, 5], [10, 90]], seed=3)
    found = estimate_discrepancy(shares, [0.5, 0.5])
    assert found.low == pytest.approx(np.sqrt(2) * (shares.low[0] - 0.5), abs=0.01)
    assert found.high == pytest.approx(np.sqrt(2) * (shares.high[0] - 0.5), abs=0.01)


def test_one_group_only_is_as_unfair_as_can_be():
    found = estimate_discrepancy(estimate_shares([500, 0, 0, 0]), np.full(4, 0.25))
    assert found.value == found.high == pytest.approx(np.sqrt(0.75))
    assert found.low > 0.8


def test_a_perfect_split_may_be_fair_but_is_not_certain_to_be():
    found = estimate_discrepancy(estimate_shares([50, 50]), [0.5, 0.5])
    assert (found.value, found.low) == (0, 0)
    assert found.high > 0.1


def test_null_band_of_a_perfect_classifier_is_a_binomial_quantile():
    # P(|Binomial(100, .5) - 50| <= 9) = .943, <= 10 .965: the band is at 10 in 100.
    assert null_band(100, [0.5, 0.5], replicates=20000) == pytest.approx(np.sqrt(2) * 0.1)


@pytest.mark.parametrize("k", [2, 7])
def test_null_band_holds_fair_generators(k):
    rng, beyond, target = np.random.default_rng(2), 0, np.full(k, 1 / k)
    for seed in range(300):
        counts, confusion = audit(target, 100, 0.9, 200, rng)
        band = null_band(100, target, confusion, replicates=300, seed=seed)
        shares = estimate_shares(counts, confusion, replicates=10)
        beyond += np.linalg.norm(shares.value - target) > band
    assert beyond / 300 < 0.05 + 3 * np.sqrt(0.95 * 0.05 / 300)


def test_errors_of_the_classifier_widen_the_null_band():
    assert null_band(100, [0.5, 0.5], [[75, 25], [25, 75]]) > 1.5 * null_band(100, [0.5, 0.5])


def test_what_cannot_be_computed_has_a_reason():
    found = estimate_discrepancy(estimate_shares([0, 0]), [0.5, 0.5])
    assert (found.value, found.raw, found.reason) == (None, None, "no labelled image")
    assert null_band(0, [0.5, 0.5]) is None
    assert null_band(10, [0.5, 0.5], [[5, 5], [5, 5]]) is None
    assert null_band(10, [0.5, 0.5], [[5, 0], [0, 0]]) is None


def test_a_target_of_other_values_is_refused():
    with pytest.raises(ValueError, match="target"):
        estimate_discrepancy(estimate_shares([5, 5]), [0.2, -0.8])
