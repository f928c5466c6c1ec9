"""Guidance against the theory of it on mixtures (arXiv 2403.01639); figures of others in the lists."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from fairaudit.asking import Room
from fairaudit.attributes import Attribute
from fairaudit.denoiser import Edit
from fairaudit.diffusion import sample
from fairaudit.embedding import Embedding
from fairaudit.levels import level_of
from fairaudit.models.gaussian import SCALED_LINEAR, GaussianModel
from tests.oracle import GENDER, asked, draw, made, world


class Watched:
    """A model that keeps the first rows of all latents it is asked about."""

    def __init__(self, model: GaussianModel, rows: int) -> None:
        self.model, self.rows = model, rows
        self.seen: list[tuple[Tensor, Tensor]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def predict(self, x: Tensor, t: Tensor, condition: Embedding, edit: Edit | None = None) -> Tensor:
        self.seen.append((x[: self.rows], t))
        return self.model.predict(x, t, condition, edit)


def two(deviation: float = 1.0) -> GaussianModel:
    """Women rare (.3) at 1.5, men at -1.5: the setting of the entropy identity."""
    return world((GENDER,), [[1.5], [-1.5]], (0.3, 0.7), deviation)


ETAS = (0.0, 0.5, 1.0, 2.0, 4.0)


def test_guidance_raises_the_posterior_of_every_starting_point() -> None:
    model = two()
    posteriors = []
    for eta in ETAS:
        request = asked(GENDER, 400, text="a photo of a female nurse", scale=1 + eta)
        latents = draw(model, request, made("baseline"))["baseline"].latents
        posteriors.append(model.mixture.log_posterior(latents)[:, 0])
    for weaker, stronger in pairwise(posteriors):
        assert (stronger > weaker).all()
    found = [float(posterior.exp().mean()) for posterior in posteriors]
    assert found == pytest.approx([0.849, 0.966, 0.992, 0.999, 1.0], abs=0.015)


def test_guidance_lowers_the_entropy_by_the_integral_of_the_posterior_variance() -> None:
    """H(eta) = H(0) - eta int e^-2t E[Var(mu | x_t)] dt, within 1 %.

    In one dimension the sampler is an increasing map of the noise, so that the entropy of what it
    makes is that of the noise and the mean logarithm of its slope.
    """
    falls, integrals = [], []
    for eta in ETAS:
        watched = Watched(two(), 400)
        request = asked(GENDER, 400, text="a photo of a female nurse", scale=1 + eta)
        found = sample(watched, [made("baseline")], request, scheduler="ddim", steps=200, room=Room(800))
        latents = found["baseline"].latents[:, 0]
        start = watched.seen[0][0][:, 0]
        order = start.argsort()
        assert (latents[order].diff() > 0).all()
        falls.append(float((latents[order].diff() / start[order].diff()).log().mean()))
        integrals.append(eta * _variance_integral(watched, latents[:, None]))
    for fall, integral in zip(falls[1:], integrals[1:], strict=True):
        assert falls[0] - fall == pytest.approx(integral, rel=0.01)
    entropies = [0.5 * math.log(2 * math.pi * math.e) + fall for fall in falls]
    assert entropies == pytest.approx([1.417, 1.165, 1.017, 0.866, 0.735], abs=0.02)


def _variance_integral(watched: Watched, final: Tensor) -> float:
    """Integral over t of e^-2t E[Var(mu | x_t)] along the trajectories, with alpha = e^-t."""
    scheduler = watched.scheduler("ddim", 200)
    levels = [level_of(scheduler, t) for t in scheduler.timesteps]
    mixture: Any = watched.mixture
    times = [-math.log(level.alpha) for level in levels] + [0.0]
    laws = [mixture.at(level) for level in levels] + [mixture]
    heights = []
    for (x, _), law, time in zip([*watched.seen, (final, 0)], laws, times, strict=True):
        chance = law.log_posterior(x)[:, 0].exp()
        heights.append(math.exp(-2 * time) * float((9 * chance * (1 - chance)).mean()))
    return -float(np.trapezoid(heights, times))


def test_too_strong_guidance_with_few_steps_splits_the_component_it_aims_at() -> None:
    place = Attribute("place", {"left": "left", "centre": "centre", "right": "right"})
    model = world((place,), [[-2.0], [0.0], [2.0]], (1 / 3,) * 3, 1.0, SCALED_LINEAR)
    request = asked(place, 400, text="a photo of a centre nurse", scale=41.0)

    def latents(steps: int) -> Tensor:
        return draw(model, request, made("baseline"), steps=steps)["baseline"].latents[:, 0]

    many, few = latents(50), latents(10)
    assert many.abs().max() < 1e-3  # to the very centre, as in continuous time
    assert few.abs().min() > 2  # not one is left in the middle
    assert 0.4 < float((few > 0).double().mean()) < 0.6
    outer = model.mixture.log_posterior(few[:, None])[:, 1].exp()
    assert float(outer.mean()) < 0.05
