"""Mixing: the average of all values at every step, the baseline that attribute switching is against."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from fairaudit.embedding import Condition, Embedding, Encode, weighted_sum
from fairaudit.needs import Need
from fairaudit.sampling import Assignment, Request, Step, guided, no_assignment, with_empty


@dataclass(frozen=True)
class Mixture:
    """The weighted average of the embeddings of several texts."""

    texts: tuple[str, ...]
    weights: tuple[float, ...]

    def embed(self, encode: Encode) -> Embedding:
        """The average of one image."""
        return weighted_sum([encode(text) for text in self.texts], self.weights)


@dataclass(frozen=True)
class Mixing:
    """The mixing baseline of Choi et al. (AAAI 2024, arXiv 2401.03140), for any number of values.

    Every image is made under all values of the attribute at once, each with its share of the target
    (one half each in the paper). It aims at no value; what comes out lies between the values, or at
    one of them, as the model has it.

    Parameters
    ----------
    of
        What is averaged: the ``embedding`` of the prompts with a value, at the cost of the baseline,
        or the network's output (``noise``) under each of them, which costs one evaluation per value.
    """

    of: Literal["embedding", "noise"] = "embedding"
    name: str = "mixing"

    needs: ClassVar[frozenset[Need]] = frozenset({Need.VALUES})

    def __post_init__(self) -> None:
        if self.of not in ("embedding", "noise"):
            raise ValueError(f"of is embedding or noise, not {self.of!r}")

    def assign(self, request: Request) -> Assignment:
        """No value is aimed at."""
        return no_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text, and the mixture or the prompt with each value."""
        request, count = step.request, len(step.request.indices)
        mixture = _mixture(request)
        if self.of == "embedding":
            return with_empty(request, (mixture,) * count)
        return with_empty(request, *((text,) * count for text in mixture.texts))

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance towards the mixture."""
        if self.of == "embedding":
            return guided(outputs, step.request)
        weights = _mixture(step.request).weights
        empty, values = outputs[: -len(weights)], outputs[-len(weights) :]
        return guided((*empty, _average(values, weights)), step.request)

    def signature(self, step: Step) -> Hashable:
        """The same at every step."""
        return self.of, _mixture(step.request)


def _mixture(request: Request) -> Mixture:
    """The prompt with every value that has a share of the target."""
    shares = {value: request.target[value] for value in request.attribute.values if request.target[value]}
    texts = tuple(request.prompt.with_value(request.attribute, value) for value in shares)
    return Mixture(texts, tuple(shares.values()))


def _average(outputs: tuple[Tensor, ...], weights: tuple[float, ...]) -> Tensor:
    return torch.stack([weight * one for weight, one in zip(weights, outputs, strict=True)]).sum(0)
