"""What a search for the transition point looks at, and how it asks the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fairaudit.asking import Asked, Questions, Room
from fairaudit.attributes import Attribute
from fairaudit.denoiser import Denoiser
from fairaudit.diffusion import initial_noise
from fairaudit.prompts import Prompt
from fairaudit.sampling import Request, classifier_free

Pair = tuple[str, str]
"""The two values that are switched between."""


@dataclass(frozen=True)
class Setting:
    """A generator, sampled in one way, asked for the values of an attribute.

    Parameters
    ----------
    scheduler, steps, guidance_scale, seed
        As in the plan of a comparison; the noise of image i of a prompt is the one it has there.
    room
        Rows of a network call.
    """

    denoiser: Denoiser
    attribute: Attribute
    prompts: tuple[Prompt, ...]
    scheduler: str = "model"
    steps: int = 20
    guidance_scale: float = 4.0
    seed: int = 0
    room: Room = field(default_factory=lambda: Room(32))

    @property
    def scale(self) -> float:
        """Weight of classifier-free guidance; 1 where guidance is an input of the network itself."""
        return 1.0 if self.denoiser.distilled else self.guidance_scale


@dataclass(frozen=True)
class Batch:
    """Images that are followed under several values, from the same noise.

    Parameters
    ----------
    prompts
        The prompt of each image.
    noise
        (n, ...), standard normal.
    generators
        The random stream of each image, which goes on after its noise.
    """

    prompts: tuple[Prompt, ...]
    noise: Tensor
    generators: tuple[torch.Generator, ...]


def draw(setting: Setting, indices: Sequence[int]) -> Batch:
    """The images with these numbers, dealt to the prompts in turn."""
    count = len(setting.prompts)
    prompts, noises, generators = [], [], []
    for number, prompt in enumerate(setting.prompts):
        mine = tuple(index // count for index in indices if index % count == number)
        if mine:
            request = Request(prompt, mine, setting.attribute, {}, setting.scale, setting.seed)
            noise, streams = initial_noise(request, setting.denoiser.latent_shape)
            prompts += [prompt] * len(mine)
            noises.append(noise)
            generators += streams
    return Batch(tuple(prompts), torch.cat(noises), tuple(generators))


class Field:
    """The guided output of the network under the values of an attribute.

    Attributes
    ----------
    rows
        How many rows the network was asked for so far; padding does not count.
    """

    def __init__(self, setting: Setting, batch: Batch) -> None:
        self.setting, self.batch = setting, batch
        self.rows = 0
        self._ask = Questions(setting.denoiser, setting.room)

    @property
    def evaluations(self) -> float:
        """Network evaluations per image so far."""
        return self.rows / len(self.batch.prompts)

    @torch.no_grad()
    def __call__(self, points: Sequence[tuple[Tensor, Sequence[str]]], t: Tensor) -> list[dict[str, Tensor]]:
        """At each batch of scaled latents (n, ...) the guided output under every value asked for."""
        empty = () if self.setting.scale == 1 else (("",) * len(self.batch.prompts),)
        asked = [Asked(x, (*empty, *(self._condition(value) for value in values))) for x, values in points]
        self.rows += sum(len(one.x) * len(one.conditions) for one in asked)
        answers = self._ask(asked, t)
        return [
            {value: self._guided(answer[self._condition(value)], answer.get(empty[0]) if empty else None)
             for value in values}
            for (_, values), answer in zip(points, answers, strict=True)
        ]  # fmt: skip

    def _condition(self, value: str) -> tuple[str, ...]:
        return tuple(prompt.with_value(self.setting.attribute, value) for prompt in self.batch.prompts)

    def _guided(self, conditional: Tensor, unconditional: Tensor | None) -> Tensor:
        if unconditional is None:
            return conditional
        return classifier_free(unconditional, conditional, self.setting.scale)
