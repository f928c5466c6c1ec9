"""p-values by simulation: what was observed is one of the draws, and every way to exchange counts."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import stats

from fairaudit.metrics.fairness import fairness_discrepancy
from fairaudit.statistics.changes import PERMUTATION, marginal_homogeneity
from fairaudit.statistics.equivalence import equivalence_test
from fairaudit.statistics.means import mean_test
from fairaudit.statistics.paired import paired_fd_difference
from fairaudit.statistics.prompts import paired_prompt_difference
from fairaudit.statistics.shares import estimate_shares
from fairaudit.statistics.tests import CHI_SQUARE, MULTINOMIAL, _tail, goodness_of_fit
from fairaudit.statistics.unpaired import unpaired_difference

HALF = [0.5, 0.5]
CONFUSION = np.array([[900, 100], [350, 650]])


def test_the_least_p_value_is_that_of_the_observed_draw_alone() -> None:
    """With none of 99 draws as extreme, 1 in 100 is: no simulation proves an impossibility."""
    one, other = np.zeros(200, dtype=np.int64), np.arange(200) % 2
    assert paired_fd_difference(one, other, one, HALF, replicates=99).p_value == 0.01
    assert paired_prompt_difference(one, other, other * 0, HALF, replicates=99).p_value == 0.01
    assert mean_test(np.ones(80), replicates=99)[0] == 0.01
    assert marginal_homogeneity([[9, 30, 3], [0, 9, 0], [0, 0, 9]], replicates=99) == (0.01, PERMUTATION)
    # Either side may be the empty one: twice as much.
    assert unpaired_difference([[400, 0]], [[200, 200]], HALF, replicates=99).p_value == 0.02
    fair = estimate_shares([1000] * 3, replicates=99)
    assert equivalence_test(fair, np.full(3, 1 / 3), 0.3, n=3000, replicates=99).p_value == 0.01


def test_an_observed_draw_is_as_likely_to_be_any_of_them() -> None:
    """Of 100 exchangeable numbers, at most every fraction a has a p-value of at most a."""
    numbers = np.random.default_rng(0).chisquare(3, size=100)
    found = np.sort([_tail(numbers[i], np.delete(numbers, i), 3) for i in range(100)])
    ranks = np.arange(1, 101) / 100
    assert found[10:] == pytest.approx(ranks[10:])


@pytest.mark.parametrize(("scale", "most"), [(2.0, 4.0), (1.0, 4.0), (0.5, np.inf)])
def test_a_tail_beyond_the_draws_is_no_lighter_than_theirs(scale: float, most: float) -> None:
    """Draws of a scaled chi-square: wider ones are followed, narrower ones are not trusted."""
    drawn = scale * np.random.default_rng(1).chisquare(3, size=2000)
    for chance in (1e-4, 1e-6):
        found = _tail(scale * stats.chi2.isf(chance, 3), drawn, 3)
        assert chance / 2 < found < chance * most
    assert _tail(np.sort(drawn)[-10] + 1e-6, drawn, 3) == pytest.approx(11 / 2001, rel=0.05)


def exchanges(a: np.ndarray, b: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Both samplers' labels after every way of exchanging the labels of pairs."""
    swaps = np.array(list(product([False, True], repeat=len(a))))
    return [(np.where(swap, b, a), np.where(swap, a, b)) for swap in swaps]


@pytest.mark.parametrize("confusion", [None, CONFUSION])
def test_a_paired_p_value_counts_the_exchanges(confusion: np.ndarray | None) -> None:
    """Labels of ten pairs; a label may be missing, and is exchanged like any other."""
    a, b = np.array([0, 0, 0, 0, 0, -1, 1, 0, -1, 0]), np.array([0, 0, 1, 1, 1, 1, 0, 1, 0, 1])
    rates = np.eye(2) if confusion is None else confusion / confusion.sum(axis=1, keepdims=True)

    def difference(labels: tuple[np.ndarray, np.ndarray]) -> float:
        raw = [np.bincount(some[some >= 0], minlength=2) / (some >= 0).sum() for some in labels]
        first, second = (np.linalg.solve(rates.T, one)[0].clip(0, 1) for one in raw)
        return abs(first - 0.5) - abs(second - 0.5)

    every = np.abs([difference(labels) for labels in exchanges(a, b)])
    exact = (every >= abs(difference((a, b))) - 1e-9).mean()
    found = paired_fd_difference(a, b, a * 0, HALF, confusion, replicates=20000)
    assert found.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 20000))
    assert 0.01 < exact < 0.9


