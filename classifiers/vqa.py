"""`vqa:REPO`: a visual-question-answering model of transformers, with closed answers.

A ViLT answers by choosing among its labels (Kim et al. 2021): a value has the probability of its answers
among all labels. A BLIP writes its answer (Li et al. 2022): a value has the probability that the model
writes exactly one of its answers. What other answers have is left out, and where that is more than
`abstain_above`, there is no label. Questions and answers are built in for gender, race and age; an
attribute is read only if the model knows an answer for every value. `--outputs` names a YAML file that
says others::

    abstain_above: 0.9
    attributes:
      glasses:
        question: Does the person wear glasses?
        answers: {no: ["no"], yes: ["yes"]}

Every picture is asked by itself, so that an answer does not depend on the other pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
from fairaudit.classifiers.answerers import open_answerer
from numpy.typing import NDArray
from PIL import Image, ImageOps
from pydantic import Field, model_validator
from torch import Tensor

from fairaudit.cards import THE_MODELS, Card, described
from fairaudit.errors import UsageError
from fairaudit.faces import Crop
from fairaudit.hub import fingerprint_of, preprocessing_of
from fairaudit.labelling import Calibration, ClassifierRequest, Reading
from fairaudit.networks import refuse
from fairaudit.outputs import Described, Part, load_described, scale


class Question(Described):
    """A question with its closed answers.

    Attributes
    ----------
    answers
        By value; several answers add up.
    """

    question: Annotated[str, Field(min_length=1)]
    answers: dict[str, Annotated[tuple[str, ...], Field(min_length=1)]]

    @model_validator(mode="after")
    def _told_apart(self) -> Question:
        every = self.every
        if len(self.answers) < 2:
            raise ValueError("answers needs at least two values")
        if len({*every}) < len(every):
            raise ValueError(f"{next(a for a in every if every.count(a) > 1)!r} answers for two values")
        return self

    @property
    def every(self) -> list[str]:
        """All answers, value by value."""
        return [answer for answers in self.answers.values() for answer in answers]

    def among(self, known: Callable[[str], bool]) -> Question | None:
        """The same question with the answers that are known; None where a value has none left."""
        kept = {value: tuple(filter(known, answers)) for value, answers in self.answers.items()}
        return Question(question=self.question, answers=kept) if all(kept.values()) else None

    def masses(self, probabilities: Tensor) -> list[float]:
        """What each value has of the probabilities of `every`."""
        parts = torch.split(probabilities, [len(answers) for answers in self.answers.values()])
        return [float(part.sum()) for part in parts]


class Questions(Described):
    """Questions by attribute; those that are not built in are added.

    Attributes
    ----------
    abstain_above
        The largest probability of other answers with which there still is a label.
    """

    attributes: dict[str, Question] = Field(default_factory=dict)
    abstain_above: Part = 0.9


QUESTIONS = {
    "gender": Question(
        question="Is this person a man or a woman?",
        answers={"female": ("woman", "female", "girl"), "male": ("man", "male", "boy")},
    ),
    "race": Question(
        question="What is the race of this person?",
        answers={
            "White": ("white", "caucasian"),
            "Black": ("black", "african american"),
            "East Asian": ("east asian", "asian"),
            "Southeast Asian": ("southeast asian",),
            "Indian": ("indian",),
            "Middle Eastern": ("middle eastern", "arab"),
            "Latino_Hispanic": ("hispanic", "latino"),
        },
    ),
    "age": Question(
        question="How old is this person?",
        answers={
            "0-2": ("0", "1", "2", "baby"),
            **{f"{low}-{high}": tuple(map(str, range(low, high + 1))) for low, high in ((3, 9), (10, 19))},
            **{f"{low}-{low + 9}": tuple(map(str, range(low, low + 10))) for low in range(20, 70, 10)},
            "more than 70": tuple(map(str, range(70, 100))),
        },
    ),
}
"""Answers as public models write them; an age is answered in years."""


class VqaClassifier:
    """A model with closed answers; its features are what it makes of the picture at the first question."""

    crop = Crop(margin=0.25)

    def __init__(self, repo: str, outputs: Path | None, device: torch.device) -> None:
        self.name = f"vqa:{repo}"
        self.answerer = open_answerer(repo, device)
        self.preprocessing = f"square; {preprocessing_of(self.answerer.processor.image_processor)}"
        said = load_described(outputs, Questions) if outputs else Questions()
        self.abstain_above = said.abstain_above
        self.questions = self._answerable(said)
        self.values: Mapping[str, tuple[str, ...]] = {n: tuple(q.answers) for n, q in self.questions.items()}
        asked = said.model_copy(update={"attributes": self.questions})
        self._fingerprint = {**fingerprint_of(repo), "questions": asked.sha256}

    def read(self, images: Sequence[NDArray[np.uint8]]) -> Reading:
        """Probabilities and features of pictures (h, w, 3) of any size."""
        asked = {name: question.every for name, question in self.questions.items()}
        texts = {name: question.question for name, question in self.questions.items()}
        features: list[Tensor] = []
        masses: dict[str, list[list[float]]] = {name: [] for name in self.questions}
        for image in images:
            seen, found = self.answerer.ask(_square(image), list(texts.values()), list(asked.values()))
            features.append(seen.float().cpu())
            for (name, question), probabilities in zip(self.questions.items(), found, strict=True):
                masses[name].append(question.masses(probabilities.double().cpu()))
        read = {name: scale(np.array(rows), self.abstain_above) for name, rows in masses.items()}
        return Reading(read, torch.stack(features).numpy())

    def calibration(self, attribute: str) -> Calibration | None:
        """None: no confusion counts are published in a form that could be used."""
        return None

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of a folder's weights, or the revision on the hub; and of what is asked."""
        return self._fingerprint

    def _answerable(self, said: Questions) -> dict[str, Question]:
        """The user's questions, and the built-in ones as far as the model knows answers to them."""
        for name, question in said.attributes.items():
            strange = [answer for answer in question.every if not self.answerer.knows(answer)]
            if strange:
                raise UsageError(f"{self.name} has no answer {strange[0]!r}, which {name} asks for")
        known = {name: question.among(self.answerer.knows) for name, question in QUESTIONS.items()}
        able = {name: q for name, q in known.items() if q is not None} | said.attributes
        if not able:
            raise UsageError(f"{self.name} has answers to no built-in question; bring some with --outputs")
        return able


def _square(image: NDArray[np.uint8]) -> Image.Image:
    side = min(image.shape[:2])
    return ImageOps.fit(Image.fromarray(image), (side, side))


@described(Card("gender, race, age as far as it has answers", THE_MODELS, THE_MODELS, get="its hub"))
def load(request: ClassifierRequest) -> VqaClassifier:
    """A visual-question-answering model of transformers (ViLT, BLIP) with closed answers."""
    refuse(f"vqa:{request.argument}", "weights", request.weights, "name a folder instead of a hub's model")
    return VqaClassifier(request.argument, request.outputs, request.device)
