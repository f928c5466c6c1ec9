"""What a UNet's middle block holds while a model makes its pictures, and what these come to be."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairaudit.asking import Room
from fairaudit.attributes import Attribute
from fairaudit.denoiser import Denoiser
from fairaudit.diffusion import sample
from fairaudit.embedding import Condition
from fairaudit.heads import flat
from fairaudit.labelling import Classifier
from fairaudit.needs import Need
from fairaudit.plan import SamplingPlan
from fairaudit.prompts import Prompt
from fairaudit.sampling import Assignment, Request, Step, guided, no_assignment, with_empty


@dataclass(frozen=True)
class Setting:
    """Which pictures are made, and who labels them.

    Parameters
    ----------
    plan
        Scheduler, steps, guidance, seed, and images per prompt.
    """

    denoiser: Denoiser
    classifier: Classifier
    attributes: Sequence[Attribute]
    prompts: Sequence[str]
    plan: SamplingPlan


@dataclass(frozen=True)
class Recorded:
    """The middle block for n images at T times, and their labels.

    Parameters
    ----------
    times
        (T,), positions of the steps in the noise schedule.
    features
        (T, n, D), float16, as `fairaudit.heads.flat` makes them.
    labels
        Per attribute the number (n,) of the value that the classifier reads in the finished picture.
    prompts
        (n,), number of the prompt.
    """

    times: Tensor
    features: Tensor
    labels: Mapping[str, NDArray[np.int64]]
    prompts: NDArray[np.int64]


@dataclass(eq=False)
class Recorder:
    """The baseline, noting what the middle block is under the prompt at every step."""

    features: list[Tensor] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    name: str = "recorder"

    needs: ClassVar[frozenset[Need]] = frozenset({Need.HIDDEN})

    def assign(self, request: Request) -> Assignment:
        """No value is aimed at."""
        return no_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text and the prompt."""
        return with_empty(step.request, step.request.neutral)

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance towards the prompt."""
        return guided(outputs, step.request)

    def editing(self, step: Step) -> bool:
        """At every step."""
        return True

    def edit(self, hidden: Tensor, condition: Condition, step: Step) -> Tensor:
        """The middle block as it is."""
        if condition == step.request.neutral:
            self.features.append(flat(hidden).half().cpu())
            self.times.append(step.time)
        return hidden

    def signature(self, step: Step) -> Hashable:
        """Its own."""
        return self.name


def record(setting: Setting, advance: Callable[[int], None] = lambda images: None) -> Recorded:
    """Sample with the baseline, block by block; `advance` is told the images of every block."""
    plan, parts = setting.plan, []
    for number in range(len(setting.prompts)):
        for begin in range(0, plan.images_per_prompt, plan.block):
            indices = range(begin, min(begin + plan.block, plan.images_per_prompt))
            parts.append(_record_block(setting, number, tuple(indices)))
            advance(len(indices))
    return Recorded(
        parts[0].times,
        torch.cat([part.features for part in parts], 1),
        {name: np.concatenate([part.labels[name] for part in parts]) for name in parts[0].labels},
        np.concatenate([part.prompts for part in parts]),
    )


def _record_block(setting: Setting, number: int, indices: tuple[int, ...]) -> Recorded:
    plan, attribute = setting.plan, setting.attributes[0]
    # The baseline aims at no value, so the target says nothing.
    target = dict.fromkeys(attribute.values, 1 / len(attribute.values))
    request = Request(
        Prompt(setting.prompts[number]), indices, attribute, target, plan.guidance_scale, plan.seed
    )
    recorder, room = Recorder(), Room(plan.batch)
    made = sample(
        setting.denoiser, [recorder], request, scheduler=plan.scheduler, steps=plan.steps, room=room
    )
    reading = setting.classifier.read(list(setting.denoiser.decode(made[recorder.name].latents)))
    return Recorded(
        torch.tensor(recorder.times),
        torch.stack(recorder.features),
        {one.name: reading.probabilities[one.name].argmax(1) for one in setting.attributes},
        np.full(len(indices), number),
    )
