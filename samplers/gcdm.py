"""Generalised composable diffusion: several attributes together and each alone."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from fairaudit.composition import Schedule, asked, check_weights, composed, single_values, strengths
from fairaudit.embedding import Condition
from fairaudit.needs import Need
from fairaudit.sampling import Assignment, Request, Step, balanced_assignment


@dataclass(frozen=True)
class GCDM:
    """GCDM (arXiv 2302.14368, ECCV 2024), for attributes that depend on each other.

    ``s + alpha [lambda (s_12 - s_0) + (1 - lambda) sum_i b_i (s_i - s_0)]``, with s_12 the output under
    the prompt with all values and s_i that with the value of attribute i alone. Lambda 1 is guidance
    towards all values together, lambda 0 is composable diffusion; s_0 is the neutral prompt, and s is
    s_0 with classifier-free guidance, for the reason that composable gives. Costs an evaluation per
    attribute and one for all of them more than the baseline.

    Parameters
    ----------
    joint
        lambda, the weight of the values together, in [0, 1].
    alpha
        Strength of the attributes; None is the guidance scale.
    schedule
        b_i in time: ``constant`` is 1; ``sigmoid`` hands over from the first attribute to the others.

    Notes
    -----
    That the paper takes a lambda of about 0.9 comes second-hand; its text could not be read.
    """

    joint: float = 0.9
    alpha: float | None = None
    schedule: Schedule = "constant"
    name: str = "gcdm"

    needs: ClassVar[frozenset[Need]] = frozenset({Need.VALUES, Need.SEVERAL})

    def __post_init__(self) -> None:
        if not 0 <= self.joint <= 1:
            raise ValueError(f"joint lies in [0, 1], not {self.joint}")
        check_weights(self.alpha, self.schedule)

    def assign(self, request: Request) -> Assignment:
        """A value of every attribute, their combinations balanced."""
        return balanced_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text, the prompt, the prompt with all values, and with that of each attribute."""
        return asked(step, step.request.with_values(step.assignment), *single_values(step))

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance, and the differences of all values and each from the prompt."""
        return composed(outputs, self._weights(step), step)

    def signature(self, step: Step) -> Hashable:
        """The values, and their weights at this step."""
        return type(self), step.assignment, self._weights(step)

    def _weights(self, step: Step) -> tuple[float, ...]:
        alpha = step.request.guidance_scale if self.alpha is None else self.alpha
        alone = strengths(alpha * (1 - self.joint), self.schedule, step)
        return alpha * self.joint, *alone
