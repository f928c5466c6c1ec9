"""Which face is judged, and what a classifier is shown of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from fairaudit.aligning import MEAN_FACE, chip_of, similarity
from fairaudit.faces import KEPT, Crop, Face, Finder, cut, in_reading_order, keep_near

SMOOTH = Crop(margin=0.25, aligned=True, size=64)


def waves(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.uint8]:
    """A smooth picture, known at every point."""
    shades = [np.sin(x / 19 + y / 31), np.cos(x / 23 - y / 17), np.sin(y / 13)]
    return np.clip(np.stack([127.5 + 100 * shade for shade in shades], axis=-1), 0, 255).astype(np.uint8)


def picture(turn: complex = 1, shift: complex = 0, size: int = 256) -> NDArray[np.uint8]:
    """The waves, turned, scaled and moved: what lay at z lies at turn * z + shift."""
    rows, columns = np.mgrid[:size, :size] + 0.5
    origin = ((columns + 1j * rows) - shift) / turn
    return waves(origin.real, origin.imag)


POINTS = np.array([(100, 110), (150, 112), (124, 140), (106, 165), (147, 166)], dtype=np.float32)


def moved(turn: complex, shift: complex) -> NDArray[np.float32]:
    points = turn * (POINTS[:, 0] + 1j * POINTS[:, 1]) + shift
    return np.stack([points.real, points.imag], axis=-1).astype(np.float32)


@pytest.mark.parametrize("degrees", [-40, 7, 90, 179])
@pytest.mark.parametrize("scale", [0.8, 1.0, 1.7])
def test_a_turned_and_scaled_picture_gives_the_same_face(degrees: float, scale: float) -> None:
    turn = scale * complex(np.exp(1j * math.radians(degrees)))
    shift = 250 + 250j - turn * (125 + 135j)
    size = 500
    upright = cut(picture(shift=125 + 115j, size=size), Face((0, 0, 9, 9), moved(1, 125 + 115j)), SMOOTH)
    turned = cut(picture(turn, shift, size), Face((0, 0, 9, 9), moved(turn, shift)), SMOOTH)
    assert turned.shape == (64, 64, 3)
    assert np.abs(upright.astype(int) - turned).max() <= 6


def test_the_eyes_come_to_lie_where_dlib_puts_them() -> None:
    """Right on the mean face the chip is the padded unit square, black where there is no picture."""
    points = (MEAN_FACE * 100 + (10, 20)).astype(np.float32)
    image = picture(size=200)
    chip = chip_of(image, points, 0.25, None)
    assert chip is not None
    # The square runs from -25 to 125 around the mean face at (10, 20).
    assert chip.shape == (150, 150, 3)
    np.testing.assert_allclose(chip[20:, 20:].astype(int), image[15:145, 5:135].astype(int), atol=2)
    assert not chip[:, :14].any()
    assert not chip[:4].any()


@given(
    st.complex_numbers(min_magnitude=0.1, max_magnitude=50),
    st.complex_numbers(max_magnitude=1e3),
)
def test_a_similarity_is_found_again(turn: complex, shift: complex) -> None:
    found = similarity(POINTS.astype(np.float64), moved(turn, shift).astype(np.float64))
    assert abs(found[0] - turn) < 1e-3 * abs(turn) + 1e-3
    assert abs(found[1] - shift) < 1e-3 * (abs(shift) + 200 * abs(turn)) + 1e-2


def test_the_similarity_is_the_best_there_is() -> None:
    """Against a general least-squares solver."""
    rng = np.random.default_rng(0)
    source, target = rng.normal(size=(2, 5, 2))
    rows = [[(x, -y, 1, 0), (y, x, 0, 1)] for x, y in source]
    a, b, c, d = np.linalg.lstsq(np.array(rows).reshape(10, 4), target.ravel(), rcond=None)[0]
    turn, shift = similarity(source, target)
    np.testing.assert_allclose([turn.real, turn.imag, shift.real, shift.imag], [a, b, c, d], atol=1e-12)


@pytest.mark.parametrize("points", [np.full((5, 2), 7.0), np.full((5, 2), np.nan), POINTS * 1e-4])
def test_points_that_fit_nothing_leave_the_box(points: NDArray[np.float64]) -> None:
    face = Face((10, 10, 20, 20), points.astype(np.float32))
    image = picture(size=64)
    np.testing.assert_array_equal(cut(image, face, Crop(0.0, aligned=True)), image[10:30, 10:30])


def test_without_alignment_points_change_nothing() -> None:
    image = picture(size=64)
    box = (10, 10, 20, 20)
    np.testing.assert_array_equal(
        cut(image, Face(box, POINTS), Crop(0.5)), cut(image, Face(box), Crop(0.5, aligned=True))
    )


def test_a_shrunk_face_is_averaged_not_sampled() -> None:
    """Stripes of one pixel become grey; sampling would show some of them."""
    stripes = np.zeros((800, 800, 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    points = (MEAN_FACE * 600 + 100).astype(np.float32)
    for crop in (Crop(0.0, aligned=True, size=50), Crop(0.0, size=50)):
        shown = cut(stripes, Face((100, 100, 600, 600), points), crop)
        assert shown.shape == (50, 50, 3)
        assert np.abs(shown[5:-5, 5:-5].astype(int) - 127).max() <= 4


def test_a_margin_widens_every_side() -> None:
    image = picture(size=100)
    np.testing.assert_array_equal(cut(image, Face((40, 40, 20, 10)), Crop(0.25)), image[30:60, 35:65])


def test_what_lies_beyond_the_picture_repeats_its_edge() -> None:
    image = picture(size=50)
    shown = cut(image, Face((-10, 20, 20, 20)), Crop(0.0))
    np.testing.assert_array_equal(shown[:, 10:], image[20:40, :10])
    assert (shown[:, :10] == image[20:40, :1]).all()


@settings(max_examples=200)
@given(
    st.tuples(st.floats(-300, 300), st.floats(-300, 300), st.floats(0, 400), st.floats(0, 400)),
    st.floats(0, 1),
    st.tuples(st.integers(1, 40), st.integers(1, 40)),
    st.sampled_from([None, 1, 8]),
)
def test_no_box_gives_an_empty_crop(box, margin, shape, size) -> None:
    image = np.arange(shape[0] * shape[1] * 3, dtype=np.uint8).reshape(*shape, 3)
    shown = cut(image, Face(box), Crop(margin, size=size))
    assert shown.dtype == np.uint8
    assert shown.shape[0] == shown.shape[1] >= 1
    assert size is None or shown.shape == (size, size, 3)


class Found:
    """A detector that finds the faces it is given."""

    name = "found"

    def __init__(self, *faces: Face) -> None:
        self.faces = faces

    def find(self, image: NDArray[np.uint8]) -> list[Face]:
        return list(self.faces)

    def fingerprint(self) -> dict[str, str]:
        return {}


def test_policies_differ_in_what_they_do_with_several_faces() -> None:
    image = picture(size=64)
    small, large = Face((0, 0, 8, 8)), Face((20, 20, 30, 20))
    for policy in ("largest", "exclude-many"):
        assert Finder(policy, Found())(image) == "no_face"
        assert Finder(policy, Found(small))(image) is small
    assert Finder("largest", Found(small, large))(image) is large
    assert Finder("exclude-many", Found(small, large))(image) == "many_faces"
    whole = Finder("whole-image")
    np.testing.assert_array_equal(whole.cut(image, whole(image), Crop(size=8)), image)


def test_faces_outside_of_the_picture_are_none() -> None:
    here = Face((5, 5, 4, 4))
    others = [(5, 5, 0, 4), (60, 5, 4, 4), (-9, 5, 4, 4), (5, math.nan, 4, 4), (math.inf, 0, 1, 1)]
    assert in_reading_order([*map(Face, others), here], (50, 50, 3)) == [here]


def test_the_order_of_faces_hangs_on_their_place_alone() -> None:
    faces = [Face((x, y, 5, 5), score=s) for x, y, s in ((9, 1, 0.5), (1, 9, 0.9), (1, 1, 0.7))]
    assert in_reading_order(faces, (50, 50)) == in_reading_order(faces[::-1], (50, 50))


def test_ordinary_pictures_are_kept_as_they_are() -> None:
    image = picture(size=512)
    face = Face((1, 2, 3, 4))
    assert keep_near(image, face) == (image, face)


@pytest.mark.parametrize("crop", [Crop(0.25, size=64), SMOOTH])
def test_of_a_large_picture_the_face_is_kept(crop: Crop) -> None:
    scale = 14
    image = np.asarray(Image.fromarray(picture()).resize((256 * scale,) * 2, Image.Resampling.BICUBIC))
    face = Face((scale * 90, scale * 95, scale * 70, scale * 80), POINTS * scale)
    kept, near = keep_near(image, face)
    assert KEPT <= max(kept.shape) < 2 * KEPT
    assert np.abs(cut(image, face, crop).astype(int) - cut(kept, near, crop)).max() <= 6
