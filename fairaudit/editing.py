"""What samplers that edit the guided output share: when an edit begins, and its momentum."""

from __future__ import annotations

import torch
from torch import Tensor

from fairaudit.sampling import Step

_ROUNDING = 1e-9


def begun(step: Step, fraction: float) -> bool:
    """Whether a fraction of the steps lies behind: 0.1 of 50 steps does from index 5 on."""
    return step.index >= fraction * step.count - _ROUNDING


def with_momentum(edit: Tensor, step: Step, scale: float, beta: float) -> Tensor:
    """The edit (n, ...) with the momentum of the steps before, which it then adds to.

    ``gamma + s_m nu``, then ``nu <- beta nu + (1 - beta) gamma`` (equations 7 and 8 of Safe Latent
    Diffusion, Schramowski et al. 2023, arXiv 2211.05105; the same in SEGA).
    """
    momentum = step.memory.get("momentum", torch.zeros_like(edit))
    edit = edit + scale * momentum
    step.memory["momentum"] = beta * momentum + (1 - beta) * edit
    return edit
