"""How large an audit must be: questions of the command line to statistics of power."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fairaudit.attributes import get_attribute, target_shares
from fairaudit.errors import UsageError
from fairaudit.instruments import open_classifier
from fairaudit.labelling import Calibration
from fairaudit.statistics.power import (
    PowerResult,
    images_for_discrepancy,
    images_for_half_width,
    symmetric_confusion,
)

HALF_WIDTHS = (0.1, 0.05, 0.03, 0.02)
DISCREPANCIES = (0.4, 0.2, 0.1, 0.05)
"""What is answered where nothing is asked."""


@dataclass(frozen=True)
class Labeller:
    """Whose labels will be counted: nobody's errors are known unless one of these is given.

    Attributes
    ----------
    classifier
        Registry name; its own calibration is taken.
    calibration
        A calibration file.
    accuracy, faces
        Of a classifier of which no more is known: all values are recognised as often, counted on
        so many faces of each.
    """

    classifier: str | None = None
    calibration: Path | None = None
    accuracy: float | None = None
    faces: int = 1000

    def confusion(self, attribute: str, values: Sequence[str]) -> NDArray[np.float64] | None:
        """Calibration counts (K, K), or None for labels that are taken as they are."""
        if self.accuracy is not None:
            return symmetric_confusion(len(values), self.accuracy, self.faces)
        if self.calibration is not None:
            return Calibration.load(self.calibration).ordered(attribute, values).counts.astype(np.float64)
        if self.classifier is None:
            return None
        import torch

        classifier = open_classifier(self.classifier, torch.device("cpu"))
        found = classifier.calibration(attribute)
        if found is None:
            raise UsageError(f"{self.classifier} has no calibration of {attribute}; name --accuracy")
        return found.ordered(attribute, values).counts.astype(np.float64)


@dataclass(frozen=True)
class Answer:
    """One question and its answer."""

    question: str
    result: PowerResult

    def as_record(self) -> dict[str, Any]:
        """For JSON."""
        return {"question": self.question, **dataclasses.asdict(self.result)}


def plan_size(
    attribute: str,
    target: str | Mapping[str, float],
    labeller: Labeller,
    *,
    half_widths: Sequence[float],
    discrepancies: Sequence[float],
    power: float,
    level: float,
    prompts: int,
) -> list[Answer]:
    """Images that each question needs.

    Raises
    ------
    UsageError
        If a number is out of its range.
    """
    known = get_attribute(attribute)
    goal = target_shares(known, target)
    try:
        confusion = labeller.confusion(attribute, known.values)
        return [
            *(
                Answer(
                    f"every share within ±{width:g}",
                    images_for_half_width(width, goal, confusion, level=level),
                )
                for width in half_widths
            ),
            *(
                Answer(
                    f"FD of {discrepancy:g} found with power {power:g}",
                    images_for_discrepancy(
                        discrepancy, goal, confusion, power=power, level=level, prompts=prompts
                    ),
                )
                for discrepancy in discrepancies
            ),
        ]
    except ValueError as error:
        raise UsageError(str(error)) from error


def print_answers(answers: Sequence[Answer]) -> None:
    """A small table on standard output."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("to have")
    table.add_column("images a prompt", justify="right")
    table.add_column("in all", justify="right")
    table.add_column("")
    for answer in answers:
        result = answer.result
        sizes = ("-" if number is None else f"{number:,}" for number in (result.images, result.total))
        table.add_row(answer.question, *sizes, result.reason or "")
    Console(highlight=False).print(table)
