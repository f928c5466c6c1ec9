import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairaudit.statistics.shares import estimate_shares
from fairaudit.statistics.soft import estimate_soft_shares


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


def test_one_value_is_refused():
    with pytest.raises(ValueError, match="one value"):
        estimate_shares([5])


@pytest.mark.parametrize(
    ("counts", "confusion", "claim"),
    [
        ([50, 50], None, None),
        ([10, 10], None, "labels"),
        ([97, 3], None, "more often"),
        ([50, 50], [[90, 10], [5, 95]], None),
        ([50, 50], [[18, 2], [5, 95]], "calibration faces"),
        ([500, 500], [[560, 440], [440, 560]], "tells"),
    ],
)
def test_what_cannot_be_claimed_says_why(counts, confusion, claim):
    found = estimate_shares(counts, confusion)
    assert found.value is not None
    assert (found.claim is None) if claim is None else (claim in found.claim)


def test_the_interval_published_with_cleam_covers_a_third_and_ours_what_it_says():
    """Teo et al. (NeurIPS 2023): mean +- 1.96 sd / sqrt(30) of 30 resamples of the one labelled pool.

    What it leaves out: the pool is itself a sample (a factor of sqrt(30)), and so is the calibration.
    """
    rng, rates, ours, theirs = np.random.default_rng(0), symmetric(2, 0.95), 0, 0
    for seed in range(300):
        labels = rng.multinomial(400, np.array([0.64, 0.36]) @ rates)
        confusion = rng.multinomial(250, rates)
        found = estimate_shares(labels, confusion, replicates=400, seed=seed)
        ours += found.low[0] <= 0.64 <= found.high[0]
        pools = rng.binomial(400, labels[0] / 400, size=30) / 400
        half = 1.96 * pools.std() / np.sqrt(30)
        first, second = np.diag(confusion) / 250
        ends = (pools.mean() + np.array([-half, half]) - (1 - second)) / (first + second - 1)
        theirs += ends[0] <= 0.64 <= ends[1]
    assert ours >= 0.92 * 300
    assert theirs <= 0.4 * 300


def test_the_width_published_with_cleam():
    """Research figures: at a mean of .61 and s = 30, +-.0087 of 400 images and +-.0055 of 1000.

    ResNet-18 on gender makes .0094 and .0059 of them; the pool's own sampling error is 5.5 times that.
    """
    for n, reported, corrected in ((400, 0.0087, 0.0094), (1000, 0.0055, 0.0059)):
        half = 1.96 * np.sqrt(0.61 * 0.39 / n / 30)
        accuracies = 0.9471627486437613 + 0.9829294755877035
        assert half == pytest.approx(reported, abs=1e-4)
        assert half / (accuracies - 1) == pytest.approx(corrected, abs=1e-4)
        known = 10**7 * np.array([[0.9471627, 0.0528373], [0.0170705, 0.9829295]])
        found = estimate_shares([0.61 * n, 0.39 * n], known)
        assert (found.high - found.low)[0] / 2 == pytest.approx(corrected * np.sqrt(30), rel=0.06)


def test_soft_shares_are_mean_probabilities():
    rows = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]])
    found = estimate_soft_shares(rows)
    assert found.value == pytest.approx(rows.mean(axis=0))
    assert found.raw == pytest.approx([2 / 3, 1 / 3])
    assert "fewer" in found.claim
    assert estimate_soft_shares(np.zeros((0, 2))).reason == "no labelled image"


def test_sure_probabilities_have_the_interval_of_hard_labels():
    found, raw = estimate_soft_shares(np.eye(3)[[0] * 40 + [1] * 60]), estimate_shares([40, 60, 0])
    assert found.low == pytest.approx(raw.low, abs=0.002)
    assert found.high == pytest.approx(raw.high, abs=0.002)
    assert found.simultaneous[1] == pytest.approx(raw.simultaneous[1], abs=0.002)


@pytest.mark.parametrize("concentration", [0.05, 1, 10])
@pytest.mark.parametrize("shares", [[0.5, 0.5], [0.9, 0.06, 0.04]])
def test_soft_intervals_hold_the_mean(shares, concentration):
    rng, held, joint = np.random.default_rng(0), [], []
    for _ in range(200):
        found = estimate_soft_shares(
            rng.dirichlet(np.multiply(shares, concentration), size=60), replicates=10
        )
        held.append((found.low <= shares) & (shares <= found.high))
        joint.append(((found.simultaneous[0] <= shares) & (shares <= found.simultaneous[1])).all())
    assert np.mean(held, axis=0).min() > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)
    assert np.mean(joint) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)


@settings(max_examples=30)
@given(st.integers(2, 6), st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_soft_shares_of_any_probabilities_are_ordered_and_permute(k, n, seed):
    rng = np.random.default_rng(seed)
    rows, order = rng.dirichlet(np.full(k, 0.1), size=n), rng.permutation(k)
    found = estimate_soft_shares(rows, replicates=20)
    assert ((found.low >= 0) & (found.low <= found.value)).all()
    assert ((found.value <= found.high) & (found.high <= 1)).all()
    assert estimate_soft_shares(rows[:, order], replicates=20).high == pytest.approx(found.high[order])


@pytest.mark.parametrize("rows", [[[0.7, 0.7]], [[np.nan, 1]], [[1.5, -0.5]], [0.5, 0.5], [[1.0]]])
def test_what_are_no_probabilities_is_refused(rows):
    with pytest.raises(ValueError, match="probabilities"):
        estimate_soft_shares(rows)
