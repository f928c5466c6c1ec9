"""The generator `analytic:gmm`: small pictures from a Gaussian mixture whose shares are known exactly.

``load(device, dtype)`` gives the denoiser, ``truth()`` the exact shares, ``fingerprint()`` its digest.
The classifier of the same name reads the pictures back.

A picture has 8 x 8 coloured cells, and 126 components: gender x race x age, each value a pattern in a
part of the picture of its own, plus independent noise in every cell. The tint of the upper quarter is the
race, the upright or lying bar in the middle the gender, the number of bright columns below the age.
The patterns stand for words and depict nobody, and all shares are invented: an oracle needs numbers that are
known, not numbers that are so anywhere.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from itertools import product

import torch
from torch import Tensor

from fairaudit.attributes import ATTRIBUTES
from fairaudit.models.gaussian import GaussianModel
from fairaudit.models.meanings import Meanings
from fairaudit.models.mixtures import make_mixture
from fairaudit.prompts import PROMPT_SETS, Prompt

NAME = "analytic:gmm"
SHAPE = (3, 8, 8)
ZOOM = 4
"""Pixels of a cell's side."""

SPREAD = 0.18
"""Standard deviation of every cell and channel. The patterns of the genders are 13.6 of it apart, those of
neighbouring races 8.7 and ages 4.9: the best classifier confuses an age 7 to 14 times in a thousand, the
others never in a million pictures."""

ASKED = (ATTRIBUTES["gender"], ATTRIBUTES["race"], ATTRIBUTES["age"])
CELLS = tuple(product(*(attribute.values for attribute in ASKED)))
"""The values of every component."""

RACES = ((0.46, 0.12, 0.08, 0.06, 0.08, 0.08, 0.12), (0.16, 0.18, 0.14, 0.12, 0.16, 0.12, 0.12))
AGES = (
    (0.02, 0.03, 0.10, 0.35, 0.24, 0.12, 0.08, 0.04, 0.02),
    (0.02, 0.03, 0.02, 0.08, 0.18, 0.28, 0.22, 0.12, 0.05),
)
"""Two distributions each, from which every occupation has its own mixture."""

OCCUPATIONS = {
    "carpenter": (0.04, 0.8, 0.5, 0.4), "engineer": (0.15, 0.6, 0.7, 0.5),
    "architect": (0.28, 0.9, 0.7, 0.3), "janitor": (0.35, 0.2, 0.4, 0.4),
    "doctor": (0.40, 0.6, 0.8, 0.4), "cashier": (0.72, 0.3, 0.7, 0.8),
    "nurse": (0.88, 0.5, 0.5, 0.6), "secretary": (0.93, 0.7, 0.3, 0.4),
}  # fmt: skip
"""Share of women; of the first of `RACES`; of the first of `AGES` among women, and among men."""


def load(device: torch.device, dtype: torch.dtype) -> GaussianModel:
    """The denoiser, with the cosine schedule."""
    weights = torch.full((len(CELLS),), 1 / len(CELLS))
    mixture = make_mixture(_means(), torch.full((len(CELLS),), SPREAD**2), weights)
    return GaussianModel(mixture, meanings(), SHAPE, device=device, dtype=dtype, zoom=ZOOM)


def meanings() -> Meanings:
    """What texts say about the components."""
    return Meanings(ASKED, CELLS, {name: _prior(*shares) for name, shares in OCCUPATIONS.items()})


def truth() -> dict[str, dict[str, dict[str, float]]]:
    """Exact share of every value of gender, race and age, by occupation.

    The occupations of the prompt sets that the mixture does not know have the mean over those it knows,
    as has every text without one.
    """
    said = meanings()
    prompts = [Prompt(template).text for templates in PROMPT_SETS.values() for template in templates]
    occupations = dict.fromkeys([*OCCUPATIONS, *(prompt.split()[-1] for prompt in prompts)])
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name in occupations:
        weights = said.weights(name)
        found[name] = {
            attribute.name: dict(
                zip(attribute.values, (said.members(attribute).double() @ weights).tolist(), strict=True)
            )
            for attribute in ASKED
        }
    return found


def fingerprint() -> Mapping[str, str]:
    """sha256 of the patterns, the noise and the shares."""
    content = {
        "means": [round(number, 9) for number in _means().flatten().tolist()],
        "spread": SPREAD,
        "races": RACES,
        "ages": AGES,
        "occupations": OCCUPATIONS,
    }
    return {NAME: hashlib.sha256(json.dumps(content).encode()).hexdigest()}


def _prior(women: float, first_races: float, young_women: float, young_men: float) -> list[float]:
    """P(gender) P(race) P(age | gender) of every component, in the order of `CELLS`."""
    races = _between(RACES, first_races)
    ages = ((women, _between(AGES, young_women)), (1 - women, _between(AGES, young_men)))
    return [share * race * age for share, of_gender in ages for race in races for age in of_gender]


def _between(two: tuple[tuple[float, ...], ...], share: float) -> list[float]:
    return [share * first + (1 - share) * second for first, second in zip(*two, strict=True)]


def _means() -> Tensor:
    """The patterns (126, 192) of all components: the sum of those of their values."""
    _, race, age = (attribute.values for attribute in ASKED)
    means = torch.zeros(len(CELLS), *SHAPE, dtype=torch.float64)
    for mean, (g, r, a) in zip(means, CELLS, strict=True):
        mean[:, :2] += _tint(race.index(r))[:, None, None]
        upright = (slice(2, 6), slice(3, 5)) if g == "female" else (slice(3, 5), slice(2, 6))
        mean[:, *upright] += 0.5
        mean[:, 6:] -= 0.18
        mean[:, 6:, : age.index(a)] += 0.36
    return means.flatten(1)


def _tint(number: int) -> Tensor:
    """One of seven colours (3,) of equal lightness on a circle around grey."""
    turn = 2 * math.pi * number / 7
    across = torch.tensor([1.0, -1.0, 0.0], dtype=torch.float64) / math.sqrt(2)
    along = torch.tensor([1.0, 1.0, -2.0], dtype=torch.float64) / math.sqrt(6)
    return 0.45 * (math.cos(turn) * across + math.sin(turn) * along)
