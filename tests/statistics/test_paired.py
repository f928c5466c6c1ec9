import numpy as np
import pytest

from fairaudit.statistics.paired import paired_fd_difference

UNIFORM = [0.5, 0.5]


def pairs(rng, n, share_a, share_b, keep):
    """Two samplers on one noise: b keeps a's value with probability keep, else draws its own."""
    a = (rng.random(n) > share_a).astype(int)
    return a, np.where(rng.random(n) < keep, a, rng.random(n) > share_b)


def test_the_difference_is_that_of_the_two_discrepancies():
    found = paired_fd_difference([0] * 80 + [1] * 20, [0, 1] * 50, [0] * 100, UNIFORM)
    assert found.difference.value == pytest.approx(np.sqrt(2) * 0.3)
    assert found.difference.low > 0
    assert found.p_value < 0.01


def test_exchanging_samplers_exchanges_the_sign():
    a, b = pairs(np.random.default_rng(0), 300, 0.8, 0.5, 0.5)
    one, other = paired_fd_difference(a, b, a * 0, UNIFORM), paired_fd_difference(b, a, a * 0, UNIFORM)
    assert one.difference.value == pytest.approx(-other.difference.value)
    assert one.difference.low == pytest.approx(-other.difference.high, abs=0.02)


def test_equal_labels_have_no_difference():
    a = np.array([0] * 90 + [1] * 10)
    found = paired_fd_difference(a, a, a * 0, UNIFORM, [[90, 10], [5, 95]])
    assert (found.difference.value, found.p_value) == (0, 1)
    assert found.difference.low == pytest.approx(0, abs=0.03)
    assert found.difference.high == pytest.approx(0, abs=0.03)


def test_pairing_sharpens_the_comparison():
    rng = np.random.default_rng(1)
    a, b = pairs(rng, 500, 0.8, 0.6, 0.9)
    paired = paired_fd_difference(a, b, a * 0, UNIFORM).difference
    shuffled = paired_fd_difference(a, rng.permutation(b), a * 0, UNIFORM).difference
    assert shuffled.value == pytest.approx(paired.value)
    assert paired.high - paired.low < 0.7 * (shuffled.high - shuffled.low)


def test_intervals_hold_and_the_null_is_rarely_refuted():
    rng, held, refuted = np.random.default_rng(2), 0, 0
    prompts, rates = np.repeat(np.arange(4), 25), np.array([[0.9, 0.1], [0.15, 0.85]])
    for seed in range(200):
        true_a, true_b = pairs(rng, 100, 0.75, 0.75, 0.5)
        a, b = ((rng.random(100) > rates[codes.astype(int), 0]).astype(int) for codes in (true_a, true_b))
        confusion = np.array([rng.multinomial(300, row) for row in rates])
        found = paired_fd_difference(a, b, prompts, UNIFORM, confusion, replicates=300, seed=seed)
        held += found.difference.low <= 0 <= found.difference.high
        refuted += found.p_value < 0.05
    margin = 3 * np.sqrt(0.95 * 0.05 / 200)
    assert held / 200 > 0.95 - margin
    assert refuted / 200 < 0.05 + margin


def test_intervals_hold_where_one_sampler_is_exactly_fair():
    # FD of a fair sampler can only be overestimated; the interval of the difference must allow for it.
    rng, held, truth = np.random.default_rng(5), 0, np.sqrt(2) * 0.47
    for seed in range(200):
        a, b = pairs(rng, 80, 0.97, 0.5, 0.0)
        found = paired_fd_difference(a, b, a * 0, UNIFORM, replicates=400, seed=seed).difference
        held += found.low <= truth <= found.high
    assert held / 200 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)


def test_images_without_a_label_count_for_neither_share():
    a, b = [0, 0, 1, 1, -1, -1] * 20, [0, -1, 0, -1, 0, 1] * 20
    found = paired_fd_difference(a, b, [0] * 120, UNIFORM)
    assert found.difference.value == pytest.approx(0 - np.sqrt(2) * 0.25)


def test_a_prompt_of_one_image_each_still_varies():
    a, b = pairs(np.random.default_rng(3), 40, 0.8, 0.5, 0.2)
    found = paired_fd_difference(a, b, np.arange(40), UNIFORM).difference
    assert found.high - found.low > 0.1


def test_same_seed_same_numbers():
    a, b = pairs(np.random.default_rng(4), 60, 0.8, 0.5, 0.5)
    assert paired_fd_difference(a, b, a * 0, UNIFORM) == paired_fd_difference(a, b, a * 0, UNIFORM)


@pytest.mark.parametrize(("a", "b"), [([], []), ([-1, -1], [0, 1])])
def test_without_labels_there_is_a_reason_and_no_number(a, b):
    found = paired_fd_difference(a, b, [0] * len(a), UNIFORM)
    assert (found.difference.value, found.p_value) == (None, None)
    assert found.difference.reason == "a sampler has no labelled image"


def test_a_useless_calibration_is_a_reason():
    found = paired_fd_difference([0, 1], [1, 1], [0, 0], UNIFORM, [[5, 5], [5, 5]])
    assert "cannot tell" in found.difference.reason


@pytest.mark.parametrize(("a", "b"), [([0, 2], [0, 1]), ([0, -2], [0, 1]), ([0], [0, 1])])
def test_labels_that_do_not_belong_are_refused(a, b):
    with pytest.raises(ValueError, match="labels"):
        paired_fd_difference(a, b, [0, 0], UNIFORM)
