import numpy as np
import pytest
from cleanfid.fid import kernel_distance

from fairaudit.metrics import kernels
from fairaudit.metrics.kernels import Similar, cmmd, cubic, gaussian, kid


def vectors(n, d, seed, scale=1.0, shift=0.0):
    return scale * np.random.default_rng(seed).normal(size=(n, d)) / np.sqrt(np.arange(1, d + 1)) + shift


def unit(rows):
    return (rows + 1) / np.linalg.norm(rows + 1, axis=1, keepdims=True)


def test_kid_is_that_of_clean_fid_where_its_subsets_are_everything():
    made, real = vectors(60, 9, 0, 1.3, 0.1), vectors(60, 9, 1)
    found = kid(made, Similar(real, cubic))
    assert found.value == pytest.approx(kernel_distance(real, made, num_subsets=1), rel=1e-9)
    assert "60 images" in found.method


def test_kid_in_one_dimension_by_hand():
    # k(x, y) = (x y + 1)^3 over 16 zeros and 16 ones: 1 among zeros and across, 8 among ones.
    zeros, ones = np.zeros((16, 1)), np.ones((16, 1))
    assert kid(ones, Similar(zeros, cubic)).value == pytest.approx(8 + 1 - 2 * 1)


def test_cmmd_is_the_published_formula():
    # Two points at distance r: 1000 (1 + 1 - 2 exp(-r^2 / 200)).
    one, other = np.tile([1.0, 0.0], (16, 1)), np.tile([0.0, 1.0], (16, 1))
    found = cmmd(one, Similar(other, gaussian))
    assert found.value == pytest.approx(2000 * (1 - np.exp(-2 / 200)))
    assert found.low <= found.value <= found.high


def test_order_and_blocks_do_not_matter(monkeypatch):
    made, real = vectors(50, 6, 2), vectors(40, 6, 3)
    whole = kid(made, Similar(real, cubic))
    monkeypatch.setattr(kernels, "_BLOCK", 7)
    turned = kid(made[::-1], Similar(real[::-1], cubic))
    for end in ("value", "low", "high"):
        assert getattr(turned, end) == pytest.approx(getattr(whole, end), rel=1e-9)


@pytest.mark.parametrize("scale", [1.0, 1.3])
def test_intervals_cover(scale):
    found = {"kid": [], "cmmd": []}
    for seed in range(120):
        made, real = vectors(40, 16, 2 * seed, scale), vectors(60, 16, 2 * seed + 1)
        found["kid"].append(kid(made, Similar(real, cubic)))
        found["cmmd"].append(cmmd(unit(made), Similar(unit(real), gaussian)))
    for some in found.values():
        truth = np.mean([one.value for one in some])
        assert np.mean([one.low <= truth <= one.high for one in some]) >= 0.92
    if scale == 1.0:  # unbiased: equal distributions have no distance
        values = [one.value for one in found["kid"]]
        assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


def test_too_few_have_a_reason():
    found = kid(vectors(15, 3, 0), Similar(vectors(50, 3, 1), cubic))
    assert found.value is None
    assert "fewer than 16" in found.reason
