import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from fairaudit.statistics.tests import (
    BINOMIAL,
    CHI_SQUARE,
    CONFUSED,
    MULTINOMIAL,
    benjamini_hochberg,
    goodness_of_fit,
    holm,
)
from tests.statistics.test_discrepancy import audit


def test_two_values_are_tested_exactly():
    # 2 * P(Binomial(10, .5) <= 1) = 2 * 11 / 1024
    assert goodness_of_fit([1, 9], [0.5, 0.5]) == (pytest.approx(22 / 1024), BINOMIAL)


def test_many_images_of_many_values_are_tested_by_chi_square():
    p_value, method = goodness_of_fit([30, 14, 34, 45, 57, 20], np.full(6, 1 / 6))
    assert p_value == pytest.approx(stats.chisquare([30, 14, 34, 45, 57, 20]).pvalue)
    assert method == CHI_SQUARE


def test_few_images_are_tested_by_simulation():
    # All 4 of one of 3 values: 3 of the 81 outcomes are as extreme.
    p_value, method = goodness_of_fit([4, 0, 0], np.full(3, 1 / 3), replicates=20000)
    assert p_value == pytest.approx(3 / 81, abs=0.005)
    assert method == MULTINOMIAL


def test_an_impossible_value_refutes_the_target():
    assert goodness_of_fit([9, 9, 1], [0.5, 0.5, 0])[0] == 0
    assert goodness_of_fit([9, 9, 0], [0.5, 0.5, 0])[0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("k", "n", "accuracy", "calibration"), [(2, 400, 0.75, 100), (2, 100, 0.99, 100), (7, 100, 0.9, 200)]
)
def test_a_fair_generator_is_rarely_refuted(k, n, accuracy, calibration):
    rng, target, refuted = np.random.default_rng(0), np.full(k, 1 / k), 0
    for seed in range(1000):
        counts, confusion = audit(target, n, accuracy, calibration, rng)
        refuted += goodness_of_fit(counts, target, confusion, replicates=300, seed=seed)[0] < 0.05
    assert refuted / 1000 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 1000)


def test_a_biased_classifier_does_not_refute_a_fair_generator():
    # Of a fair generator, this classifier labels 70 % as the first value.
    assert goodness_of_fit([700, 300], [0.5, 0.5], [[900, 100], [500, 500]])[0] > 0.1
    assert goodness_of_fit([700, 300], [0.5, 0.5])[0] < 1e-30


def test_a_bias_that_the_classifier_hides_is_found():
    p_value, method = goodness_of_fit([500, 500], [0.5, 0.5], [[900, 100], [500, 500]])
    assert p_value < 1e-6
    assert method == CONFUSED


def test_strong_evidence_survives_adjustment_for_many_tests():
    p_value, _ = goodness_of_fit([240, 10], [0.5, 0.5], [[940, 60], [30, 970]], replicates=200)
    assert 0 < holm([p_value] * 1000)[0] < 1e-6


def test_p_values_fall_as_evidence_grows():
    confusion = [[190, 10], [20, 180]]
    p_values = [goodness_of_fit([50 + i, 50 - i], [0.5, 0.5], confusion)[0] for i in range(0, 50, 5)]
    assert p_values == sorted(p_values, reverse=True)


def test_what_cannot_be_tested_has_a_reason():
    assert goodness_of_fit([0, 0], [0.5, 0.5]) == (None, "no labelled image")
    p_value, reason = goodness_of_fit([5, 5], [0.5, 0.5], [[5, 0], [0, 0]])
    assert p_value is None
    assert "calibration" in reason


def test_a_target_of_other_values_is_refused():
    with pytest.raises(ValueError, match="target"):
        goodness_of_fit([5, 5], [0.2, 0.3, 0.5])


def test_holm_example_by_hand():
    # Sorted .01 .02 .03 .04, times 4 3 2 1, running maximum.
    assert holm([0.04, 0.01, None, 0.03, 0.02]) == [
        pytest.approx(0.06), pytest.approx(0.04), None, pytest.approx(0.06), pytest.approx(0.06),
    ]  # fmt: skip
    assert holm([]) == []
    assert holm([None]) == [None]


@given(st.lists(st.none() | st.floats(0, 1)))
def test_holm_only_raises_and_keeps_order(p_values):
    known = [(p, q) for p, q in zip(p_values, holm(p_values), strict=True) if p is not None]
    assert all(p <= q <= 1 for p, q in known)
    adjusted = [q for _, q in sorted(known)]
    assert adjusted == sorted(adjusted)


@given(st.lists(st.none() | st.floats(0, 1)))
def test_false_discovery_rate_agrees_with_scipy_and_is_milder_than_holm(p_values):
    found = benjamini_hochberg(p_values)
    known = [p for p in p_values if p is not None]
    adjusted = [q for q in found if q is not None]
    assert [q is None for q in found] == [p is None for p in p_values]
    if known:
        assert adjusted == pytest.approx(stats.false_discovery_control(known).tolist())
    family = [q for q in holm(p_values) if q is not None]
    assert all(p <= q <= h + 1e-12 for p, q, h in zip(known, adjusted, family, strict=True))


def test_published_example_of_the_false_discovery_rate():
    # Benjamini & Hochberg (1995), section 3.2: at 5 %, Bonferroni rejects 3 of 15, theirs 4.
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240]
    p_values += [0.4262, 0.5719, 0.6528, 0.7590, 1.0]
    assert sum(q < 0.05 for q in benjamini_hochberg(p_values)) == 4
    assert sum(q < 0.05 for q in holm(p_values)) == 3
