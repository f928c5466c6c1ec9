import numpy as np
import pytest

from fairaudit.metrics.diversity import drawn, vendi_interval, vendi_score


def test_one_picture_again_and_again_is_one():
    rows = np.random.default_rng(0).uniform(1, 2, size=(30, 1)) * np.array([[3.0, -1, 2]])
    assert vendi_score(rows) == pytest.approx(1)


@pytest.mark.parametrize("n", [1, 2, 7, 40])
def test_orthogonal_pictures_are_as_many(n):
    assert vendi_score(5 * np.eye(n)) == pytest.approx(n)


def test_kinds_that_are_not_equally_common():
    rows = np.repeat(np.eye(3), [6, 3, 1], axis=0)
    shares = np.array([0.6, 0.3, 0.1])
    assert vendi_score(rows) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()))


def test_two_pictures_at_an_angle():
    cosine = 0.3
    rows = [[1, 0], [cosine, np.sqrt(1 - cosine**2)]]
    halves = np.array([1 + cosine, 1 - cosine]) / 2
    assert vendi_score(rows) == pytest.approx(np.exp(-(halves * np.log(halves)).sum()))


@pytest.mark.parametrize("shape", [(30, 5), (5, 30)])
def test_neither_order_nor_length_nor_rotation_matters(shape):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=shape)
    turn, _ = np.linalg.qr(rng.normal(size=(shape[1], shape[1])))
    changed = (rows * rng.uniform(1, 9, size=(shape[0], 1)))[rng.permutation(shape[0])] @ turn
    assert vendi_score(changed) == pytest.approx(vendi_score(rows))


@pytest.mark.parametrize("prompts", [None, 12])
def test_intervals_hold(prompts):
    def draw(rng):
        if prompts is None:
            return rng.normal(size=(48, 6)) + 1, None
        codes = np.repeat(np.arange(prompts), 4)
        return rng.normal(size=(prompts, 6))[codes] + rng.normal(size=(48, 6)) + 1, codes

    rng = np.random.default_rng(2)
    truth = np.mean([vendi_score(draw(rng)[0]) for _ in range(2000)])
    held = 0
    for _ in range(250):
        rows, codes = draw(rng)
        found = vendi_interval(rows, codes)
        held += found.low <= truth <= found.high
    assert held / 250 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 250)


def test_fewer_images_have_a_smaller_score():
    rows = np.random.default_rng(3).normal(size=(300, 40))
    few = [vendi_interval(rows[drawn(300, 20, seed)]).value for seed in range(5)]
    assert max(few) < vendi_score(rows)
    assert np.ptp(few) > 0


def test_draws_are_without_replacement_and_equally_likely():
    assert np.array_equal(drawn(30, 5, seed=1), drawn(30, 5, seed=1))
    times = np.zeros(12)
    for seed in range(2000):
        chosen = drawn(12, 3, seed)
        assert len(set(chosen)) == 3
        times[chosen] += 1
    assert np.abs(times / 2000 - 1 / 4).max() < 4 * np.sqrt(1 / 4 * 3 / 4 / 2000)
    assert sorted(drawn(7, 7, seed=0)) == list(range(7))


def test_too_few_have_a_reason():
    found = vendi_interval(np.eye(9))
    assert found.value is None
    assert found.reason == "fewer than 10 images of this value"
    with pytest.raises(ValueError, match="zero"):
        vendi_score(np.zeros((2, 2)))
