"""Attribute switching, the method at the centre of fairaudit."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import pairwise, permutations
from typing import ClassVar

from torch import Tensor

from fairaudit.embedding import Condition
from fairaudit.errors import UsageError
from fairaudit.needs import Need
from fairaudit.sampling import Assignment, Request, Step, balanced_assignment, guided, turned, with_empty

Tau = float | tuple[float, ...] | Mapping[str, float]


@dataclass(frozen=True)
class Switching:
    """Attribute switching (Choi et al., AAAI 2024, arXiv 2401.03140), with classifier-free guidance.

    Each image starts under one value s0 of the attribute and, from the transition point tau on,
    goes on under the next value s1. Early steps fix the coarse structure, late steps the detail, so
    that neither value alone decides the picture. It costs no evaluation more than the baseline.

    Parameters
    ----------
    tau
        Transition point in [0, 1] of the noise schedule: s0 while t > tau, s1 from t <= tau on.
        0 never switches, 1 samples under s1 throughout. The paper finds 0.64 for CelebA gender.
        Several falling points are a cycle of switches, each to the next value in the circle of the
        attribute; K - 1 of them show every image all K values. A mapping gives each ordered pair
        of values its own point: ``{"female>male": 0.6, "male>female": 0.6}``.
    turn
        How many places in the circle the starting value lies after the balanced one: with two
        values, 1 is the same switch in the other direction, on the same noise.

    Notes
    -----
    In a cycle over K starting values, every value is in force exactly once at every step. The
    output is then the same for every start if the law of each value is a Gaussian of the same
    covariance v I and the points are where the flow to the clean image shrinks distances to
    j/K, j = 1 ... K - 1, that is sigma^2 / alpha^2 = v (K^2 / j^2 - 1). For other laws it is measured.
    """

    tau: Tau = 0.64
    turn: int = 0
    name: str = "switching"

    needs: ClassVar[frozenset[Need]] = frozenset({Need.VALUES})

    def __post_init__(self) -> None:
        points = list(self.tau.values()) if isinstance(self.tau, Mapping) else self._points
        if not points or not all(0 <= point <= 1 for point in points):
            raise ValueError(f"tau is a point in [0, 1] of the noise schedule, or several, not {self.tau}")
        if not isinstance(self.tau, Mapping) and any(early <= late for early, late in pairwise(points)):
            raise ValueError(f"the points of a cycle fall from noise to image, not {self.tau}")

    def assign(self, request: Request) -> Assignment:
        """The starting value s0, balanced."""
        values = request.attribute.values
        if isinstance(self.tau, Mapping):
            self._check_pairs(values)
        return tuple(value and turned(value, values, self.turn) for value in balanced_assignment(request))

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text, and the prompt with the value in force in it."""
        values = step.request.attribute.values
        forced = [
            start and turned(start, values, self._switches(start, values, step.time))
            for start in step.assignment
        ]
        return with_empty(step.request, step.request.with_values(tuple(forced)))

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance towards the prompt with the current value."""
        return guided(outputs, step.request)

    def signature(self, step: Step) -> Hashable:
        """The texts in force, so that samplers that differ in tau alone part only at a switch."""
        return self.conditions(step)[-1]

    @property
    def _points(self) -> tuple[float, ...]:
        return self.tau if isinstance(self.tau, tuple) else (self.tau,)  # type: ignore[return-value]

    def _switches(self, start: str, values: tuple[str, ...], time: float) -> int:
        """How often an image that began under `start` has switched at this time."""
        if isinstance(self.tau, Mapping):
            points: tuple[float, ...] = (self.tau[f"{start}>{turned(start, values, 1)}"],)
        else:
            points = self._points
        return sum(tau > 0 and time <= tau for tau in points)

    def _check_pairs(self, values: tuple[str, ...]) -> None:
        known = {f"{a}>{b}" for a, b in permutations(values, 2)}
        needed = [f"{value}>{turned(value, values, 1)}" for value in values]
        if isinstance(self.tau, Mapping) and not set(needed) <= set(self.tau) <= known:
            raise UsageError(f"switching.tau takes a point for each of {', '.join(needed)}")
