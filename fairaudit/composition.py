"""Several attributes at once, put together from the network's answers to each of them alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from torch import Tensor

from fairaudit.embedding import Condition
from fairaudit.sampling import Step, guided, with_empty

Schedule = Literal["constant", "sigmoid"]
"""How much each attribute weighs at a time; see `attribute_weights`."""

_STEEPNESS, _MIDPOINT = 25.0, 0.55


def single_values(step: Step) -> tuple[Condition, ...]:
    """For every attribute, the prompt with each image's value of that attribute alone."""
    request = step.request
    texts = {
        value: tuple(
            request.prompt.with_value(part, own)
            for part, own in zip(request.attribute.parts, request.attribute.split(value), strict=True)
        )
        for value in set(step.assignment)
        if value is not None
    }
    return tuple(zip(*(texts[value] for value in step.assignment if value is not None), strict=True))


def asked(step: Step, *conditions: Condition) -> tuple[Condition, ...]:
    """The neutral prompt (with the empty one where guidance needs it), then the conditions."""
    return with_empty(step.request, step.request.neutral, *conditions)


def composed(outputs: tuple[Tensor, ...], weights: Sequence[float], step: Step) -> Tensor:
    """``s + sum_i w_i (s_i - s_0)`` of what `asked` asked, one weight per condition.

    s_0 is the output under the neutral prompt, and s is s_0 with classifier-free guidance.
    """
    plain, conditional = outputs[: -len(weights)], outputs[-len(weights) :]
    total = guided(plain, step.request)
    for weight, one in zip(weights, conditional, strict=True):
        total = total + weight * (one - plain[-1])
    return total


def check_weights(alpha: float | None, schedule: str) -> None:
    """Raise `ValueError` if the strength is no number, or there is no such schedule."""
    if alpha is not None and not math.isfinite(alpha):
        raise ValueError(f"alpha is a finite number, not {alpha}")
    if schedule not in ("constant", "sigmoid"):
        raise ValueError(f"schedule is constant or sigmoid, not {schedule!r}")


def strengths(alpha: float | None, schedule: Schedule, step: Step) -> tuple[float, ...]:
    """``alpha b_i`` of every attribute at a step; an alpha of None is the guidance scale."""
    request = step.request
    scale = request.guidance_scale if alpha is None else alpha
    shares = attribute_weights(schedule, step.time, len(request.attribute.parts))
    return tuple(scale * share for share in shares)


def attribute_weights(schedule: Schedule, time: float, count: int) -> tuple[float, ...]:
    """b_i, the weight of each of `count` attributes at a time in [0, 1].

    Constant is 1 for all. Sigmoid hands over from the first attribute, at high noise, to the others:
    ``1 / (1 + exp(-a (t - b)))`` for the first and 1 minus that for the others, the sigmoid schedule
    of arXiv 2302.14368. Its text could not be read: a = 0.025 and b = 550, of 1000 timesteps, come
    second-hand.
    """
    if schedule == "constant":
        return (1.0,) * count
    first = 1 / (1 + math.exp(-_STEEPNESS * (time - _MIDPOINT)))
    return (first, *(1 - first,) * (count - 1))