@pytest.mark.parametrize("confusion", [None, CONFUSION])
def test_a_p_value_over_prompts_counts_the_exchanges(confusion: np.ndarray | None) -> None:
    """Two prompts of five pairs: the root mean square of both, through errors that differ by value."""
    a, b = np.array([0, 0, 0, 0, 0, 1, 1, 1, 0, 1]), np.array([0, 1, 1, 0, 1, 1, 0, 1, 0, 0])
    prompts = np.repeat([0, 1], 5)
    rates = np.eye(2) if confusion is None else confusion / confusion.sum(axis=1, keepdims=True)

    def root(labels: np.ndarray) -> float:
        raw = np.array([np.bincount(labels[prompts == p], minlength=2) / 5 for p in range(2)])
        shares = np.linalg.solve(rates.T, raw.T).T
        return float(np.sqrt((fairness_discrepancy(shares, HALF) ** 2).mean()))

    every = np.abs([root(first) - root(second) for first, second in exchanges(a, b)])
    exact = (every >= abs(root(a) - root(b)) - 1e-6).mean()
    found = paired_prompt_difference(a, b, prompts, HALF, confusion, replicates=20000)
    assert found.p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 20000))
    assert 0.02 < exact < 0.9


def test_evidence_of_fairness_is_as_weak_as_the_hardest_generator_at_the_margin_makes_it() -> None:
    """All outcomes of 40 labels, for generators 0.2 off in each direction of one value: 0.3 % to 7 %."""
    n, target, observed = 40, np.array([0.8, 0.1, 0.1]), np.array([30, 4, 6])
    outcomes = np.array([(n - i - j, i, j) for i in range(n + 1) for j in range(n + 1 - i)])
    near = np.linalg.norm(outcomes / n - target, axis=1) <= np.linalg.norm(observed / n - target) + 1e-12
    chances = []
    for corner in [*(np.eye(3) - target), *(target - np.eye(3))]:
        truth = target + 0.2 * corner / np.linalg.norm(corner)
        if truth.min() >= 0:
            chances.append(stats.multinomial.pmf(outcomes, n, truth)[near].sum())
    found = equivalence_test(estimate_shares(observed), target, 0.2, n=n, replicates=4000).p_value
    assert found > max(chances) - 4 * np.sqrt(max(chances) / 4000)
    assert min(chances) < max(chances) / 10


def test_a_value_of_target_nought_is_no_degree_of_freedom() -> None:
    p_value, test = goodness_of_fit([30, 25, 5, 0], [0.5, 0.3, 0.2, 0])
    assert p_value == pytest.approx(stats.chisquare([30, 25, 5], [30, 18, 12]).pvalue)
    assert test == CHI_SQUARE


def test_one_rare_value_is_enough_not_to_trust_chi_square() -> None:
    """All outcomes of 20 labels of which one in twenty should be of each rare value."""
    n, target, observed = 20, np.array([0.9, 0.05, 0.05]), [15, 4, 1]
    outcomes = np.array([(n - i - j, i, j) for i in range(n + 1) for j in range(n + 1 - i)])
    chance = stats.multinomial.pmf(outcomes, n, target)
    distance = ((outcomes - n * target) ** 2 / target).sum(axis=1)
    exact = chance[distance >= ((observed - n * target) ** 2 / target).sum() - 1e-9].sum()
    p_value, test = goodness_of_fit(observed, target, replicates=20000)
    assert test == MULTINOMIAL
    assert p_value == pytest.approx(exact, abs=4 * np.sqrt(exact / 20000))
    assert abs(stats.chisquare(observed, n * target).pvalue - exact) > 0.01
