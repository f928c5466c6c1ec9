"""Classifiers that a sampler may follow: on clean pictures, on noisy latents, in the UNet's middle block."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from fairaudit.attributes import Attribute
from fairaudit.denoiser import Denoiser
from fairaudit.heads import Heads
from fairaudit.joint import independent, names_of
from fairaudit.needs import Need
from fairaudit.sampling import Guides, Judge

CHUNK = 4 * 64 * 64
"""Numbers in the latents that are decoded together with their gradient: one picture of 512x512 pixels."""

MAGNIFIED = 1024.0
"""Factor of gradients on their way through a decoder in half precision, where small ones would vanish."""


@runtime_checkable
class Differentiable(Protocol):
    """A classifier that gives gradients."""

    values: Mapping[str, tuple[str, ...]]

    def log_probabilities(self, pictures: Tensor, attribute: str) -> Tensor:
        """Log-probability (n, K) of every value in pictures (n, 3, h, w) in [-1, 1], differentiable."""


@runtime_checkable
class Guiding(Protocol):
    """A generator that knows its own posterior, as the exact mixtures do."""

    def guides(self, attribute: Attribute, prompt_text: str) -> Guides:
        """The posterior of the attribute's values among the generator's images of a prompt."""


def make_guides(
    denoiser: Denoiser,
    classifier: object,
    attribute: Attribute,
    prompt_text: str,
    heads: Heads | None = None,
) -> Guides:
    """The classifiers of an attribute that samplers may follow on a generator.

    The values of several attributes together are taken as independent given the picture: the
    log-probability of a combination is the sum over the attributes.

    Parameters
    ----------
    classifier
        Of pictures; used where it gives gradients, None where there is none.
    prompt_text
        The neutral prompt, whose law an exact posterior belongs to.
    heads
        Classifiers of the UNet's middle block.
    """
    hidden = heads.judge(attribute) if heads is not None and heads.cover(attribute) else None
    if isinstance(denoiser, Guiding):
        own = denoiser.guides(attribute, prompt_text)
        return Guides(own.clean, own.noisy, hidden)
    clean = _clean(denoiser, classifier, attribute) if _reads(classifier, attribute) else None
    return Guides(clean, None, hidden)


def offered(
    denoiser: Denoiser,
    classifier: object,
    heads: Heads | None,
    stochastic: bool,
    attribute: Attribute,
) -> frozenset[Need]:
    """What samplers may rely on: the generator's own offers, its classifiers', scheduler's and plan's.

    Parameters
    ----------
    stochastic
        Whether the scheduler draws noise at every step.
    """
    offers = set(denoiser.offers)
    if isinstance(denoiser, Guiding):
        offers |= {Need.CLEAN, Need.NOISY}
    elif _reads(classifier, attribute):
        offers.add(Need.CLEAN)
    # The generator says that its middle block can be changed; following it takes a classifier of it too.
    if heads is None or not heads.cover(attribute):
        offers.discard(Need.HIDDEN)
    if stochastic:
        offers.add(Need.STOCHASTIC)
    if attribute.parts:
        offers.add(Need.SEVERAL)
    return frozenset(offers)


def gradient(of: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Gradient (n, ...) of the sum of a function at a point, in float32 at least, in any mode of torch."""
    with torch.enable_grad():
        point = at.detach().to(torch.promote_types(at.dtype, torch.float32)).requires_grad_()
        (found,) = torch.autograd.grad(of(point).sum(), point)
    return found


def _reads(classifier: object, attribute: Attribute) -> bool:
    if not isinstance(classifier, Differentiable):
        return False
    return all(name in classifier.values for name in names_of(attribute))


def _clean(denoiser: Denoiser, classifier: Any, attribute: Attribute) -> Judge:
    """Decode, then classify: a few pictures at a time, and again for the gradient, to spare memory."""

    def judge_some(latents: Tensor) -> Tensor:
        pictures = _decoded(denoiser, latents)
        return independent([classifier.log_probabilities(pictures, name) for name in names_of(attribute)])

    def judge(latents: Tensor) -> Tensor:
        rows = max(1, CHUNK // latents[0].numel())
        if len(latents) <= rows:
            return judge_some(latents)
        return torch.cat(
            [checkpoint(judge_some, some, use_reentrant=False) for some in torch.split(latents, rows)]
        )

    return judge


def _decoded(denoiser: Denoiser, latents: Tensor) -> Tensor:
    """Pictures in float32; the gradient goes magnified through a decoder in half precision."""
    if denoiser.dtype not in (torch.float16, torch.bfloat16):
        return denoiser.picture(latents).float()
    inner = latents.float() * 1
    pictures = denoiser.picture(inner.to(denoiser.dtype)).float()
    if pictures.requires_grad:
        inner.register_hook(lambda found: found / MAGNIFIED)  # type: ignore[no-untyped-call]
        pictures.register_hook(lambda found: found * MAGNIFIED)  # type: ignore[no-untyped-call]
    return pictures
