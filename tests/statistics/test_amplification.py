import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairaudit.statistics.amplification import amplify, bias_amplification, directional_bias_amplification
from fairaudit.statistics.shares import estimate_shares
from tests.statistics.test_shares import symmetric

HALF = [0.5, 0.5]
NURSE_AND_PILOT = [[0.8, 0.2], [0.3, 0.7]]


def test_share_minus_planted_share_has_the_interval_of_the_share():
    shares = estimate_shares([70, 30], [[95, 5], [5, 95]])
    found = amplify(shares, [0.6, 0.4])
    assert [each.value for each in found] == pytest.approx(shares.value - [0.6, 0.4])
    assert [each.low for each in found] == pytest.approx(shares.low - [0.6, 0.4])
    assert amplify(estimate_shares([0, 0]), HALF)[1].reason == "no labelled image"


def test_two_prompts_by_hand():
    # Nurses lean to the first value by .1 more than planted, pilots to the second by .04 less.
    found = bias_amplification([[90, 10], [34, 66]], NURSE_AND_PILOT, HALF)
    assert found.value == pytest.approx((0.1 - 0.04) / 2)
    assert found.low < found.value < found.high


def test_many_values_are_summed_where_planted_above_target():
    planted, counts = [[0.5, 0.3, 0.1, 0.1]], [[60, 20, 15, 5]]
    found = bias_amplification(counts, planted, np.full(4, 0.25))
    assert found.value == pytest.approx((0.6 - 0.5) + (0.2 - 0.3))


def test_prompts_planted_on_target_lean_nowhere():
    found = bias_amplification([[90, 10], [99, 1]], [[0.8, 0.2], HALF], HALF)
    assert found.value == pytest.approx(0.1)
    assert "on target" in bias_amplification([[99, 1]], [HALF], HALF).reason


def test_directional_amplification_by_hand():
    # P(first) is (.8 + .3) / 2 = .55: nurses go with the first value, pilots with the second.
    # Nurses +.1 and -(-.1), pilots -(.04) and +(-.04): (.1 + .1 - .04 - .04) / 4.
    found = directional_bias_amplification([[90, 10], [34, 66]], NURSE_AND_PILOT)
    assert found.value == pytest.approx(0.03)


def test_directional_amplification_as_its_authors_define_it():
    """With P(a, t) spelled out, as in equations 2 and 3 of Wang & Russakovsky (2021)."""
    rng = np.random.default_rng(0)
    reference, counts = rng.dirichlet(np.ones(3), size=5), rng.integers(1, 40, size=(5, 3))
    generated = counts / counts.sum(axis=1, keepdims=True)
    total = 0
    for t in range(5):
        for a in range(3):
            joint, p_task, p_value = reference[t, a] / 5, 1 / 5, sum(reference[:, a] / 5)
            change = generated[t, a] - reference[t, a]
            total += change if joint > p_task * p_value else -change
    assert directional_bias_amplification(counts, reference).value == pytest.approx(total / 15)


def test_a_value_rare_everywhere_is_no_direction():
    # Both prompts lean away from the second value; only relative to each other do they differ.
    reference, counts = [[0.9, 0.1], [0.8, 0.2]], [[95, 5], [85, 15]]
    assert bias_amplification(counts, reference, HALF).value == pytest.approx(0.05)
    assert directional_bias_amplification(counts, reference).value == pytest.approx(0)
    assert "same for every prompt" in directional_bias_amplification([[5, 5]], [[0.9, 0.1]]).reason


@pytest.mark.parametrize(
    ("k", "prompts", "n", "accuracy"), [(2, 36, 16, 0.85), (4, 6, 64, None), (2, 1, 250, 0.9)]
)
def test_intervals_hold_the_truth(k, prompts, n, accuracy):
    rng, audits = np.random.default_rng(1), 150
    planted = rng.dirichlet(np.full(k, 0.6), size=prompts)
    shares = 0.6 * planted + 0.4 * rng.dirichlet(np.full(k, 0.6), size=prompts)
    target = np.full(k, 1 / k)
    truth = ((planted > target) * (shares - planted)).sum(axis=1).mean()
    rates = np.eye(k) if accuracy is None else symmetric(k, accuracy)
    held = 0
    for seed in range(audits):
        confusion = None if accuracy is None else np.array([rng.multinomial(300, row) for row in rates])
        counts = rng.multinomial(n, shares @ rates)
        found = bias_amplification(counts, planted, target, confusion, replicates=300, seed=seed)
        held += found.low <= truth <= found.high
    assert held / audits > 0.93 - 2.5 * np.sqrt(0.95 * 0.05 / audits)


def test_a_faithful_generator_amplifies_nothing():
    exact = 1000 * np.array(NURSE_AND_PILOT)
    assert bias_amplification(exact, NURSE_AND_PILOT, HALF).value == pytest.approx(0)
    assert directional_bias_amplification(exact, NURSE_AND_PILOT).value == pytest.approx(0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.permutations(range(4)))
def test_order_does_not_matter_and_bounds_hold(seed, order):
    rng = np.random.default_rng(seed)
    planted, counts = rng.dirichlet(np.ones(4), size=4), rng.integers(0, 9, size=(4, 4))
    counts[:, 0] += 1
    target = rng.dirichlet(np.ones(4))
    plain = bias_amplification(counts, planted, target, replicates=20)
    moved = bias_amplification(
        counts[order][:, order], planted[order][:, order], target[order], replicates=20
    )
    assert plain.value == pytest.approx(moved.value)
    assert -1 <= plain.low <= plain.value <= plain.high <= 1
    directional = directional_bias_amplification(counts, planted, replicates=20)
    again = directional_bias_amplification(counts[order], planted[order], replicates=20)
    assert directional.value == pytest.approx(again.value)


@pytest.mark.parametrize("amplification", [
    lambda *a: bias_amplification(*a[:2], HALF, *a[2:]), directional_bias_amplification,
])  # fmt: skip
def test_what_cannot_be_computed_has_a_reason(amplification):
    assert amplification([[0, 0], [0, 0]], NURSE_AND_PILOT).reason == "no labelled image"
    found = amplification([[9, 1], [5, 5]], NURSE_AND_PILOT, [[500, 500], [500, 500]])
    assert found.value is None
    assert "classifier" in found.reason
    for counts in ([[1, 2]], [1, 2], [[1, -1], [1, 1]]):
        with pytest.raises(ValueError, match="counts"):
            amplification(counts, NURSE_AND_PILOT)
