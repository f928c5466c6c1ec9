"""Attributes, their declared values, and the distribution over values that counts as fair."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from fairaudit.errors import UsageError, unknown


@dataclass(frozen=True)
class Attribute:
    """A perceived attribute with its declared support.

    Parameters
    ----------
    name
        For example ``gender``.
    words
        Value to the adjective that asks for it in a prompt, for example ``{"female": "female"}``.
        The order of the values is the order of every count, share and confusion matrix.
    parts
        The attributes that this one joins, if it joins several.
    """

    name: str
    words: Mapping[str, str]
    parts: tuple[Attribute, ...] = ()

    @property
    def values(self) -> tuple[str, ...]:
        """The declared values, in order."""
        return tuple(self.words)

    def concept(self, value: str) -> str:
        """The phrase that names the value alone, as guidance edits need it (``female person``)."""
        return f"{self.words[value]} person"

    def split(self, value: str) -> tuple[str, ...]:
        """The values of the parts, of a value of attributes that are joined."""
        return tuple(value.split(BETWEEN)) if self.parts else (value,)


BETWEEN = " | "
"""What joins the values of several attributes: `female | White`."""

_ORDER = ("age", "skin_type", "monk", "race", "gender")
"""The order of English adjectives; what is not built in comes before them."""


def join(attributes: Sequence[Attribute]) -> Attribute:
    """Several attributes as one, whose values are all their combinations.

    Examples
    --------
    >>> both = join([ATTRIBUTES["gender"], ATTRIBUTES["race"]])
    >>> both.name, both.values[0], both.words["female | White"]
    ('gender x race', 'female | White', 'white female')
    """
    if len(attributes) == 1:
        return attributes[0]
    spoken = sorted(
        range(len(attributes)),
        key=lambda part: _ORDER.index(attributes[part].name) if attributes[part].name in _ORDER else -1,
    )
    words = {
        BETWEEN.join(values): " ".join(attributes[part].words[values[part]] for part in spoken)
        for values in product(*(attribute.values for attribute in attributes))
    }
    return Attribute(" x ".join(attribute.name for attribute in attributes), words, tuple(attributes))


_WORDS = {
    "gender": {"female": "female", "male": "male"},
    "race": {
        "White": "white", "Black": "black", "East Asian": "east asian",
        "Southeast Asian": "southeast asian", "Indian": "indian",
        "Middle Eastern": "middle eastern", "Latino_Hispanic": "latino",
    },
    "age": {
        "0-2": "baby", "3-9": "child", "10-19": "teenage", "20-29": "young", "30-39": "adult",
        "40-49": "middle-aged", "50-59": "mature", "60-69": "senior", "more than 70": "elderly",
    },
    "skin_type": {
        "very light": "very light-skinned", "light": "light-skinned", "intermediate": "medium-skinned",
        "tan": "tan-skinned", "brown": "brown-skinned", "dark": "dark-skinned",
    },
    "monk": {
        "Monk 1": "porcelain-skinned", "Monk 2": "very fair-skinned", "Monk 3": "fair-skinned",
        "Monk 4": "light-skinned", "Monk 5": "beige-skinned", "Monk 6": "tan-skinned",
        "Monk 7": "brown-skinned", "Monk 8": "dark brown-skinned", "Monk 9": "dark-skinned",
        "Monk 10": "very dark-skinned",
    },
}  # fmt: skip

ATTRIBUTES: Mapping[str, Attribute] = {name: Attribute(name, words) for name, words in _WORDS.items()}
"""The built-in attributes; gender, race and age as in FairFace (Karkkainen & Joo, WACV 2021), skin types as
in Chardon et al. 1991, Monk values as on the Monk Skin Tone scale (Monk 2019)."""


def get_attribute(name: str) -> Attribute:
    """The built-in attribute of that name, or `UsageError` with the near matches."""
    if name not in ATTRIBUTES:
        raise unknown("attribute", name, ATTRIBUTES)
    return ATTRIBUTES[name]


def target_shares(attribute: Attribute, target: str | Mapping[str, float]) -> NDArray[np.float64]:
    """The fair share of every value, in the attribute's order.

    Parameters
    ----------
    target
        ``"uniform"``, or a mapping that gives a share to every declared value.

    Raises
    ------
    UsageError
        If the mapping misses a value, names another, or does not sum to 1.
    """
    if isinstance(target, str):
        if target != "uniform":
            raise unknown("target", target, ["uniform"])
        return np.full(len(attribute.values), 1 / len(attribute.values))
    if set(target) != set(attribute.values):
        raise UsageError(
            f"the target of {attribute.name} must give a share to exactly {', '.join(attribute.values)}"
        )
    shares = np.array([target[value] for value in attribute.values], dtype=np.float64)
    if not (shares >= 0).all() or not abs(shares.sum() - 1) <= 1e-6:
        raise UsageError(f"the target of {attribute.name} must be shares of at least 0 that sum to 1")
    return shares
