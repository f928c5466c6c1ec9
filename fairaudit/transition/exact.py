"""The search for the transition point as published, step for step."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from fairaudit.errors import UsageError
from fairaudit.levels import Level, level_of, network_input, prediction_of
from fairaudit.transition.criteria import Found, Search
from fairaudit.transition.curves import lowest, published_norm, settle
from fairaudit.transition.setting import Field

GRID = 10
"""Trained timesteps between the points of the curve."""


def exact_search(search: Search, *, clamp: bool = False) -> Found:
    """The transition point as the authors of attribute switching search for it (their notebook).

    Both paths start from the same noise, each goes on under its own value by DDIM (eta 0) through
    all trained timesteps, and tau is the point of the grid 0, 10, ... that minimises

        D(tau) = mean over positions of || sum_{t < tau} beta_t Delta_t - sum_{t >= tau} beta_t Delta_t ||

    with the norm over the images and Delta_t the noise predicted under the first value at its path
    minus that under the second at its own. It costs 2 evaluations per image and trained timestep,
    twice that with guidance.

    Parameters
    ----------
    clamp
        Cut the clean estimate to [-1, 1] at every step, as published; right for pixels, and wrong
        for latents, whose values are not bounded.

    Raises
    ------
    UsageError
        If the model has no noise schedule with betas, as flow matching has not.
    """
    setting, values = search.setting, search.pair
    scheduler = setting.denoiser.scheduler("ddim", setting.steps)
    if not hasattr(scheduler, "alphas_cumprod"):
        raise UsageError("the published search takes a noise schedule with betas; search without --exact")
    trained = len(scheduler.alphas_cumprod)
    prediction = prediction_of(scheduler)
    field = Field(setting, search.batch)
    x = [search.batch.noise.to(setting.denoiser.device, setting.denoiser.dtype)] * 2
    # Sums of beta Delta from the noise down to every point of the grid.
    summed = torch.zeros(x[0].shape, dtype=torch.float64)
    sums: dict[int, Tensor] = {}
    for number in range(trained - 1, -1, -1):
        t = torch.tensor(number, device=setting.denoiser.device)
        level = level_of(scheduler, t)
        after = level_of(scheduler, t - 1) if number else Level(1.0, 0.0)
        points = [
            (network_input(scheduler, one, level), (value,)) for one, value in zip(x, values, strict=True)
        ]
        outputs = [answer[value] for answer, value in zip(field(points, t), values, strict=True)]
        noises = [level.noise(one, output, prediction) for one, output in zip(x, outputs, strict=True)]
        summed = summed + float(scheduler.betas[number]) * (noises[0] - noises[1]).double().cpu()
        if number % GRID == 0:
            sums[number] = summed
        x = [_ddim(one, noise, level, after, clamp) for one, noise in zip(x, noises, strict=True)]
        search.advance(2.0 * (1 + (setting.scale != 1)))
    grid = sorted(sums)
    balance = np.stack([(summed - 2 * sums[number]).flatten(1).numpy() for number in grid])
    taus = np.array(grid) / trained
    return Found(settle(taus, published_norm(balance), len(x[0]), lowest), field.evaluations)


def _ddim(x: Tensor, noise: Tensor, level: Level, after: Level, clamp: bool) -> Tensor:
    """One step of DDIM with eta 0 (Song et al. 2021, equation 12)."""
    clean = (x - level.sigma * noise) / max(level.alpha, math.ulp(1.0))
    return after.alpha * (clean.clamp(-1, 1) if clamp else clean) + after.sigma * noise
