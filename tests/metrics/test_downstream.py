import numpy as np
import pytest
from fairlearn.metrics import demographic_parity_difference, equalized_odds_difference
from scipy import stats

from fairaudit.metrics.downstream import Features, gaps, predict


def test_gaussians_are_told_apart_as_well_as_they_can_be():
    rng = np.random.default_rng(0)

    def draw(n):
        labels = rng.integers(2, size=n)
        return Features(rng.normal(size=(n, 3)) * [1, 10, 100] + labels[:, None] * [2, 0, 0], labels)

    train, test = draw(4000), draw(8000)
    predicted = predict(train, test.rows)
    found = gaps(test.labels, predicted, rng.integers(2, size=8000), 2).accuracy
    assert found.low < stats.norm.cdf(1) < found.high
    assert found.value == pytest.approx((predicted == test.labels).mean())


def test_a_shift_of_one_group_shows_as_it_must():
    rng = np.random.default_rng(1)
    labels, groups = rng.integers(2, size=20000), rng.integers(2, size=20000)
    # The threshold is at 1; the second group's pictures lie 1 further up.
    rows = rng.normal(size=20000) + 2 * labels + groups
    found = gaps(labels, rows > 1, groups, 2)
    rates = stats.norm.cdf([[-1, 1], [0, 2]])  # group x label: chance to be above
    assert found.demographic_parity.value == pytest.approx(np.diff(rates.mean(axis=1))[0], abs=0.02)
    assert found.equalised_odds.value == pytest.approx(np.diff(rates, axis=0).max(), abs=0.02)


@pytest.mark.parametrize(("k", "groups"), [(2, 2), (4, 3)])
def test_the_values_are_those_of_fairlearn(k, groups):
    rng = np.random.default_rng(k)
    group = rng.integers(groups, size=900)
    true = rng.integers(k, size=900)
    said = np.where(rng.random(900) < 0.5 + 0.15 * group, true, rng.integers(k, size=900))
    found = gaps(true, said, group, k, replicates=4000)
    for metric, estimate in (
        (demographic_parity_difference, found.demographic_parity),
        (equalized_odds_difference, found.equalised_odds),
    ):
        each = [metric(true == v, said == v, sensitive_features=group) for v in range(k)]
        assert estimate.value == pytest.approx(np.mean(each))
        assert estimate.low <= estimate.value <= estimate.high


@pytest.mark.parametrize("apart", [0, 0.15])
@pytest.mark.parametrize("groups", [2, 4])
def test_intervals_hold_the_true_differences_of_groups_that_are_alike_too(groups, apart):
    rng = np.random.default_rng(groups)
    held = []
    for seed in range(80):
        group, true = rng.integers(groups, size=400), rng.integers(2, size=400)
        rates = np.where(group == 0, 0.3 + apart, 0.3) + 0.3 * true
        found = gaps(true, rng.random(400) < rates, group, 2, replicates=300, seed=seed)
        held += [each.low <= apart <= each.high for each in (found.demographic_parity, found.equalised_odds)]
    assert np.mean(held) > 0.9


def test_without_an_error_rates_are_unsure_all_the_same():
    true, group = np.tile([0, 1], 40), np.repeat([0, 1], 40)
    odds = gaps(true, true, group, 2).equalised_odds
    assert odds.low == odds.value == 0
    assert 0.05 < odds.high < 0.4


def test_groups_that_lack_every_value_have_a_reason():
    found = gaps([0, 1] * 10, [0, 1] * 10, [0, 1] * 10, 2)
    assert found.accuracy.value == 1
    assert found.equalised_odds.value is None
    assert "every group" in found.demographic_parity.reason
    assert gaps([0, 1] * 20, [0, 1] * 20, [1] * 40, 2).equalised_odds.value is None


def test_one_label_cannot_be_learnt():
    with pytest.raises(ValueError, match="two labels"):
        predict(Features(np.eye(3), np.zeros(3, dtype=np.int64)), np.eye(3))
