import numpy as np
import pytest

from fairaudit.metrics.utility import feature_cosine, pixel_mse, unchanged


def test_cosines_by_hand():
    a, b = [[1, 0], [1, 1], [2, 0], [0, 0]], [[3, 0], [1, 0], [-1, 0], [1, 0]]
    assert feature_cosine(a, b) == pytest.approx([1, np.sqrt(0.5), -1, np.nan], nan_ok=True)


def test_black_and_white_differ_by_one():
    black, white = np.zeros((2, 4, 4, 3), np.uint8), np.full((2, 4, 4, 3), 255, np.uint8)
    white[1, :2] = 0
    assert pixel_mse(black, white) == pytest.approx([1, 0.5])
    assert pixel_mse(white, black) == pytest.approx([1, 0.5])


def test_unchanged_is_unknown_without_a_label():
    found = unchanged([0, 1, 1, -1, -1], [0, 0, -1, 1, -1])
    assert found == pytest.approx([1, 0, np.nan, np.nan, np.nan], nan_ok=True)


def test_no_images_no_values():
    assert feature_cosine(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)
    assert pixel_mse(np.zeros((0, 2, 2), np.uint8), np.zeros((0, 2, 2), np.uint8)).shape == (0,)
    assert unchanged([], []).shape == (0,)


def test_what_is_not_paired_is_refused():
    with pytest.raises(ValueError, match="shape"):
        feature_cosine(np.zeros((2, 3)), np.zeros((3, 3)))
    with pytest.raises(ValueError, match="bytes"):
        pixel_mse(np.zeros((1, 2)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="length"):
        unchanged([1, 2], [1])
