"""Fair Diffusion: semantic guidance towards an assigned value and away from the others."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from pydantic import BeforeValidator
from torch import Tensor

from fairaudit.editing import begun, with_momentum
from fairaudit.embedding import Condition
from fairaudit.needs import Need
from fairaudit.sampling import Assignment, Request, Step, balanced_assignment, classifier_free, turned

TOWARDS, AWAY = 0, 1
"""The roles of a concept; the index of its own number where a parameter has two."""


def _numbers(value: object) -> object:
    return value.split(",") if isinstance(value, str) and "," in value else value


Each = Annotated[float | tuple[float, float], BeforeValidator(_numbers)]
"""A number for all concepts, or two (``6,4``): for the attracted one and for those pushed away."""


@dataclass(frozen=True)
class Guidance:
    """Fair Diffusion (Friedrich et al. 2023, arXiv 2302.10893), an edit by SEGA (arXiv 2301.12247).

    Each image is assigned a value. SEGA adds to classifier-free guidance an edit towards the
    concept of that value ("female person") and away from the concepts of the others, at the
    latent positions where the edit is strongest. Costs 2 + K evaluations a step. Of several
    attributes together each has its own concepts, and their edits are added.

    Parameters
    ----------
    scale
        s_c, the strength of each edit.
    threshold
        lambda, the quantile of |edit| per image and channel below which it is dropped, in [0, 1].
    warm_up, cool_down
        Fractions of the steps at which an edit begins (5 of 50 steps in the paper) and ends (never).
        While only some concepts are warm, theirs are averaged by weight and have no momentum.
    weight
        w_c, the weight of each edit in their sum. The K - 1 other values share theirs, so that the
        push is as strong as with two values.
    momentum, beta
        s_m and beta_m of the momentum, which gathers during the warm-up too.
    push_away
        Whether the other values are pushed away, as in the paper; without it K - 1 evaluations less.

    Notes
    -----
    The defaults are those of the paper's experiment, which has two values. The paper tosses a fair
    coin per image; here the assignment is balanced, which removes the coin's variance from the
    shares. Where all warm concepts have cooled down and others are not warm yet, the published code
    divides zero by zero; here the edit is zero.
    """

    scale: Each = 4.0
    threshold: Each = 0.95
    warm_up: Each = 0.1
    cool_down: Each = 1.0
    weight: Each = 1.0
    momentum: float = 0.5
    beta: float = 0.6
    push_away: bool = True
    name: str = "guidance"

    needs: ClassVar[frozenset[Need]] = frozenset({Need.TEXT, Need.EMPTY, Need.SPATIAL})

    def __post_init__(self) -> None:
        for parameter in ("scale", "momentum"):
            if not all(math.isfinite(number) for number in _both(getattr(self, parameter))):
                raise ValueError(f"{parameter} is a finite number, not {getattr(self, parameter)}")
        if not all(math.isfinite(weight) and weight >= 0 for weight in _both(self.weight)):
            raise ValueError(f"weight is at least 0, not {self.weight}")
        for parameter in ("threshold", "warm_up", "cool_down", "beta"):
            if not all(0 <= number <= 1 for number in _both(getattr(self, parameter))):
                raise ValueError(f"{parameter} lies in [0, 1], not {getattr(self, parameter)}")

    def assign(self, request: Request) -> Assignment:
        """The value each image is drawn to, balanced."""
        return balanced_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text, the prompt, and the concepts: of each attribute the assigned one first."""
        concepts = (concept for _, _, concept in self._concepts(step))
        return step.request.empty, step.request.neutral, *concepts

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance, and after the warm-up the edit gamma."""
        empty, prompt, *concepts = outputs
        guided = classifier_free(empty, prompt, step.request.guidance_scale)
        roles, shares, _ = zip(*self._concepts(step), strict=True)
        edits = [self._edit(one - empty, role) for one, role in zip(concepts, roles, strict=True)]
        weights = [
            0.0 if self._cool(role, step) else _both(self.weight)[role] * share
            for role, share in zip(roles, shares, strict=True)
        ]
        warm = [self._warm(role, step) for role in roles]
        gamma = with_momentum(_sum(weights, edits), step, self.momentum, self.beta)
        if all(warm):
            return guided + gamma
        weights = [weight * begins for weight, begins in zip(weights, warm, strict=True)]
        total = sum(weights)
        return guided + _sum([weight / total for weight in weights], edits) if total else guided

    def signature(self, step: Step) -> Hashable:
        """The baseline's until the edit begins, and what shapes the edit from then on."""
        warm = tuple(self._warm(role, step) for role in (TOWARDS, AWAY))
        if not any(warm):
            return step.request.neutral
        # When a concept cooled down is in the momentum for good.
        cooled = tuple(self._cool(role, step) and self.cool_down for role in (TOWARDS, AWAY))
        shape = (self.scale, self.threshold, self.weight, self.momentum, self.beta, self.push_away)
        return Guidance, step.assignment, warm, cooled, shape

    def _concepts(self, step: Step) -> list[tuple[int, float, Condition]]:
        """Role and share of the weight of every concept, and the concept for each image."""
        attribute = step.request.attribute
        values = [attribute.split(value) for value in step.assignment if value is not None]
        return [
            (
                TOWARDS if turn == 0 else AWAY,
                1.0 if turn == 0 else 1 / (len(part.values) - 1),
                tuple(part.concept(turned(own[number], part.values, turn)) for own in values),
            )
            for number, part in enumerate(attribute.parts or (attribute,))
            for turn in range(len(part.values) if self.push_away else 1)
        ]

    def _warm(self, role: int, step: Step) -> bool:
        return begun(step, _both(self.warm_up)[role])

    def _cool(self, role: int, step: Step) -> bool:
        return begun(step, _both(self.cool_down)[role])

    def _edit(self, difference: Tensor, role: int) -> Tensor:
        """s_c (eps_c - eps_u), signed, where its size reaches the quantile of its image and channel."""
        scale = _both(self.scale)[role]
        edit = difference * (scale if role == TOWARDS else -scale)
        size = edit.abs()
        floor = size.flatten(2).float().quantile(_both(self.threshold)[role], dim=2).to(size.dtype)
        return torch.where(size >= floor[..., None, None], edit, 0.0)


def _both(value: float | tuple[float, float]) -> tuple[float, float]:
    """The numbers of the two roles."""
    return value if isinstance(value, tuple) else (value, value)


def _sum(weights: list[float], edits: list[Tensor]) -> Tensor:
    return torch.stack([weight * edit for weight, edit in zip(weights, edits, strict=True)]).sum(0)
