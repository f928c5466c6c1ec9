"""`skin-tone`: how light a face is pictured, by the colour of its skin pixels and no network.

Where skin is: in the ellipse in the middle of the face (`CENTRE` of its width and height; around it are hair
and background), pixels with the hue and saturation of skin of every tone, neither black nor blown out. Both
do not hang on brightness; the usual box of Cb and Cr does, and takes dark skin for no skin.

What is said: the ellipse is divided into patches, and each has the median CIELAB colour (D65) of its skin.
The individual typology angle of a colour is ITA = atan2(L* - 50, b*) in degrees (Chardon, Cretois & Hourseau
1991, International Journal of Cosmetic Science 13:191-208): very light above 55, light above 41, intermediate
above 28, tan above 10, brown above -30, else dark. Its Monk value is the nearest in CIELAB of the ten colours
of the Monk Skin Tone scale (Monk 2019). The face has the median of its patches.

How sure that is: the probability of a value is that of the median of as many patches drawn with replacement
(the bootstrap, in closed form, nothing is drawn). It tells how evenly this picture shows skin, not how sure
anyone may be of the person. Light, exposure and white balance move the angle as much as skin does, and
nothing here can tell them apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise, product

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.special import betainc

from fairaudit.attributes import ATTRIBUTES
from fairaudit.cards import Card, described
from fairaudit.faces import Crop
from fairaudit.labelling import Calibration, ClassifierRequest, Reading
from fairaudit.networks import refuse

Floats = NDArray[np.float64]

CENTRE = 0.7
SIDE = 64
"""Pixels on the longer side at which skin is looked at; larger pictures are averaged down."""
PATCHES = 6
"""Patches on a side of the square around the ellipse."""
FEWEST = 0.1
"""Part of the ellipse that must be skin; below it nothing is said. The same part of a patch counts it in."""

HUES = (-15.0, 50.0)
"""Degrees (HSV), wider than the 0 to 50 of Sobottka & Pitas 1998: flushed skin is redder."""
SATURATIONS = (0.05, 0.8)
"""HSV; grey is no skin, and the lightest Monk colour has 0.07."""
BRIGHTNESS = (20, 252)
"""The largest channel is at least the first, the smallest at most the second."""

ITA_BOUNDS = (55.0, 41.0, 28.0, 10.0, -30.0)
MONK_COLOURS = (
    "f6ede4", "f3e7db", "f7ead0", "eadaba", "d7bd96", "a07e56", "825c43", "604134", "3a312a", "292420",
)  # fmt: skip

_WHITE = (0.95047, 1.0, 1.08883)
_TO_XYZ = np.array(
    [
        (0.4124564, 0.3575761, 0.1804375),
        (0.2126729, 0.7151522, 0.0721750),
        (0.0193339, 0.1191920, 0.9503041),
    ]
)


def lab(colours: NDArray[np.uint8]) -> Floats:
    """CIELAB (..., 3) under D65 of sRGB colours (..., 3) (IEC 61966-2-1, CIE 15)."""
    encoded = colours.astype(np.float64) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    ratio = linear @ _TO_XYZ.T / _WHITE
    root = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


_MONK = lab(np.array([list(bytes.fromhex(colour)) for colour in MONK_COLOURS], dtype=np.uint8))


def typology_angle(colours: Floats) -> Floats:
    """ITA (...) in degrees of CIELAB colours (..., 3)."""
    return np.asarray(np.degrees(np.arctan2(colours[..., 0] - 50, colours[..., 2])))


def skin_type(angles: Floats) -> NDArray[np.int64]:
    """The place of angles (...) among the six types, from very light to dark; bounds are the darker's."""
    return np.asarray((angles[..., None] <= ITA_BOUNDS).sum(-1))


def monk_value(colours: Floats) -> NDArray[np.int64]:
    """The place of CIELAB colours (..., 3) on the Monk scale, from 0 to 9, by Euclidean distance."""
    return np.asarray(np.linalg.norm(colours[..., None, :] - _MONK, axis=-1).argmin(-1))


