"""What changes from one sampler to the other, image by image."""

import itertools

import numpy as np
import pytest
from scipy import stats

from fairaudit.statistics.changes import (
    CLUSTERS,
    IMAGES,
    MCNEMAR,
    PERMUTATION,
    STUART_MAXWELL,
    marginal_homogeneity,
    paired_changes,
)

GENDER = ["female", "male"]
# Unaided distance vision of 7477 women, right against left eye (Stuart 1955, Biometrika 42:412).
VISION = [[1520, 266, 124, 66], [234, 1512, 432, 78], [117, 362, 1772, 205], [36, 82, 179, 492]]


def drawn(rng, n, shares, keep, k):
    """Labels of a, and of b, which keeps a's with a probability and otherwise draws its own."""
    a = rng.choice(k, n, p=shares)
    return a, np.where(rng.random(n) < keep, a, rng.choice(k, n, p=shares))


def test_stuarts_own_example():
    p_value, test = marginal_homogeneity(VISION)
    assert test == STUART_MAXWELL
    assert p_value == pytest.approx(stats.chi2.sf(11.957, 3), rel=1e-3)


@pytest.mark.parametrize(("there", "back"), [(10, 2), (0, 5), (7, 7), (59, 12)])
def test_two_values_are_mcnemars_exact_test(there, back):
    p_value, test = marginal_homogeneity([[33, there], [back, 12]])
    n, extreme = there + back, min(there, back)
    assert p_value == pytest.approx(min(1, 2 * stats.binom.cdf(extreme, n, 0.5)))
    assert test == MCNEMAR


def test_without_changes_nothing_is_refuted():
    assert marginal_homogeneity([[40, 0], [0, 3]]) == (1.0, MCNEMAR)
    assert marginal_homogeneity(np.diag([4, 5, 6])) == (1.0, MCNEMAR)
    assert marginal_homogeneity(np.zeros((3, 3))) == (None, STUART_MAXWELL)


def test_values_without_a_change_do_not_count():
    larger = np.zeros((6, 6), dtype=int)
    larger[np.ix_([0, 2, 3, 5], [0, 2, 3, 5])] = VISION
    larger[1, 1] = 900
    assert marginal_homogeneity(larger)[0] == pytest.approx(marginal_homogeneity(VISION)[0])
    only_two = np.diag([50, 50, 50]) + np.array([[0, 12, 0], [3, 0, 0], [0, 0, 0]])
    assert marginal_homogeneity(only_two)[0] == pytest.approx(stats.binomtest(3, 15).pvalue)


def test_two_groups_that_never_exchange_are_two_tests():
    pairs = np.zeros((4, 4), dtype=int)
    pairs[0, 1], pairs[1, 0], pairs[2, 3], pairs[3, 2] = 40, 20, 30, 15
    statistic = 20**2 / 60 + 15**2 / 45
    assert marginal_homogeneity(pairs)[0] == pytest.approx(stats.chi2.sf(statistic, 2))


def test_few_changes_have_the_exact_distribution():
    """Every way of exchanging the labels of 7 changed pairs, against the test's draws."""
    pairs = np.array([[9, 3, 1], [0, 9, 2], [1, 0, 9]])
    edges = [(0, 1)] * 3 + [(0, 2)] * 2 + [(1, 2)] * 2
    covariance = np.zeros((3, 3))
    for i, j in edges:
        covariance[[i, j], [i, j]] += 1
        covariance[[i, j], [j, i]] -= 1
    inverse = np.linalg.pinv(covariance)

    def statistic(signs):
        difference = np.zeros(3)
        for (i, j), sign in zip(edges, signs, strict=True):
            difference[i] += sign
            difference[j] -= sign
        return difference @ inverse @ difference

    observed = statistic([1, 1, 1, 1, -1, 1, 1])
    every = [statistic(signs) for signs in itertools.product([1, -1], repeat=7)]
    exact = np.mean(np.array(every) >= observed - 1e-9)
    p_value, test = marginal_homogeneity(pairs, replicates=20000)
    assert test == PERMUTATION
    assert p_value == pytest.approx(exact, abs=0.012)


@pytest.mark.parametrize(("k", "n"), [(2, 60), (4, 60), (7, 300)])
def test_equal_samplers_are_rarely_refuted(k, n):
    rng = np.random.default_rng(0)
    shares, refuted = rng.dirichlet(np.full(k, 3)), 0
    for seed in range(400):
        table = np.zeros((k, k), dtype=int)
        np.add.at(table, drawn(rng, n, shares, 0.5, k), 1)
        refuted += marginal_homogeneity(table, replicates=300, seed=seed)[0] < 0.05
    assert refuted / 400 < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_flips_go_from_b_to_a_and_every_image_is_in_one():
    found = paired_changes("gender", GENDER, [0, 0, 1, -1, 1], [0, 1, 1, 0, -1], [0] * 5)
    assert found.flips == {
        "female": {"female": 1, "male": 0, "none": 1},
        "male": {"female": 1, "male": 1, "none": 0},
        "none": {"female": 0, "male": 1, "none": 0},
    }
    assert found.changed.value == pytest.approx(1 / 3)
    assert found.changed.method == IMAGES


