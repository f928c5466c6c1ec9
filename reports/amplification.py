"""Does a generator exaggerate the bias of its training data? Said only as far as the interval goes."""

from __future__ import annotations

from typing import Literal

from fairaudit.reports.numbers import known, points, with_interval

from fairaudit.results import Estimate

Leaning = Literal["exaggerated", "softened", "undecided"]


def leaning(amplification: Estimate) -> Leaning:
    """Whether the whole interval of the bias amplification lies on one side of 0."""
    if amplification.low is not None and amplification.low > 0:
        return "exaggerated"
    if amplification.high is not None and amplification.high < 0:
        return "softened"
    return "undecided"


def amplified(amplification: Estimate) -> str:
    """Exaggerated, softened or not decided, with the number that says so."""
    if not known(amplification.value):
        return f"Bias amplification is n/a: {amplification.reason or 'no reason was recorded'}."
    found = leaning(amplification)
    claim = (
        "Whether it exaggerates or softens the bias of its training data is not decided"
        if found == "undecided"
        else f"The bias of the training data is {found}"
    )
    return f"{claim}: bias amplification {with_interval(*points(amplification))}."
