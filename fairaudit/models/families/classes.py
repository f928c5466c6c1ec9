"""Conditions that are classes, named by texts."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fairaudit.embedding import Embedding
from fairaudit.errors import UsageError, unknown

_NUMBER = re.compile(r"(?:class )?(\d+)")


@dataclass(frozen=True)
class Classes:
    """The classes of a model.

    A prompt whose template is only the slot, `{attribute}`, asks for the class with the name of the
    value's word ("female"); without the word it is the empty text.

    Parameters
    ----------
    names
        Name to number, where classes have names.
    count
        How many there are, without the null class.
    null
        The number that stands for no class, where the model was trained with one.
    """

    names: Mapping[str, int]
    count: int
    null: int | None

    def number(self, text: str) -> int:
        """The class that a text asks for: its name, `207`, `class 207`, or nothing.

        Raises
        ------
        UsageError
            If there is no such class.
        """
        if text in self.names:
            return self.names[text]
        if not text:
            if self.null is None:
                raise UsageError(
                    "this model has no class for the empty prompt; name a class in every prompt, "
                    "and use --guidance-scale 1"
                )
            return self.null
        found = _NUMBER.fullmatch(text)
        if found and int(found[1]) < self.count:
            return int(found[1])
        if self.names:
            raise unknown("class", text, self.names)
        raise UsageError(f"this model's classes are 0 to {self.count - 1}, not {text!r}")

    def embed(self, text: str, dtype: torch.dtype, device: torch.device) -> Embedding:
        """The weights (classes,) of all classes, the null class included: 1 for the one asked for."""
        weights = torch.zeros(self.count + (self.null is not None), dtype=dtype, device=device)
        weights[self.number(text)] = 1
        return Embedding(weights)


class SoftLookup(torch.nn.Module):
    """A table of class embeddings that also takes weights of classes, so that classes can be mixed.

    One-hot weights give a row of the table exactly: all other products are zeros.
    """

    def __init__(self, table: torch.nn.Embedding) -> None:
        super().__init__()
        self.weight = table.weight

    def forward(self, weights: Tensor) -> Tensor:
        """The embeddings (n, width) of weights (n, classes)."""
        return weights.to(self.weight.dtype) @ self.weight
