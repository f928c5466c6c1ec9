"""The sampling loop: one for every generator and every sampler."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor

from fairaudit.digests import seed_of
from fairaudit.sampling import Assignment, Condition, Request, Sampler, Step


class Denoiser(Protocol):
    """A generator seen as a function: model output at (x, t, condition)."""

    latent_shape: tuple[int, ...]
    device: torch.device
    dtype: torch.dtype

    def scheduler(self, kind: str, steps: int) -> Any:
        """A fresh diffusers scheduler with its timesteps set."""

    def encode(self, text: str) -> Tensor:
        """The embedding of one text."""

    def predict(self, x: Tensor, t: Tensor, condition: Tensor) -> Tensor:
        """Model output (n, ...) at noisy latents x (n, ...), timestep t and embeddings (n, ...)."""


@dataclass(frozen=True)
class Sampled:
    """A block of images of one sampler.

    Parameters
    ----------
    latents
        (n, ...), ready for the decoder.
    evaluations
        Network evaluations an image would have cost if the sampler had run alone.
    """

    latents: Tensor
    assignment: Assignment
    evaluations: int


@dataclass
class Branch:
    """Samplers that still share one trajectory."""

    x: Tensor
    scheduler: Any
    generators: list[torch.Generator]
    samplers: list[Sampler]

    def fork(self, samplers: list[Sampler]) -> Branch:
        """A copy that goes its own way; multistep history and random streams are copied too."""
        return Branch(
            self.x,
            copy.deepcopy(self.scheduler),
            [generator.clone_state() for generator in self.generators],
            samplers,
        )


def initial_noise(request: Request, shape: tuple[int, ...]) -> tuple[Tensor, list[torch.Generator]]:
    """Standard normal noise (n, *shape) of each image, and the random streams that go on from it.

    The noise of an image depends on the run's seed, the prompt and the image's index alone, and is
    drawn on the CPU, so that every sampler, batch, worker and device starts from the same.
    """
    generators = [
        torch.Generator().manual_seed(seed_of("noise", request.seed, request.prompt.text, index))
        for index in request.indices
    ]
    return torch.stack([torch.randn(shape, generator=g) for g in generators]), generators


def sample(
    denoiser: Denoiser,
    samplers: Sequence[Sampler],
    request: Request,
    *,
    scheduler: str,
    steps: int,
    batch: int,
    advance: Callable[[float], None] = lambda fraction: None,
) -> dict[str, Sampled]:
    """A block of images under every sampler, from the same noise.

    Samplers with equal signatures so far share one trajectory, and all questions of a step go to
    the network together, in calls of exactly `batch` rows. `advance` is told the fraction of the
    work that every step has done.
    """
    noise, generators = initial_noise(request, denoiser.latent_shape)
    fresh = denoiser.scheduler(scheduler, steps)
    x = noise.to(denoiser.device, denoiser.dtype) * fresh.init_noise_sigma
    branches = [Branch(x, fresh, generators, list(samplers))]
    states = {
        sampler.name: Step(0, len(fresh.timesteps), 1.0, request, sampler.assign(request))
        for sampler in samplers
    }
    evaluations = dict.fromkeys(states, 0)
    ask = Questions(denoiser, batch)
    for index, t in enumerate(fresh.timesteps):
        time = float(t) / fresh.config.num_train_timesteps
        states = {name: replace(state, index=index, time=time) for name, state in states.items()}
        branches = [part for branch in branches for part in split(branch, states)]
        answers = ask(branches, states, t)
        for sampler in samplers:
            evaluations[sampler.name] += len(sampler.conditions(states[sampler.name]))
        for branch, outputs in zip(branches, answers, strict=True):
            combined = [
                sampler.combine(tuple(outputs[c] for c in sampler.conditions(state)), state)
                for sampler in branch.samplers
                for state in [states[sampler.name]]
            ]
            branch.x = advance_one(branch, combined[0], t)
        advance(1 / len(fresh.timesteps))
    return {
        sampler.name: Sampled(branch.x, states[sampler.name].assignment, evaluations[sampler.name])
        for branch in branches
        for sampler in branch.samplers
    }


def split(branch: Branch, states: Mapping[str, Step]) -> list[Branch]:
    """Part the samplers of a branch whose signatures differ at this step."""
    groups: dict[Any, list[Sampler]] = {}
    for sampler in branch.samplers:
        groups.setdefault(sampler.signature(states[sampler.name]), []).append(sampler)
    first, *others = groups.values()
    forks = [branch.fork(samplers) for samplers in others]
    branch.samplers = first
    return [branch, *forks]


def advance_one(branch: Branch, output: Tensor, t: Tensor) -> Tensor:
    """X one step less noisy; stochastic schedulers draw from each image's own stream."""
    extra: dict[str, Any] = {}
    if "generator" in inspect.signature(branch.scheduler.step).parameters:
        extra["generator"] = branch.generators
    stepped: Tensor = branch.scheduler.step(output, t, branch.x, return_dict=False, **extra)[0]
    return stepped


class Questions:
    """Asks the network for all branches at once, each distinct question once.

    Every call has exactly `batch` rows, the last one padded: an image's numbers then do not
    depend on what happens to be computed beside it.
    """

    def __init__(self, denoiser: Denoiser, batch: int) -> None:
        self.denoiser = denoiser
        self.batch = batch
        self.embeddings: dict[str, Tensor] = {}

    def __call__(
        self, branches: Sequence[Branch], states: Mapping[str, Step], t: Tensor
    ) -> list[dict[Condition, Tensor]]:
        """For each branch its conditions with the model output (n, ...)."""
        asked = [
            list(dict.fromkeys(c for s in branch.samplers for c in s.conditions(states[s.name])))
            for branch in branches
        ]
        scaled = [branch.scheduler.scale_model_input(branch.x, t) for branch in branches]
        x = torch.cat([part for part, mine in zip(scaled, asked, strict=True) for _ in mine])
        texts = [text for mine in asked for condition in mine for text in condition]
        outputs = iter(torch.split(self._predict(x, t, texts), len(branches[0].x)))
        return [{condition: next(outputs) for condition in mine} for mine in asked]

    def _predict(self, x: Tensor, t: Tensor, texts: Sequence[str]) -> Tensor:
        embedded = torch.stack([self._embedding(text) for text in texts])
        padding = -len(x) % self.batch
        x = torch.cat([x, x[-1:].expand(padding, *x.shape[1:])])
        embedded = torch.cat([embedded, embedded[-1:].expand(padding, *embedded.shape[1:])])
        parts = [
            self.denoiser.predict(some, t, condition)
            for some, condition in zip(
                torch.split(x, self.batch), torch.split(embedded, self.batch), strict=True
            )
        ]
        return torch.cat(parts)[: len(texts)]

    def _embedding(self, text: str) -> Tensor:
        if text not in self.embeddings:
            self.embeddings[text] = self.denoiser.encode(text)
        return self.embeddings[text]
