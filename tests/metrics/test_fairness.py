import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairaudit.metrics import fairness as f

HALF = [0.5, 0.5]
DISTANCES = [
    f.fairness_discrepancy,
    f.total_variation,
    f.kl_divergence,
    f.chi_square_distance,
    f.max_min_ratio,
    f.mean_absolute_deviation,
    f.deviation_ratio,
]


@given(st.floats(0, 1))
def test_identities_of_two_values(share):
    shares, d = [share, 1 - share], abs(share - 0.5)
    found = {metric: metric(shares, HALF) for metric in DISTANCES}
    assert found[f.fairness_discrepancy] == pytest.approx(np.sqrt(2) * d, abs=1e-12)
    assert found[f.total_variation] == pytest.approx(d, abs=1e-12)
    assert found[f.mean_absolute_deviation] == pytest.approx(d, abs=1e-12)
    assert found[f.deviation_ratio] == pytest.approx(2 * d, abs=1e-12)
    assert found[f.chi_square_distance] == pytest.approx(4 * d**2, abs=1e-12)
    assert found[f.kl_divergence] == pytest.approx(np.log(2) * (1 - f.normalised_entropy(shares)), abs=1e-12)


def test_seven_of_ten_by_hand():
    shares = [0.7, 0.3]
    assert f.fairness_discrepancy(shares, HALF) == pytest.approx(0.28284, abs=1e-5)
    assert f.total_variation(shares, HALF) == pytest.approx(0.2)
    assert f.mean_absolute_deviation(shares, HALF) == pytest.approx(0.2)
    assert f.deviation_ratio(shares, HALF) == pytest.approx(0.4)
    assert f.normalised_entropy(shares) == pytest.approx(0.88129, abs=1e-5)
    assert f.effective_number(shares) == pytest.approx(1.84202, abs=1e-5)
    assert f.effective_number(shares, order=2) == pytest.approx(1.72414, abs=1e-5)
    assert f.kl_divergence(shares, HALF) == pytest.approx(0.08228, abs=1e-5)
    assert f.chi_square_distance(shares, HALF) == pytest.approx(0.16)
    assert f.max_min_ratio(shares, HALF) == pytest.approx(7 / 3)
    assert f.smallest_representation(shares, HALF) == pytest.approx(0.6)


def test_libraries_agree():
    rng = np.random.default_rng(0)
    shares, target = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(5))
    assert f.kl_divergence(shares, target) == pytest.approx(stats.entropy(shares, target))
    assert f.normalised_entropy(shares) == pytest.approx(stats.entropy(shares, base=5))
    statistic = stats.chisquare(100 * shares, 100 * target).statistic
    assert f.chi_square_distance(shares, target) == pytest.approx(statistic / 100)


@pytest.mark.parametrize("target", [HALF, [0.2, 0.3, 0.5], [1.0]])
def test_a_fair_generator_has_the_fair_value(target):
    for metric in DISTANCES:
        fair = 1 if metric is f.max_min_ratio else 0
        assert metric(target, target) == pytest.approx(fair, abs=1e-12)
    assert f.smallest_representation(target, target) == pytest.approx(1)


def test_evenness_of_all_alike_and_of_one_only():
    alike, one = np.full(4, 0.25), np.eye(4)[0]
    assert (f.normalised_entropy(alike), f.normalised_entropy(one)) == pytest.approx((1, 0))
    assert (f.effective_number(alike), f.effective_number(one)) == pytest.approx((4, 1))
    assert f.normalised_entropy([1.0]) == 1


def test_one_group_only_is_not_perfectly_fair():
    # Of values nobody generated the share is 0; they do not leave the norm.
    one, target = [1, 0, 0, 0], np.full(4, 0.25)
    assert f.fairness_discrepancy(one, target) == pytest.approx(np.sqrt(0.75))
    assert f.total_variation(one, target) == pytest.approx(0.75)
    assert f.kl_divergence(one, target) == pytest.approx(np.log(4))
    assert f.chi_square_distance(one, target) == pytest.approx(3)
    assert f.mean_absolute_deviation(one, target) == pytest.approx(2 * 0.75 / 4)
    assert f.deviation_ratio(one, target) == pytest.approx(1)
    assert f.max_min_ratio(one, target) == np.inf
    assert f.smallest_representation(one, target) == 0


def test_a_value_outside_the_support_is_infinitely_far():
    target = [0.5, 0.5, 0]
    for metric in (f.kl_divergence, f.chi_square_distance, f.max_min_ratio):
        assert metric([0.4, 0.4, 0.2], target) == np.inf
        assert metric([0.6, 0.4, 0], target) == pytest.approx(metric([0.6, 0.4], HALF))
    assert f.smallest_representation([0.4, 0.4, 0.2], target) == pytest.approx(0.8)


@given(st.permutations(range(5)), st.integers(0, 2**32 - 1))
def test_order_of_values_does_not_matter(order, seed):
    shares, target = np.random.default_rng(seed).dirichlet(np.ones(5), size=2)
    for metric in (*DISTANCES, f.smallest_representation):
        assert metric(shares[order], target[order]) == pytest.approx(metric(shares, target))
    for evenness in (f.normalised_entropy, f.effective_number):
        assert evenness(shares[order]) == pytest.approx(evenness(shares))


def test_rows_are_measured_one_by_one():
    rng = np.random.default_rng(1)
    shares, target = rng.dirichlet(np.ones(4), size=(3, 2)), rng.dirichlet(np.ones(4))
    for metric in (*DISTANCES, f.smallest_representation):
        each = [[float(metric(row, target)) for row in rows] for rows in shares]
        assert metric(shares, target) == pytest.approx(np.array(each))
    assert f.effective_number(shares).shape == f.normalised_entropy(shares).shape == (3, 2)


@given(st.integers(2, 7), st.integers(0, 2**32 - 1))
def test_bounds_in_the_docstrings_hold(k, seed):
    shares, target = np.random.default_rng(seed).dirichlet(np.full(k, 0.3), size=2)
    least = target.min()
    assert 0 <= f.total_variation(shares, target) <= 1 - least + 1e-12
    assert 0 <= f.deviation_ratio(shares, target) <= 1 + 1e-12
    assert 0 <= f.mean_absolute_deviation(shares, target) <= 2 * (1 - least) / k + 1e-12
    assert f.max_min_ratio(shares, target) >= 1
    assert 0 <= f.normalised_entropy(shares) <= 1 + 1e-12
    assert 1 <= f.effective_number(shares, order=2) <= f.effective_number(shares) + 1e-9 <= k + 2e-9
    # Pinsker's inequality
    assert f.kl_divergence(shares, target) >= 2 * f.total_variation(shares, target) ** 2 - 1e-12


@pytest.mark.parametrize("metric", DISTANCES)
def test_a_target_of_other_values_is_refused(metric):
    with pytest.raises(ValueError, match="target"):
        metric([0.5, 0.5], [0.2, 0.3, 0.5])


def test_no_values_are_refused():
    with pytest.raises(ValueError, match="at least one"):
        f.normalised_entropy([])
