"""Skin tone against closed forms: known colours, exact bounds, gradients, and what must not matter."""

from __future__ import annotations

import colorsys
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from fairaudit.classifiers.skin_tone import (
    ITA_BOUNDS,
    MONK_COLOURS,
    SkinTone,
    is_skin,
    lab,
    load,
    median_odds,
    monk_value,
    patch_colours,
    skin_type,
    typology_angle,
)
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fairaudit.attributes import ATTRIBUTES
from fairaudit.errors import UsageError
from fairaudit.labelling import ClassifierRequest

MONK = [bytes.fromhex(colour) for colour in MONK_COLOURS]


@pytest.fixture(scope="module")
def classifier() -> SkinTone:
    return load(ClassifierRequest(torch.device("cpu")))


def face(colour: bytes | tuple[int, ...], height: int = 80, width: int = 60) -> NDArray[np.uint8]:
    return np.broadcast_to(np.array(list(colour), dtype=np.uint8), (height, width, 3)).copy()


def colour_of(lightness: float, a: float, b: float) -> tuple[int, int, int]:
    """The sRGB colour of a CIELAB one, by the inverse formulas."""
    y = (lightness + 16) / 116
    xyz = [
        white * (t**3 if t > 6 / 29 else 3 * (6 / 29) ** 2 * (t - 4 / 29))
        for white, t in zip((0.95047, 1.0, 1.08883), (y + a / 500, y, y - b / 200), strict=True)
    ]
    matrix = [(3.2404542, -1.5371385, -0.4985314), (-0.9692660, 1.8760108, 0.0415560),
              (0.0556434, -0.2040259, 1.0572252)]  # fmt: skip
    linear = [sum(m * c for m, c in zip(row, xyz, strict=True)) for row in matrix]
    encoded = [12.92 * v if v <= 0.0031308 else 1.055 * v ** (1 / 2.4) - 0.055 for v in linear]
    assert all(0 <= v <= 1 for v in encoded)
    return tuple(round(255 * v) for v in encoded)  # type: ignore[return-value]


def test_lab_of_known_colours() -> None:
    known = {
        (255, 255, 255): (100, 0, 0), (0, 0, 0): (0, 0, 0), (255, 0, 0): (53.24, 80.09, 67.20),
        (0, 255, 0): (87.73, -86.18, 83.18), (0, 0, 255): (32.30, 79.19, -107.86),
        (119, 119, 119): (50.03, 0, 0),
    }  # fmt: skip
    found = lab(np.array(list(known), dtype=np.uint8))
    np.testing.assert_allclose(found, list(known.values()), atol=0.03)


def test_lab_agrees_with_opencv() -> None:
    import cv2

    colours = np.random.default_rng(0).integers(0, 256, (50, 40, 3), dtype=np.uint8)
    peer = cv2.cvtColor(colours.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    np.testing.assert_allclose(lab(colours), peer, atol=0.35)


def test_bounds_of_the_types_are_exact() -> None:
    """A point at the angle of a bound is the darker type's, as far above it as one likes the lighter's."""
    for place, bound in enumerate(ITA_BOUNDS):
        around = np.array([bound + 1e-9, bound, bound - 1e-9])
        assert skin_type(around).tolist() == [place, place + 1, place + 1]
        radians = math.radians(bound)
        colour = np.array([50 + 20 * math.sin(radians), 8, 20 * math.cos(radians)])
        assert typology_angle(colour) == pytest.approx(bound)
    assert skin_type(np.array([90.0, -90.0])).tolist() == [0, 5]


def test_the_published_colours_are_their_own_monk_values() -> None:
    colours = lab(np.array([list(colour) for colour in MONK], dtype=np.uint8))
    assert monk_value(colours).tolist() == list(range(10))


@pytest.mark.parametrize("place", range(10))
def test_an_even_face_has_its_monk_value_for_sure(classifier: SkinTone, place: int) -> None:
    reading = classifier.read([face(MONK[place])])
    assert reading.probabilities["monk"][0].tolist() == [float(other == place) for other in range(10)]
    colour = lab(np.array(list(MONK[place]), dtype=np.uint8))
    np.testing.assert_allclose(reading.features[0], [*colour, typology_angle(colour)], rtol=1e-5)


@pytest.mark.parametrize(("angle", "place"), [(62, 0), (48, 1), (35, 2), (19, 3), (-10, 4), (-50, 5)])
def test_an_even_face_of_a_known_angle_has_its_type(classifier: SkinTone, angle: float, place: int) -> None:
    b = 16 if angle > -40 else 10
    colour = colour_of(50 + b * math.tan(math.radians(angle)), 8, b)
    found = classifier.read([face(colour)])
    assert found.probabilities["skin_type"][0, place] == 1
    assert found.features[0, 3] == pytest.approx(angle, abs=1.5)


@pytest.mark.parametrize("share", [0.35, 0.5, 0.65])
def test_a_face_lit_from_one_side_is_as_unsure_as_its_patches(classifier: SkinTone, share: float) -> None:
    """Left light, right dark: the odds of the median are a binomial tail of the light patches."""
    light, dark = MONK[3], MONK[6]
    picture = face(light, 120, 120)
    picture[:, round(120 * (0.15 + 0.7 * share)) :] = list(dark)
    places = monk_value(patch_colours(picture))
    n, bright = len(places), int((places == 3).sum())
    assert set(places.tolist()) == {3, 6}
    tails = [
        sum(math.comb(n, k) * (bright / n) ** k * (1 - bright / n) ** (n - k) for k in range(need, n + 1))
        for need in ((n + 1) // 2, n // 2 + 1)
    ]
    found = classifier.read([picture]).probabilities["monk"][0]
    assert found[3] == pytest.approx(sum(tails) / 2, abs=1e-5)
    assert found[3] + found[6] == pytest.approx(1, abs=1e-5)


def test_a_gradient_has_the_median_of_its_middle(classifier: SkinTone) -> None:
    lightness = np.linspace(40, 70, 150)
    rows = np.array([colour_of(value, 10, 20) for value in lightness], dtype=np.uint8)
    picture = np.repeat(rows[:, None], 100, axis=1)
    assert classifier.read([picture]).features[0, 0] == pytest.approx(55, abs=1.0)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=5))
