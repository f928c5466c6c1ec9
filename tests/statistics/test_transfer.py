import numpy as np
import pytest
from scipy import stats

from fairaudit.statistics.transfer import confidence_histogram, transfer_test


def two_sure(confidence):
    return np.stack([confidence, 1 - np.asarray(confidence)], axis=1)


def test_confidence_is_counted_in_equal_bins():
    counts = confidence_histogram(two_sure([0.5, 0.54, 0.55, 0.85, 0.999, 1.0]))
    assert np.flatnonzero(counts).tolist() == [10, 11, 17, 19]
    assert counts[[10, 11, 17, 19]].tolist() == [2, 1, 1, 2]
    assert confidence_histogram(np.zeros((0, 3)), bins=5).tolist() == [0] * 5


def test_the_distance_is_that_of_kolmogorov_and_smirnov():
    rng = np.random.default_rng(0)
    ours, theirs = rng.integers(10, 20, 300), rng.integers(12, 20, 500)
    found = transfer_test(np.bincount(ours, minlength=20), np.bincount(theirs, minlength=20))
    peer = stats.ks_2samp(ours, theirs, method="asymp")
    assert found.distance == pytest.approx(peer.statistic)
    assert found.p_value == 1 / 2001  # the least that 2000 permutations can say
    assert found.warning


def test_equal_distributions_are_warned_of_at_most_as_often_as_the_level_says():
    rng, shape, rejected, warned = (
        np.random.default_rng(1),
        [0] * 10 + [0.05] * 6 + [0.1, 0.1, 0.2, 0.3],
        0,
        0,
    )
    for seed in range(400):
        ours, theirs = rng.multinomial(60, shape), rng.multinomial(200, shape)
        found = transfer_test(ours, theirs, replicates=199, seed=seed)
        rejected += found.p_value <= 0.05
        warned += found.warning
    assert 0.02 * 400 <= rejected <= 0.08 * 400
    assert warned <= rejected


def test_a_significant_trifle_is_no_warning():
    found = transfer_test([5300, 4700], [50000, 50000])
    assert found.p_value < 0.01
    assert found.distance == pytest.approx(0.03)
    assert not found.warning


def test_a_chance_difference_of_few_images_is_no_warning():
    found = transfer_test([12, 8], [10, 10])
    assert found.distance == pytest.approx(0.1)
    assert found.p_value > 0.05
    assert not found.warning


@pytest.mark.parametrize(
    ("ours", "theirs", "who"), [([5, 5], [50, 50], "images"), ([50, 50], [0, 9], "faces")]
)
def test_too_few_images_have_a_reason(ours, theirs, who):
    found = transfer_test(ours, theirs)
    assert found.p_value is found.distance is None
    assert who in found.reason
    assert not found.warning


@pytest.mark.parametrize(
    ("ours", "theirs"), [([1, -1], [1, 1]), ([0.5], [1]), ([np.nan], [1]), ([30], [20, 20])]
)
def test_what_is_no_histogram_is_refused(ours, theirs):
    with pytest.raises(ValueError, match="histogram"):
        transfer_test(ours, theirs)
