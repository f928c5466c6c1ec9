"""The schedulers that a plan can name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

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


def is_stochastic(scheduler: Any) -> bool:
    """Whether a diffusers scheduler draws noise at every step.

    DDIM is run with eta = 0 and draws none; so do multistep solvers, unless they solve the SDE.
    """
    return (
        type(scheduler).__name__ in _DRAWING
        or str(scheduler.config.get("algorithm_type")).startswith("sde")
        or bool(scheduler.config.get("stochastic_sampling"))
    )
