"""Denoisers of known laws, written from their formulas and nothing of the package's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler

from fairaudit.attributes import get_attribute
from fairaudit.embedding import Embedding
from fairaudit.needs import Need
from fairaudit.prompts import Prompt
from fairaudit.transition.setting import Batch, Setting, draw


class Gaussians:
    """One Gaussian N(mu, v I) for every word; a text that names none has their mean as its own.

    The noise expected at x = a x0 + s eps is s (x - a mu) / (a^2 v + s^2).
    """

    latent_shape = (2,)
    device = torch.device("cpu")
    dtype = torch.float64
    offers = frozenset({Need.VALUES, Need.TEXT, Need.EMPTY})
    distilled = False

    def __init__(self, means: Mapping[str, Sequence[float]], v: float, trained: int = 1000) -> None:
        self.means = {
            word: torch.tensor(np.asarray(mean), dtype=torch.float64) for word, mean in means.items()
        }
        self.v, self.trained = v, trained
        self.signals = self.scheduler("ddim", 1).alphas_cumprod.double()

    def scheduler(self, kind: str, steps: int) -> Any:
        scheduler = DDIMScheduler(
            num_train_timesteps=self.trained, beta_schedule="squaredcos_cap_v2", clip_sample=False,
            timestep_spacing="trailing",
        )  # fmt: skip
        scheduler.set_timesteps(steps)
        return scheduler

    def encode(self, text: str) -> Embedding:
        named = [
            self.means[word] for word in sorted(self.means, key=len, reverse=True) if f" {word} " in text
        ]
        return Embedding(named[0] if named else torch.stack(list(self.means.values())).mean(0))

    def predict(self, x: torch.Tensor, t: torch.Tensor, condition: Embedding) -> torch.Tensor:
        signal = self.signals[int(t)]
        return (1 - signal).sqrt() * (x - signal.sqrt() * condition.tokens) / (signal * self.v + 1 - signal)

    def decode(self, latents: torch.Tensor) -> np.ndarray:
        return np.zeros((len(latents), 8, 8, 3), np.uint8)

    def picture(self, latents: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError


def setting_of(model: Any, **how: Any) -> Setting:
    how = {"scheduler": "ddim", "steps": 50, "guidance_scale": 1.0} | how
    return Setting(model, get_attribute("gender"), (Prompt("a photo of a {attribute} person"),), **how)


def images_of(setting: Setting, count: int) -> Batch:
    return draw(setting, range(count))