def test_the_odds_of_the_median_are_those_of_every_draw(places: list[int]) -> None:
    n, expected = len(places), np.zeros(4)
    for draw in itertools.product(places, repeat=n):
        ordered = sorted(draw)
        for middle in (ordered[(n - 1) // 2], ordered[n // 2]):
            expected[middle] += 0.5 / n**n
    np.testing.assert_allclose(median_odds(np.array(places), 4), expected, atol=1e-9)


def test_the_mask_takes_every_tone_at_every_brightness() -> None:
    """A filter that dropped dark or dim skin would be a bias of its own."""
    tones = np.array([list(colour) for colour in MONK], dtype=np.float64)
    for gain in (0.6, 0.8, 1.0):
        bright = np.round(tones * gain).astype(np.uint8)
        assert is_skin(bright)[bright.max(1) >= 20].all()
    others = [(90, 90, 90), (30, 90, 200), (40, 160, 60), (255, 253, 254)]
    assert not is_skin(np.array(others, np.uint8)).any()


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_hue_and_saturation_are_those_of_hsv(colour: tuple[int, int, int]) -> None:
    hue, saturation, _ = colorsys.rgb_to_hsv(*(channel / 255 for channel in colour))
    degrees = (hue * 360 + 180) % 360 - 180
    bounds = [degrees + 15, degrees - 50, saturation - 0.05, saturation - 0.8]
    if np.abs(bounds).min() > 1e-9:
        inside = -15 <= degrees <= 50 and 0.05 <= saturation <= 0.8
        assert is_skin(np.array(colour, np.uint8)) == (inside and max(colour) >= 20 and min(colour) <= 252)


def test_pictures_without_skin_abstain(classifier: SkinTone) -> None:
    """Of grey pictures nothing can be said, however light they are."""
    grey = np.repeat(np.random.default_rng(0).integers(0, 256, (50, 50, 1), dtype=np.uint8), 3, axis=2)
    reading = classifier.read([grey, face((20, 90, 200)), face(MONK[4]), face((0, 0, 0))])
    assert np.isnan(reading.probabilities["monk"]).all(1).tolist() == [True, True, False, True]
    assert np.isnan(reading.features).any(1).tolist() == [True, True, False, True]


def test_what_surrounds_the_middle_does_not_matter(classifier: SkinTone) -> None:
    plain, framed = face(MONK[5], 100, 100), face((10, 200, 30), 100, 100)
    framed[15:85, 15:85] = plain[15:85, 15:85]
    a, b = classifier.read([plain, framed]).probabilities["monk"]
    np.testing.assert_array_equal(a, b)


def test_eyes_and_highlights_leave_the_median_alone(classifier: SkinTone) -> None:
    picture = face(MONK[4], 120, 120)
    expected = classifier.read([picture]).features[0]
    for row, column in itertools.product(range(30, 90, 20), repeat=2):
        picture[row : row + 6, column : column + 6] = 255 if (row + column) % 40 else 0
    np.testing.assert_allclose(classifier.read([picture]).features[0], expected, atol=0.5)


def test_a_face_is_read_the_same_in_any_company_size_and_mirror(classifier: SkinTone) -> None:
    rng = np.random.default_rng(1)
    blobs = np.kron(rng.integers(120, 180, (7, 7, 1)), np.ones((16, 16, 1))) + np.array([40, 0, -30])
    picture = blobs.astype(np.uint8)
    first = classifier.read([picture]).probabilities
    second = classifier.read([face(MONK[0]), picture, picture[:, ::-1]]).probabilities
    for name, values in classifier.values.items():
        assert values == ATTRIBUTES[name].values
        np.testing.assert_array_equal(first[name][0], second[name][1])
        assert second[name].sum(1) == pytest.approx(1)
    np.testing.assert_allclose(second["skin_type"][1], second["skin_type"][2], atol=0.2)
    for shape in ((1, 1), (3, 500), (2000, 1500)):
        assert np.isfinite(classifier.read([face(MONK[6], *shape)]).features).all()


@pytest.mark.parametrize("option", ["weights", "outputs"])
def test_files_that_it_has_no_use_for_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match=f"skin-tone takes no --{option}"):
        load(ClassifierRequest(torch.device("cpu"), **{option: Path("file")}))


def test_it_reads_darker_skin_as_darker_on_photographs(classifier: SkinTone, test_data) -> None:
    """Not a measure of its accuracy: medians over many photographs, where light evens out."""
    import pandas as pd
    from PIL import Image

    table = pd.read_csv(test_data / "fairface224" / "labels.csv").groupby("race").head(60)
    pictures = [np.asarray(Image.open(test_data / "fairface224" / file)) for file in table["file"]]
    angles = pd.Series(classifier.read(pictures).features[:, 3], index=table["race"]).groupby("race").median()
    assert angles["Black"] == angles.min()
    assert angles["Black"] < angles["Indian"] - 10
    assert angles["Indian"] < angles["White"] - 10
