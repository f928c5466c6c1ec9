"""The schedulers that a plan can name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from fairaudit.errors import UsageError, unknown

SCHEDULERS: Mapping[str, str] = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "pndm": "PNDMScheduler",
    "lms": "LMSDiscreteScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler-ancestral": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "dpmsolver++": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
}
"""Names to classes of diffusers. One name more, `model`, is the pipeline's own scheduler."""

_DRAWING = frozenset(
    {
        "DDPMScheduler",
        "EulerAncestralDiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler",
        "LCMScheduler",
        "TCDScheduler",
    }
)
"""Those that draw noise at every step, from the random stream of every image."""

_KEEPING = frozenset(
    {
        "HeunDiscreteScheduler",
        "KDPM2AncestralDiscreteScheduler",
        "KDPM2DiscreteScheduler",
        "PNDMScheduler",
        "UniPCMultistepScheduler",
    }
)
"""Those that go on from latents they have kept, so that a correction between two steps is lost."""


def make_scheduler(own: Any, kind: str) -> Any:
    """A fresh scheduler of a kind with the noise schedule of a model's own.

    Raises
    ------
    UsageError
        If there is no such kind, or the model is made for flow matching and the kind is not.
    """
    if kind == "model":
        return type(own).from_config(own.config)
    if kind not in SCHEDULERS:
        raise unknown("scheduler", kind, ["model", *SCHEDULERS])
    if not hasattr(own, "alphas_cumprod"):
        raise UsageError(
            f"scheduler {kind} does not fit a flow-matching model such as this one; use --scheduler model"
        )
    import diffusers

    return getattr(diffusers, SCHEDULERS[kind]).from_config(own.config)


def set_steps(scheduler: Any, steps: int, device: torch.device, **more: Any) -> None:
    """Set a scheduler's timesteps.

    Raises
    ------
    UsageError
        If it does not take that many.
    """
    try:
        scheduler.set_timesteps(steps, device=device, **more)
    except ValueError as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"{type(scheduler).__name__} does not take {steps} steps: {reason}") from error


def restarts(scheduler: Any) -> bool:
    """Whether every step of a diffusers scheduler starts from the latents it is given."""
    return type(scheduler).__name__ not in _KEEPING


def is_stochastic(scheduler: Any) -> bool:
    """Whether a diffusers scheduler draws noise at every step.

    DDIM is run with eta = 0 and draws none; so do multistep solvers, unless they solve the SDE.
    """
    return (
        type(scheduler).__name__ in _DRAWING
        or str(scheduler.config.get("algorithm_type")).startswith("sde")
        or bool(scheduler.config.get("stochastic_sampling"))
    )
