"""Composable diffusion: several attributes at once, each asked for alone."""

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
class Composable:
    """Composable diffusion (Liu et al., ECCV 2022, arXiv 2206.01714, equation 11) of attributes.

    ``s + alpha sum_i b_i (s_i - s_0)``, with s_i the output under the prompt with the image's value of
    attribute i alone. It costs one evaluation per attribute more than the baseline, and is exact
    where the attributes are independent given the noisy picture; see gcdm for where they are not.

    Parameters
    ----------
    alpha
        Strength of the attributes; None is the guidance scale.
    schedule
        b_i in time: ``constant`` is 1; ``sigmoid`` hands over from the first attribute to the others.

    Notes
    -----
    In the paper s_0 is the unconditional output. Here every s_i already has the prompt in it, and the
    empty prompt as s_0 would count the prompt once per attribute. Bayes' rule for attributes that are
    independent given the picture, ``p(x | c, a, b) = p(x | c) p(a | x, c) p(b | x, c) / const``, has
    the neutral prompt c as s_0, and classifier-free guidance then acts on the whole: s is s_0 guided.
    """

    alpha: float | None = None
    schedule: Schedule = "constant"
    name: str = "composable"

    needs: ClassVar[frozenset[Need]] = frozenset({Need.VALUES, Need.SEVERAL})

    def __post_init__(self) -> None:
        check_weights(self.alpha, self.schedule)

    def assign(self, request: Request) -> Assignment:
        """A value of every attribute, their combinations balanced."""
        return balanced_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text, the prompt, and the prompt with a value of each attribute alone."""
        return asked(step, *single_values(step))

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance, and each attribute's difference from the neutral prompt."""
        return composed(outputs, strengths(self.alpha, self.schedule, step), step)

    def signature(self, step: Step) -> Hashable:
        """The values, and their weights at this step."""
        return type(self), step.assignment, strengths(self.alpha, self.schedule, step)
