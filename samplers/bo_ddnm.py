"""Bias-optimal zero-shot inpainting: a region of a picture is drawn anew under the assigned value."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairaudit.embedding import Condition
from fairaudit.errors import UsageError
from fairaudit.levels import View
from fairaudit.needs import Need
from fairaudit.sampling import Assignment, Request, Step, balanced_assignment, guided, with_empty


@dataclass(frozen=True)
class BiasOptimalInpainting:
    r"""BO-DDNM (ICLR 2025, arXiv 2410.13746): keeps the baseline's image outside a box, resamples the inside.

    The image is observed as y = H x0 + sigma_y n, where H selects the positions outside the box. The
    conditional score is the model's inside, and that of the observation outside:

        s(x | y) = (I - H+ H) s(x) + [alpha H+ y - H+ H x] / (sigma^2 + alpha^2 sigma_y^2).

    For ``x = alpha x0 + sigma eps`` and x0 = y + sigma_y n with no prior of its own, x is
    N(alpha y, sigma^2 + alpha^2 sigma_y^2), whose score is the bracket: the paper's formula where
    alpha^2 = abar and sigma^2 = 1 - abar, and true on any schedule. By Tweedie's formula, x0 =
    (x + sigma^2 s) / alpha, it says that outside the box the clean estimate is

        x0 = (alpha sigma_y^2 x + sigma^2 y) / (sigma^2 + alpha^2 sigma_y^2),

    the mean of y and x / alpha weighted by their precisions. Costs what a conditional sampler does, and
    the baseline's images before it.

    Parameters
    ----------
    box
        Top, left, bottom and right of the region drawn anew, as fractions of the picture; the
        default is the middle of a face.
    noise
        sigma_y, how far the rest may move, in units of the latents; 0 keeps it exactly (DDNM).

    Notes
    -----
    Even with an exact score the law inside the box is biased where it depends on the outside, because
    the model's score does not see the observation other than through x.
    """

    box: tuple[float, float, float, float] = (0.25, 0.25, 0.75, 0.75)
    noise: float = 0.0
    name: str = "bo-ddnm"

    edits: ClassVar[str] = "baseline"
    needs: ClassVar[frozenset[Need]] = frozenset({Need.VALUES, Need.SPATIAL})

    def __post_init__(self) -> None:
        top, left, bottom, right = self.box
        if not (0 <= top < bottom <= 1 and 0 <= left < right <= 1):
            raise ValueError("box is top, left, bottom, right in [0, 1], with top < bottom and left < right")
        if not 0 <= self.noise < float("inf"):
            raise ValueError(f"noise is a finite number of at least 0, not {self.noise}")

    def assign(self, request: Request) -> Assignment:
        """The value that the region is drawn with, balanced."""
        return balanced_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text, and the prompt with the assigned value."""
        return with_empty(step.request, step.request.with_values(step.assignment))

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance towards the prompt with the value."""
        return guided(outputs, step.request)

    def steer(self, output: Tensor, view: View, step: Step) -> Tensor:
        """The output with its clean estimate outside the box replaced by the observation's."""
        y = step.request.reference
        if y is None:
            return output
        alpha, sigma, sigma_y = view.level.alpha, view.level.sigma, self.noise
        observed = (alpha * sigma_y**2 * view.x + sigma**2 * y) / (sigma**2 + alpha**2 * sigma_y**2)
        shift = view.shift(observed - view.clean(output))
        return torch.where(self._outside(view.x), output + shift, output)

    def signature(self, step: Step) -> Hashable:
        """Its own from the first step."""
        return (self, step.assignment)

    def _outside(self, x: Tensor) -> Tensor:
        """True (h, w) where the image is kept."""
        height, width = x.shape[-2:]
        top, left, bottom, right = self.box
        outside = torch.ones(height, width, dtype=torch.bool, device=x.device)
        outside[round(top * height) : round(bottom * height), round(left * width) : round(right * width)] = (
            False
        )
        if outside.all():
            raise UsageError(f"bo-ddnm.box {self.box} holds not one of the {height} x {width} latents")
        return outside
