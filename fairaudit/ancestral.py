"""Steps between two noise levels with noise drawn anew: forwards, and backwards given the clean latents."""

from __future__ import annotations

import math

from torch import Tensor

from fairaudit.levels import Level


def renoise(x: Tensor, level: Level, after: Level, noise: Tensor) -> Tensor:
    """Latents at `after` brought back to the noisier `level` by the forward process: ``a x + sqrt(v) n``."""
    a, v = _transition(level, after)
    return a * x + math.sqrt(v) * noise


def ancestral(x: Tensor, clean: Tensor, level: Level, after: Level) -> tuple[Tensor, float]:
    """Mean (n, ...) and variance of the latents at `after`, given those at `level` and the clean ones.

    The posterior of equation 7 of Ho et al. (2020) for any pair of levels: with ``x_t = a x_s + sqrt(v) n``,

        mean = (a sigma_s^2 x_t + alpha_s v x0) / sigma_t^2,   variance = v sigma_s^2 / sigma_t^2.

    This is the step of the DDPM scheduler (variance `fixed_small`) where alpha^2 + sigma^2 = 1, and that
    of the ancestral Euler scheduler where alpha = 1.
    """
    a, v = _transition(level, after)
    mean = (a * after.sigma**2 * x + after.alpha * v * clean) / level.sigma**2
    return mean, v * after.sigma**2 / level.sigma**2


def _transition(level: Level, after: Level) -> tuple[float, float]:
    """Factor a and variance v of the forward process from `after` to `level`."""
    a = level.alpha / after.alpha
    return a, max(level.sigma**2 - a**2 * after.sigma**2, 0.0)
