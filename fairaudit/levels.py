"""Noise levels, and what a model's output says about the clean picture at one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from fairaudit.errors import UsageError

Prediction = Literal["epsilon", "v_prediction", "sample", "flow_prediction"]
"""What a network predicts: the noise, the velocity of a variance-preserving path, x0, or noise - x0."""


@dataclass(frozen=True)
class Level:
    """How noisy latents are: ``x = alpha x0 + sigma eps``.

    Variance-preserving schedulers keep alpha^2 + sigma^2 = 1, variance-exploding ones (Euler, LMS, Heun
    on a Stable Diffusion model) alpha = 1, flow matching alpha = 1 - sigma.
    """

    alpha: float
    sigma: float

    @property
    def signal(self) -> float:
        """Fraction of signal abar = alpha^2 / (alpha^2 + sigma^2), in [0, 1]; 0 is pure noise."""
        return self.alpha**2 / (self.alpha**2 + self.sigma**2)

    def clean(self, x: Tensor, output: Tensor, prediction: Prediction) -> Tensor:
        """The clean latents x0 that an output of the network at `x` stands for."""
        if prediction == "epsilon":
            return (x - self.sigma * output) / self.alpha
        if prediction == "sample":
            return output
        if prediction == "flow_prediction":
            # The velocity eps - x0; on the flow path (alpha = 1 - sigma) this is x - sigma v.
            return (x - self.sigma * output) / (self.alpha + self.sigma)
        # v = a eps - s x0 for the same picture on the unit circle, a^2 + s^2 = 1.
        norm = math.hypot(self.alpha, self.sigma)
        return (self.alpha * x / norm - self.sigma * output) / norm

    def noise(self, x: Tensor, output: Tensor, prediction: Prediction) -> Tensor:
        """The noise eps that an output of the network at `x` stands for."""
        if prediction == "epsilon":
            return output
        if prediction == "flow_prediction":
            return (x + self.alpha * output) / (self.alpha + self.sigma)
        return (x - self.alpha * self.clean(x, output, prediction)) / self.sigma

    def shift(self, clean: Tensor, prediction: Prediction) -> Tensor:
        """What an output gains, at the same noisy latents, where its clean latents gain `clean`.

        It is exact for 0 and never divides by alpha.
        """
        noise = -self.alpha / self.sigma * clean
        if prediction == "epsilon":
            return noise
        if prediction == "sample":
            return clean
        if prediction == "flow_prediction":
            return noise - clean
        return -math.hypot(self.alpha, self.sigma) / self.sigma * clean


def level_of(scheduler: Any, t: Tensor | float) -> Level:
    """The noise level of a diffusers scheduler's latents at one of its timesteps.

    Which parametrisation a scheduler steps in follows from what it is: flow matching knows no
    `alphas_cumprod`, and those that scale the model's input (Euler, LMS, Heun, ...) keep alpha = 1.
    """
    if _flows(scheduler):
        sigma = _own_sigma(scheduler, t)
        return Level(1 - sigma, sigma)
    if _explodes(scheduler):
        return Level(1.0, _own_sigma(scheduler, t))
    position = float(t)
    below = int(position)
    signals = scheduler.alphas_cumprod
    above = min(below + 1, len(signals) - 1)
    # Timesteps between the trained ones (exponential or Karras spacing) are read off linearly.
    signal = float(torch.lerp(signals[below].double(), signals[above].double(), position - below))
    return Level(math.sqrt(signal), math.sqrt(1 - signal))


def final_level(scheduler: Any) -> Level:
    """The level that the last step of a scheduler ends at."""
    signal = float(getattr(scheduler, "final_alpha_cumprod", 1.0))
    return Level(math.sqrt(signal), math.sqrt(1 - signal))


def prediction_of(scheduler: Any) -> Prediction:
    """What a scheduler takes the network's output for."""
    if _flows(scheduler):
        return "flow_prediction"
    kind: Prediction = scheduler.config.prediction_type
    return kind


def network_input(scheduler: Any, x: Tensor, level: Level) -> Tensor:
    """Latents of a level as the network wants them, whichever step the scheduler is at."""
    return x / math.hypot(level.alpha, level.sigma) if _explodes(scheduler) else x


def _flows(scheduler: Any) -> bool:
    """Whether a scheduler steps along a flow; refuses those of which it is not known how they step."""
    name = type(scheduler).__name__
    if not hasattr(scheduler, "alphas_cumprod") and not name.startswith("FlowMatch"):
        raise UsageError(f"scheduler {name} is of a kind that cannot be used here; try --scheduler euler")
    return name.startswith("FlowMatch") or bool(scheduler.config.get("use_flow_sigmas"))


def _explodes(scheduler: Any) -> bool:
    return float(getattr(scheduler, "init_noise_sigma", 1.0)) > 1.0 + 1e-6


def _own_sigma(scheduler: Any, t: Tensor | float) -> float:
    """The entry of the scheduler's sigmas that belongs to a timestep."""
    matches = (scheduler.timesteps == t).nonzero()
    return float(scheduler.sigmas[int(matches[0])])


@dataclass(frozen=True)
class View:
    """The latents of one step as hooks see them.

    Parameters
    ----------
    x
        (n, ...), the noisy latents.
    level, after
        Their noise level, and that of the latents after the step.
    prediction
        What the network's output means.
    generators
        The random stream of every image.
    """

    x: Tensor
    level: Level
    after: Level
    prediction: Prediction
    generators: tuple[torch.Generator, ...]

    def clean(self, output: Tensor) -> Tensor:
        """The clean latents (n, ...) an output stands for."""
        return self.level.clean(self.x, output, self.prediction)

    def noise(self, output: Tensor) -> Tensor:
        """The noise (n, ...) an output stands for."""
        return self.level.noise(self.x, output, self.prediction)

    def shift(self, clean: Tensor) -> Tensor:
        """What an output gains where its clean latents gain this (n, ...)."""
        return self.level.shift(clean, self.prediction)

    def draw(self) -> Tensor:
        """Standard normal (n, ...) from each image's own stream, drawn on the CPU."""
        drawn = [torch.randn(self.x.shape[1:], generator=generator) for generator in self.generators]
        return torch.stack(drawn).to(self.x.device, self.x.dtype)
