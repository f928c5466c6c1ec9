"""The reverse processes under two values from the same noise, and the branches that switch."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairaudit.diffusion import Branch, advance_one, scaled
from fairaudit.levels import final_level, level_of, prediction_of
from fairaudit.transition.setting import Batch, Field, Pair, Setting

Advance = Callable[[float], None]
"""Told how many more network evaluations per image are done."""


class Steps:
    """The timesteps of a scheduler, and the noise levels before and after each."""

    def __init__(self, setting: Setting) -> None:
        self.scheduler = setting.denoiser.scheduler(setting.scheduler, setting.steps)
        self.timesteps = list(self.scheduler.timesteps)
        self.times = [float(t) / self.scheduler.config.num_train_timesteps for t in self.timesteps]
        self.levels = [*(level_of(self.scheduler, t) for t in self.timesteps), final_level(self.scheduler)]
        self.prediction = prediction_of(self.scheduler)

    @property
    def bounds(self) -> NDArray[np.float64]:
        """(N + 1,) the time at which a switch before step i happens, i = 0 ... N; the last is 0."""
        return np.array([*self.times, 0.0])

    def start(self, batch: Batch, setting: Setting) -> Branch:
        """The noise, scaled as the scheduler begins."""
        model = setting.denoiser
        x = batch.noise.to(model.device, model.dtype)
        x = x * float(getattr(self.scheduler, "init_noise_sigma", 1.0))
        generators = [generator.clone_state() for generator in batch.generators]
        return Branch(x, self.scheduler, generators, []).fork([])


class Paths:
    """Both unswitched paths, remembered at every step, and the switched ones that branch off.

    Attributes
    ----------
    differences
        (N, n, d) float64: at every step the noise predicted under the first value at its own path
        minus that under the second at its own.
    """

    def __init__(
        self, setting: Setting, batch: Batch, pair: Pair, advance: Advance = lambda evaluations: None
    ) -> None:
        self.setting, self.pair, self.advance = setting, pair, advance
        self.field = Field(setting, batch)
        self.steps = Steps(setting)
        self.trunks: list[list[Branch]] = [[self.steps.start(batch, setting)] for _ in pair]
        self._found: dict[int, tuple[Tensor, Tensor]] = {}
        differences = []
        for index in range(len(self.steps.timesteps)):
            heads = [trunk[-1].fork([]) for trunk in self.trunks]
            before = heads[0].x - heads[1].x
            outputs = self._step(heads, pair, index)
            level = self.steps.levels[index]
            # Noise is linear in latents and output, so that of the difference is the difference.
            noise = level.noise(before, outputs[0] - outputs[1], self.steps.prediction)
            differences.append(_flat(noise))
            for trunk, head in zip(self.trunks, heads, strict=True):
                trunk.append(head)
        self.differences = np.stack(differences)

    def switched(self, cut: int) -> tuple[Tensor, Tensor]:
        """Clean latents of both orders, first>second and second>first, switched before step `cut`.

        0 is the other value throughout, N never switches.
        """
        if cut in (0, len(self.steps.timesteps)):
            return self.ends() if cut else self.ends()[::-1]
        if cut not in self._found:
            branches = [trunk[cut].fork([]) for trunk in self.trunks]
            for index in range(cut, len(self.steps.timesteps)):
                self._step(branches, self.pair[::-1], index)
            self._found[cut] = branches[0].x, branches[1].x
        return self._found[cut]

    def ends(self) -> tuple[Tensor, Tensor]:
        """Clean latents under the first value alone, and under the second."""
        return self.trunks[0][-1].x, self.trunks[1][-1].x

    def cost(self, cuts: Iterable[int] = ()) -> float:
        """Network evaluations per image that both paths take, and switching them at these cuts.

        It is what a search would have cost alone, where several share their paths.
        """
        count = len(self.steps.timesteps)
        questions = 2 * (1 + (self.setting.scale != 1))
        return float(questions * (count + sum(count - cut for cut in cuts if cut not in (0, count))))

    def _step(self, branches: list[Branch], values: Pair, index: int) -> list[Tensor]:
        t, rows = self.steps.timesteps[index], self.field.evaluations
        points = [(scaled(branch.scheduler, branch.x, t), (value,))
                  for branch, value in zip(branches, values, strict=True)]  # fmt: skip
        answers = self.field(points, t)
        outputs = [answer[value] for answer, value in zip(answers, values, strict=True)]
        for branch, output in zip(branches, outputs, strict=True):
            branch.x = advance_one(branch, output, t)
        self.advance(self.field.evaluations - rows)
        return outputs


class Midway:
    """The path along the mean of both outputs, asked under both values at every point.

    Attributes
    ----------
    differences
        (N, n, d) float64: clean latents expected under the second value minus under the first.
    after
        (N, n, d) float64: ``x / alpha`` after every step; the last are the clean latents.
    """

    def __init__(
        self, setting: Setting, batch: Batch, pair: Pair, advance: Advance = lambda evaluations: None
    ) -> None:
        self.field = Field(setting, batch)
        self.steps = Steps(setting)
        branch = self.steps.start(batch, setting)
        differences, after = [], []
        for index, t in enumerate(self.steps.timesteps):
            rows = self.field.evaluations
            (answer,) = self.field([(scaled(branch.scheduler, branch.x, t), pair)], t)
            first, second = (answer[value] for value in pair)
            level = self.steps.levels[index]
            clean = level.clean(torch.zeros_like(first), second - first, self.steps.prediction)
            differences.append(_flat(clean))
            branch.x = advance_one(branch, (first + second) / 2, t)
            after.append(_flat(branch.x) / self.steps.levels[index + 1].alpha)
            advance(self.field.evaluations - rows)
        self.differences, self.after = np.stack(differences), np.stack(after)


def _flat(tensor: Tensor) -> NDArray[np.float64]:
    flat: NDArray[np.float64] = tensor.flatten(1).double().cpu().numpy()
    return flat
