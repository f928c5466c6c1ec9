"""What labels are read with and corrected by: a classifier's calibrations, or the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path

from fairaudit.errors import UsageError, unknown
from fairaudit.labelling import Calibration, Classifier, Instrument
from fairaudit.plan import AuditPlan

LABELS = "labels"
"""The instrument's name where a table of labels does not say who made them."""


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
