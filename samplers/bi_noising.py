"""Bi-noising: the model without a prompt corrects what another sampler did."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from fairaudit import registry
from fairaudit.ancestral import ancestral, renoise
from fairaudit.embedding import Condition
from fairaudit.levels import View
from fairaudit.needs import Need
from fairaudit.sampling import (
    Assignment,
    Corrects,
    EditsHidden,
    EditsImages,
    Request,
    Sampler,
    Steers,
    Step,
)


@dataclass(frozen=True)
class BiNoising:
    """Bi-Noising Diffusion (Mei et al. 2022, arXiv 2212.07352) around any other sampler.

    After each of the last steps the latents are brought back to the level they came from with fresh
    noise, and step down again under the empty text, by ancestral sampling. The model's law of all
    pictures so pulls pictures towards what is realistic, and towards its own bias: shares are to be
    measured again after it. One evaluation more for every step in the window.

    Parameters
    ----------
    inner
        The sampler that is corrected, with its default parameters.
    window
        Fraction of the steps, the last ones, that are corrected, in [0, 1]; 0 is the inner sampler.

    Notes
    -----
    The paper corrects conditional models by an unconditional model of its own; here the same network
    does both. Correcting every step draws rare values back to frequent ones, so the default is the
    last 30 %.
    """

    inner: str = "switching"
    window: float = 0.3
    name: str = "bi-noising"

    def __post_init__(self) -> None:
        if not 0 <= self.window <= 1:
            raise ValueError(f"window is a fraction of the steps in [0, 1], not {self.window}")
        factory = registry.load("samplers", self.inner)
        if isinstance(self, factory):
            raise ValueError("inner is another sampler than bi-noising itself")
        inner: Any = factory()
        if isinstance(inner, Corrects):
            raise ValueError(f"inner {self.inner} corrects itself already")
        object.__setattr__(self, "_sampler", inner)
        if isinstance(inner, EditsImages):
            object.__setattr__(self, "edits", inner.edits)

    @property
    def sampler(self) -> Sampler:
        """The inner sampler."""
        sampler: Sampler = self.__dict__["_sampler"]
        return sampler

    @property
    def needs(self) -> frozenset[Need]:
        """What the inner sampler needs, a model with an empty text, and steps that can be corrected."""
        return frozenset(self.sampler.needs) | {Need.EMPTY, Need.RESTARTS}

    def assign(self, request: Request) -> Assignment:
        """As the inner sampler."""
        return self.sampler.assign(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """As the inner sampler."""
        return self.sampler.conditions(step)

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """As the inner sampler."""
        return self.sampler.combine(outputs, step)

    def steer(self, output: Tensor, view: View, step: Step) -> Tensor:
        """As the inner sampler, where it steers."""
        return self.sampler.steer(output, view, step) if isinstance(self.sampler, Steers) else output

    def editing(self, step: Step) -> bool:
        """As the inner sampler, where it edits the middle block."""
        return isinstance(self.sampler, EditsHidden) and self.sampler.editing(step)

    def edit(self, hidden: Tensor, condition: Condition, step: Step) -> Tensor:
        """As the inner sampler, where it edits the middle block."""
        sampler = self.sampler
        return sampler.edit(hidden, condition, step) if isinstance(sampler, EditsHidden) else hidden

    def corrections(self, step: Step) -> tuple[Condition, ...]:
        """The empty text, in the window."""
        return (step.request.empty,) if self._corrects(step) else ()

    def renoise(self, x: Tensor, view: View, step: Step) -> Tensor:
        """The stepped latents with the noise of the step added anew."""
        return renoise(x, view.level, view.after, view.draw())

    def correct(self, outputs: tuple[Tensor, ...], view: View, step: Step) -> Tensor:
        """One ancestral step of the model of all pictures."""
        mean, variance = ancestral(view.x, view.clean(outputs[0]), view.level, view.after)
        return mean + variance**0.5 * view.draw() if variance else mean

    def signature(self, step: Step) -> Hashable:
        """The inner sampler's until the first correction."""
        return (self, step.assignment) if self._corrects(step) else self.sampler.signature(step)

    def _corrects(self, step: Step) -> bool:
        return step.index >= step.count - round(self.window * step.count)
