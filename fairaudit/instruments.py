"""What labels are read with and corrected by: a classifier's calibrations, or the user's own."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from fairaudit import registry
from fairaudit.calibrations import find_calibration, wanted_calibrations
from fairaudit.errors import UsageError, unknown
from fairaudit.faces import Finder
from fairaudit.labelling import Calibration, Classifier, ClassifierRequest, Instrument
from fairaudit.plan import AuditPlan

if TYPE_CHECKING:
    import torch

LABELS = "labels"
"""The instrument's name where a table of labels does not say who made them."""


@lru_cache(maxsize=4)
def open_classifier(
    name: str, device: torch.device, weights: Path | None = None, outputs: Path | None = None
) -> Classifier:
    """A classifier by its name on the command line, loaded.

    Raises
    ------
    UsageError
        If there is none of that name, or its weights are missing or do not fit.
    """
    make, argument = registry.resolve("classifiers", name)
    made: Classifier = make(ClassifierRequest(device, argument, weights, outputs))
    return made


def open_classifiers(plan: AuditPlan, device: torch.device) -> list[Classifier]:
    """The classifiers of a plan: the one that its numbers rest on, then those that are asked besides."""
    files = (plan.weights, plan.outputs)
    return [
        open_classifier(name, device, *(Path(own[name]) if name in own else None for own in files))
        for name in (plan.classifier, *plan.second_opinions)
    ]


def open_finder(plan: AuditPlan) -> Finder:
    """How the face of a picture is found, as the plan says."""
    if plan.faces == "whole-image":
        return Finder(plan.faces)
    return Finder(plan.faces, registry.load("detectors", plan.detector)())


def make_instrument(plan: AuditPlan, classifier: Classifier | None, run: Path | None = None) -> Instrument:
    """The calibrations that a plan's measurement uses, in the order of its values.

    Those that the plan names come first, then the classifier's own, then what `fairaudit calibrate`
    has kept for this very classifier.

    Parameters
    ----------
    run
        Folder of the run, which may not be there yet.

    Raises
    ------
    UsageError
        If the classifier does not read an attribute, a calibration belongs to other values, weights or
        preprocessing, or the plan asks for an estimator that needs a calibration where there is none.
    """
    if classifier is not None:
        for name in plan.attributes:
            _check_values(classifier, name, plan.attribute(name).values)
    found: dict[str, Calibration] = {}
    for name, values in wanted_calibrations(plan).items():
        if calibration := find_calibration(plan, classifier, name, run):
            found[name] = calibration.ordered(name, values)
    _check_estimator(plan, found)
    makers = {calibration.classifier for calibration in found.values()}
    name = classifier.name if classifier else ", ".join(sorted(makers)) or LABELS
    return Instrument(name, found)


def _check_values(classifier: Classifier, name: str, values: tuple[str, ...]) -> None:
    if name not in classifier.values:
        raise unknown(f"attribute of {classifier.name}", name, classifier.values)
    if classifier.values[name] != values:
        raise UsageError(f"{classifier.name} has not the values {', '.join(values)} of {name}")


def _check_estimator(plan: AuditPlan, found: dict[str, Calibration]) -> None:
    if plan.measurement.estimator != "corrected":
        return
    for name in plan.attributes:
        if name not in found:
            raise UsageError(
                f"--estimator corrected needs a calibration of {name}; bring one with --calibration"
            )
    if plan.measurement.threshold:
        raise UsageError(
            "--estimator corrected does not go with --threshold: the calibration counted unsure labels too"
        )
