import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairaudit.statistics.equivalence import BINOMIAL, SIMULATED, equivalence_test
from fairaudit.statistics.shares import estimate_shares
from tests.statistics.test_discrepancy import audit

HALF = [0.5, 0.5]


def test_two_values_have_the_exact_two_one_sided_tests():
    n, delta = 200, np.sqrt(2) * 0.1
    for count in (100, 108, 90, 130):
        found = equivalence_test(estimate_shares([count, n - count]), HALF, delta, n=n)
        above = stats.binomtest(count, n, 0.4, alternative="greater").pvalue
        below = stats.binomtest(count, n, 0.6, alternative="less").pvalue
        assert found.p_value == pytest.approx(max(above, below))
        assert (found.test, found.delta) == (BINOMIAL, delta)


def test_a_margin_beyond_the_possible_on_one_side_is_tested_on_the_other():
    found = equivalence_test(estimate_shares([5, 95]), [0.1, 0.9], np.sqrt(2) * 0.2, n=100)
    assert found.p_value == pytest.approx(stats.binom.cdf(5, 100, 0.3))


def test_a_perfect_classifier_changes_little():
    shares = estimate_shares([108, 92])
    exact = equivalence_test(shares, HALF, 0.2, n=200).p_value
    known = np.diag([10**6, 10**6])
    found = equivalence_test(estimate_shares([108, 92], known), HALF, 0.2, n=200, confusion=known)
    assert found.test == SIMULATED
    assert found.p_value == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize(
    ("k", "n", "delta", "accuracy"), [(2, 250, 0.3, 0.9), (4, 100, 0.25, 0.9), (7, 400, 0.15, 0.8)]
)
def test_a_generator_at_the_margin_is_rarely_called_fair(k, n, delta, accuracy):
    rng, target, called = np.random.default_rng(0), np.full(k, 1 / k), 0
    for seed in range(200):
        direction = np.eye(k)[rng.integers(k)] - target
        truth = target + delta * direction / np.linalg.norm(direction)
        counts, confusion = audit(truth, n, accuracy, 400, rng)
        shares = estimate_shares(counts, confusion, replicates=200, seed=seed)
        found = equivalence_test(shares, target, delta, n=n, confusion=confusion, replicates=200, seed=seed)
        called += found.p_value < 0.05
    assert called / 200 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 200)


def test_a_fair_generator_of_many_images_is_called_fair():
    rng, target = np.random.default_rng(1), np.full(4, 0.25)
    called = 0
    for seed in range(50):
        counts, confusion = audit(target, 1000, 0.9, 1000, rng)
        shares = estimate_shares(counts, confusion, replicates=200, seed=seed)
        test = equivalence_test(shares, target, 0.2, n=1000, confusion=confusion, replicates=200, seed=seed)
        called += test.p_value < 0.05
    assert called == 50


def test_the_more_errors_the_less_evidence():
    p_values = []
    for right in (99, 85, 70):
        confusion = [[right, 100 - right], [100 - right, right]]
        shares = estimate_shares([250, 250], confusion)
        p_values.append(equivalence_test(shares, HALF, 0.15, n=500, confusion=confusion).p_value)
    assert p_values == sorted(p_values)
    assert p_values[0] < 0.05 < p_values[2]


def test_a_useless_classifier_that_reports_the_target_is_no_evidence():
    confusion = [[560, 440], [440, 560]]
    shares = estimate_shares([250, 250], confusion)
    assert equivalence_test(shares, HALF, 0.2, n=500, confusion=confusion).p_value > 0.2


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 60), min_size=3, max_size=3).filter(any), st.permutations(range(3)))
def test_order_of_values_does_not_matter(counts, order):
    n, target = sum(counts), np.array([0.2, 0.3, 0.5])
    permuted = np.array(counts)[order]
    first = equivalence_test(estimate_shares(counts), target, 0.2, n=n)
    second = equivalence_test(estimate_shares(permuted), target[order], 0.2, n=n)
    assert first.p_value == pytest.approx(second.p_value, abs=0.06)
    wider = equivalence_test(estimate_shares(counts), target, 0.35, n=n)
    assert wider.p_value <= first.p_value + 0.05


def test_beyond_the_furthest_nothing_is_left_to_refute():
    assert equivalence_test(estimate_shares([9, 0]), HALF, 0.8, n=9).p_value == 0
    assert equivalence_test(estimate_shares([9, 0]), HALF, 0.7, n=9).p_value == pytest.approx(1, abs=0.1)


def test_what_cannot_be_tested_has_a_reason():
    found = equivalence_test(estimate_shares([0, 0]), HALF, 0.1, n=0)
    assert (found.p_value, found.reason) == (None, "no labelled image")
    useless = [[5, 5], [5, 5]]
    found = equivalence_test(estimate_shares([9, 9], useless), HALF, 0.1, n=18, confusion=useless)
    assert found.p_value is None
    assert "cannot tell" in found.reason


@pytest.mark.parametrize("delta", [0, -0.1, float("nan")])
def test_what_is_no_margin_is_refused(delta):
    with pytest.raises(ValueError, match="margin"):
        equivalence_test(estimate_shares([5, 5]), HALF, delta, n=10)
