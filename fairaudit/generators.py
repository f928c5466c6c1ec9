"""The generators of a run, each loaded once, and the classifiers that samplers follow on them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch

from fairaudit.denoiser import Denoiser
from fairaudit.errors import UsageError
from fairaudit.guides import make_guides, offered
from fairaudit.heads import FILE, Heads, load_heads
from fairaudit.labelling import Classifier
from fairaudit.models.schedulers import is_stochastic, restarts
from fairaudit.needs import Need
from fairaudit.plan import AuditPlan
from fairaudit.sampling import Guides
from fairaudit.sources import ModelSource, open_model


class Generators:
    """The models that a plan's samplers run on, loaded when they are first needed.

    Raises
    ------
    UsageError
        If one of them is no model.
    """

    def __init__(self, plan: AuditPlan, device: torch.device, classifier: Classifier) -> None:
        self.plan, self.device, self.classifier = plan, device, classifier
        self.sources = {name: open_model(name) for name in plan.generators}
        self._loaded: dict[str, Denoiser] = {}
        self._guides: dict[tuple[str, str], Guides] = {}
        # Whole files are read for both, so once.
        self.fingerprint = cache(lambda name: self.sources[name].fingerprint())
        self._heads = cache(self._load_heads)

    def __getitem__(self, name: str) -> Denoiser:
        """The model of that name."""
        if name not in self._loaded:
            self._loaded[name] = self.sources[name].load(self.device, self.plan.sampling)
        return self._loaded[name]

    def load(self) -> None:
        """Load all of them.

        Raises
        ------
        UsageError
            If one cannot be loaded, or they cannot start from the same noise.
        """
        own = self.plan.generator
        for name in self.sources:
            if self[name].latent_shape != self[own].latent_shape:
                raise UsageError(
                    f"{own} has latents {_shape(self[own])} and {name} {_shape(self[name])}: "
                    "they cannot start from the same noise, so audit them one by one"
                )

    def fingerprints(self) -> Mapping[str, Mapping[str, Any]]:
        """sha256 of the weights of every model, by its name."""
        return {name: self.fingerprint(name) for name in self.sources}

    def offers(self, name: str) -> frozenset[Need]:
        """What samplers may rely on where they run on one of the models."""
        sampling = self.plan.sampling
        scheduler = self[name].scheduler(sampling.scheduler, sampling.steps)
        heads, stochastic = self._heads(name), is_stochastic(scheduler)
        offers = offered(self[name], self.classifier, heads, stochastic, self.plan.aim)
        return offers | {Need.RESTARTS} if restarts(scheduler) else offers

    def guides(self, name: str, prompt: str) -> Guides:
        """The classifiers of what is debiased, on one of the models, made once for a prompt."""
        if (name, prompt) not in self._guides:
            made = make_guides(self[name], self.classifier, self.plan.aim, prompt, self._heads(name))
            self._guides = {(name, prompt): made}
        return self._guides[name, prompt]

    def heads_file(self, name: str) -> Path | None:
        """Classifiers of a model's middle block: those of the plan are of its own generator."""
        if self.plan.sampling.heads is not None and name == self.plan.generator:
            return Path(self.plan.sampling.heads)
        source = self.sources[name]
        own = Path(source.location) / FILE if isinstance(source, ModelSource) and not source.edit else None
        return own if own is not None and own.is_file() else None

    def _load_heads(self, name: str) -> Heads | None:
        path = self.heads_file(name)
        return None if path is None else load_heads(path, self.fingerprint(name))


def _shape(denoiser: Denoiser) -> str:
    return " x ".join(map(str, denoiser.latent_shape))
