"""DeCoDi: guidance away from the words of a stereotype."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairaudit.editing import begun, with_momentum
from fairaudit.embedding import Condition
from fairaudit.needs import Need
from fairaudit.sampling import Assignment, Request, Step, classifier_free, no_assignment


@dataclass(frozen=True)
class DeCoDi:
    """DeCoDi (Kupssinsku et al., BRACIS 2025, arXiv 2508.14933), at three evaluations a step.

    Safe Latent Diffusion (Schramowski et al. 2023, arXiv 2211.05105) with a bias in the place of what
    is unsafe: the output is moved away from that under a text of stereotypical words, at the
    positions where the prompt's output is near to it. No value is aimed at.

    Parameters
    ----------
    bias_text
        The stereotypical words. Empty takes the words of all values ("female, male"), which favours
        none. The paper writes by hand those of the value that has too much, for a nurse "woman,
        female, feminine, soft features, ...": say them here when it is known.
    scale
        S, how fast the edit grows with the distance between prompt and bias, up to all of it.
    threshold
        Where eps_p - eps_b reaches it, nothing is edited. The difference is signed, as in the papers.
    warm_up
        Fraction of the steps before the edit begins (7 of 50 in the paper).
    momentum, beta
        s_m and beta_m of the momentum, which gathers during the warm-up too.

    Notes
    -----
    The defaults are the paper's; its strong setting is scale 15000, threshold 0.025, at a guidance
    scale of 12 instead of 7.5. The published code sets nu to zero at every step, so that its momentum
    does nothing: a momentum of 0 gives what that code gives.
    """

    bias_text: str = ""
    scale: float = 2000.0
    threshold: float = 1.0
    warm_up: float = 0.14
    momentum: float = 0.5
    beta: float = 0.7
    name: str = "decodi"

    needs: ClassVar[frozenset[Need]] = frozenset({Need.TEXT, Need.EMPTY})

    def __post_init__(self) -> None:
        for parameter in ("scale", "threshold", "momentum"):
            if not math.isfinite(getattr(self, parameter)):
                raise ValueError(f"{parameter} is a finite number, not {getattr(self, parameter)}")
        if self.scale < 0:
            raise ValueError(f"scale is at least 0, not {self.scale}")
        for parameter in ("warm_up", "beta"):
            if not 0 <= getattr(self, parameter) <= 1:
                raise ValueError(f"{parameter} lies in [0, 1], not {getattr(self, parameter)}")

    def assign(self, request: Request) -> Assignment:
        """No value is aimed at."""
        return no_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text, the prompt, and the bias."""
        request = step.request
        return request.empty, request.neutral, (self._bias(request),) * len(request.indices)

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """eps_u + s_g ((eps_p - eps_u) - g), with g = mu (eps_b - eps_u) + s_m nu."""
        empty, prompt, bias = outputs
        apart = prompt - bias
        strength = torch.where(apart >= self.threshold, 0.0, (apart.abs() * self.scale).clamp(max=1))
        edit = with_momentum(strength * (bias - empty), step, self.momentum, self.beta)
        towards = prompt - edit if begun(step, self.warm_up) else prompt
        return classifier_free(empty, towards, step.request.guidance_scale)

    def signature(self, step: Step) -> Hashable:
        """The baseline's until the edit begins."""
        if not begun(step, self.warm_up):
            return step.request.neutral
        return DeCoDi, self._bias(step.request), self.scale, self.threshold, self.momentum, self.beta

    def _bias(self, request: Request) -> str:
        parts = request.attribute.parts or (request.attribute,)
        words = (word for part in parts for word in part.words.values())
        return self.bias_text or ", ".join(words)
