"""Epsilon-fairness: what probes can tell, and how sure that is."""

import numpy as np
import pytest

from fairaudit.statistics.obfuscation import PROBES, probe_error


def images(rng, n, d, shift, k=2):
    """Features, of which the first is shifted by the assigned value."""
    codes = np.arange(n) % k
    features = rng.normal(size=(n, d))
    features[:, 0] += shift * codes
    return features, codes


def test_features_that_tell_nothing_are_guessed_half_the_time():
    found = probe_error(*images(np.random.default_rng(0), 400, 16, 0), 2)
    assert found.error.value == pytest.approx(0.5, abs=0.07)
    assert found.error.low <= 0.5 <= found.error.high
    assert "perfect obfuscation is 0.5" in found.error.method


def test_features_that_tell_the_value_have_no_error():
    found = probe_error(*images(np.random.default_rng(1), 300, 8, 20), 2)
    assert found.error.value == 0
    assert found.error.low == 0
    assert 0 < found.error.high < 0.04


def test_a_shift_of_normals_has_its_known_error():
    # Best possible: P(N(0, 1) > shift / 2).
    found = probe_error(*images(np.random.default_rng(2), 2000, 2, 2), 2)
    assert found.error.value == pytest.approx(0.1587, abs=0.025)


def test_the_network_sees_what_no_line_divides_and_the_least_error_counts():
    rng = np.random.default_rng(3)
    features = rng.normal(size=(500, 4))
    found = probe_error(features, (features[:, 0] * features[:, 1] > 0).astype(int), 2)
    line, network = (found.probes[name].value for name in PROBES)
    assert line > 0.4
    assert network < 0.12
    assert found.error.value == network


def test_unequal_assignments_do_not_make_it_easier():
    """Always guessing the frequent value errs in 10 % of images, but half the time on balance."""
    rng = np.random.default_rng(4)
    codes = (rng.random(500) < 0.1).astype(int)
    found = probe_error(rng.normal(size=(500, 5)), codes, 2)
    assert found.error.low <= 0.5 <= found.error.high
    assert found.error.value > 0.4


def test_of_more_values_the_plain_balanced_error_is_given():
    found = probe_error(*images(np.random.default_rng(5), 400, 6, 0, k=4), 4)
    assert found.error.low <= 0.75 <= found.error.high
    assert "perfect obfuscation is 0.75" in found.error.method


def test_the_order_of_images_does_not_matter_and_the_seed_does():
    rng = np.random.default_rng(6)
    features, codes = images(rng, 120, 10, 1)
    order = rng.permutation(120)
    assert probe_error(features, codes, 2) == probe_error(features[order], codes[order], 2)
    assert probe_error(features, codes, 2, seed=2**63) != probe_error(features, codes, 2, seed=1)


def test_units_of_features_do_not_matter():
    features, codes = images(np.random.default_rng(7), 150, 6, 1)
    plain = probe_error(features, codes, 2)
    assert probe_error(features * 1024.0, codes, 2) == plain


def test_intervals_hold_and_the_minimum_does_not_feign_a_leak():
    rng, held = np.random.default_rng(8), 0
    for seed in range(12):
        found = probe_error(*images(rng, 60, 3, 0), 2, seed=seed).error
        held += found.low <= 0.5 <= found.high
    assert held >= 11


@pytest.mark.parametrize(
    ("features", "codes", "k", "reason"),
    [
        (np.zeros((0, 3)), [], 2, "fewer than two values"),
        (np.zeros((1, 3)), [0], 2, "fewer than two values"),
        (np.random.default_rng(9).normal(size=(40, 3)), [1] * 40, 2, "fewer than two values"),
        (np.random.default_rng(9).normal(size=(40, 3)), [0] * 31 + [1] * 9, 2, "fewer than 10 images"),
        (np.ones((40, 3)), [0, 1] * 20, 2, "the same for every image"),
        (np.ones((40, 0)), [0, 1] * 20, 2, "the same for every image"),
    ],
)
def test_what_cannot_be_probed_has_a_reason(features, codes, k, reason):
    found = probe_error(features, codes, k)
    assert (found.error.value, found.error.low) == (None, None)
    assert reason in found.error.reason
    assert set(found.probes) == set(PROBES)


@pytest.mark.parametrize(
    ("features", "codes", "match"),
    [
        ([[np.nan]] * 4, [0, 1, 0, 1], "finite"),
        ([[1.0]] * 4, [0, 1, 0], "row for each"),
        ([1.0] * 4, [0, 1, 0, 1], "row for each"),
        ([[1.0]] * 2, [0, 2], "from 0 to 1"),
        ([[1.0]] * 2, [0, 0.5], "from 0 to 1"),
    ],
)
def test_what_does_not_belong_together_is_refused(features, codes, match):
    with pytest.raises(ValueError, match=match):
        probe_error(features, codes, 2)
