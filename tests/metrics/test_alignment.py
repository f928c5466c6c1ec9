import numpy as np
import pytest

from fairaudit.metrics.alignment import clip_score, retrieved


def test_scores_by_hand():
    images = [[1, 0], [3, 3], [-1, 0], [0, 0]]
    found = clip_score(images, [[2, 0], [1, 0], [1, 0], [1, 0]])
    assert found == pytest.approx([100, 100 * np.sqrt(0.5), 0, np.nan], nan_ok=True)


def test_an_image_is_found_by_the_closest_text():
    texts = np.eye(3)
    images = np.array([[5, 1, 0], [0, 1, 2], [0, 0, 9], [0, 0, 0]])
    assert retrieved(images, texts, [0, 1, 2, 0]) == pytest.approx([1, 0, 1, np.nan], nan_ok=True)


def test_texts_that_say_nothing_leave_chance():
    rng = np.random.default_rng(0)
    images, own = rng.normal(size=(4000, 8)), np.arange(4000) % 5
    assert retrieved(images, np.ones((5, 8)), own) == pytest.approx(np.full(4000, 0.2))
    assert retrieved(images, rng.normal(size=(5, 8)), own).mean() == pytest.approx(0.2, abs=0.03)


def test_lengths_do_not_matter():
    rng = np.random.default_rng(1)
    images, texts, own = rng.normal(size=(50, 4)), rng.normal(size=(6, 4)), rng.integers(6, size=50)
    scaled = texts * rng.uniform(0.1, 10, size=(6, 1))
    assert retrieved(images, scaled, own) == pytest.approx(retrieved(3 * images, texts, own))
    assert clip_score(images, scaled[own]) == pytest.approx(clip_score(images, texts[own]))


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="two texts"):
        retrieved(np.eye(2), np.ones((1, 2)), [0, 0])
    with pytest.raises(ValueError, match="place"):
        retrieved(np.eye(2), np.eye(2), [0, 2])
    with pytest.raises(ValueError, match="one length"):
        clip_score(np.eye(2), np.eye(3)[:2])