def is_skin(colours: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which sRGB colours (..., 3) can be skin; scaling all channels alike changes nothing but rounding."""
    red, green, blue = np.moveaxis(colours.astype(np.float64), -1, 0)
    high, low = colours.max(-1).astype(np.float64), colours.min(-1).astype(np.float64)
    spread = np.maximum(high - low, 1e-9)
    # Skin is red before all; other colours have hues far off.
    hue = np.where(red >= high, 60 * (green - blue) / spread, 180)
    saturation = (high - low) / np.maximum(high, 1)
    coloured = (hue >= HUES[0]) & (hue <= HUES[1])
    coloured &= (saturation >= SATURATIONS[0]) & (saturation <= SATURATIONS[1])
    return np.asarray(coloured & (high >= BRIGHTNESS[0]) & (low <= BRIGHTNESS[1]))


def patch_colours(face: NDArray[np.uint8]) -> Floats:
    """Median CIELAB colour (n, 3) of every patch of a face (h, w, 3) with skin; none of a face without."""
    middle = _middle(face)
    y, x = ((np.arange(length) + 0.5) / length * 2 - 1 for length in middle.shape[:2])
    inside = y[:, None] ** 2 + x**2 <= 1
    skin = inside & is_skin(middle)
    if skin.sum() < FEWEST * inside.sum():
        return np.empty((0, 3))
    colours = lab(middle)
    found = []
    for here in _patches(*skin.shape):
        chosen = colours[here][skin[here]]
        if len(chosen) and len(chosen) >= FEWEST * inside[here].sum():
            found.append(np.median(chosen, axis=0))
    return np.array(found)


def _patches(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    rows, columns = (
        [slice(*ends) for ends in pairwise(np.arange(PATCHES + 1) * length // PATCHES)]
        for length in (height, width)
    )
    return product(rows, columns)


def median_odds(places: NDArray[np.int64], count: int) -> Floats:
    """Probability (count,) that the median of n places drawn with replacement from these n is each place.

    The median is at most k exactly if more than half of the draws are: a binomial tail. With even n it is
    the lower or the upper median, by chances of a half.
    """
    n = len(places)
    below = np.bincount(places, minlength=count).cumsum() / n
    middles = ((n + 1) // 2, n // 2 + 1)
    reached = np.mean([betainc(needed, n - needed + 1, below) for needed in middles], axis=0)
    return np.diff(reached, prepend=0.0)


class SkinTone:
    """The typology angle and the Monk value of a face's skin; its features are L*, a*, b* and the angle.

    A face without enough skin has no label and features of NaN.
    """

    name = "skin-tone"
    crop = Crop(margin=0.0)
    preprocessing = f"skin of the middle ellipse, at {SIDE} pixels"
    values: Mapping[str, tuple[str, ...]] = {name: ATTRIBUTES[name].values for name in ("skin_type", "monk")}
    caveats = (
        "Skin tone is read from colours: light, exposure, white balance and make-up move it as much as skin "
        "does. It describes the picture, not the person.",
    )

    def read(self, images: Sequence[NDArray[np.uint8]]) -> Reading:
        """Probabilities and features of faces (h, w, 3) of any size."""
        found = [patch_colours(image) for image in images]
        features = np.full((len(found), 4), np.nan, dtype=np.float32)
        probabilities = {
            name: np.full((len(found), len(values)), np.nan, dtype=np.float32)
            for name, values in self.values.items()
        }
        for row, colours in enumerate(found):
            if len(colours):
                middle, angles = np.median(colours, axis=0), typology_angle(colours)
                features[row] = (*middle, np.median(angles))
                probabilities["skin_type"][row] = median_odds(skin_type(angles), len(ITA_BOUNDS) + 1)
                probabilities["monk"][row] = median_odds(monk_value(colours), len(MONK_COLOURS))
        return Reading(probabilities, features)

    def calibration(self, attribute: str) -> Calibration | None:
        """None: of nobody in a picture the true skin tone is known."""
        return None

    def fingerprint(self) -> Mapping[str, str]:
        """No weights."""
        return {}


def _middle(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of a picture, at `SIDE` pixels or less; small ones keep their pixels."""
    height, width = image.shape[:2]
    high, wide = (max(1, round(length * CENTRE)) for length in (height, width))
    top, left = (height - high) // 2, (width - wide) // 2
    middle = np.ascontiguousarray(image[top : top + high, left : left + wide])
    if max(high, wide) <= SIDE:
        return middle
    shown = Image.fromarray(middle)
    shown.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(shown)


@described(Card("skin_type, monk", "Apache-2.0", "none", get="none needed"))
def load(request: ClassifierRequest) -> SkinTone:
    """Skin tone by CIELAB typology angle and Monk scale, without a network; hangs on the lighting."""
    for option in ("weights", "outputs"):
        refuse(SkinTone.name, option, getattr(request, option), "it is no network")
    return SkinTone()
