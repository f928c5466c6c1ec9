"""Classifier-free guidance, what the model does when nobody debiases it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fairaudit.embedding import Condition
from fairaudit.needs import Need
from fairaudit.sampling import Assignment, Request, Step, guided, no_assignment, with_empty


@dataclass(frozen=True)
class Baseline:
    """Classifier-free diffusion guidance (Ho & Salimans 2022, arXiv 2207.12598)."""

    name: str = "baseline"

    needs: ClassVar[frozenset[Need]] = frozenset()

    def assign(self, request: Request) -> Assignment:
        """No value is aimed at."""
        return no_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text and the prompt."""
        return with_empty(step.request, step.request.neutral)

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance towards the prompt."""
        return guided(outputs, step.request)

    def signature(self, step: Step) -> Hashable:
        """The same at every step."""
        return step.request.neutral
