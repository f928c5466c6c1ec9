import numpy as np
import pytest

from fairaudit.metrics import neighbours
from fairaudit.metrics.neighbours import NAMES, Manifold, balls_of, neighbourhoods


def vectors(n, d, seed, scale=1.0, shift=0.0):
    return scale * np.random.default_rng(seed).normal(size=(n, d)) / np.sqrt(np.arange(1, d + 1)) + shift


def values(made, real):
    return {name: one.value for name, one in neighbourhoods(made, Manifold(real)).items()}


def test_points_on_a_line_by_hand():
    # Real at 0, 1, ..., 29: the fifth neighbour of an inner point is 3 away, that of 0 is 5 away.
    real = np.arange(30.0)[:, None]
    made = np.full((20, 1), 100.0)
    made[0] = -4.5  # in the ball of 0 alone
    made[1] = 10.25  # in the balls of 8 to 13
    found = values(made, real)
    assert found["precision"] == pytest.approx(2 / 20)
    assert found["density"] == pytest.approx((1 + 6) / (5 * 20))
    assert found["coverage"] == pytest.approx((1 + 6) / 30)
    # The balls of -4.5 and 10.25 reach to 100, more than anything real is away; the others' are points.
    assert found["recall"] == 1.0


def test_far_sets_share_nothing_and_equal_sets_everything():
    some = vectors(40, 4, 0)
    assert values(some, some + 1000) == dict.fromkeys(NAMES, 0.0)
    same = values(some, some)
    assert (same["precision"], same["recall"], same["coverage"]) == (1.0, 1.0, 1.0)


def test_order_and_blocks_do_not_matter(monkeypatch):
    made, real = vectors(55, 5, 1, 1.2), vectors(45, 5, 2)
    whole = neighbourhoods(made, Manifold(real))
    monkeypatch.setattr(neighbours, "_BLOCK", 8)
    turned = neighbourhoods(made[::-1], Manifold(real[::-1]))
    for name in NAMES:
        for end in ("value", "low", "high"):
            assert getattr(turned[name], end) == pytest.approx(getattr(whole[name], end), rel=1e-9)


@pytest.mark.parametrize(("n", "m", "scale"), [(40, 60, 1.0), (80, 40, 1.3)])
def test_intervals_cover(n, m, scale):
    runs = [
        neighbourhoods(vectors(n, 16, 2 * seed, scale), Manifold(vectors(m, 16, 2 * seed + 1)))
        for seed in range(150)
    ]
    for name in NAMES:
        some = [run[name] for run in runs]
        truth = np.mean([one.value for one in some])
        assert np.mean([one.low <= truth <= one.high for one in some]) >= 0.9, name


def test_density_of_none_within_reach_has_an_interval_of_some_width():
    real = Manifold(vectors(50, 4, 3))
    found = {n: neighbourhoods(vectors(n, 4, 4) + 1000, real)["density"] for n in (40, 400)}
    for one in found.values():
        assert (one.value, one.low) == (0.0, 0.0)
        # Precision's upper end, times the balls that any real one lies in, over k.
        assert one.high >= 1 / 50
    assert found[400].high < found[40].high


@pytest.mark.parametrize("expected", [0.5, 1, 3, 8])
def test_interval_of_density_covers_where_few_images_are_within_reach(expected):
    rng = np.random.default_rng(0)
    found = []
    for _ in range(150):
        made, near = rng.normal(size=(80, 16)) + 100, rng.random(80) < expected / 80
        made[near] -= 100
        found.append(neighbourhoods(made, Manifold(rng.normal(size=(60, 16))))["density"])
    truth = np.mean([one.value for one in found])
    assert np.mean([one.low <= truth <= one.high for one in found]) >= 0.93


def test_too_few_have_a_reason():
    for one in neighbourhoods(vectors(19, 3, 0), Manifold(vectors(50, 3, 1))).values():
        assert one.value is None
        assert "fewer than 20" in one.reason


def test_what_lies_on_the_edge_of_a_ball_is_outside_it():
    """On a line of whole numbers the fifth neighbour of an inner point is 3 away."""
    line = Manifold(np.arange(25.0)[:, None])
    assert balls_of(line, np.array([[12.0]])).holders.tolist() == [5]
