"""Mixtures against calculus, Bayes' rule by hand, quadrature and their own draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm
from torch import Tensor

from fairaudit.levels import Level
from fairaudit.models.mixtures import Mixture, make_mixture

LEVELS = [Level(1.0, 0.0), Level(0.8, 0.6), Level(0.1, 0.99**0.5), Level(1.0, 7.0), Level(0.3, 0.7)]


def some(kind: str, weights: tuple[float, ...] = (0.2, 0.7, 0.1)) -> Mixture:
    """Three components in two dimensions."""
    generator = torch.Generator().manual_seed(1)
    roots = torch.randn(3, 2, 2, generator=generator, dtype=torch.float64)
    full = roots @ roots.mT + 0.3 * torch.eye(2)
    covariances = full if kind == "full" else torch.tensor([0.3, 1.0, 0.05])
    return make_mixture(
        torch.randn(3, 2, generator=generator) * 2, covariances, torch.tensor(weights, dtype=torch.float64)
    )


def points(count: int = 9) -> Tensor:
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 2


@pytest.mark.parametrize("kind", ["isotropic", "full"])
@pytest.mark.parametrize("level", LEVELS)
def test_score_is_the_gradient_of_the_log_density(kind: str, level: Level) -> None:
    x, mixture = points().requires_grad_(), some(kind).at(level)
    (slope,) = torch.autograd.grad(mixture.log_density(x).sum(), x)
    torch.testing.assert_close(mixture.score(x), slope)
    torch.testing.assert_close(some(kind).noise(x, level), -level.sigma * slope)


@pytest.mark.parametrize("kind", ["isotropic", "full"])
def test_posterior_is_bayes_rule_by_hand(kind: str) -> None:
    mixture, level, x = some(kind), Level(0.6, 0.8), points()
    covariance = torch.diag_embed(mixture.spectrum.expand(3, 2))
    if mixture.basis is not None:
        covariance = mixture.basis @ covariance @ mixture.basis.mT
    joint = np.stack(
        [
            weight * multivariate_normal(0.6 * mean, 0.36 * own.numpy() + 0.64 * np.eye(2)).pdf(x.numpy())
            for weight, mean, own in zip((0.2, 0.7, 0.1), mixture.means.numpy(), covariance, strict=True)
        ],
        axis=1,
    )
    noisy = mixture.at(level)
    np.testing.assert_allclose(noisy.log_density(x).exp(), joint.sum(1), rtol=1e-10)
    np.testing.assert_allclose(noisy.log_posterior(x).exp(), joint / joint.sum(1, keepdims=True), rtol=1e-9)


@pytest.mark.parametrize("kind", ["isotropic", "full"])
@pytest.mark.parametrize("level", [*LEVELS, Level(0.0, 1.0)])
def test_clean_estimate_and_noise_make_up_the_point(kind: str, level: Level) -> None:
    """E[alpha x0 + sigma eps | x] = x, at pure noise and at none as well."""
    mixture, x = some(kind), points()
    together = level.alpha * mixture.clean(x, level) + level.sigma * mixture.noise(x, level)
    torch.testing.assert_close(together, x)


def test_clean_estimate_is_the_posterior_mean_by_quadrature() -> None:
    numbers = ([[-2.0], [1.5]], [0.3, 0.8], [0.9, 0.1])
    mixture = make_mixture(*(torch.tensor(number, dtype=torch.float64) for number in numbers))
    grid = np.linspace(-12, 12, 20001)
    prior = 0.9 * norm(-2, 0.3**0.5).pdf(grid) + 0.1 * norm(1.5, 0.8**0.5).pdf(grid)
    for x in (-3.0, -0.4, 0.0, 0.7, 2.0):
        weight = prior * norm(0.6 * grid, 0.8).pdf(x)
        clean = mixture.clean(torch.tensor([[x]], dtype=torch.float64), Level(0.6, 0.8))
        assert float(clean) == pytest.approx((weight * grid).sum() / weight.sum(), abs=1e-9)


def test_at_pure_noise_nothing_is_known() -> None:
    mixture, x = some("full"), points(4)
    pure = Level(0.0, 1.0)
    torch.testing.assert_close(mixture.clean(x, pure), mixture.mean().expand(4, 2))
    torch.testing.assert_close(mixture.at(pure).log_posterior(x).exp(), mixture.weights.expand(4, 3))


@pytest.mark.parametrize("kind", ["isotropic", "full"])
def test_draws_have_the_moments(kind: str) -> None:
    mixture = some(kind)
    drawn, components = mixture.draw(200_000, torch.Generator().manual_seed(3))
    torch.testing.assert_close(drawn.mean(0), mixture.mean(), atol=0.02, rtol=0)
    torch.testing.assert_close(drawn.T.cov(), mixture.covariance(), atol=0.05, rtol=0.02)
    shares = torch.bincount(components, minlength=3).double() / len(components)
    torch.testing.assert_close(shares, mixture.weights, atol=0.005, rtol=0)


def test_noisy_draws_have_the_noisy_law() -> None:
    """`at` against adding noise to draws: same mean and covariance."""
    mixture, level, generator = some("full"), Level(0.7, 0.5), torch.Generator().manual_seed(4)
    drawn, _ = mixture.draw(200_000, generator)
    noisy = level.alpha * drawn + level.sigma * torch.randn(drawn.shape, generator=generator)
    torch.testing.assert_close(noisy.T.cov(), mixture.at(level).covariance(), atol=0.05, rtol=0.02)
    torch.testing.assert_close(noisy.mean(0), mixture.at(level).mean(), atol=0.02, rtol=0)


@pytest.mark.parametrize("kind", ["isotropic", "full"])
def test_every_row_may_have_a_law_of_its_own(kind: str) -> None:
    rows, x, level = torch.tensor([[1.0, 0, 0], [0.2, 0.3, 0.5]]), points(2), Level(0.6, 0.8)
    together = some(kind).given(rows).noise(x, level)
    for row in range(2):
        alone = some(kind).given(rows[row]).noise(x[row : row + 1], level)
        torch.testing.assert_close(together[row : row + 1], alone)


def test_a_component_without_weight_is_absent() -> None:
    x = points().requires_grad_()
    without = some("full", (0.5, 0.0, 0.5)).at(Level(0.6, 0.8))
    assert (without.log_posterior(x)[:, 1] == -torch.inf).all()
    torch.testing.assert_close(without.score(x), torch.autograd.grad(without.log_density(x).sum(), x)[0])


def test_far_away_nothing_overflows() -> None:
    x = torch.tensor([[1e6, -1e6]], dtype=torch.float64)
    for kind in ("isotropic", "full"):
        assert some(kind).score(x).isfinite().all()
        assert some(kind).log_posterior(x).exp().sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("means", "covariances", "weights"),
    [
        (torch.zeros(2, 3), torch.ones(3), torch.ones(2)),
        (torch.zeros(2, 3), torch.ones(2, 2, 2), torch.ones(2)),
        (torch.zeros(2, 3), torch.tensor([1.0, 0.0]), torch.ones(2)),
        (torch.zeros(1, 2), torch.tensor([[[1.0, 2.0], [2.0, 1.0]]]), torch.ones(1)),
        (torch.zeros(2, 3), torch.ones(2), torch.tensor([1.0, -1.0])),
        (torch.zeros(2, 3), torch.ones(2), torch.zeros(2)),
    ],
)
def test_what_is_no_mixture_is_refused(means: Tensor, covariances: Tensor, weights: Tensor) -> None:
    with pytest.raises(ValueError, match=r"of a mixture|a mixture takes"):
        make_mixture(means, covariances, weights)
