"""What a network is told beside the noisy latents and the time."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields
from typing import Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Embedding:
    """The condition of one image, or of n images with a leading dimension n.

    Parameters
    ----------
    tokens
        (length, width), the hidden states of a text; (classes,), the weight of every class, for
        class-conditional models; (0,) for unconditional ones.
    pooled
        (width,), the whole text in one vector, where a model takes one.
    emphasis
        (length,), factors on the cross-attention to every token; None is 1 everywhere.
    end
        (), int64: the position of the first end-of-text token in `tokens`, where there is one.
    """

    tokens: Tensor
    pooled: Tensor | None = None
    emphasis: Tensor | None = None
    end: Tensor | None = None

    @property
    def kind(self) -> tuple[str, ...]:
        """The parts that are there; only embeddings of one kind go into one network call."""
        return tuple(field.name for field in fields(self) if getattr(self, field.name) is not None)

    def rows(self, start: int, stop: int) -> Embedding:
        """Images `start` to `stop` of a stack."""
        return Embedding(**{name: getattr(self, name)[start:stop] for name in self.kind})


def stack(embeddings: Sequence[Embedding]) -> Embedding:
    """Embeddings of single images, all of one kind, as one of n images."""
    return Embedding(
        **{name: torch.stack([getattr(one, name) for one in embeddings]) for name in embeddings[0].kind}
    )


def weighted_sum(embeddings: Sequence[Embedding], weights: Sequence[float]) -> Embedding:
    """The weighted sum of embeddings, part by part; emphasis and end are those of the first."""

    def total(name: str) -> Tensor:
        parts = [weight * getattr(one, name) for one, weight in zip(embeddings, weights, strict=True)]
        return torch.stack(parts).sum(0)

    first = embeddings[0]
    pooled = None if first.pooled is None else total("pooled")
    return Embedding(total("tokens"), pooled, first.emphasis, first.end)


Encode = Callable[[str], Embedding]
"""A generator's text encoder: one text to its embedding."""


class Derived(Hashable, Protocol):
    """A condition that no text gives: it makes its embedding from those of texts. Equal ones are cached."""

    def embed(self, encode: Encode) -> Embedding:
        """The embedding of one image."""


Query = str | Derived
"""What the network is asked about for one image: a text, or something derived from texts."""

Condition = tuple[Query, ...]
"""One query per image."""
