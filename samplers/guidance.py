"""Fair Diffusion: semantic guidance towards an assigned value and away from the others."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairaudit.embedding import Condition
from fairaudit.needs import Need
from fairaudit.sampling import Assignment, Request, Step, balanced_assignment, classifier_free


@dataclass(frozen=True)
class Guidance:
    """Fair Diffusion (Friedrich et al. 2023, arXiv 2302.10893), an edit by SEGA (arXiv 2301.12247).

    Each image is assigned a value. SEGA adds to classifier-free guidance an edit towards the
    concept of that value ("female person") and away from the concepts of the others, at the
    latent positions where the edit is strongest. Costs 2 + K evaluations a step.

    Parameters
    ----------
    scale
        s_c, the strength of each edit.
    threshold
        lambda, the quantile of |edit| per image and channel below which it is dropped, in [0, 1).
    warm_up
        Fraction of the steps before the edit begins (5 of 50 steps in the paper).
    momentum, beta
        s_m and beta_m of the momentum, which gathers during the warm-up too.

    Notes
    -----
    The defaults are those of the paper's experiment. The paper tosses a fair coin per image; here
    the assignment is balanced, which removes the coin's variance from the shares.
    """

    scale: float = 4.0
    threshold: float = 0.95
    warm_up: float = 0.1
    momentum: float = 0.5
    beta: float = 0.6
    name: str = "guidance"

    needs: ClassVar[frozenset[Need]] = frozenset({Need.TEXT, Need.EMPTY})

    def __post_init__(self) -> None:
        if not all(math.isfinite(number) for number in (self.scale, self.momentum)):
            raise ValueError("scale and momentum are finite numbers")
        for parameter in ("threshold", "warm_up", "beta"):
            if not 0 <= getattr(self, parameter) <= 1:
                raise ValueError(f"{parameter} lies in [0, 1], not {getattr(self, parameter)}")

    def assign(self, request: Request) -> Assignment:
        """The value each image is drawn to, balanced."""
        return balanced_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text, the prompt, the assigned concept, and each of the other concepts."""
        attribute = step.request.attribute
        count = len(attribute.values)
        assigned = [attribute.values.index(value) for value in step.assignment if value is not None]
        concepts = (
            tuple(attribute.concept(attribute.values[(first + turn) % count]) for first in assigned)
            for turn in range(count)
        )
        return step.request.empty, step.request.neutral, *concepts

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance, and after the warm-up the edit gamma."""
        empty, prompt, towards, *away = outputs
        guided = classifier_free(empty, prompt, step.request.guidance_scale)
        gamma = self._edit(towards, empty) - sum(self._edit(concept, empty) for concept in away)
        nu = step.memory.get("nu", torch.zeros_like(gamma))
        gamma = gamma + self.momentum * nu
        step.memory["nu"] = self.beta * nu + (1 - self.beta) * gamma
        return guided + gamma if self._warm(step) else guided

    def signature(self, step: Step) -> Hashable:
        """The baseline's until the edit begins."""
        if not self._warm(step):
            return step.request.neutral
        return (self, step.assignment)

    def _warm(self, step: Step) -> bool:
        return step.index >= self.warm_up * step.count

    def _edit(self, concept: Tensor, empty: Tensor) -> Tensor:
        """s_c (eps_c - eps_u) where its size reaches the quantile of its image and channel."""
        edit = self.scale * (concept - empty)
        size = edit.abs().flatten(2).float()
        floor = size.quantile(self.threshold, dim=2)[..., None, None]
        return torch.where(edit.abs() >= floor, edit, 0.0)
