import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairaudit.statistics.across import across_prompts
from tests.statistics.test_shares import symmetric


def survey(rng, a, b, prompts, n, accuracy):
    """Counts of prompts whose shares follow a Beta, and a calibration of the classifier."""
    share = rng.beta(a, b, size=prompts)
    shares = np.stack([share, 1 - share], axis=1)
    if accuracy is None:
        return rng.multinomial(n, shares), None
    rates = symmetric(2, accuracy)
    return rng.multinomial(n, shares @ rates), np.array([rng.multinomial(300, row) for row in rates])


@pytest.mark.parametrize(
    ("a", "b", "prompts", "n", "accuracy"),
    [(5, 5, 4, 16, 0.85), (2, 8, 8, 64, None), (5, 5, 30, 16, 0.85), (0.4, 0.4, 8, 64, None)],
)
def test_intervals_hold_mean_and_spread(a, b, prompts, n, accuracy):
    rng, audits = np.random.default_rng(0), 120
    mean, spread = a / (a + b), np.sqrt(a * b / (a + b + 1)) / (a + b)
    held = np.zeros(2)
    for seed in range(audits):
        counts, confusion = survey(rng, a, b, prompts, n, accuracy)
        found = across_prompts(counts, confusion, replicates=300, seed=seed)[0]
        held[0] += found.mean.low <= mean <= found.mean.high
        held[1] += prompts < 8 or found.spread.low <= spread <= found.spread.high
    assert held.min() / audits > 0.93 - 2.5 * np.sqrt(0.95 * 0.05 / audits)


def test_prompts_that_differ_by_chance_alone_have_no_spread():
    rng = np.random.default_rng(1)
    spreads = [across_prompts(rng.multinomial(16, [0.3, 0.7], size=30), seed=i)[0].spread for i in range(40)]
    # The standard deviation of shares of 16 images is .11.
    assert np.median([spread.value for spread in spreads]) < 0.04
    assert np.mean([spread.low == 0 for spread in spreads]) > 0.9


def test_spread_is_free_of_noise_on_average():
    rng = np.random.default_rng(2)
    squares = []
    for _ in range(100):
        counts, confusion = survey(rng, 5, 5, 30, 8, 0.85)
        squares.append(across_prompts(counts, confusion, replicates=10)[1].spread.value ** 2)
    assert np.mean(squares) == pytest.approx(0.25 / 11, abs=0.008)


def test_the_mean_of_prompts_counts_each_alike():
    found = across_prompts([[900, 100], [1, 9], [5, 5], [50, 50]])
    assert found[0].mean.value == pytest.approx((0.9 + 0.1 + 0.5 + 0.5) / 4)


def test_labels_are_corrected():
    rates = np.array([[0.9, 0.1], [0.3, 0.7]])
    shares = np.array([[0.2, 0.8], [0.4, 0.6], [0.6, 0.4], [0.8, 0.2]])
    found = across_prompts(1e6 * shares @ rates, 1e6 * rates)
    assert found[0].mean.value == pytest.approx(0.5, abs=1e-6)
    assert found[0].spread.value == pytest.approx(np.std(shares[:, 0], ddof=1), abs=1e-5)


def test_two_values_mirror_each_other():
    rng = np.random.default_rng(3)
    counts, confusion = survey(rng, 2, 4, 12, 40, 0.9)
    first, second = across_prompts(counts, confusion)
    assert first.mean.low == pytest.approx(1 - second.mean.high, abs=0.01)
    assert first.spread.value == pytest.approx(second.spread.value)


def test_prompts_all_alike_are_no_certainty():
    mean = across_prompts([[16, 0]] * 10)[1].mean
    assert mean.value == 0
    assert 0.01 < mean.high < 0.1


@pytest.mark.parametrize(("prompts", "mean", "spread"), [(1, 0, 0), (3, 0, 0), (4, 1, 0), (8, 1, 1)])
def test_few_prompts_have_a_reason_and_no_interval(prompts, mean, spread):
    found = across_prompts([[8, 8]] * prompts)[0]
    assert found.mean.value == 0.5
    assert (found.mean.low is not None, found.mean.reason is None) == (mean, mean)
    assert (found.spread.low is not None, found.spread.reason is None) == (spread, spread)


@pytest.mark.parametrize("confusion", [None, [[5, 5], [5, 5]]])
def test_what_cannot_be_computed_has_a_reason(confusion):
    found = across_prompts([[0, 0], [0, 0]] if confusion is None else [[5, 5]] * 9, confusion)
    assert len(found) == 2
    for spread in found:
        assert spread.mean.value is spread.spread.value is None
        assert spread.mean.reason
        assert spread.spread.reason


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), max_size=12), st.booleans())
def test_any_counts_have_records_of_every_value(rows, calibrated):
    counts = np.array(rows).reshape(-1, 3)
    found = across_prompts(counts, 50 * np.eye(3) + 5 if calibrated else None, replicates=40)
    assert len(found) == 3
    for estimate in [e for spread in found for e in (spread.mean, spread.spread)]:
        assert estimate.value is not None or estimate.reason
        if estimate.low is not None:
            assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


def test_prompts_of_one_label_tell_nothing_of_noise():
    found = across_prompts([[1, 0], [0, 1]] * 5)[0]
    assert found.mean.low is not None
    assert found.spread.value is None
    assert "two labels" in found.spread.reason


@pytest.mark.parametrize("counts", [[1, 2], [[1, -1]], [[np.nan, 1]]])
def test_what_is_no_table_is_refused(counts):
    with pytest.raises(ValueError, match="counts"):
        across_prompts(counts)
