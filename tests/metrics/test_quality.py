import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from fairaudit.metrics.gaps import gap_of
from fairaudit.metrics.quality import (
    Moments,
    Reference,
    fewest,
    frechet_distance,
    frechet_interval,
    frechet_to,
    half_distances,
)


def vectors(n, d, seed, scale=1.0, shift=0.0):
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(d).normal(size=(d, d)) / np.sqrt(d)
    return scale * rng.normal(size=(n, d)) @ mixing + shift


def test_gaussians_in_one_dimension():
    # (m1 - m2)^2 + (s1 - s2)^2
    a, b = (
        Moments(10, np.array([1.0]), np.array([[4.0]])),
        Moments(10, np.array([4.0]), np.array([[9.0]])),
    )
    assert frechet_distance(a, b) == pytest.approx(10)


def test_commuting_gaussians_add_up_over_dimensions():
    a = Moments(9, np.zeros(3), np.diag([1.0, 4.0, 0.0]))
    b = Moments(9, np.array([1.0, 0, 0]), np.diag([9.0, 4.0, 16.0]))
    assert frechet_distance(a, b) == pytest.approx(1 + 4 + 0 + 16)


def test_same_as_with_a_matrix_square_root():
    a, b = Moments.of(vectors(300, 12, 0)), Moments.of(vectors(200, 12, 1, 1.4, 0.2))
    root = sqrtm(a.cov @ b.cov).real
    peer = ((a.mean - b.mean) ** 2).sum() + np.trace(a.cov + b.cov - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(peer, rel=1e-6)


def test_moments_are_those_of_numpy():
    features = vectors(50, 7, 2, shift=3)
    found = Moments.of(features)
    assert found.mean == pytest.approx(features.mean(axis=0))
    assert found.cov == pytest.approx(np.cov(features, rowvar=False))


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(1, 5), st.floats(-1e3, 1e3))
def test_parts_merge_to_the_whole(n, m, d, shift):
    first, second = vectors(n, d, 3), vectors(m, d, 4, shift=shift)
    merged, whole = Moments.of(first).merge(Moments.of(second)), Moments.of(np.vstack([first, second]))
    assert merged.n == whole.n
    assert merged.mean == pytest.approx(whole.mean, abs=1e-9)
    assert merged.cov == pytest.approx(whole.cov, rel=1e-9, abs=1e-6)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(1, 20))
def test_identical_sets_have_no_distance(n, d):
    moments = Moments.of(vectors(n, d, 5))
    assert frechet_distance(moments, moments) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("n", "d"), [(40, 64), (200, 16)])
def test_interval_lies_around_the_estimate_and_has_the_right_width(n, d):
    reference = Moments.of(vectors(2000, d, 6))
    estimates = [frechet_distance(Moments.of(vectors(n, d, seed, 1.2)), reference) for seed in range(150)]
    found = [
        frechet_interval(vectors(n, d, seed, 1.2), Reference(reference), seed=seed) for seed in range(40)
    ]
    assert all(one.low < one.value < one.high for one in found)
    width = np.mean([one.high - one.low for one in found])
    assert 0.8 < width / (2 * 1.96 * np.std(estimates)) < 1.5
    held = np.mean([one.low <= np.mean(estimates) <= one.high for one in found])
    assert held >= 0.85


@pytest.mark.parametrize(("n", "d"), [(30, 50), (50, 30)])
def test_the_short_cut_is_the_distance(n, d):
    features, real = vectors(n, d, 7, 1.3, 0.1), Moments.of(vectors(500, d, 8))
    expected = frechet_distance(Moments.of(features), real)
    assert frechet_to(features, Reference(real)) == pytest.approx(expected, rel=1e-6)


def test_the_short_cut_holds_where_the_reference_is_singular():
    features, real = vectors(40, 20, 12, 1.3), Moments.of(vectors(10, 20, 13))
    expected = frechet_distance(Moments.of(features), real)
    assert frechet_to(features, Reference(real)) == pytest.approx(expected, rel=1e-6)


def test_what_cannot_be_computed_has_a_reason():
    reference = Reference(Moments.of(vectors(100, 40, 11)))
    for n, d in ((0, 40), (3, 40), (9, 40)):
        found = frechet_interval(np.zeros((n, d)), reference)
        assert found.value is None
        assert found.reason.startswith(f"{n} images, fewer than 10")
    few = frechet_interval(vectors(50, 40, 1), Reference(Moments.of(vectors(9, 40, 2))))
    assert few.reason.startswith("9 real images")
    for unusable in (np.zeros((0, 3)), np.array([[np.nan]]), np.zeros(3)):
        with pytest.raises(ValueError, match="features"):
            Moments.of(unusable)


def test_the_floor_is_where_a_distance_rewards_too_little_variety():
    d = 400
    spread = np.arange(1, d + 1) ** -0.65
    real = Reference(Moments(None, np.zeros(d), np.diag(spread**2)))
    scales = np.linspace(0.5, 1, 26)

    def least(n):
        made = np.random.default_rng(0).normal(size=(n, d)) * spread
        return scales[np.argmin([frechet_to(scale * made, real) for scale in scales])]

    assert least(fewest(d) // 4) < 0.8 <= least(fewest(d))


def test_a_gap_between_values_knows_that_their_real_images_are_others():
    scale, rng, held, blind = np.arange(1, 17) ** -0.6, np.random.default_rng(3), [], []
    for seed in range(40):
        carried, left = {}, {}
        for value in ("female", "male"):
            real = rng.normal(size=(60, 16)) * scale
            made, reference = (rng.normal(size=(240, 16)) + 0.3) * scale, Reference(Moments.of(real))
            carried[value] = frechet_interval(made, reference, real=real, replicates=25, seed=seed)
            left[value] = frechet_interval(made, reference, replicates=25, seed=seed)
        for gap, found in ((gap_of(carried)[0], held), (gap_of(left)[0], blind)):
            found.append(gap.low <= 0 <= gap.high)
    assert np.mean(blind) < 0.85
    assert np.mean(held) >= 0.9
    assert "of 60 real ones" in carried["male"].method


@pytest.mark.parametrize("n", [40, 41])
def test_halves_spread_as_all_images_do(n: int) -> None:
    """Far from the reference the distance is the square of the mean's, whose standard error is known."""
    vectors = np.random.default_rng(3).normal(size=(n, 1))
    far = Reference(Moments(None, np.array([-1000.0]), np.eye(1)))
    spread = half_distances(vectors, far, 4000, np.random.default_rng(4)).std()
    assert spread == pytest.approx(2000 * vectors.std(ddof=1) / np.sqrt(n), rel=0.05)
