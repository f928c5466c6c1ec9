"""Classifier-free guidance, what the model does when nobody debiases it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from torch import Tensor

from fairaudit.sampling import Assignment, Condition, Request, Step, classifier_free


@dataclass(frozen=True)
class Baseline:
    """Classifier-free diffusion guidance (Ho & Salimans 2022, arXiv 2207.12598)."""

    name: str = "baseline"

    def assign(self, request: Request) -> Assignment:
        """No value is aimed at."""
        return (None,) * len(request.indices)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text and the prompt."""
        return step.request.empty, step.request.neutral

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance towards the prompt."""
        empty, prompt = outputs
        return classifier_free(empty, prompt, step.request.guidance_scale)

    def signature(self, step: Step) -> Hashable:
        """The same at every step."""
        return step.request.neutral
