import numpy as np
import pytest
from scipy import stats

from fairaudit.statistics.shares import estimate_shares


def symmetric(k, accuracy):
    off = (1 - accuracy) / (k - 1)
    return off + (accuracy - off) * np.eye(k)


def coverage(shares, n, accuracy, calibration, audits=250):
    """Fraction of simulated audits whose interval holds the true share, per value."""
    rng, k = np.random.default_rng(0), len(shares)
    rates, held = symmetric(k, accuracy), np.zeros(k)
    for seed in range(audits):
        counts = rng.multinomial(n, shares @ rates)
        confusion = np.array([rng.multinomial(calibration, row) for row in rates])
        found = estimate_shares(counts, confusion, replicates=400, seed=seed)
        held += (found.low <= shares) & (shares <= found.high)
    return held / audits


@pytest.mark.parametrize(
    ("shares", "n", "accuracy", "calibration"),
    [
        ([0.5, 0.5], 100, 0.9, 100),
        ([0.98, 0.02], 30, 0.95, 100),
        ([0.98, 0.02], 400, 0.75, 2500),
        ([0.4, 0.3, 0.2, 0.1], 100, 0.8, 500),
        ([0.97, 0.01, 0.01, 0.01], 400, 0.99, 100),
    ],
)
def test_intervals_hold_the_truth_in_95_of_100_audits(shares, n, accuracy, calibration):
    held = coverage(np.array(shares), n, accuracy, calibration)
    assert held.min() > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 250)


def test_a_dominant_one_of_seven_is_not_pulled_towards_uniform():
    shares = np.array([0.98, *[0.02 / 6] * 6])
    assert coverage(shares, 30, 0.99, 2500, audits=120)[0] > 0.9


def test_intervals_are_not_longer_than_needed():
    # At a perfect classifier known from many faces, the corrected interval is that of the labels.
    corrected = estimate_shares([60, 40], [[10**6, 0], [0, 10**6]])
    raw = estimate_shares([60, 40])
    assert corrected.low == pytest.approx(raw.low, abs=0.01)
    assert corrected.high == pytest.approx(raw.high, abs=0.01)


def test_ignorance_of_the_classifier_widens_the_interval():
    few = estimate_shares([500, 500], [[18, 2], [3, 17]])
    many = estimate_shares([500, 500], [[1800, 200], [300, 1700]])
    assert (few.high - few.low > 2 * (many.high - many.low)).all()


def test_raw_intervals_are_those_of_wilson():
    found = estimate_shares([30, 20, 50], level=0.1)
    for count, low, high in zip([30, 20, 50], found.low, found.high, strict=True):
        peer = stats.binomtest(count, 100).proportion_ci(0.9, method="wilson")
        assert (low, high) == pytest.approx((peer.low, peer.high), abs=1e-12)
    assert found.method.startswith("Wilson score")


def test_two_values_have_complementary_intervals():
    found = estimate_shares([30, 70], [[90, 10], [20, 80]])
    assert found.low == pytest.approx(1 - found.high[::-1], abs=1e-9)


def test_no_value_among_the_labels_keeps_an_interval():
    found = estimate_shares([250, 0], [[95, 5], [2, 98]])
    assert found.value == pytest.approx([1, 0])
    assert found.low[1] == 0
    assert 0 < found.high[1] < 0.1


def test_an_interval_lies_in_the_unit_interval_and_holds_its_estimate():
    # Fewer second values are reported than the classifier errs: all solutions leave [0, 1].
    found = estimate_shares([1000, 1], [[800, 200], [200, 800]])
    assert found.value == pytest.approx([1, 0])
    assert (found.low >= 0).all()
    assert (found.high <= 1).all()
    assert ((found.low <= found.value) & (found.value <= found.high)).all()


def test_same_seed_same_numbers():
    first, second = (estimate_shares([30, 20, 50], 5 + 90 * np.eye(3), seed=7) for _ in range(2))
    assert (first.draws == second.draws).all()
    assert (first.low == second.low).all()
    assert (estimate_shares([30, 20, 50], 5 + 90 * np.eye(3), seed=8).draws != first.draws).any()


@pytest.mark.parametrize("confusion", [None, [[9, 1], [1, 9]]])
def test_without_labels_there_is_a_reason_and_no_number(confusion):
    found = estimate_shares([0, 0], confusion)
    assert found.value is found.low is found.high is found.raw is None
    assert found.reason == "no labelled image"


@pytest.mark.parametrize("confusion", [[[50, 50], [50, 50]], [[3, 2], [2, 3]], [[10, 0], [0, 0]]])
def test_a_useless_calibration_leaves_the_raw_share_and_a_reason(confusion):
    found = estimate_shares([30, 70], confusion)
    assert found.value is None
    assert found.reason
    assert found.raw == pytest.approx([0.3, 0.7])


@pytest.mark.parametrize("counts", [[-1, 2], [np.nan, 1], [[1, 2]]])
def test_what_is_no_count_is_refused(counts):
    with pytest.raises(ValueError, match="counts"):
        estimate_shares(counts)