def test_a_value_called_none_keeps_its_own_row():
    found = paired_changes("glasses", ["some", "none"], [0, -1], [1, -1], [0, 0])
    assert found.flips["none"] == {"some": 1, "none": 0, "no label": 0}
    assert found.flips["no label"]["no label"] == 1


def test_exchanging_the_samplers_turns_everything_round():
    rng = np.random.default_rng(1)
    a, b = rng.integers(-1, 3, 300), rng.integers(-1, 3, 300)
    one = paired_changes("x", ["a", "b", "c"], a, b, a * 0, replicates=8000)
    other = paired_changes("x", ["a", "b", "c"], b, a, a * 0, replicates=8000)
    assert one.p_value == pytest.approx(other.p_value)
    assert one.changed == other.changed
    for value in "abc":
        assert one.flips[value] == {to: other.flips[to][value] for to in ["a", "b", "c", "none"]}
        assert one.shares[value].value == pytest.approx(-other.shares[value].value)
        assert one.shares[value].low == pytest.approx(-other.shares[value].high, abs=0.01)


def test_two_values_have_opposite_differences():
    a, b = drawn(np.random.default_rng(2), 200, [0.7, 0.3], 0.6, 2)
    found = paired_changes("gender", GENDER, a, b, a * 0, [[90, 10], [10, 90]]).shares
    assert found["female"].value == pytest.approx(-found["male"].value)
    assert found["female"].low == pytest.approx(-found["male"].high, abs=1e-5)


def test_pairing_sharpens_the_difference_of_shares():
    rng = np.random.default_rng(3)
    a, b = drawn(rng, 500, [0.7, 0.3], 0.9, 2)
    paired = paired_changes("gender", GENDER, a, b, a * 0).shares["male"]
    shuffled = paired_changes("gender", GENDER, a, rng.permutation(b), a * 0).shares["male"]
    assert paired.high - paired.low < 0.6 * (shuffled.high - shuffled.low)


def test_share_differences_are_corrected():
    a, b = np.repeat([0, 1], [90, 10]), np.repeat([0, 1], [50, 50])
    found = paired_changes("gender", GENDER, a, b, a * 0, [[950, 50], [100, 900]]).shares["female"]
    assert found.value == pytest.approx((0.9 - 0.5) / (0.95 + 0.9 - 1))


@pytest.mark.parametrize(("k", "n", "accuracy"), [(2, 60, 1.0), (7, 60, 1.0), (4, 200, 0.85)])
def test_intervals_of_share_differences_hold(k, n, accuracy):
    rng, held = np.random.default_rng(4), np.zeros(k)
    rates = np.full((k, k), (1 - accuracy) / (k - 1)) + np.eye(k) * (accuracy - (1 - accuracy) / (k - 1))
    values, prompts = [str(i) for i in range(k)], np.arange(n) % 2
    for seed in range(150):
        shares, others = rng.dirichlet(np.full((2, k), 2)[0], size=2)
        a = rng.choice(k, n, p=shares)
        b = np.where(rng.random(n) < 0.6, a, rng.choice(k, n, p=others))
        confusion = None
        if accuracy < 1:
            a, b = ((np.cumsum(rates[x], axis=1) > rng.random((n, 1))).argmax(axis=1) for x in (a, b))
            confusion = np.array([rng.multinomial(500, row) for row in rates])
        found = paired_changes("x", values, a, b, prompts, confusion, replicates=400, seed=seed).shares
        truth = 0.4 * (shares - others)
        held += [found[v].low <= t <= found[v].high for v, t in zip(values, truth, strict=True)]
    assert held.mean() / 150 > 0.925
    assert held.min() / 150 > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 150)


def test_the_changed_fraction_holds_over_prompts_that_differ():
    rng, held, plain = np.random.default_rng(5), 0, 0
    for _ in range(200):
        rates = rng.beta(2, 6, size=12)
        prompts = np.repeat(np.arange(12), 30)
        b = (rng.random(360) < rates[prompts]).astype(int)
        found = paired_changes("gender", GENDER, b * 0, b, prompts, replicates=10).changed
        held += found.low <= 0.25 <= found.high
        one = paired_changes("gender", GENDER, b * 0, b, b * 0, replicates=10).changed
        plain += one.low <= 0.25 <= one.high
    assert found.method == CLUSTERS
    assert 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200) < held / 200
    assert plain / 200 < 0.8  # what the prompts' differences would do to an interval without them


def test_what_cannot_be_computed_has_a_reason():
    nothing = paired_changes("gender", GENDER, [-1, -1], [0, 1], [0, 0])
    assert (nothing.changed.value, nothing.p_value) == (None, None)
    assert nothing.changed.reason == "no image is labelled under both samplers"
    assert nothing.shares["male"].reason == "a sampler has no labelled image"
    guessing = paired_changes("gender", GENDER, [0, 1], [1, 1], [0, 0], [[5, 5], [5, 5]])
    assert "cannot tell" in guessing.shares["male"].reason
    assert guessing.changed.value == 0.5


@pytest.mark.parametrize("values", [[], ["a", "a"]])
def test_values_must_be_different_ones(values):
    with pytest.raises(ValueError, match="values"):
        paired_changes("x", values, [], [], [])
