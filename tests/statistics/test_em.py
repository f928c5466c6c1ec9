import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairaudit.statistics.em import em_shares, estimate_em_shares
from fairaudit.statistics.shares import estimate_shares


def posteriors(shares, prior, n, separation, rng):
    """Exact p(k | x) under the prior, for x ~ N(separation * e_k, 1) and values drawn by shares."""
    k = len(shares)
    x = rng.normal(size=(n, k)) + separation * np.eye(k)[rng.choice(k, p=shares, size=n)]
    weights = np.array(prior) * np.exp(separation * (x - x.max(axis=1, keepdims=True)))
    return weights / weights.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("prior", [[0.5, 0.5], [0.8, 0.2]])
def test_shares_are_found_whatever_prior_the_probabilities_assume(prior):
    rows = posteriors([0.1, 0.9], prior, 20000, 1.5, np.random.default_rng(0))
    assert em_shares(rows, prior) == pytest.approx([0.1, 0.9], abs=0.01)
    assert abs(rows.mean(axis=0)[0] - 0.1) > 0.02  # which the mean probability does not find


def test_it_is_the_maximum_of_the_likelihood():
    prior = [0.2, 0.3, 0.5]
    rows = posteriors([0.6, 0.3, 0.1], prior, 200, 1.5, np.random.default_rng(1))
    found = em_shares(rows, prior)

    def loss(shares):
        return -np.log(rows / prior @ shares).sum()

    for other in np.random.default_rng(2).dirichlet(200 * found, size=200):
        assert loss(found) <= loss(other)


def test_sure_probabilities_are_hard_labels():
    found = estimate_em_shares(np.eye(2)[[0] * 30 + [1] * 70], [0.3, 0.7])
    raw = estimate_shares([30, 70])
    for ours, theirs in zip(
        (found.value, found.low, found.high), (raw.value, raw.low, raw.high), strict=True
    ):
        assert ours == pytest.approx(theirs, abs=1e-6)
    assert found.draws.std(axis=0) == pytest.approx(raw.draws.std(axis=0), rel=0.1)


@settings(max_examples=25)
@given(st.integers(2, 6), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_probabilities_give_ordered_numbers_that_permute_with_the_values(k, n, seed):
    rng = np.random.default_rng(seed)
    rows, prior, order = (
        rng.dirichlet(np.full(k, 0.2), size=n),
        rng.dirichlet(np.ones(k)) + 0.05,
        rng.permutation(k),
    )
    found = estimate_em_shares(rows, prior, replicates=50)
    if found.value is None:
        assert found.reason
        return
    assert found.value.sum() == pytest.approx(1)
    for low, high in ((found.low, found.high), found.simultaneous):
        assert ((low >= 0) & (low <= found.value) & (found.value <= high) & (high <= 1)).all()
    assert np.isfinite(found.draws).all()
    assert found.draws.sum(axis=1) == pytest.approx(1)
    moved = estimate_em_shares(rows[::-1, order], prior[order], replicates=50)
    assert moved.value == pytest.approx(found.value[order], abs=1e-6)


@pytest.mark.parametrize(
    ("shares", "separation"), [([0.5, 0.5], 3.5), ([0.95, 0.05], 3.5), ([0.3, 0.4, 0.3], 4)]
)
def test_intervals_of_a_sure_classifier_hold_the_truth(shares, separation):
    prior, rng, held, joint = np.full(len(shares), 1 / len(shares)), np.random.default_rng(3), [], []
    for _ in range(200):
        found = estimate_em_shares(posteriors(shares, prior, 100, separation, rng), prior, replicates=10)
        assert found.claim is None
        held.append((found.low <= shares) & (shares <= found.high))
        joint.append(((found.simultaneous[0] <= shares) & (shares <= found.simultaneous[1])).all())
    assert np.mean(held, axis=0).min() > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)
    assert np.mean(joint) > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)


def test_draws_spread_as_estimates_do():
    prior, rng = np.array([0.4, 0.6]), np.random.default_rng(4)
    audits = [posteriors([0.3, 0.7], prior, 150, 1.5, rng) for _ in range(200)]
    between = np.std([em_shares(rows, prior)[0] for rows in audits])
    within = np.mean(
        [estimate_em_shares(rows, prior, replicates=200).draws[:, 0].std() for rows in audits[:20]]
    )
    assert within == pytest.approx(between, rel=0.15)


def test_what_cannot_be_known_has_a_reason_or_no_claim():
    half = np.full((400, 2), 0.5)
    assert "tell" in estimate_em_shares(half, [0.5, 0.5]).reason
    assert estimate_em_shares(np.zeros((0, 2)), [0.5, 0.5]).reason == "no labelled image"
    assert "fewer" in estimate_em_shares(np.eye(2), [0.5, 0.5]).claim
    assert "err" in estimate_em_shares(np.tile([[0.8, 0.2], [0.2, 0.8]], (50, 1)), [0.5, 0.5]).claim


@pytest.mark.parametrize(
    ("rows", "prior"),
    [
        ([[0.5, 0.6]], [0.5, 0.5]),
        ([[np.nan, 0.6]], [0.5, 0.5]),
        ([[1.0]], [1.0]),
        ([[0.5, 0.5]], [1.0, 0.0]),
        ([[0.5, 0.5]], [1.0, 1.0, 1.0]),
    ],
)
def test_what_are_no_probabilities_is_refused(rows, prior):
    with pytest.raises(ValueError, match=r"probabilities|target"):
        estimate_em_shares(rows, prior)
