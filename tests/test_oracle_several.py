"""Composition, correction and inpainting against closed forms; figures of others in brackets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fairaudit.asking import Room
from fairaudit.attributes import join
from fairaudit.diffusion import Loop
from fairaudit.models.gaussian import GaussianModel
from fairaudit.models.meanings import Meanings
from fairaudit.models.mixtures import make_mixture
from fairaudit.sampling import Sampler
from tests.oracle import AGE, GENDER, asked, draw, made, several, world


def rare_men() -> GaussianModel:
    """One in ten is male."""
    return world((GENDER,), [[-2.0], [2.0]], (0.9, 0.1), 0.5)


def four(weights: tuple[float, ...]) -> GaussianModel:
    corners = [[one, other] for one in (-1.0, 1.0) for other in (-1.0, 1.0)]
    return world((GENDER, AGE), corners, weights, 0.5)


ANTI = (0.05, 0.45, 0.45, 0.05)


def in_the_cell(
    weights: tuple[float, ...], *samplers: Sampler, count: int, kind: str = "ddim"
) -> dict[str, float]:
    """Share of images in the quadrant of old men, all being told to be there."""
    both = join([GENDER, AGE])
    target = {value: float(value == "male | old") for value in both.values}
    found = draw(four(weights), asked(both, count, target=target), *samplers, kind=kind, steps=50)
    return {name: float((one.latents > 0).all(1).double().mean()) for name, one in found.items()}


def test_gcdm_is_the_joint_condition_at_one_and_composable_at_zero() -> None:
    gcdm = several("gcdm", "joint", 0.0, 1.0)
    both = join([GENDER, AGE])
    request = asked(both, 8)
    found = draw(four(ANTI), request, *gcdm, made("composable"), made("prompt-intervention"))
    torch.testing.assert_close(found["1.0"].latents, found["prompt-intervention"].latents)
    torch.testing.assert_close(found["0.0"].latents, found["composable"].latents)
    assert not torch.allclose(found["0.0"].latents, found["1.0"].latents)


def test_composition_misses_what_is_rare_together() -> None:
    """Ancestral steps, attributes that seldom meet [shares .749, .918, .961 at lambda 0, .5, 1]."""
    gcdm = several("gcdm", "joint", 0.0, 0.5, 1.0)
    shares = in_the_cell(ANTI, *gcdm, count=600, kind="ddpm")
    assert list(shares.values()) == pytest.approx([0.749, 0.918, 0.961], abs=0.04)
    # 0.9545 is the quadrant's share of the Gaussian in it.
    assert shares["1.0"] == pytest.approx(0.9545, abs=0.02)


def test_composition_is_exact_for_independent_attributes() -> None:
    gcdm = several("gcdm", "joint", 0.0, 1.0)
    found = in_the_cell((0.06, 0.24, 0.14, 0.56), *gcdm, made("composable"), count=200)
    assert len(set(found.values())) == 1


def test_bi_noising_leaves_the_exact_law_of_all_images_as_it_is() -> None:
    corrected = several("bi-noising", "window", 0.0, 1.0, inner="baseline")
    found = draw(rare_men(), asked(GENDER, 600), *corrected, steps=50, kind="ddpm")
    for one in found.values():
        x = one.latents[:, 0]
        assert float((x > 0).double().mean()) == pytest.approx(0.1, abs=0.04)
        assert float(x[x < 0].mean()) == pytest.approx(-2, abs=0.08)
        assert float(x[x < 0].std()) == pytest.approx(0.5, abs=0.06)
    assert [one.evaluations for one in found.values()] == [50, 100]


def test_bi_noising_draws_the_rare_back_to_the_frequent() -> None:
    """All are asked to be of the rare tenth [fidelity 1, .893 when all steps are corrected; mean 1.84]."""
    request = asked(GENDER, 600, target={"female": 0.0, "male": 1.0})
    samplers = several("bi-noising", "window", 0.0, 0.3, 1.0, inner="prompt-intervention")
    found = draw(rare_men(), request, *samplers, steps=50, kind="ddpm")
    kept = [one.latents[one.latents > 0] for one in found.values()]
    assert [len(part) / 600 for part in kept] == pytest.approx([1.0, 0.997, 0.893], abs=0.03)
    assert float(kept[2].mean()) == pytest.approx(1.84, abs=0.08)


@pytest.mark.parametrize(
    ("noise", "correlation", "plain", "optimal"),
    [(0.2, 0.0, 0.202, 0.046), (0.5, 0.6, 0.538, 0.310), (0.05, 0.9, 0.366, 0.363)],
)
def test_bo_ddnm_against_the_linear_gaussian_posterior(
    noise: float, correlation: float, plain: float, optimal: float
) -> None:
    """A Gaussian of two coordinates, the first observed at 1.2 [W2 to the posterior, DDNM and BO-DDNM].

    Without correlation both distances are closed forms: sqrt((1.2 v / (1 + v))^2 + (s - d)^2), where
    v = noise^2, s is the spread that is left (0 or noise), and d that of the posterior, noise / sqrt(1 + v).
    """
    cover = torch.tensor([[1, correlation], [correlation, 1.0]], dtype=torch.float64)
    mixture = make_mixture(torch.zeros(2, 2), cover.expand(2, 2, 2), torch.ones(2))
    meanings = Meanings((GENDER,), (("female",), ("male",)), {"nurse": (0.5, 0.5)})
    model = GaussianModel(mixture, meanings, (1, 1, 2))
    request = replace(asked(GENDER, 800), reference=torch.full((800, 1, 1, 2), 1.2, dtype=torch.float64))
    gain = cover[:, 0] / (1 + noise**2)
    posterior = (gain * 1.2, cover - torch.outer(gain, cover[0]))

    def distance(kept: float) -> float:
        sampler = made("bo-ddnm", box=(0.0, 0.5, 1.0, 1.0), noise=kept)
        loop = Loop(model, [sampler], request, model.scheduler("ddpm", 100), Room(800))
        return _wasserstein(loop.run(lambda _: None)["bo-ddnm"].latents.flatten(1), *posterior)

    assert distance(0.0) == pytest.approx(plain, abs=0.045)
    assert distance(noise) == pytest.approx(optimal, abs=0.045)


def _wasserstein(x: Tensor, mean: Tensor, covariance: Tensor) -> float:
    """Wasserstein-2 distance of the Gaussian with the moments of x from another one."""
    own = x.T.cov()
    values, vectors = torch.linalg.eigh(covariance)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    cross = torch.linalg.eigvalsh(root @ own @ root).clamp(min=0).sqrt().sum()
    square = (x.mean(0) - mean).square().sum() + torch.trace(own + covariance) - 2 * cross
    return float(square.clamp(min=0).sqrt())
