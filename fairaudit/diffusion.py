"""The sampling loop: one for every generator and every sampler."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from fairaudit.asking import Asked, Questions, Room
from fairaudit.denoiser import Denoiser
from fairaudit.digests import seed_of
from fairaudit.embedding import Condition
from fairaudit.errors import ModelError
from fairaudit.levels import View, final_level, level_of, network_input, prediction_of
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


@torch.no_grad()
def sample(
    denoiser: Denoiser,
    samplers: Sequence[Sampler],
    request: Request,
    *,
    scheduler: str,
    steps: int,
    room: Room,
    advance: Callable[[float], None] = lambda fraction: None,
    scales: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, Sampled]:
    """A block of images under every sampler, from the same noise.

    Samplers with equal signatures so far share one trajectory, and all questions of a step go to
    the network together. Samplers that edit the images of another run after it, which must be among
    `samplers`. `advance` is told the fraction of the work that every step has done; `scales` are the
    guidance scales of samplers that have one of their own, by name.

    Raises
    ------
    ModelError
        If an image is not finite: it would be stored and measured as a black one.
    """
    editors = [sampler for sampler in samplers if isinstance(sampler, EditsImages)]
    others = [sampler for sampler in samplers if sampler not in editors]
    rounds: dict[str | None, list[Sampler]] = {None: others} if others else {}
    for editor in editors:
        rounds.setdefault(editor.edits, []).append(editor)
    made: dict[str, Sampled] = {}
    for edited, some in rounds.items():
        base = made[edited] if edited is not None else None
        asked = request if base is None else replace(request, reference=base.latents)
        part = len(some) / len(samplers)
        loop = Loop(denoiser, some, asked, denoiser.scheduler(scheduler, steps), room, scales=scales)
        done = loop.run(lambda fraction, part=part: advance(fraction * part))  # type: ignore[misc]
        before = 0 if base is None else base.evaluations
        for name, result in done.items():
            if not result.latents.isfinite().all():
                raise ModelError(
                    f"{name} gave numbers that are not finite; try --dtype float32, more --steps, "
                    "another --scheduler or less guidance"
                )
            made[name] = replace(result, evaluations=result.evaluations + before)
    return {sampler.name: made[sampler.name] for sampler in samplers}


class Loop:
    """The reverse process of samplers that start from the same noise."""

    def __init__(
        self,
        denoiser: Denoiser,
        samplers: Sequence[Sampler],
        request: Request,
        scheduler: Any,
        room: Room,
        *,
        scales: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        noise, generators = initial_noise(request, denoiser.latent_shape)
        x = noise.to(denoiser.device, denoiser.dtype) * float(getattr(scheduler, "init_noise_sigma", 1.0))
        self.branches = [Branch(x, scheduler, generators, list(samplers))]
        self.samplers = samplers
        self.states: dict[str, Step] = {}
        for sampler in samplers:
            own = replace(request, guidance_scale=scales.get(sampler.name, request.guidance_scale))
            self.states[sampler.name] = Step(0, len(scheduler.timesteps), 1.0, own, sampler.assign(own))
        self.evaluations = dict.fromkeys(self.states, 0)
        self.ask = Questions(denoiser, room)
        self.timesteps = scheduler.timesteps
        self.times = [float(t) / scheduler.config.num_train_timesteps for t in self.timesteps]
        levels = [level_of(scheduler, t) for t in self.timesteps]
        self.levels = [*levels, final_level(scheduler)]
        self.prediction = prediction_of(scheduler)

    def run(self, advance: Callable[[float], None]) -> dict[str, Sampled]:
        """All steps, from noise to clean latents."""
        for index, t in enumerate(self.timesteps):
            self._step(index, t)
            advance(1 / len(self.timesteps))
        return {
            sampler.name: Sampled(
                branch.x, self.states[sampler.name].assignment, self.evaluations[sampler.name]
            )
            for branch in self.branches
            for sampler in branch.samplers
        }

    def _step(self, index: int, t: Tensor) -> None:
        time = self.times[index]
        self.states = {name: replace(s, index=index, time=time) for name, s in self.states.items()}
        self.branches = [part for branch in self.branches for part in split(branch, self.states)]
        conditions = {s.name: s.conditions(self.states[s.name]) for s in self.samplers}
        answers = self.ask([self._asked(branch, conditions, t) for branch in self.branches], t)
        views = [self._view(branch, index) for branch in self.branches]
        for branch, view, outputs in zip(self.branches, views, answers, strict=True):
            guided = [
                self._respond(sampler, tuple(outputs[c] for c in conditions[sampler.name]), view)
                for sampler in branch.samplers
            ]
            branch.x = advance_one(branch, guided[0], t)
        for name, asked in conditions.items():
            self.evaluations[name] += len(asked)
        self._correct(views, t)

    def _view(self, branch: Branch, index: int) -> View:
        level, after = self.levels[index], self.levels[index + 1]
        return View(branch.x, level, after, self.prediction, tuple(branch.generators))

    def _asked(self, branch: Branch, conditions: Mapping[str, tuple[Condition, ...]], t: Tensor) -> Asked:
        distinct = tuple(dict.fromkeys(c for sampler in branch.samplers for c in conditions[sampler.name]))
        x = scaled(branch.scheduler, branch.x, t)
        first = branch.samplers[0]
        state = self.states[first.name]
        if not (isinstance(first, EditsHidden) and first.editing(state)):
            return Asked(x, distinct)
        return Asked(x, distinct, {c: partial(first.edit, condition=c, step=state) for c in distinct})

    def _respond(self, sampler: Sampler, outputs: tuple[Tensor, ...], view: View) -> Tensor:
        state = self.states[sampler.name]
        output = sampler.combine(outputs, state)
        return sampler.steer(output, view, state) if isinstance(sampler, Steers) else output

    def _correct(self, views: Sequence[View], t: Tensor) -> None:
        """Ask once more at re-noised latents, for the samplers that correct themselves."""
        correcting = []
        for branch, view in zip(self.branches, views, strict=True):
            first = branch.samplers[0]
            state = self.states[first.name]
            if isinstance(first, Corrects) and (conditions := first.corrections(state)):
                renoised = replace(view, x=first.renoise(branch.x, view, state))
                x = network_input(branch.scheduler, renoised.x, view.level)
                correcting.append((branch, first, renoised, Asked(x, tuple(dict.fromkeys(conditions)))))
        answers = self.ask([asked for *_, asked in correcting], t)
        for (branch, sampler, view, asked), outputs in zip(correcting, answers, strict=True):
            state = self.states[sampler.name]
            found = tuple(outputs[c] for c in sampler.corrections(state))
            branch.x = sampler.correct(found, view, state)
            for one in branch.samplers:
                self.evaluations[one.name] += len(asked.conditions)


def split(branch: Branch, states: Mapping[str, Step]) -> list[Branch]:
    """Part the samplers of a branch whose signatures or guidance scales differ at this step."""
    groups: dict[Any, list[Sampler]] = {}
    for sampler in branch.samplers:
        state = states[sampler.name]
        key = (sampler.signature(state), state.request.guidance_scale)
        groups.setdefault(key, []).append(sampler)
    first, *others = groups.values()
    forks = [branch.fork(samplers) for samplers in others]
    branch.samplers = first
    return [branch, *forks]


def scaled(scheduler: Any, x: Tensor, t: Tensor) -> Tensor:
    """The latents as the network wants them; flow-matching schedulers leave them as they are."""
    if not hasattr(scheduler, "scale_model_input"):
        return x
    scaled_x: Tensor = scheduler.scale_model_input(x, t)
    return scaled_x


def advance_one(branch: Branch, output: Tensor, t: Tensor) -> Tensor:
    """X one step less noisy; stochastic schedulers draw from each image's own stream."""
    extra: dict[str, Any] = {}
    if takes_generator(type(branch.scheduler).step):
        extra["generator"] = branch.generators
    stepped: Tensor = branch.scheduler.step(output, t, branch.x, return_dict=False, **extra)[0]
    return stepped


@cache
def takes_generator(step: Callable[..., Any]) -> bool:
    """Whether a kind of scheduler may draw noise; found once, because reflection is slow."""
    return "generator" in inspect.signature(step).parameters
