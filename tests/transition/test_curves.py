"""From differences to a transition point: weights, balances, crossings, and their spread."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fairaudit.levels import Level, final_level, level_of
from fairaudit.transition.curves import (
    beta_mass,
    between_cuts,
    contracted_coefficients,
    crossing,
    lowest,
    ode_coefficients,
    published_norm,
    settle,
    signed_sums,
)


def ddim(steps: int) -> DDIMScheduler:
    scheduler = DDIMScheduler(clip_sample=False, timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    return scheduler


def test_a_ddim_step_takes_its_coefficient_of_noise_from_the_image() -> None:
    """Predict noise 1 in one step and 0 in all others: the clean image moves by that step's number."""
    scheduler = ddim(10)
    levels = [*(level_of(scheduler, t) for t in scheduler.timesteps), final_level(scheduler)]
    coefficients = ode_coefficients(levels)
    for chosen in range(10):
        x = torch.zeros(1, dtype=torch.float64)
        for index, t in enumerate(scheduler.timesteps):
            x = scheduler.step(
                torch.full((1,), float(index == chosen), dtype=torch.float64), t, x
            ).prev_sample
        assert float(x) / levels[-1].alpha == pytest.approx(-coefficients[chosen], rel=1e-5)


@given(steps=st.integers(1, 60))
def test_beta_mass_of_any_number_of_steps_is_that_of_all(steps: int) -> None:
    scheduler = ddim(steps)
    betas = scheduler.betas.double().numpy()
    mass = beta_mass(betas, scheduler.timesteps.tolist())
    assert len(mass) == len(scheduler.timesteps)
    assert mass.sum() == pytest.approx(betas.sum())
    assert mass[-1] == pytest.approx(betas[: int(scheduler.timesteps[-1]) + 1].sum())


@given(arrays(float, (5, 3, 2), elements=st.floats(-5, 5)))
def test_the_balance_is_the_published_formula(differences: np.ndarray) -> None:
    weights = np.array([0.5, 0.3, 0.2, 0.1, 0.05])
    sums = signed_sums(weights, differences)
    by_hand = [
        np.mean(
            [
                np.linalg.norm(
                    [
                        sum(weights[t] * differences[t, i, d] for t in range(cut, 5))
                        - sum(weights[t] * differences[t, i, d] for t in range(cut))
                        for i in range(3)
                    ]
                )
                for d in range(2)
            ]
        )
        for cut in range(6)
    ]
    np.testing.assert_allclose(published_norm(sums)(np.arange(3)), by_hand, atol=1e-9)


def test_between_cuts_nothing_but_lines() -> None:
    sums = np.random.default_rng(0).normal(size=(4, 3, 2))
    taus, finer = between_cuts(np.array([1.0, 0.6, 0.2, 0.0]), sums)
    np.testing.assert_allclose(finer[::10], sums)
    np.testing.assert_allclose(taus[::10], [1.0, 0.6, 0.2, 0.0])
    np.testing.assert_allclose(finer[5], (sums[0] + sums[1]) / 2)


def test_a_crossing_is_linear_between_points_and_the_median_of_several() -> None:
    assert crossing(np.array([0.9, 0.5, 0.1]), np.array([-3.0, -1.0, 3.0])) == pytest.approx(0.4)
    assert crossing(np.array([0.9, 0.5, 0.1]), np.array([1.0, 2.0, 3.0])) == pytest.approx(0.9)
    several = crossing(np.array([0.9, 0.7, 0.5, 0.3]), np.array([-1.0, 1.0, -1.0, 1.0]))
    assert several == pytest.approx(0.6)


def test_the_interval_over_halves_covers_as_often_as_it_says() -> None:
    """The crossing of a line whose height is the mean of n normal numbers, sd s / sqrt(n)."""
    stream = np.random.default_rng(0)
    taus = np.array([1.0, 0.0])
    covered = 0
    for _ in range(100):
        heights = stream.normal(0.5, 0.3, size=40)
        curve = settle(
            taus, lambda rows, h=heights: np.array([h[rows].mean() - 1, h[rows].mean()]), 40, crossing
        )
        assert curve.tau == pytest.approx(heights.mean())
        covered += curve.tau_low <= 0.5 <= curve.tau_high
    assert 0.88 <= covered / 100 <= 1


def test_lowest_is_where_the_curve_is() -> None:
    assert lowest(np.array([0.9, 0.5, 0.1]), np.array([3.0, 1.0, 2.0])) == 0.5


def test_what_a_step_moves_shrinks_with_the_spread() -> None:
    """For N(mu, v) the flow shrinks distances by sqrt(v + s'^2) in every step, and it is exactly found."""
    v, ratios = 0.4, np.array([50.0, 8.0, 2.0, 0.7, 0.0])
    levels = [Level(1.0, s) for s in ratios]
    noise = np.random.default_rng(1).normal(size=(30, 3))
    after = np.stack([noise * np.sqrt(v + s * s) for s in ratios[1:]])
    differences = np.ones((4, 30, 3))
    expected = (1 - ratios[1:] / ratios[:-1]) * np.sqrt(v / (v + ratios[1:] ** 2))
    np.testing.assert_allclose(contracted_coefficients(levels, differences, after), expected)
