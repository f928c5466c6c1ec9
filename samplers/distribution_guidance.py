"""Distribution guidance: a block of images together follows a classifier to the target shares."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from torch import Tensor

from fairaudit.embedding import Condition
from fairaudit.following import Through, moved, steered, strength_of
from fairaudit.levels import View
from fairaudit.needs import Need
from fairaudit.sampling import Assignment, Request, Step, guided, no_assignment, with_empty

TEMPERATURE = 8.0
"""What logits are divided by, as in the paper's code, so that no image is too sure to be moved."""

RARE = 0.01
"""Smaller targets count as this in the loss, which divides by them."""


@dataclass(frozen=True)
class DistributionGuidance:
    """Distribution guidance of Balancing Act (Parihar et al., CVPR 2024, arXiv 2402.18206).

    The mean ``pbar`` of ``softmax(logits / 8)`` over all images of a block is brought to the target q.
    One loss L for the block moves the UNet's middle block h of every image,

        h <- h - s grad_h L,    L = sum_k (pbar_k - q_k)^2 / q_k,

    so that images are free to take any value, and the block as a whole has each often enough.

    Parameters
    ----------
    scale
        s, in units of one image: the gradient of a mean over n images is multiplied by n, so that
        the strength does not depend on the block. 0 is the baseline; None takes the default of `through`.
    through
        "hidden", the paper's: the classifier of the middle block. "clean" and "noisy" move the clean
        estimate or the noise as classifier-guidance does, with -L in the place of log p.
    loss
        "chi-square", as the paper's code has for DDPM, or "kl", sum_k pbar_k log(pbar_k / q_k), as for
        Stable Diffusion.

    Notes
    -----
    Hidden: the default is the strongest of the paper's code for DDPM (300 x 1500 for 100 images, so
    4500 an image; the weakest is 45, and Stable Diffusion has 75000). Scales of heads differ, so that
    it is to be chosen anew for each model. On builtin:faces64 the middle block can be read but is
    hardly a handle: 5000 left 14 of 16 cashiers women.
    Clean: 30 brought 8 carpenters of that model from no women to 4, with pictures as sharp.
    The paper's code moves h under the empty text and the prompt alike, and takes the mean over both;
    here only the images under the prompt are moved and counted. A block is what the plan calls so:
    blocks of 16 make for a coarser mean than the paper's 100.
    """

    scale: float | None = None
    through: Through = "hidden"
    loss: Literal["chi-square", "kl"] = "chi-square"
    name: str = "distribution-guidance"

    defaults: ClassVar[dict[str, float]] = {"hidden": 4500.0, "clean": 30.0, "noisy": 30.0}

    def __post_init__(self) -> None:
        strength_of(self.scale, self.through, self.defaults)
        if self.loss not in ("chi-square", "kl"):
            raise ValueError(f"loss is chi-square or kl, not {self.loss!r}")

    @property
    def strength(self) -> float:
        """The scale, or its default."""
        return strength_of(self.scale, self.through, self.defaults)

    @property
    def needs(self) -> frozenset[Need]:
        """The classifier that is followed."""
        return frozenset({Need[self.through.upper()]})

    def assign(self, request: Request) -> Assignment:
        """No image is told a value."""
        return no_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text and the prompt."""
        return with_empty(step.request, step.request.neutral)

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance towards the prompt."""
        return guided(outputs, step.request)

    def steer(self, output: Tensor, view: View, step: Step) -> Tensor:
        """The output with its clean estimate moved down the loss."""
        gain = partial(self._gain, step=step)
        return steered(output, view, step, self.through, strength=self.strength, gain=gain)

    def editing(self, step: Step) -> bool:
        """Only through the middle block."""
        return self.through == "hidden"

    def edit(self, hidden: Tensor, condition: Condition, step: Step) -> Tensor:
        """The middle block under the prompt, moved down the loss."""
        return moved(hidden, condition, step, strength=self.strength, gain=partial(self._gain, step=step))

    def signature(self, step: Step) -> Hashable:
        """Its own from the first step."""
        return (self, step.assignment)

    def _gain(self, logits: Tensor, step: Step) -> Tensor:
        """-n L of logits (n, K)."""
        request = step.request
        shares = (logits / TEMPERATURE).softmax(1).mean(0)
        target = shares.new_tensor([max(request.target[value], RARE) for value in request.attribute.values])
        if self.loss == "kl":
            loss = (shares * torch.log(shares / target)).sum()
        else:
            loss = ((shares - target) ** 2 / target).sum()
        return -len(logits) * loss
