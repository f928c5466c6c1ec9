"""What labels are read with and corrected by: a classifier's calibrations, or the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from fairaudit import registry
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


def make_instrument(plan: AuditPlan, classifier: Classifier | None) -> Instrument:
    """The calibrations that a plan's measurement uses, in the order of its values.

    Raises
    ------
    UsageError
        If the classifier does not read an attribute, a calibration belongs to other values, or the
        plan asks for an estimator that needs a calibration where there is none.
    """
    found: dict[str, Calibration] = {}
    for name in plan.attributes:
        values = plan.attribute(name).values
        if classifier is not None:
            _check_values(classifier, name, values)
        path = plan.measurement.calibrations.get(name)
        calibration = Calibration.load(Path(path)) if path else classifier and classifier.calibration(name)
        if calibration:
            found[name] = calibration.ordered(name, values)
    for names in plan.crossed:
        joint = " x ".join(names)
        path = plan.measurement.calibrations.get(joint)
        if path:
            found[joint] = Calibration.load(Path(path)).ordered(joint, _cells(plan, names))
        elif classifier and not plan.measurement.calibrations and (own := classifier.calibration(joint)):
            found[joint] = own
    _check_estimator(plan, found)
    makers = {calibration.classifier for calibration in found.values()}
    name = classifier.name if classifier else ", ".join(sorted(makers)) or LABELS
    return Instrument(name, found)


def _cells(plan: AuditPlan, names: Sequence[str]) -> list[str]:
    """Every combination of the attributes' values, as calibrations and results name them."""
    return [" | ".join(cell) for cell in product(*(plan.attribute(name).values for name in names))]


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
