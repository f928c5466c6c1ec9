"""The search for the transition point as published, step for step."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from fairaudit.errors import UsageError
from fairaudit.levels import Level, level_of, network_input, prediction_of
from fairaudit.transition.criteria import Found, Search
from fairaudit.transition.curves import lowest, published_norm, settle
from fairaudit.transition.keeping import Kept
from fairaudit.transition.setting import Field

GRID = 10
"""Trained timesteps between the points of the curve."""

KEPT_EVERY = 50
"""Trained timesteps after which the search is kept."""


def exact_search(search: Search, *, clamp: bool = False, kept: Kept | None = None) -> Found:
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
    kept
        Where the search is kept while it goes on.

    Raises
    ------
    UsageError
        If the model has no noise schedule with betas, as flow matching has not.
    """
    setting = search.setting
    scheduler = setting.denoiser.scheduler("ddim", setting.steps)
    if not hasattr(scheduler, "alphas_cumprod"):
        raise UsageError("the published search takes a noise schedule with betas; search without --exact")
    trained, prediction = len(scheduler.alphas_cumprod), prediction_of(scheduler)
    field, questions = Field(setting, search.batch), 2.0 * (1 + (setting.scale != 1))
    done, x, sums = _begun(search, kept)
    for number in range(trained - 1 - done, -1, -1):
        t = torch.tensor(number, device=setting.denoiser.device)
        level = level_of(scheduler, t)
        after = level_of(scheduler, t - 1) if number else Level(1.0, 0.0)
        points = [
            (network_input(scheduler, one, level), (value,))
            for one, value in zip(x, search.pair, strict=True)
        ]
        outputs = [answer[value] for answer, value in zip(field(points, t), search.pair, strict=True)]
        noises = [level.noise(one, output, prediction) for one, output in zip(x, outputs, strict=True)]
        # The last of the sums goes on; at every point of the grid one more is left behind.
        sums[-1] = sums[-1] + float(scheduler.betas[number]) * (noises[0] - noises[1]).double().cpu()
        cleans = [level.clean(one, output, prediction) for one, output in zip(x, outputs, strict=True)]
        x = [_ddim(clean, noise, after, clamp) for clean, noise in zip(cleans, noises, strict=True)]
        if number % GRID == 0 and number:
            sums.append(sums[-1])
        if kept and number % KEPT_EVERY == 0:
            kept.save(trained - number, {"x": torch.stack(x), "sums": torch.stack(sums)})
        search.advance(questions)
    if kept:
        kept.forget()
    balance = np.stack([(sums[-1] - 2 * one).flatten(1).numpy() for one in sums[::-1]])
    taus = np.arange(0, trained, GRID) / trained
    return Found(settle(taus, published_norm(balance), len(x[0]), lowest), questions * trained)


def _begun(search: Search, kept: Kept | None) -> tuple[int, list[Tensor], list[Tensor]]:
    """How many steps are done, both paths there, and the sums from the noise down to each point."""
    model, found = search.setting.denoiser, kept.load() if kept else None
    if found is not None:
        done, tensors = found
        return done, list(tensors["x"].to(model.device, model.dtype)), list(tensors["sums"])
    noise = search.batch.noise
    return 0, [noise.to(model.device, model.dtype)] * 2, [torch.zeros(noise.shape, dtype=torch.float64)]


def _ddim(clean: Tensor, noise: Tensor, after: Level, clamp: bool) -> Tensor:
    """Where one step of DDIM with eta 0 ends (Song et al. 2021, equation 12)."""
    return after.alpha * (clean.clamp(-1, 1) if clamp else clean) + after.sigma * noise
