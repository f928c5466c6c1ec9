"""Prompt intervention: say in the prompt what the picture should show."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from fairaudit.embedding import Condition
from fairaudit.needs import Need
from fairaudit.prompts import SLOT, Prompt
from fairaudit.sampling import (
    Assignment,
    Request,
    Step,
    balanced_assignment,
    guided,
    no_assignment,
    with_empty,
)


@dataclass(frozen=True)
class PromptIntervention:
    """Words in the prompt for the whole trajectory, at the cost of the baseline.

    Parameters
    ----------
    style
        ``word`` puts the word of the assigned value into the prompt ("a photo of a female nurse").
        ``ethical`` appends an ethical intervention (Bansal et al., EMNLP 2022, arXiv 2210.15230) and
        assigns nothing: "a photo of a nurse if all individuals can be a nurse irrespective of their
        gender". What follows the prompt's slot is said again; a prompt without a slot is referred to
        by "so". Several attributes are named together ("gender and race").

    Notes
    -----
    With ``word`` every image is drawn from the model's own law under its value, so the shares are
    the target's as far as the model does what its prompt says.
    """

    style: Literal["word", "ethical"] = "word"
    name: str = "prompt-intervention"

    def __post_init__(self) -> None:
        if self.style not in ("word", "ethical"):
            raise ValueError(f"style is word or ethical, not {self.style!r}")

    @property
    def needs(self) -> frozenset[Need]:
        """Values in the prompt, or free text for the ethical intervention."""
        return frozenset({Need.VALUES if self.style == "word" else Need.TEXT})

    def assign(self, request: Request) -> Assignment:
        """The value in the prompt, balanced; none for the ethical intervention."""
        return balanced_assignment(request) if self.style == "word" else no_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text, and the prompt with the value or the intervention in it."""
        request = step.request
        if self.style == "word":
            return with_empty(request, request.with_values(step.assignment))
        return with_empty(request, (ethical(request),) * len(request.indices))

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance towards that prompt."""
        return guided(outputs, step.request)

    def signature(self, step: Step) -> Hashable:
        """The texts, so that the start is shared with samplers that ask for the same."""
        return self.conditions(step)[-1]


def ethical(request: Request) -> str:
    """The prompt with ENTIGEN's ethical intervention for the request's attributes."""
    parts = request.prompt.parts
    again = Prompt(f"a {SLOT} {parts[1]}").text if parts else "so"
    names = " and ".join(part.name for part in request.attribute.parts or (request.attribute,))
    return f"{request.prompt.text} if all individuals can be {again} irrespective of their {names}"
