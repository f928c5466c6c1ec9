"""Gaussian mixtures: density, score, posterior, draws and moments in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from fairaudit.levels import Level


@dataclass(frozen=True)
class Mixture:
    """K Gaussians in d dimensions, in float64; `make_mixture` makes one from covariances.

    Everything is differentiable in the points x (n, d). What diffusion makes of a mixture is again
    one (`at`), so the noisy laws need no formulas of their own.

    Parameters
    ----------
    means
        (K, d).
    spectrum
        (K, d), the eigenvalues of every covariance; (K, 1) where all components are isotropic.
    basis
        (K, d, d), the eigenvectors in columns; None where all components are isotropic.
    weights
        (K,); or (n, K), a law of its own for every row of x. They sum to 1.
    """

    means: Tensor
    spectrum: Tensor
    basis: Tensor | None
    weights: Tensor

    def to(self, device: torch.device) -> Mixture:
        """The same mixture on another device."""
        moved = {name: getattr(self, name).to(device) for name in ("means", "spectrum", "weights")}
        return replace(self, **moved, basis=None if self.basis is None else self.basis.to(device))

    def given(self, weights: Tensor) -> Mixture:
        """The same components under other weights: a condition."""
        return replace(self, weights=weights.to(self.means))

    def at(self, level: Level) -> Mixture:
        """The law of ``alpha x0 + sigma eps`` for x0 from the mixture and standard normal eps."""
        spread = level.alpha**2 * self.spectrum + level.sigma**2
        return replace(self, means=level.alpha * self.means, spectrum=spread)

    def log_joint(self, x: Tensor) -> Tensor:
        """The log of p(k) p(x | k), (n, K)."""
        count = self.means.shape[1]
        volume = self.spectrum.log().sum(1) * (count / self.spectrum.shape[1])
        likelihood = -0.5 * (self._distances(x) + volume + count * math.log(2 * math.pi))
        return self.weights.log() + likelihood

    def log_density(self, x: Tensor) -> Tensor:
        """The log of p(x), (n,)."""
        return self.log_joint(x).logsumexp(1)

    def log_posterior(self, x: Tensor) -> Tensor:
        """The log of p(k | x), (n, K)."""
        return self.log_joint(x).log_softmax(1)

    def score(self, x: Tensor) -> Tensor:
        """The gradient of log p(x), (n, d)."""
        return self._pull(x, self.log_posterior(x).exp(), 1 / self.spectrum)

    def noise(self, x: Tensor, level: Level) -> Tensor:
        """E[eps | x] (n, d) at noisy points: what a perfect network predicts."""
        return -level.sigma * self.at(level).score(x)

    def clean(self, x: Tensor, level: Level) -> Tensor:
        """E[x0 | x] (n, d) at noisy points; at pure noise it is the mixture's mean."""
        noisy = self.at(level)
        posterior = noisy.log_posterior(x).exp()
        shift = noisy._pull(x, posterior, self.spectrum / noisy.spectrum)
        return posterior @ self.means - level.alpha * shift

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Points (count, d) and the components (count,) that they come from."""
        weights = self.weights.expand(count, len(self.means))
        chosen = weights.cpu().multinomial(1, generator=generator)[:, 0].to(self.means.device)
        shape = (count, self.means.shape[1])
        normal = torch.randn(shape, generator=generator, dtype=torch.float64).to(self.means)
        normal = normal * self.spectrum[chosen].sqrt()
        if self.basis is not None:
            normal = torch.einsum("ndi,ni->nd", self.basis[chosen], normal)
        return self.means[chosen] + normal, chosen

    def mean(self) -> Tensor:
        """E[x], (d,); (n, d) for weights of rows."""
        return self.weights @ self.means

    def covariance(self) -> Tensor:
        """Cov[x], (d, d), for one row of weights."""
        centred = self.means - self.mean()
        between = torch.einsum("k,kd,ke->de", self.weights, centred, centred)
        if self.basis is None:
            return between + (self.weights @ self.spectrum) * torch.eye(len(between)).to(between)
        within = torch.einsum("k,kdi,ki,kei->de", self.weights, self.basis, self.spectrum, self.basis)
        return between + within

    def _distances(self, x: Tensor) -> Tensor:
        """Squared Mahalanobis distances (n, K)."""
        if self.basis is None:
            # Without a tensor (n, K, d), which pictures would make large.
            square = x.square().sum(1, keepdim=True) + self.means.square().sum(1) - 2 * x @ self.means.T
            return square / self.spectrum[:, 0]
        turned = torch.einsum("kdi,nkd->nki", self.basis, x[:, None] - self.means)
        return (turned.square() / self.spectrum).sum(2)

    def _pull(self, x: Tensor, posterior: Tensor, gain: Tensor) -> Tensor:
        """The posterior mean of G_k (mu_k - x), where G_k has the eigenvalues `gain` (K, d or 1)."""
        if self.basis is None:
            share = posterior * gain[:, 0]
            return share @ self.means - share.sum(1, keepdim=True) * x
        turned = torch.einsum("kdi,nkd->nki", self.basis, self.means - x[:, None])
        return torch.einsum("kdi,nki,nk->nd", self.basis, gain * turned, posterior)


def make_mixture(means: Tensor, covariances: Tensor, weights: Tensor) -> Mixture:
    """A mixture from its parameters.

    Parameters
    ----------
    means
        (K, d).
    covariances
        (K,), the variance of isotropic components; or (K, d, d). Positive definite.
    weights
        (K,), at least 0; they are divided by their sum.

    Raises
    ------
    ValueError
        If shapes do not belong together, or there is no such law.
    """
    means, covariances, weights = (tensor.double() for tensor in (means, covariances, weights))
    count, size = means.shape
    if weights.shape != (count,) or covariances.shape not in ((count,), (count, size, size)):
        raise ValueError("a mixture takes means (K, d), covariances (K,) or (K, d, d), and weights (K,)")
    if not (weights >= 0).all() or not weights.sum() > 0:
        raise ValueError("the weights of a mixture are at least 0, and not all 0")
    if covariances.ndim == 1:
        spectrum, basis = covariances[:, None], None
    else:
        spectrum, basis = torch.linalg.eigh(covariances)
    if not (spectrum > 0).all():
        raise ValueError("the covariances of a mixture are positive definite")
    return Mixture(means, spectrum, basis, weights / weights.sum())
