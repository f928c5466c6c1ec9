"""Gaussian mixtures as generators: the exact noise prediction for every text, and exact shares.

The named generator `analytic:gmm` is made of this in `fairaudit.models.analytic`, which has its
``load(device, dtype)``, ``fingerprint()`` and ``truth()``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fairaudit.attributes import Attribute
from fairaudit.denoiser import Edit
from fairaudit.embedding import Embedding
from fairaudit.levels import Level, level_of
from fairaudit.models.meanings import Meanings
from fairaudit.models.mixtures import Mixture
from fairaudit.models.schedulers import make_scheduler, set_steps
from fairaudit.needs import Need
from fairaudit.sampling import Guides

COSINE = "squaredcos_cap_v2"
"""The cosine schedule of Nichol & Dhariwal (2021), as diffusers calls it; its last step is pure noise."""

SCALED_LINEAR = "scaled_linear"
"""The schedule of Stable Diffusion; its last step still holds 7 % of the amplitude of the picture."""


IMPOSSIBLE = -1e30
"""Stands for the logarithm of 0: minus infinity would make every gradient beside it undefined."""


class GaussianModel:
    """A mixture seen as a denoiser whose prediction is exact, computed in float64.

    A text asks for weights over the components, and these are its embedding, so that embeddings can
    be mixed. An embedding that leaves the simplex, such as a projected one, is brought back: weights
    below 0 count as 0, then they are divided by their sum; where nothing is left, they are those
    of the empty text.

    Parameters
    ----------
    mixture
        K components in as many dimensions as `latent_shape` has numbers.
    meanings
        What texts say about the components.
    latent_shape
        ``(d,)`` or ``(channels, height, width)``.
    betas
        The noise schedule, `COSINE` or `SCALED_LINEAR`.
    dtype
        Of latents and outputs.
    zoom
        Side in pixels of the square that one latent position becomes in a picture.
    """

    distilled = False

    def __init__(
        self,
        mixture: Mixture,
        meanings: Meanings,
        latent_shape: tuple[int, ...],
        *,
        betas: str = COSINE,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float64,
        zoom: int = 1,
    ) -> None:
        self.device, self.dtype = device or torch.device("cpu"), dtype
        self.mixture, self.meanings = mixture.to(self.device), meanings
        self.latent_shape, self.betas, self.zoom = latent_shape, betas, zoom
        self._neutral = meanings.neutral.to(self.device)
        self._trained = self.scheduler("ddim", 1)
        spatial = {Need.SPATIAL} if len(latent_shape) == 3 else set()
        offered = {Need.VALUES, Need.TEXT, Need.EMPTY, Need.CLEAN, Need.NOISY, Need.END}
        self.offers: frozenset[Need] = frozenset(offered | spatial)

    def scheduler(self, kind: str, steps: int) -> Any:
        """DDIM for ``model``, or another kind and the same betas; steps trail, to begin at noise.

        Take a number of steps that divides 1000. DDIM and DDPM of diffusers step by whole timesteps,
        and with others land beside the next one (400 steps go 2 timesteps at a time, 2.5 apart).
        """
        from diffusers import DDIMScheduler

        own = DDIMScheduler(
            beta_schedule=self.betas,
            beta_start=0.00085,
            beta_end=0.012,
            clip_sample=False,
            timestep_spacing="trailing",
        )
        scheduler = make_scheduler(own, kind)
        set_steps(scheduler, steps, self.device)
        return scheduler

    def encode(self, text: str) -> Embedding:
        """The weights (K,) that a text asks for (`Meanings.weights`)."""
        return Embedding(self.meanings.weights(text).to(self.device))

    def predict(self, x: Tensor, t: Tensor, condition: Embedding, edit: Edit | None = None) -> Tensor:
        """E[eps | x_t] (n, ...) at variance-preserving x (n, ...), under the weights of every row."""
        level = level_of(self._trained, t)
        mixture = self.mixture.given(self._on_simplex(condition.tokens))
        return mixture.noise(x.flatten(1).double(), level).reshape(x.shape).to(x.dtype)

    def guides(self, attribute: Attribute, prompt_text: str) -> Guides:
        """The exact classifiers of an attribute's values in pictures of a prompt, clean and noisy."""
        posed = self.mixture.given(self.meanings.weights(prompt_text))
        members = self.meanings.members(attribute).to(self.device)

        def noisy(x: Tensor, level: Level) -> Tensor:
            return value_posterior(posed.at(level), members, x)

        return Guides(clean=lambda latents: value_posterior(posed, members, latents), noisy=noisy)

    def picture(self, latents: Tensor) -> Tensor:
        """Every position of the latents as a square; grey unless they have three channels."""
        return self._zoomed(_colours(latents))

    @torch.no_grad()
    def decode(self, latents: Tensor) -> NDArray[np.uint8]:
        """Pictures (n, height, width, 3) of latents (n, ...), cut to what a picture can show."""
        scaled = ((_colours(latents).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
        pictures: NDArray[np.uint8] = self._zoomed(scaled).permute(0, 2, 3, 1).cpu().numpy()
        return pictures

    def _zoomed(self, colours: Tensor) -> Tensor:
        return colours.repeat_interleave(self.zoom, 2).repeat_interleave(self.zoom, 3)

    def _on_simplex(self, weights: Tensor) -> Tensor:
        kept = weights.clamp(min=0)
        total = kept.sum(1, keepdim=True)
        return torch.where(total > 0, kept / total.clamp(min=torch.finfo(kept.dtype).tiny), self._neutral)


def _colours(latents: Tensor) -> Tensor:
    """Latents (n, ...) as (n, 3, height, width)."""
    shaped = latents if latents.ndim == 4 else latents[:, None, None]
    return shaped if shaped.shape[1] == 3 else shaped.mean(1, keepdim=True).expand(-1, 3, -1, -1)


def value_posterior(mixture: Mixture, members: Tensor, x: Tensor) -> Tensor:
    """The log of p(value | x) (n, values), by Bayes from the components that every value has.

    It is below -1e29, with gradient 0, where no component that can be has the value.

    Parameters
    ----------
    mixture
        The law of x, for example that of a prompt at a noise level.
    members
        Booleans (values, K).
    x
        (n, ...).
    """
    posterior = mixture.log_posterior(x.flatten(1).double()).clamp(min=IMPOSSIBLE)
    masked = posterior[:, None].masked_fill(~members, IMPOSSIBLE)
    return masked.logsumexp(2).to(x.dtype)
