"""The contract of a classifier, what it reads in pictures, and its calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from fairaudit.errors import UsageError, reason_of

if TYPE_CHECKING:
    import torch

    from fairaudit.faces import Crop

LABELLED = "labelled"
UNSURE = "unsure"
"""Outcome of an image whose label is less confident than the plan's threshold."""
BLOCKED = "blocked"
"""Outcome of a picture without content, such as the black one a safety filter leaves."""
NO_FACE = "no_face"
MANY_FACES = "many_faces"
"""Outcome of a picture with more than one face, under the policy that excludes them."""


_MOST_FACES = 10**9
_FLAT = 2
"""What compression may make of one colour, in levels of 255."""


class ReliabilityCurve(BaseModel):
    """How often labels are right, by their confidence, in equal bins over [0, 1].

    `confidence` is the mean confidence in each bin, 0 where it is empty; `ece` the expected
    calibration error.
    """

    faces: tuple[int, ...]
    right: tuple[int, ...]
    confidence: tuple[float, ...]
    ece: float

    model_config = ConfigDict(extra="ignore", frozen=True)


class Reliability(BaseModel):
    """The curve of the probabilities as the classifier gives them, and of the tempered ones."""

    before: ReliabilityCurve
    after: ReliabilityCurve

    model_config = ConfigDict(extra="ignore", frozen=True)


class Calibration(BaseModel):
    """How often a classifier reads each value as each other one, counted on known faces.

    The file format is a contract: rows of `confusion` are true values, columns predicted ones.
    """

    schema_: Literal[1] = Field(1, alias="schema")
    classifier: str
    attribute: str
    values: tuple[str, ...]
    confusion: tuple[tuple[int, ...], ...]
    rows: Literal["true value"] = "true value"
    columns: Literal["predicted value"] = "predicted value"
    data: str
    temperature: float = Field(1.0, gt=0)
    tempered: bool = True
    """Whether the classifier's probabilities are divided by the temperature already when it gives them."""
    preprocessing: str | None = None
    """What the classifier was shown, as `Classifier.preprocessing` says; None where it is not known."""
    confidence: tuple[int, ...] | None = None
    """Histogram of the labels' largest probability in equal bins over [0, 1], on the same faces."""
    faces: str | None = None
    """What of a picture the classifier was shown: whole pictures, or faces found by whom."""
    weights: dict[str, str] | None = None
    """sha256 of the classifier's weights, by file name."""
    outcomes: dict[str, int] = {}
    """Pictures without a label, by outcome; they are not in the confusion counts."""
    reliability: Reliability | None = None

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    @model_validator(mode="after")
    def _square(self) -> Calibration:
        count = len(self.values)
        if len(self.confusion) != count or any(len(row) != count for row in self.confusion):
            raise ValueError(f"confusion must be a {count} x {count} table, one row a value")
        if any(number < 0 for row in self.confusion for number in row):
            raise ValueError("confusion holds a negative count")
        if any(sum(row) == 0 for row in self.confusion):
            raise ValueError("confusion has a value without any face")
        if any(number > _MOST_FACES for row in self.confusion for number in row):
            raise ValueError(f"confusion counts more than {_MOST_FACES} faces")
        if self.confidence is not None and (len(self.confidence) < 2 or min(self.confidence) < 0):
            raise ValueError("confidence is a histogram of at least 2 counts of at least 0")
        return self

    def ordered(self, attribute: str, values: Sequence[str]) -> Calibration:
        """The same calibration with its values in the order given.

        Raises
        ------
        UsageError
            If it belongs to another attribute, or to other values.
        """
        if self.attribute != attribute:
            raise UsageError(f"the calibration is of {self.attribute}, not of {attribute}")
        if sorted(self.values) != sorted(values):
            raise UsageError(
                f"the calibration of {attribute} has the values {', '.join(self.values)}, "
                f"not {', '.join(values)}"
            )
        order = [self.values.index(value) for value in values]
        confusion = tuple(tuple(self.confusion[row][column] for column in order) for row in order)
        return self.model_copy(update={"values": tuple(values), "confusion": confusion})

    @property
    def counts(self) -> NDArray[np.int64]:
        """The confusion counts (K, K)."""
        return np.array(self.confusion, dtype=np.int64)

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """Read a calibration file."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise UsageError(f"cannot read the calibration {path}: {reason_of(error)}") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise UsageError(f"{path} is not a calibration: {place} {first['msg']}") from error


@dataclass(frozen=True)
class Reading:
    """What a classifier reads in n pictures.

    Parameters
    ----------
    probabilities
        Per attribute (n, K), rows sum to 1, calibrated by temperature. A row of NaN is no label: the
        classifier abstains from this attribute.
    features
        (n, d), what Frechet distances and similarities are computed on.
    """

    probabilities: Mapping[str, NDArray[np.float32]]
    features: NDArray[np.float32]


@dataclass(frozen=True)
class Instrument:
    """What the labels were read with, as far as measuring them needs to know.

    Attributes
    ----------
    calibrations
        By attribute, or attributes joined with `` x ``; those that are not known are absent.
    """

    name: str
    calibrations: Mapping[str, Calibration]


class Classifier(Protocol):
    """Image to, per attribute, a probability per value.

    Attributes
    ----------
    name
        What its labels are stored under: two classifiers of a run have different names.
    crop
        What it wants to see of a face.
    preprocessing
        What it does with that in words, such as its size; a calibration holds only for the same.
    """

    name: str
    values: Mapping[str, tuple[str, ...]]
    crop: Crop
    preprocessing: str

    def read(self, images: Sequence[NDArray[np.uint8]]) -> Reading:
        """Read pictures (h, w, 3) of any size, each of which shows one face."""

    def calibration(self, attribute: str) -> Calibration | None:
        """The confusion counts of an attribute, where they are known."""

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the weights, by file name."""


@dataclass(frozen=True)
class ClassifierRequest:
    """What a classifier is made from; what is registered under its name takes this.

    Parameters
    ----------
    argument
        What follows the registered name: `org/model` of `hf:org/model`.
    weights
        File of weights that the user brings.
    outputs
        YAML file that says which output is which value of which attribute.
    """

    device: torch.device
    argument: str = ""
    weights: Path | None = None
    outputs: Path | None = None


def caveats_of(instrument: object) -> tuple[str, ...]:
    """Sentences that results carry wherever a classifier or detector was used that has such `caveats`."""
    return tuple(getattr(instrument, "caveats", ()))


def outcome_of(image: NDArray[np.uint8]) -> str:
    """`blocked` where a picture has one colour only, else `labelled`."""
    # Few pixels tell most pictures from one colour; only where they do not, all are looked at.
    return BLOCKED if _is_flat(image[::16, ::16]) and _is_flat(image) else LABELLED


def _is_flat(image: NDArray[np.uint8]) -> bool:
    low, high = image.min(axis=(0, 1)).astype(np.int16), image.max(axis=(0, 1))
    return bool((high - low).max() <= _FLAT)
