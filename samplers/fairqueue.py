"""FairQueue: the base prompt first, then the value, with more attention to its words."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from fairaudit.editing import begun
from fairaudit.embedding import Condition, Embedding, Encode
from fairaudit.errors import ModelError
from fairaudit.needs import Need
from fairaudit.sampling import Assignment, Request, Step, balanced_assignment, guided, with_empty


@dataclass(frozen=True)
class Amplified:
    """A prompt with words added, and a factor on the cross-attention to the tokens of these words."""

    prompt: str
    words: str
    factor: float

    def embed(self, encode: Encode) -> Embedding:
        """The longer prompt; the added tokens are those between the two ends of text."""
        before, after = encode(self.prompt), encode(self.prompt + self.words)
        if before.end is None or after.end is None:
            raise ModelError("fairqueue takes a text encoder with an end-of-text token; this one has none")
        emphasis = torch.ones_like(after.tokens[:, 0])
        emphasis[int(before.end) : int(after.end)] = self.factor
        return replace(after, emphasis=emphasis)


@dataclass(frozen=True)
class FairQueue:
    """FairQueue (Teo, Abdollahzadeh & Cheung, NeurIPS 2024), at the cost of the baseline.

    Prompt queuing: the first steps, which fix the coarse structure, see the prompt as written, the
    later ones the prompt with the assigned value after it. Attention amplification: there the
    cross-attention maps of the added tokens are multiplied by a constant.

    Parameters
    ----------
    queue
        Fraction of the steps with the prompt as written, in [0, 1] (0.2 in the paper; later than
        that loses fairness).
    amplification
        c, the factor on the added tokens' attention; 1 leaves it as it is (10 in the paper).

    Notes
    -----
    In the paper the added tokens are learned from reference images (ITI-GEN). Here they are the
    value's own words ("a photo of a nurse, female"), which take no training; the paper's figures are
    not to be expected of them.
    """

    queue: float = 0.2
    amplification: float = 10.0
    name: str = "fairqueue"

    needs: ClassVar[frozenset[Need]] = frozenset({Need.TEXT, Need.ATTENTION})

    def __post_init__(self) -> None:
        if not 0 <= self.queue <= 1:
            raise ValueError(f"queue is a fraction of the steps, in [0, 1], not {self.queue}")
        if not (math.isfinite(self.amplification) and self.amplification >= 0):
            raise ValueError(f"amplification is a factor of at least 0, not {self.amplification}")

    def assign(self, request: Request) -> Assignment:
        """The value whose words are added, balanced."""
        return balanced_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text, and the prompt, later with the value's words after it."""
        request = step.request
        if not begun(step, self.queue):
            return with_empty(request, request.neutral)
        added = (f", {request.attribute.words[value]}" for value in step.assignment if value is not None)
        longer = tuple(Amplified(request.prompt.text, words, self.amplification) for words in added)
        return with_empty(request, longer)

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance towards the prompt in force."""
        return guided(outputs, step.request)

    def signature(self, step: Step) -> Hashable:
        """What is asked, so that samplers part only where their prompts do."""
        return self.conditions(step)[-1]
