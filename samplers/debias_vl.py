"""debias-vl: the prompt's embedding with the direction of the attribute taken out."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from fairaudit.embedding import Condition, Embedding, Encode
from fairaudit.errors import ModelError
from fairaudit.needs import Need
from fairaudit.prompts import SLOT, Prompt
from fairaudit.sampling import Assignment, Request, Step, guided, no_assignment, with_empty

OCCUPATIONS = (
    "accountant", "actor", "archaeologist", "architect", "artist", "astronomer", "athlete", "baker",
    "banker", "barber", "bartender", "biologist", "bricklayer", "butcher", "caretaker", "carpenter",
    "cashier", "chemist", "cleaner", "coach", "comedian", "composer", "cook", "courier", "dancer",
    "dentist", "designer", "detective", "diver", "doctor", "driver", "economist", "editor", "electrician",
    "engineer", "farmer", "firefighter", "fisher", "florist", "gardener", "geologist", "guard", "historian",
    "janitor", "jeweller", "journalist", "judge", "lawyer", "librarian", "manager", "mechanic", "miner",
    "model", "musician", "nanny", "nurse", "optician", "painter", "pharmacist", "photographer", "physicist",
    "pilot", "plumber", "poet", "politician", "porter", "programmer", "psychologist", "receptionist",
    "sailor", "salesperson", "secretary", "singer", "soldier", "surgeon", "tailor", "teacher", "translator",
    "waiter", "writer",
)  # fmt: skip

Words = tuple[tuple[str, ...], ...]
"""The words of the values, attribute by attribute."""


@dataclass(frozen=True)
class Debiased:
    """A text whose embedding is multiplied by the calibration matrix of the words."""

    text: str
    words: Words
    strength: float

    def embed(self, encode: Encode) -> Embedding:
        """Every token, and the pooled vector where there is one."""
        embedding, matrices = encode(self.text), _calibration(self.words, self.strength, encode)
        changed = {
            part: (getattr(embedding, part).double().cpu() @ matrix.T).to(getattr(embedding, part))
            for part, matrix in matrices.items()
        }
        return replace(embedding, **changed)


@dataclass(frozen=True)
class DebiasVL:
    """debias-vl for generators (Chuang et al. 2023, arXiv 2302.00070), at the cost of the baseline.

    The embedding of the prompt is multiplied by ``P = (I + lambda M)^-1`` (the closed form of the
    paper's calibration loss, without the projection that its classifiers use). M is the mean of
    ``(z_i - z_j)(z_i - z_j)^T`` over pairs of prompts that differ in the value alone ("a photo of a
    female nurse", "a photo of a male nurse", for 80 occupations), z the unit vector of the
    end-of-text token. P shrinks the directions in which the values differ, and leaves the others.

    Parameters
    ----------
    strength
        lambda, at least 0; 0 is the baseline (500 in the paper).

    Notes
    -----
    Of more than two values all pairs are taken, of several attributes those of each. The occupations
    are this package's own. A pooled vector has an M of its own. Nothing is aimed at: what the network
    makes of a prompt without the direction is up to the network.
    """

    strength: float = 500.0
    name: str = "debias-vl"

    needs: ClassVar[frozenset[Need]] = frozenset({Need.TEXT, Need.END})

    def __post_init__(self) -> None:
        if not (math.isfinite(self.strength) and self.strength >= 0):
            raise ValueError(f"strength is a finite number of at least 0, not {self.strength}")

    def assign(self, request: Request) -> Assignment:
        """No value is aimed at."""
        return no_assignment(request)

    def conditions(self, step: Step) -> tuple[Condition, ...]:
        """The empty text as it is, and the prompt's embedding calibrated."""
        request = step.request
        parts = request.attribute.parts or (request.attribute,)
        words = tuple(tuple(part.words.values()) for part in parts)
        debiased = Debiased(request.prompt.text, words, self.strength)
        return with_empty(request, (debiased,) * len(request.indices))

    def combine(self, outputs: tuple[Tensor, ...], step: Step) -> Tensor:
        """Classifier-free guidance towards the calibrated prompt."""
        return guided(outputs, step.request)

    def signature(self, step: Step) -> Hashable:
        """The same at every step."""
        return self.conditions(step)[-1]


def calibration(differences: Tensor, strength: float) -> Tensor:
    """(I + lambda M)^-1, of shape (width, width), for the differences z_i - z_j (pairs, width)."""
    moment = differences.T @ differences / len(differences)
    inverse: Tensor = torch.linalg.inv(torch.eye(len(moment), dtype=moment.dtype) + strength * moment)
    return inverse


_CALIBRATIONS: dict[tuple[Words, float, bytes], dict[str, Tensor]] = {}
"""What was computed, by the encoder's first embedding: every block of images has a fresh `encode`."""


def _calibration(words: Words, strength: float, encode: Encode) -> dict[str, Tensor]:
    """The matrices for the tokens and for the pooled vector, float64 on the CPU."""
    first = encode(next(iter(_pairs(words)))[0]).tokens
    key = (words, strength, first.float().cpu().numpy().tobytes())
    if key not in _CALIBRATIONS:
        differences: dict[str, list[Tensor]] = {}
        for one, other in _pairs(words):
            vectors = zip(_summaries(encode(one)).items(), _summaries(encode(other)).values(), strict=True)
            for (part, z_i), z_j in vectors:
                differences.setdefault(part, []).append(z_i - z_j)
        _CALIBRATIONS[key] = {
            part: calibration(torch.stack(rows), strength) for part, rows in differences.items()
        }
    return _CALIBRATIONS[key]


def _pairs(words: Words) -> Iterator[tuple[str, str]]:
    """Prompts that differ in the value of one attribute alone."""
    for of_one in words:
        for occupation in OCCUPATIONS:
            prompt = Prompt(f"a photo of a {SLOT} {occupation}")
            yield from combinations((prompt.with_word(word) for word in of_one), 2)


def _summaries(embedding: Embedding) -> dict[str, Tensor]:
    """z, the unit vectors that stand for a text, by the part of its embedding."""
    vectors = {"tokens": _summary(embedding)}
    if embedding.pooled is not None:
        vectors["pooled"] = embedding.pooled
    return {part: normalize(vector.double().cpu(), dim=0) for part, vector in vectors.items()}


def _summary(embedding: Embedding) -> Tensor:
    """The token at the end of the text; all there is where the weights of classes are the embedding."""
    if embedding.tokens.ndim == 1:
        return embedding.tokens
    if embedding.end is None:
        raise ModelError("debias-vl takes a text encoder with an end-of-text token; this one has none")
    return embedding.tokens[int(embedding.end)]
