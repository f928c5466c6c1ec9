"""Differences of quality between two sets of images from the same noise."""

import numpy as np
import pytest

from fairaudit.contrasts import difference_of
from fairaudit.metrics.extrapolation import frechet_at_infinity
from fairaudit.metrics.kernels import Similar, cubic, kid
from fairaudit.metrics.neighbours import Manifold, neighbourhoods
from fairaudit.metrics.paired_quality import (
    paired_frechet,
    paired_infinity,
    paired_kernel,
    paired_neighbourhoods,
)
from fairaudit.metrics.quality import Moments, Reference, frechet_interval

D = 12
SCALE = 1 / np.sqrt(np.arange(1, D + 1))


def pairs(n, seed, shared=0.9, scales=(1.25, 1.0)):
    """Features of pairs whose common part has this share of the variance."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=(n, D))
    own = (np.sqrt(shared) * common + np.sqrt(1 - shared) * rng.normal(size=(n, D)) for _ in scales)
    return [scale * SCALE * vectors for scale, vectors in zip(scales, own, strict=True)]


def real(m, seed):
    return np.random.default_rng(seed).normal(size=(m, D)) * SCALE


def all_of(a, b, others, seed=0):
    reference, similar = Reference(Moments.of(others)), Similar(others, cubic)
    return dict(paired_neighbourhoods(a, b, Manifold(others))) | {
        "frechet": paired_frechet(a, b, reference, seed=seed),
        "infinity": paired_infinity(a, b, reference, seed=seed),
        "kid": paired_kernel(a, b, similar, unbiased=True),
    }


def test_values_are_the_differences_of_the_measures_and_turn_with_the_sides():
    (a, b), others = pairs(80, 0), real(70, 1)
    reference, similar = Reference(Moments.of(others)), Similar(others, cubic)
    single = [
        dict(neighbourhoods(some, Manifold(others)))
        | {
            "frechet": frechet_interval(some, reference),
            "infinity": frechet_at_infinity(some, reference),
            "kid": kid(some, similar),
        }
        for some in (a, b)
    ]
    found, turned = all_of(a, b, others), all_of(b, a, others)
    for name, one in found.items():
        expected = single[0][name].value - single[1][name].value
        assert one.difference.value == pytest.approx(expected, abs=1e-9), name
        assert turned[name].difference.value == pytest.approx(-expected, abs=1e-9)
        assert turned[name].difference.low == pytest.approx(-one.difference.high, abs=1e-9)
        assert turned[name].p_value == pytest.approx(one.p_value)


def test_a_set_beside_itself_shows_nothing_and_fractions_keep_some_width():
    a, others = pairs(60, 0)[0], real(50, 1)
    for name, one in all_of(a, a, others).items():
        assert (one.difference.value, one.p_value) == (0.0, 1.0)
        width = one.difference.high - one.difference.low
        assert (width > 0) == (name in {"precision", "recall", "coverage"}), name


def test_pairs_are_told_apart_that_intervals_do_not():
    (a, b), others = pairs(60, 3, shared=0.98), real(200, 4)
    reference = Reference(Moments.of(others))
    paired = paired_frechet(a, b, reference).difference
    apart = difference_of(*(frechet_interval(some, reference) for some in (a, b)), independent=False)
    assert paired.high - paired.low < 0.7 * (apart.high - apart.low)


@pytest.mark.parametrize(("shared", "scales"), [(0.0, (1.25, 1.0)), (0.95, (1.25, 1.0)), (0.8, (1.0, 1.0))])
def test_intervals_cover_and_tests_keep_their_level(shared, scales):
    fixed = Reference(Moments.of(real(300, 10**6)))
    runs = []
    for seed in range(100):
        (a, b), others = pairs(60, 2 * seed, shared, scales), real(60, 2 * seed + 1)
        kernel = paired_kernel(a, b, Similar(others, cubic), unbiased=True)
        distance = paired_frechet(a, b, fixed, seed=seed)
        near = paired_neighbourhoods(a, b, Manifold(others))
        runs.append(dict(near) | {"kid": kernel, "frechet": distance})
    for name in runs[0]:
        some = [run[name].difference for run in runs]
        truth = np.mean([one.value for one in some])
        assert np.mean([one.low <= truth <= one.high for one in some]) >= 0.9, name
        if scales[0] == scales[1]:
            assert np.mean([run[name].p_value < 0.05 for run in runs]) <= 0.08, name


def test_too_few_have_a_reason_and_shapes_must_agree():
    a, others = pairs(10, 0)[0], real(60, 1)
    for one in all_of(a, a, others).values():
        assert one.difference.value is None or one.p_value == 1
    assert paired_kernel(a, a, Similar(others, cubic), unbiased=True).difference.reason
    with pytest.raises(ValueError, match="one shape"):
        paired_frechet(a, a[:5], Reference(Moments.of(others)))
