"""What theory says of mixing, switching and exact samplers, where the truth is known."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from fairaudit.levels import level_of
from fairaudit.models.gaussian import GaussianModel
from tests.oracle import GENDER, asked, draw, made, several, world


def apart() -> GaussianModel:
    """Two values that differ by a shift of eight deviations; one in ten is male."""
    return world((GENDER,), [[-2.0], [2.0]], (0.9, 0.1), 0.5)


def test_mixing_noise_collapses_between_the_modes_and_mixing_embeddings_does_not() -> None:
    """The mean noise of two Gaussians of one width is that of the Gaussian half-way."""
    found = draw(apart(), asked(GENDER, 1000), made("mixing", of="noise", name="noise"), made("mixing"))
    between = found["noise"].latents[:, 0]
    assert between.abs().max() < 2
    assert float(between.mean()) == pytest.approx(0.0, abs=0.05)
    assert float(between.std()) == pytest.approx(0.5, abs=0.04)
    balanced = found["mixing"].latents[:, 0]
    assert float((balanced > 0).double().mean()) == pytest.approx(0.5, abs=0.05)
    assert float(balanced.abs().mean()) == pytest.approx(2.0, abs=0.06)


def test_switching_at_the_right_point_gives_equal_laws_for_both_orders() -> None:
    """Of two Gaussians N(m0, s^2), N(m1, s^2), the flow that starts under the first and switches ends at

        m1 + r (m0 - m1),    r = alpha s / sqrt(alpha^2 s^2 + sigma^2),

    both orders alike where r = 1/2, which is sigma^2 = 3 alpha^2 s^2.
    """
    model = apart()
    scheduler = model.scheduler("ddim", 1000)
    levels = [level_of(scheduler, t) for t in range(1000)]
    right = next(t for t, level in enumerate(levels) if level.sigma**2 >= 3 * 0.25 * level.alpha**2) / 1000
    samplers = several("switching", "tau", right, 0.64)
    found = draw(model, asked(GENDER, 300), *samplers, steps=200)

    def orders(name: str) -> tuple[Tensor, Tensor]:
        first = torch.tensor([start == "female" for start in found[name].assignment])
        return found[name].latents[first, 0], found[name].latents[~first, 0]

    one, other = orders(f"{right}")
    assert abs(float(one.mean() - other.mean())) < 0.15
    assert float(one.std()) == pytest.approx(float(other.std()), abs=0.08)
    level = levels[640]
    r = level.alpha * 0.5 / math.sqrt(level.alpha**2 * 0.25 + level.sigma**2)
    early, late = orders("0.64")
    assert float(early.mean()) == pytest.approx(2 - 4 * r, abs=0.15)
    assert float(late.mean()) == pytest.approx(-2 + 4 * r, abs=0.15)


@pytest.mark.parametrize("male", [0.5, 0.9])
def test_samplers_that_are_exact_here_hit_the_target(male: float) -> None:
    """Prompts with the assigned value, and the exact gradient to it, give the shares and laws asked for."""
    request = asked(GENDER, 600, target={"female": 1 - male, "male": male})
    guided = made("classifier-guidance", through="noisy")
    found = draw(apart(), request, made("prompt-intervention"), guided)
    for one in found.values():
        x = one.latents[:, 0]
        assert float((x > 0).double().mean()) == pytest.approx(male, abs=0.01)
        assert float(x[x > 0].mean()) == pytest.approx(2.0, abs=0.06)
        assert float(x[x < 0].std()) == pytest.approx(0.5, abs=0.06)
        assert [value == "male" for value in one.assignment] == (x > 0).tolist()


def test_latent_variables_hit_the_target_without_an_assignment() -> None:
    request = asked(GENDER, 600, target={"female": 0.3, "male": 0.7})
    found = draw(apart(), request, made("latent-variable"), kind="ddpm", steps=100)["latent-variable"]
    x = found.latents[:, 0]
    assert set(found.assignment) == {None}
    assert float((x > 0).double().mean()) == pytest.approx(0.7, abs=0.07)
    assert float(x[x > 0].mean()) == pytest.approx(2.0, abs=0.08)
