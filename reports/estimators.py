"""What the estimators of shares are called, and what each of them leaves out."""

from __future__ import annotations

from fairaudit.results import EstimatorName

TITLES: dict[EstimatorName, str] = {"raw": "Raw", "soft": "Soft", "corrected": "Corrected", "em": "EM"}

LEAVES_OUT: dict[EstimatorName, str] = {
    "raw": "Raw shares count labels. They leave out that the classifier errs.",
    "soft": (
        "Soft shares average the classifier's probabilities. They leave out that doubt pulls them towards "
        "the shares among the faces that the classifier learned from."
    ),
    "corrected": (
        "Corrected shares undo the errors of the confusion matrix. They leave out how sure each single "
        "label is."
    ),
    "em": (
        "EM shares weigh the probabilities by the shares that these imply, until both agree (Saerens et "
        "al. 2002). They leave out every error that the probabilities do not admit."
    ),
}

FROM_PROBABILITIES = frozenset[EstimatorName]({"soft", "em"})

_UNCORRECTED: dict[EstimatorName, str] = {
    "raw": "These shares are raw: counts of labels",
    "soft": "These shares are soft: means of the classifier's probabilities",
}


def uncorrected(estimator: EstimatorName) -> str:
    """A warning where shares do not use the calibration that there is; empty where they do."""
    kind = _UNCORRECTED.get(estimator)
    return f"{kind}, not corrected for its measured errors." if kind else ""
