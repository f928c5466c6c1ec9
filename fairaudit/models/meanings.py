"""What a text says about the components of a mixture: the rule by which a Gaussian mixture takes prompts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fairaudit.attributes import Attribute
from fairaudit.errors import UsageError, unknown


@dataclass(frozen=True)
class Meanings:
    """Which components belong to which value, and how often each occupation has them.

    Parameters
    ----------
    attributes
        Those that the components differ in.
    cells
        K tuples, the values of every component, one an attribute.
    occupations
        Name of an occupation, in lower case, to the weights (K,) of the components under it; at least one.

    Examples
    --------
    >>> from fairaudit.attributes import ATTRIBUTES
    >>> cells = (("female",), ("male",))
    >>> meanings = Meanings((ATTRIBUTES["gender"],), cells, {"nurse": (0.9, 0.1), "baker": (0.5, 0.5)})
    >>> meanings.weights("a photo of a nurse").tolist()
    [0.9, 0.1]
    >>> meanings.weights("a photo of a female nurse").tolist()
    [1.0, 0.0]
    """

    attributes: tuple[Attribute, ...]
    cells: tuple[tuple[str, ...], ...]
    occupations: Mapping[str, Sequence[float]]

    def weights(self, text: str) -> Tensor:
        """The law (K,) over components that a text asks for.

        The first occupation it names gives the weights; a text without one, such as the empty one,
        has the mean over all occupations. Words of values (`Attribute.words`) then leave only the
        components of these values: of any that is named, where a text names several of one attribute.
        Longer names are found before shorter ones, and whole words only.

        Raises
        ------
        UsageError
            If no component of the occupation has the values asked for.
        """
        occupation = next(iter(_named(self.occupations, text)), None)
        weights = self.neutral if occupation is None else self._prior(occupation)
        weights = weights * self._asked(text)
        if not weights.sum() > 0:
            raise UsageError(f"the mixture has nothing that is {text!r}")
        return weights / weights.sum()

    @property
    def neutral(self) -> Tensor:
        """The mean (K,) over all occupations."""
        return torch.stack([self._prior(name) for name in self.occupations]).mean(0)

    def members(self, attribute: Attribute) -> Tensor:
        """Booleans (values, K): the components of every value of an attribute, or of joined ones.

        Raises
        ------
        UsageError
            If the components do not differ in the attribute.
        """
        masks = [
            torch.stack([self._mask(part.name, value) for part, value in zip(parts, split, strict=True)])
            for parts, split in (
                (attribute.parts or (attribute,), attribute.split(v)) for v in attribute.values
            )
        ]
        return torch.stack([mask.all(0) for mask in masks])

    def _prior(self, occupation: str) -> Tensor:
        prior = torch.tensor(self.occupations[occupation], dtype=torch.float64)
        return prior / prior.sum()

    def _asked(self, text: str) -> Tensor:
        """Booleans (K,): the components that have the values a text names."""
        named = set(_named((word for one in self.attributes for word in one.words.values()), text))
        asked = torch.ones(len(self.cells), dtype=torch.bool)
        for attribute in self.attributes:
            values = [value for value, word in attribute.words.items() if word.lower() in named]
            if values:
                asked &= torch.stack([self._mask(attribute.name, value) for value in values]).any(0)
        return asked

    def _mask(self, name: str, value: str) -> Tensor:
        names = [attribute.name for attribute in self.attributes]
        if name not in names:
            raise unknown("attribute of the mixture", name, names)
        place = names.index(name)
        return torch.tensor([cell[place] == value for cell in self.cells])


def _named(words: Iterable[str], text: str) -> list[str]:
    """Those of the words that a text names, in its order."""
    longest = sorted((word.lower() for word in words), key=len, reverse=True)
    found: list[str] = re.findall(rf"\b(?:{'|'.join(map(re.escape, longest))})\b", text.lower())
    return found
