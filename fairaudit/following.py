"""Following a classifier's gradient: through the clean estimate, the noisy latents, or the middle block."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal

from torch import Tensor

from fairaudit.embedding import Condition
from fairaudit.guides import gradient
from fairaudit.levels import View
from fairaudit.sampling import Step

Through = Literal["clean", "noisy", "hidden"]

Gain = Callable[[Tensor], Tensor]
"""What is to rise, of the classifier's log-probabilities (n, K)."""


def strength_of(scale: float | None, through: str, defaults: Mapping[str, float]) -> float:
    """The scale, or the default of the classifier that is followed.

    Raises
    ------
    ValueError
        If there is no such classifier, or the scale is no strength.
    """
    if through not in defaults:
        raise ValueError(f"through is one of {', '.join(defaults)}, not {through!r}")
    strength = defaults[through] if scale is None else scale
    if not (math.isfinite(strength) and strength >= 0):
        raise ValueError(f"scale is a finite number of at least 0, not {scale}")
    return strength


def steered(
    output: Tensor, view: View, step: Step, through: Through, *, strength: float, gain: Gain
) -> Tensor:
    """The output with its clean estimate moved up the gradient; as it is through the middle block.

    Clean: by ``s (1 - abar) grad g(log p(. | x0))``, with ``alpha / (alpha^2 + sigma^2)`` in place of
    the Jacobian of x0 by x. Noisy: by ``s sigma^2 / alpha grad_x g(log p(. | x))``.
    """
    guides, level = step.request.guides, view.level
    if through == "clean" and guides.clean is not None:
        judge = guides.clean
        found = gradient(lambda clean: gain(judge(clean)), view.clean(output))
        shift = strength * (1 - level.signal) * found
    elif through == "noisy" and guides.noisy is not None and level.alpha > 0:
        noisy = guides.noisy
        found = gradient(lambda x: gain(noisy(x, level)), view.x)
        shift = strength * level.sigma**2 / level.alpha * found
    else:
        return output
    return output + view.shift(shift).to(output.dtype)


def moved(hidden: Tensor, condition: Condition, step: Step, *, strength: float, gain: Gain) -> Tensor:
    """The middle block under the prompt moved up the gradient; under the empty text as it is."""
    judge = step.request.guides.hidden
    if condition == step.request.empty or judge is None:
        return hidden
    found = gradient(lambda h: gain(judge(h, step.time)), hidden)
    return hidden + (strength * found).to(hidden.dtype)
