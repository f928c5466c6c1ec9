"""Latent variable guidance: the scores of all values, weighted by their posterior under the target."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from fairaudit.ancestral import ancestral
from fairaudit.embedding import Condition
from fairaudit.levels import View
from fairaudit.needs import Need
from fairaudit.sampling import (
    Assignment,
    Request,
    Step,
    classifier_free,
    no_assignment,
    with_empty,
)


@dataclass(frozen=True)
class LatentVariable:
    """Latent variable guidance (FairT2I, arXiv 2502.03826), with the posterior weights of the exact identity.

    For a prompt y and the attribute's value z with target shares q, the law sum_z q(z) p(x | z, y) has

        grad log p(x) = sum_z p(z | x, y) grad log p(x | z, y),

    with posterior, not prior, weights. They start at q and are tracked as a Bayes filter: the step from
    x_t to x_s under value z is N(mu_z(x_t), v), so what was drawn tells of z by

        log w_z <- log w_z + log N(x_s; mu_z(x_t), v).

    Steps after which noise is drawn are therefore needed; deterministic ones tell nothing of z. As steps
    grow finer the filter is the exact posterior and the shares of the images are q; with few steps the
    mixture of Gaussian steps is replaced by one Gaussian at its mean. Costs 1 + K evaluations a step.

    Notes
    -----
    The outputs of values are those with classifier-free guidance. v is the variance of the scheduler's
    ancestral step (`fixed_small` of DDPM, ancestral Euler). The paper also lets a language model find
    the attributes; that is left to the plan.
    """

    name: str = "latent-variable"

    needs: ClassVar[frozenset[Need]] = frozenset({Need.VALUES, Need.STOCHASTIC})

    def assign(self, request: Request) -> Assignment:
        """No image is told a value."""
        return no_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text, and the prompt with each value."""
        request = step.request
        count = len(request.indices)
        asked = (request.with_values((value,) * count) for value in request.attribute.values)
        return with_empty(request, *asked)

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance towards each value, stacked (K, n, ...) for `steer` to weigh."""
        scale = step.request.guidance_scale
        if scale == 1:
            return torch.stack(outputs)
        empty, *values = outputs
        return torch.stack([classifier_free(empty, value, scale) for value in values])

    def steer(self, output: Tensor, view: View, step: Step) -> Tensor:
        """The outputs of the values, weighted by the posterior of the values given the path so far."""
        log_weights = self._filtered(output, view, step)
        step.memory["log weights"] = log_weights
        clean = view.level.clean(view.x.float(), output.float(), view.prediction)
        step.memory["expected"] = ancestral(view.x.float(), clean, view.level, view.after)
        weights = log_weights.softmax(0).to(output.dtype)
        return (weights.reshape(*weights.shape, *[1] * (view.x.ndim - 1)) * output).sum(0)

    def signature(self, step: Step) -> Hashable:
        """Its own from the first step."""
        return self

    @staticmethod
    def _filtered(output: Tensor, view: View, step: Step) -> Tensor:
        """Log-weights (K, n) of the values, up to a constant, after seeing what the last step drew."""
        request = step.request
        if "expected" not in step.memory:
            shares = [request.target[value] for value in request.attribute.values]
            prior = torch.tensor(shares, dtype=torch.float64, device=view.x.device).log()
            return prior[:, None].expand(-1, len(view.x))
        mean, variance = step.memory["expected"]
        distance = (view.x - mean).double().square().flatten(2).sum(2)
        weights: Tensor = step.memory["log weights"] - distance / (2 * variance)
        return weights.log_softmax(0)
