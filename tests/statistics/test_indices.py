import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairaudit.results import Index
from fairaudit.statistics.indices import estimate_indices
from fairaudit.statistics.inversion import nearest_shares
from fairaudit.statistics.shares import estimate_shares
from tests.statistics.test_discrepancy import audit

HALF = [0.5, 0.5]
EVENNESS = {"normalised_entropy", "effective_number"}


def measure(counts, target, confusion=None, **options):
    shares = estimate_shares(counts, confusion, replicates=200, seed=options.get("seed", 0))
    return estimate_indices(shares, int(np.sum(counts)), target, confusion, **options)


def exact(shares, target):
    """Values of a distribution: those of the labels of very many images."""
    found = measure(np.round(np.array(shares) * 10**9), target, replicates=40)
    return {name: index.value for name, index in found.items()}


def holds(index, truth):
    high = np.inf if index.high is None else index.high
    return index.low - 1e-6 <= truth <= high + 1e-6


def test_values_of_seven_in_ten():
    found = measure([70, 30], HALF)
    published = {
        "total_variation": 0.2, "kl_divergence": 0.08228, "chi_square_distance": 0.16, "max_min_ratio": 7 / 3,
        "normalised_entropy": 0.88129, "mean_absolute_deviation": 0.2, "deviation_ratio": 0.4,
        "effective_number": 1.84202,
    }  # fmt: skip
    assert {name: index.value for name, index in found.items()} == pytest.approx(published, abs=1e-5)
    assert all(index.raw == index.value for index in found.values())
    assert all(index.low < index.value < index.high for index in found.values())


def test_for_two_values_all_indices_have_the_interval_of_the_share():
    shares = estimate_shares([80, 20])
    found = measure([80, 20], HALF, replicates=4000)
    for name, scale in [("total_variation", 1), ("mean_absolute_deviation", 1), ("deviation_ratio", 2)]:
        assert found[name].low == pytest.approx(scale * (shares.low[0] - 0.5), abs=0.02)
        assert found[name].high == pytest.approx(scale * (shares.high[0] - 0.5), abs=0.02)


@pytest.mark.parametrize(
    ("shares", "n", "accuracy"),
    [([0.5, 0.5], 100, 0.9), ([0.8, 0.2], 200, 0.85), ([0.1, 0.2, 0.3, 0.4], 100, 0.9)],
)
def test_intervals_hold_the_truth(shares, n, accuracy):
    rng, target = np.random.default_rng(1), np.full(len(shares), 1 / len(shares))
    truth, held, audits = exact(shares, target), {}, 80
    for seed in range(audits):
        counts, confusion = audit(np.array(shares), n, accuracy, 500, rng)
        for name, index in measure(counts, target, confusion, replicates=400, seed=seed).items():
            held[name] = held.get(name, 0) + holds(index, truth[name])
    assert min(held.values()) / audits > 0.95 - 3 * np.sqrt(0.95 * 0.05 / audits)


def test_a_fair_generator_reaches_the_fair_value_and_stays_in_its_band():
    rng, target, audits = np.random.default_rng(2), np.full(7, 1 / 7), 80
    fair, reached, within = exact(target, target), {}, {}
    for seed in range(audits):
        for name, index in measure(rng.multinomial(100, target), target, replicates=400, seed=seed).items():
            reached[name] = reached.get(name, 0) + holds(index, fair[name])
            value = index.value if index.value is not None else np.inf
            band = index.null95 if index.null95 is not None else np.inf
            within[name] = within.get(name, 0) + (value >= band if name in EVENNESS else value <= band)
    assert min(reached.values()) / audits > 0.93 - 2 * np.sqrt(0.95 * 0.05 / audits)
    assert min(within.values()) / audits > 0.95 - 3 * np.sqrt(0.95 * 0.05 / audits)


def test_evenness_is_not_fairness_where_the_target_is_uneven():
    found = measure([700, 200, 100], [0.7, 0.2, 0.1])
    assert found["total_variation"].value == pytest.approx(0)
    assert found["normalised_entropy"].high < 0.8
    assert found["normalised_entropy"].null95 < found["normalised_entropy"].value


def test_an_empty_value_has_no_ratio_but_a_lower_end_of_it():
    ratio = measure([60, 40, 0], np.full(3, 1 / 3))["max_min_ratio"]
    assert (ratio.value, ratio.high) == (None, None)
    assert "absent" in ratio.reason
    assert 5 < ratio.low < np.inf


def test_a_value_outside_the_support_is_infinitely_far():
    found = measure([60, 40, 3], [0.5, 0.5, 0])
    assert found["kl_divergence"].value is None
    assert found["kl_divergence"].reason
    assert found["total_variation"].value == pytest.approx(0.1 * 97 / 103, abs=0.03)
    assert "Infinity" not in json.dumps([index.model_dump() for index in found.values()])


def test_errors_of_the_classifier_widen_interval_and_band():
    confusion = [[800, 200], [200, 800]]
    labels, corrected = measure([58, 42], HALF), measure([58, 42], HALF, confusion)
    for name in labels:
        wide, narrow = corrected[name], labels[name]
        assert wide.high - wide.low > narrow.high - narrow.low
        assert abs(wide.null95 - exact(HALF, HALF)[name]) > abs(narrow.null95 - exact(HALF, HALF)[name])


def test_same_seed_same_numbers():
    assert measure([30, 20, 50], [0.3, 0.3, 0.4], seed=7) == measure([30, 20, 50], [0.3, 0.3, 0.4], seed=7)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=2, max_size=5), st.booleans())
def test_any_labels_have_ordered_records(counts, calibrated):
    k = len(counts)
    confusion = 50 * np.eye(k) + 5 if calibrated else None
    for name, index in measure(counts, np.full(k, 1 / k), confusion, replicates=40).items():
        assert isinstance(index, Index)
        assert (index.value is None) == (index.reason is not None), name
        if index.value is not None:
            assert index.low <= index.value
            assert index.high is None or index.value <= index.high


def test_without_shares_there_is_a_reason():
    for found in (measure([0, 0], HALF), measure([5, 9], HALF, [[5, 5], [5, 5]])):
        assert all(index.value is None and index.reason for index in found.values())


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=6))
def test_nearest_shares_are_nearest(point):
    moved = np.array(point) - np.mean(point) + 1 / len(point)
    shares = nearest_shares(moved)
    assert shares.min() >= 0
    assert shares.sum() == pytest.approx(1)
    # The nearest point of a convex set: no corner lies further along the way there.
    assert ((np.eye(len(point)) - shares) @ (moved - shares)).max() < 1e-9
