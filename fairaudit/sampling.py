"""The contract between the sampling loop and a sampler."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from torch import Tensor

from fairaudit.attributes import Attribute
from fairaudit.digests import seed_of
from fairaudit.prompts import Prompt

Condition = tuple[str, ...]
"""One text per image; each text is encoded once and cached."""

Assignment = tuple[str | None, ...]
"""The value each image is told to aim at; None where the sampler aims at none."""


@dataclass(frozen=True)
class Request:
    """A block of images of one prompt.

    Parameters
    ----------
    indices
        The numbers of the images among those of the prompt.
    attribute, target
        What a debiasing sampler debiases, and the share it aims at for every value.
    guidance_scale
        Weight of classifier-free guidance; 1 is the conditional model, 0 the unconditional.
    """

    prompt: Prompt
    indices: tuple[int, ...]
    attribute: Attribute
    target: Mapping[str, float]
    guidance_scale: float
    seed: int

    @property
    def neutral(self) -> Condition:
        """The prompt as written, for every image."""
        return (self.prompt.text,) * len(self.indices)

    @property
    def empty(self) -> Condition:
        """The empty text, for every image."""
        return ("",) * len(self.indices)


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
        Tensors that the sampler keeps from step to step; its own.
    """

    index: int
    count: int
    time: float
    request: Request
    assignment: Assignment
    memory: dict[str, Tensor] = field(default_factory=dict)


class Sampler(Protocol):
    """A rule that turns the network's answers at a step into one guided model output.

    It never calls the network, so that the loop can put the questions of all samplers into one call.
    """

    name: str

    def assign(self, request: Request) -> Assignment:
        """The value aimed at by each image."""

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """What the network is to be asked at this step."""

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """The guided output (n, ...) from one output per condition."""

    def signature(self, step: Step) -> Hashable:
        """Samplers with equal signatures up to a step have the same image so far."""


def classifier_free(unconditional: Tensor, conditional: Tensor, scale: float) -> Tensor:
    """eps_u + s_g (eps_p - eps_u), equation 6 of Ho & Salimans (2022) with s_g = 1 + w."""
    return unconditional + scale * (conditional - unconditional)


def balanced_assignment(request: Request) -> Assignment:
    """Values in the target's proportions, never more than one image away from them at any index.

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
