"""Several attributes together, taken as independent given the picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from torch import Tensor

from fairaudit.attributes import Attribute


def names_of(attribute: Attribute) -> tuple[str, ...]:
    """The name of the attribute, or of those that it joins."""
    return tuple(part.name for part in attribute.parts) or (attribute.name,)


def independent(parts: Sequence[Tensor]) -> Tensor:
    """Log-probabilities (n, K1 K2 ...) of combinations, in the order of `join`, from those of the parts."""
    return reduce(lambda left, right: (left[:, :, None] + right[:, None, :]).flatten(1), parts)
