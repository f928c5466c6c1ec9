"""Steps between noise levels, against the schedulers that take them."""

from __future__ import annotations

import math

import pytest
import torch
from diffusers import DDPMScheduler, EulerAncestralDiscreteScheduler
from hypothesis import given
from hypothesis import strategies as st

from fairaudit.ancestral import ancestral, renoise
from fairaudit.levels import Level, Prediction, final_level, level_of


@pytest.mark.parametrize("kind", [DDPMScheduler, EulerAncestralDiscreteScheduler])
def test_a_step_is_the_schedulers_in_law(kind: type) -> None:
    """From one point many times: the same mean, and the same spread around it."""
    scheduler = kind(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012)
    if kind is DDPMScheduler:
        scheduler = kind.from_config(scheduler.config, clip_sample=False)
    scheduler.set_timesteps(10)
    t, following = scheduler.timesteps[4], scheduler.timesteps[5]
    level, after = level_of(scheduler, t), level_of(scheduler, following)
    x, noise = torch.full((1, 20_000), 0.7 * math.hypot(level.alpha, level.sigma)), 0.3
    scheduler.scale_model_input(x, t)
    stepped = scheduler.step(torch.full_like(x, noise), t, x, generator=torch.Generator().manual_seed(0))
    mean, variance = ancestral(x, level.clean(x, torch.full_like(x, noise), "epsilon"), level, after)
    spread = math.sqrt(variance)
    assert abs(float((stepped.prev_sample - mean).mean())) < 4 * spread / math.sqrt(20_000)
    assert float(stepped.prev_sample.std()) == pytest.approx(spread, rel=0.03)


@given(
    signals=st.lists(st.floats(0.01, 0.99), min_size=2, max_size=2, unique=True),
    exploding=st.booleans(),
)
def test_renoising_undoes_a_step_in_law(signals: list[float], exploding: bool) -> None:
    """For a picture that is known, ancestral step then forward process give the level's own law."""
    low, high = sorted(signals)
    levels = [Level(math.sqrt(abar), math.sqrt(1 - abar)) for abar in (low, high)]
    if exploding:
        levels = [Level(1.0, level.sigma / level.alpha) for level in levels]
    level, after = levels
    clean, noise = 0.4, torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    mean, variance = ancestral(level.alpha * clean + level.sigma * noise, torch.tensor(clean), level, after)
    # The mean is linear in the noise, so a standard normal noise gives these moments.
    slope, centre = float(mean[2] - mean[1]), float(mean[1])
    back = [float(renoise(torch.tensor(centre), level, after, torch.tensor(n))) for n in (0.0, 1.0)]
    gain = level.alpha / after.alpha
    assert back[0] == pytest.approx(level.alpha * clean, abs=1e-6)
    total = gain**2 * (slope**2 + variance) + (back[1] - back[0]) ** 2
    assert total == pytest.approx(level.sigma**2, rel=1e-5)


def test_the_last_step_ends_at_the_clean_picture() -> None:
    scheduler = DDPMScheduler()
    level = Level(0.9, math.sqrt(1 - 0.81))
    mean, variance = ancestral(torch.tensor(0.3), torch.tensor(-0.2), level, final_level(scheduler))
    assert float(mean) == pytest.approx(-0.2)
    assert variance == 0


@given(
    alpha=st.floats(0.05, 1.0),
    sigma=st.floats(0.05, 5.0),
    gain=st.floats(-2, 2),
    prediction=st.sampled_from(["epsilon", "v_prediction", "sample", "flow_prediction"]),
)
def test_a_shift_of_the_clean_picture_is_what_it_says(
    alpha: float, sigma: float, gain: float, prediction: Prediction
) -> None:
    level = Level(alpha, sigma)
    x, output, gained = (torch.tensor(v, dtype=torch.float64) for v in (0.3, -0.8, gain))
    shifted = level.clean(x, output + level.shift(gained, prediction), prediction)
    torch.testing.assert_close(shifted, level.clean(x, output, prediction) + gained)


def test_a_shift_at_pure_noise_is_finite() -> None:
    for prediction in ("v_prediction", "sample", "flow_prediction"):
        assert Level(0.0, 1.0).shift(torch.ones(1), prediction).isfinite().all()
