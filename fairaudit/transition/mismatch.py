"""At which noise levels an attribute is decided: the mismatch of two scores, in nats.

With eps*(x) and eps(x) the noise that the target law and a model expect at noisy x, and
s = sigma / alpha, the accumulated mismatch

    B = integral E ||eps - eps*||^2 d log s        (expectation over noisy draws of the target)

is KL(target || model) of the clean laws less that of the noisiest ones, for every noise schedule: for a
variance-preserving one it is the integral of (beta/2) E ||score difference||^2 dt (de Bruijn's identity;
the bias of mismatched scores of arXiv 2410.13746, ICLR 2025). For groups that do not overlap it is
the KL of their shares. What has accrued from the noise down to a level tells how far an attribute
is decided there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fairaudit.asking import Asked, Questions
from fairaudit.embedding import Condition
from fairaudit.levels import level_of, network_input, prediction_of
from fairaudit.transition.curves import Array, halves, noise_ratios
from fairaudit.transition.setting import Setting

PARTS = (0.1, 0.5, 0.9)
LEVELS = 24


@dataclass(frozen=True)
class Profile:
    """A mismatch along the noise levels, from noise to image.

    Parameters
    ----------
    times
        (m,), falling, in [0, 1] of the noise schedule.
    log_ratio
        (m,), log(sigma / alpha).
    density
        (m,), nats per unit of log(sigma / alpha).
    accrued, low, high
        (m,), nats from the first level down to this one, and their interval over the images.
    """

    times: Array
    log_ratio: Array
    density: Array
    accrued: Array
    low: Array
    high: Array

    @property
    def nats(self) -> float:
        """The whole mismatch."""
        return float(self.accrued[-1])

    def decided(self, part: float) -> float:
        """The time at which this part of the mismatch has first accrued, linear between levels."""
        wanted = part * self.nats
        end = int(np.flatnonzero(self.accrued >= wanted)[0])
        around = slice(max(0, end - 1), end + 1)
        return float(np.interp(wanted, self.accrued[around], self.times[around]))

    def as_record(self) -> dict[str, object]:
        """The content of profile.json."""
        columns = ("times", "log_ratio", "density", "accrued", "low", "high")
        return {
            "nats": {"value": self.nats, "low": float(self.low[-1]), "high": float(self.high[-1])},
            "decided": {f"{part:.0%}": self.decided(part) for part in PARTS},
            **{name: getattr(self, name).tolist() for name in columns},
        }


def accrue(log_ratio: Array, density: Array) -> Array:
    """(..., m) nats from the first level to each, by trapezoids.

    Parameters
    ----------
    log_ratio
        (m,), log(sigma / alpha), falling.
    density
        (..., m), E ||eps - eps*||^2.
    """
    pieces = (density[..., 1:] + density[..., :-1]) / 2 * -np.diff(log_ratio)
    total: Array = np.concatenate([np.zeros_like(density[..., :1]), np.cumsum(pieces, -1)], -1)
    return total


def make_profile(times: Array, log_ratio: Array, density: Array, *, seed: int = 0) -> Profile:
    """The profile of n images (n, m), with intervals from random halves of them."""
    accrued = accrue(log_ratio, density)
    spread = [accrued[rows].mean(0) for rows in halves(len(accrued), seed)]
    low, high = np.quantile(spread, [0.025, 0.975], axis=0)
    return Profile(times, log_ratio, density.mean(0), accrued.mean(0), low, high)


def denoising_profiles(
    setting: Setting,
    clean: Tensor,
    own: Condition,
    models: dict[str, Condition],
    *,
    levels: int = LEVELS,
    advance: Callable[[float], None] = lambda evaluations: None,
) -> dict[str, Profile]:
    """Mismatch between what the network expects under each image's own condition and under others.

    Estimated without any true score: E ||eps - eps*||^2 is how much larger the loss of denoising is
    under eps than under eps*, on the target's own images (denoising score matching, Vincent 2011).
    Differences are taken on the same noise. They can be negative where a model is not worse.

    Parameters
    ----------
    clean
        (n, ...), latents of images from the target.
    own
        The condition that stands for the target's score at each image.
    models
        Name to the condition whose mismatch is measured.
    levels
        Noise levels, evenly spaced in time. Costs `levels` evaluations per image and condition.
    """
    scheduler = setting.denoiser.scheduler(setting.scheduler, levels)
    prediction = prediction_of(scheduler)
    ask = Questions(setting.denoiser, setting.room)
    stream = torch.Generator().manual_seed(setting.seed)
    conditions = tuple(dict.fromkeys([own, *models.values()]))
    excess: dict[str, list[Array]] = {name: [] for name in models}
    timesteps = list(scheduler.timesteps)
    found = [level_of(scheduler, t) for t in timesteps]
    for t, level in zip(timesteps, found, strict=True):
        noise = torch.randn(clean.shape, generator=stream).to(clean)
        x = level.alpha * clean + level.sigma * noise
        (answer,) = ask([Asked(network_input(scheduler, x, level), conditions)], t)
        loss = {c: _loss(level.noise(x, answer[c], prediction), noise) for c in conditions}
        for name, condition in models.items():
            excess[name].append(loss[condition] - loss[own])
        advance(float(len(conditions)))
    times = np.array([float(t) / scheduler.config.num_train_timesteps for t in timesteps])
    ratio = np.log(noise_ratios(found))
    return {name: make_profile(times, ratio, np.stack(rows, 1)) for name, rows in excess.items()}


def _loss(predicted: Tensor, noise: Tensor) -> Array:
    loss: Array = (predicted - noise).double().square().flatten(1).sum(1).cpu().numpy()
    return loss
