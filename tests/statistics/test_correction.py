import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from fairaudit.statistics.correction import SingularConfusionError, correct_shares, prediction_rates

RESNET_GENDER = (0.9471627486437613, 0.9829294755877035)
MOBILENET_GENDER = (0.9384086799276673, 0.9747377938517179)
VGG_GENDER = (0.7910849909584087, 0.9196383363471971)
RESNET_HAIR = (0.8693939393939394, 0.8848484848484849)


def binary(accuracies):
    first, second = accuracies
    return np.array([[first, 1 - first], [1 - second, second]])


@pytest.mark.parametrize(
    ("accuracies", "reported", "published", "truth", "error"),
    [
        (RESNET_GENDER, 0.610, 0.638, 0.642, 0.0062),  # StyleGAN2
        (MOBILENET_GENDER, 0.607, 0.637, 0.642, 0.0078),
        (VGG_GENDER, 0.532, 0.636, 0.642, 0.0093),
        (RESNET_HAIR, 0.599, 0.641, 0.643, 0.0031),
        (RESNET_GENDER, 0.620, 0.648, 0.656, 0.0122),  # StyleSwin
        (RESNET_HAIR, 0.612, 0.659, 0.668, 0.0135),
    ],
)
def test_point_estimates_published_with_cleam(accuracies, reported, published, truth, error):
    """Teo et al. (NeurIPS 2023), tables for GenData: accuracies from the authors' code to the last digit.

    The reported means, the estimates and p* are rounded figures from the paper; the 4.98 and .62 % of
    its abstract follow from the first row.
    """
    corrected = correct_shares([reported, 1 - reported], binary(accuracies))
    assert corrected[0] == pytest.approx(published, abs=1e-3)
    assert corrected.sum() == pytest.approx(1)
    assert abs(published - truth) / truth == pytest.approx(error, abs=1e-4)
    assert abs(corrected[0] - truth) / truth == pytest.approx(error, abs=1.5e-3)


@settings(max_examples=50)
@given(st.floats(0, 1), st.floats(0.6, 1), st.floats(0.6, 1))
def test_two_values_are_corrected_as_by_cleam(reported, first, second):
    formula = (reported - (1 - second)) / (first + second - 1)
    corrected = correct_shares([reported, 1 - reported], binary((first, second)))
    assert corrected[0] == pytest.approx(np.clip(formula, 0, 1), abs=1e-9)


def test_exact_labels_of_known_shares_are_inverted():
    rng = np.random.default_rng(0)
    rates = 0.7 * np.eye(5) + 0.3 * rng.dirichlet(np.ones(5), size=5)
    shares = rng.dirichlet(np.ones(5))
    assert correct_shares(shares @ rates, rates) == pytest.approx(shares)


def test_a_binary_share_beyond_what_errors_explain_is_clipped():
    # 2 % are reported where 10 % would be by error alone.
    assert correct_shares([0.02, 0.98], [[90, 10], [10, 90]]) == pytest.approx([0, 1])


def test_nobody_beats_the_constrained_optimum():
    rng = np.random.default_rng(1)
    rates = 0.4 * np.eye(6) + 0.6 * rng.dirichlet(np.ones(6), size=(20, 6))
    raw = rng.dirichlet(np.full(6, 0.3), size=20)
    for observed, matrix, found in zip(raw, rates, correct_shares(raw, rates), strict=True):

        def loss(shares, observed=observed, matrix=matrix):
            return ((observed - matrix.T @ shares) ** 2).sum()

        whole = {"type": "eq", "fun": lambda shares: shares.sum() - 1}
        peer = minimize(loss, np.full(6, 1 / 6), bounds=[(0, 1)] * 6, constraints=whole, method="SLSQP")
        assert loss(found) <= peer.fun + 1e-9
        assert found.min() >= 0
        assert found.sum() == pytest.approx(1)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 9), st.integers(0, 2**32 - 1))
def test_permuting_values_permutes_shares(k, seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 20, size=(k, k)) + 60 * np.eye(k)
    raw, order = rng.dirichlet(np.full(k, 0.5)), rng.permutation(k)
    permuted = correct_shares(raw[order], counts[order][:, order])
    assert permuted == pytest.approx(correct_shares(raw, counts)[order], abs=1e-9)


def test_thousands_of_draws_take_well_under_a_second():
    rng = np.random.default_rng(2)
    rates = 0.5 * np.eye(9) + 0.5 * rng.dirichlet(np.ones(9), size=(2000, 9))
    start = time.process_time()
    correct_shares(rng.dirichlet(np.full(9, 0.3), size=2000), rates)
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    "confusion",
    [
        [[50, 50], [50, 50]],
        [[90, 10], [89, 11]],
        [[10, 0, 0], [0, 5, 5], [0, 5, 5]],
        [[10, 0], [0, 0]],
        np.zeros((3, 3)),
    ],
)
def test_a_classifier_that_cannot_tell_is_refused(confusion):
    k = len(confusion)
    with pytest.raises(SingularConfusionError):
        correct_shares(np.full(k, 1 / k), confusion)


@pytest.mark.parametrize("confusion", [[[1, -1], [0, 1]], [[1, np.nan], [0, 1]], [[1, 2, 3]], [1, 2]])
def test_what_is_no_confusion_matrix_is_refused(confusion):
    with pytest.raises(ValueError, match="confusion matrix"):
        prediction_rates(confusion)


def test_shares_of_another_attribute_are_refused():
    with pytest.raises(ValueError, match="do not belong"):
        correct_shares([0.2, 0.3, 0.5], np.eye(2))
