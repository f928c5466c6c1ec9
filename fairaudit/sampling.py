"""The contract between the sampling loop and a sampler."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from fairaudit.attributes import Attribute
from fairaudit.digests import seed_of
from fairaudit.embedding import Condition
from fairaudit.levels import Level, View
from fairaudit.needs import Need
from fairaudit.prompts import Prompt

Assignment = tuple[str | None, ...]
"""The value each image is told to aim at; None where the sampler aims at none."""

Judge = Callable[[Tensor], Tensor]
"""Clean latents (n, ...) to the log-probability (n, K) of every value, differentiable."""

NoisyJudge = Callable[[Tensor, Level], Tensor]
"""Noisy latents and their level to the log-probability (n, K) of every value, differentiable."""

HiddenJudge = Callable[[Tensor, float], Tensor]
"""Middle block (n, channels, h, w) and time in [0, 1] to logits (n, K), differentiable."""


@dataclass(frozen=True)
class Guides:
    """Classifiers of the request's attribute that a sampler may follow the gradient of."""

    clean: Judge | None = None
    noisy: NoisyJudge | None = None
    hidden: HiddenJudge | None = None


@dataclass(frozen=True)
class Request:
    """A block of images of one prompt.

    Parameters
    ----------
    indices
        The numbers of the images among those of the prompt.
    attribute, target
        What a debiasing sampler debiases, and the share it aims at for every value. Several
        attributes together are one whose values are their combinations.
    guidance_scale
        Weight of classifier-free guidance; 1 is the conditional model, 0 the unconditional.
    reference
        Clean latents (n, ...) of the sampler that is edited, for samplers with `edits`.
    """

    prompt: Prompt
    indices: tuple[int, ...]
    attribute: Attribute
    target: Mapping[str, float]
    guidance_scale: float
    seed: int
    guides: Guides = Guides()
    reference: Tensor | None = None

    @property
    def neutral(self) -> Condition:
        """The prompt as written, for every image."""
        return (self.prompt.text,) * len(self.indices)

    @property
    def empty(self) -> Condition:
        """The empty text, for every image."""
        return ("",) * len(self.indices)

    def with_values(self, values: Assignment) -> Condition:
        """The prompt with a value in it for every image; as written where the value is None."""
        return tuple(
            self.prompt.text if value is None else self.prompt.with_value(self.attribute, value)
            for value in values
        )


@dataclass
class Step:
    """One step of the reverse process as a sampler sees it.

    Parameters
    ----------
    index, count
        Number of the step, from 0, and how many there are.
    time
        Position in the noise schedule, from 1 (pure noise) down to 0.
    memory
        What the sampler keeps from step to step; its own.
    """

    index: int
    count: int
    time: float
    request: Request
    assignment: Assignment
    memory: dict[str, Any] = field(default_factory=dict)


class Sampler(Protocol):
    """A rule that turns the network's answers at a step into one guided model output.

    It never calls the network, so that the loop can put the questions of all samplers into one call.
    """

    name: str

    @property
    def needs(self) -> AbstractSet[Need]:
        """What it cannot do without; a plan is refused where the generator does not offer it."""

    def assign(self, request: Request) -> Assignment:
        """The value aimed at by each image."""

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """What the network is to be asked at this step."""

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """The guided output (n, ...) from one output per condition."""

    def signature(self, step: Step) -> Hashable:
        """Samplers with equal signatures up to a step have the same image so far."""


@runtime_checkable
class Steers(Sampler, Protocol):
    """A sampler that needs the latents themselves: a clean estimate, a gradient, a constraint."""

    def steer(self, output: Tensor, view: View, step: Step) -> Tensor:
        """The output (n, ...) to step with instead of the guided one."""


@runtime_checkable
class Corrects(Sampler, Protocol):
    """A sampler that corrects the latents after the step by asking the network once more."""

    def corrections(self, step: Step) -> tuple[Condition, ...]:
        """What to ask at the latents that `renoise` gives; nothing where a step is not corrected."""

    def renoise(self, x: Tensor, view: View, step: Step) -> Tensor:
        """The stepped latents x (n, ...), at `view.after`, brought back to `view.level`."""

    def correct(self, outputs: tuple[Tensor, ...], view: View, step: Step) -> Tensor:
        """The corrected latents at `view.after`; `view.x` is what `renoise` gave."""


@runtime_checkable
class EditsHidden(Sampler, Protocol):
    """A sampler that changes the output of the UNet's middle block."""

    def editing(self, step: Step) -> bool:
        """Whether it does so at this step; only a sampler whose signature is its own may."""

    def edit(self, hidden: Tensor, condition: Condition, step: Step) -> Tensor:
        """The middle block (n, channels, h, w) under one of the sampler's conditions."""


@runtime_checkable
class EditsImages(Sampler, Protocol):
    """A sampler that starts from the finished images of another, given as `Request.reference`."""

    edits: str
    """Name of that sampler."""


def with_empty(request: Request, *conditions: Condition) -> tuple[Condition, ...]:
    """The empty text before the conditions, unless the guidance scale of 1 makes it needless."""
    return conditions if request.guidance_scale == 1 else (request.empty, *conditions)


def guided(outputs: tuple[Tensor, ...], request: Request) -> Tensor:
    """Classifier-free guidance of what `with_empty` asked with a single condition."""
    if len(outputs) == 1:
        return outputs[0]
    unconditional, conditional = outputs
    return classifier_free(unconditional, conditional, request.guidance_scale)


def classifier_free(unconditional: Tensor, conditional: Tensor, scale: float) -> Tensor:
    """eps_u + s_g (eps_p - eps_u), equation 6 of Ho & Salimans (2022) with s_g = 1 + w.

    At a scale of 1 it is eps_p to the last bit, because samplers that do not ask for eps_u then
    share their start with those that do.
    """
    if scale == 1:
        return conditional
    return unconditional + scale * (conditional - unconditional)


def no_assignment(request: Request) -> Assignment:
    """No value is aimed at."""
    return (None,) * len(request.indices)


def turned(value: str, values: Sequence[str], places: int) -> str:
    """The value so many places after this one, in a circle."""
    return values[(values.index(value) + places) % len(values)]


def balanced_assignment(request: Request) -> Assignment:
    """Values in the target's proportions, about one image away from them at most at any index.

    Exactly one at most for two values; for more the worst that was found is 1.1.
    Each image takes the value that is furthest behind its target share; ties are broken by a
    digest of seed, prompt and index, so the order is unpredictable but the same everywhere.
    Stratified assignment has less variance than independent draws and is what makes a small
    comparison of samplers fair.
    """
    values = request.attribute.values
    counts = dict.fromkeys(values, 0)
    assigned: list[str] = []
    for index in range(max(request.indices) + 1):
        deficit = {value: request.target[value] * (index + 1) - counts[value] for value in values}
        most = max(deficit.values())
        tied = [value for value in values if deficit[value] > most - 1e-9]
        chosen = tied[seed_of("assign", request.seed, request.prompt.text, index) % len(tied)]
        counts[chosen] += 1
        assigned.append(chosen)
    return tuple(assigned[index] for index in request.indices)
