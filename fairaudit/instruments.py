"""What labels are read with and corrected by: a classifier's calibrations, or the user's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from fairaudit import registry
from fairaudit.errors import UsageError, unknown
from fairaudit.faces import Finder
from fairaudit.fetching import cache_folder
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

    Those that the plan names come first, then the classifier's own, then what `fairaudit calibrate`
    has kept for this very classifier.

    Raises
    ------
    UsageError
        If the classifier does not read an attribute, a calibration belongs to other values, weights or
        preprocessing, or the plan asks for an estimator that needs a calibration where there is none.
    """
    found: dict[str, Calibration] = {}
    for name in plan.attributes:
        values = plan.attribute(name).values
        if classifier is not None:
            _check_values(classifier, name, values)
        if calibration := find_calibration(plan, classifier, name, values):
            found[name] = calibration.ordered(name, values)
    for names in plan.crossed:
        joint, cells = " x ".join(names), _cells(plan, names)
        if joint not in plan.measurement.calibrations and plan.measurement.calibrations:
            continue  # those that are brought replace all others: a joint one would be of other faces
        if calibration := find_calibration(plan, classifier, joint, cells):
            found[joint] = calibration.ordered(joint, cells)
    _check_estimator(plan, found)
    makers = {calibration.classifier for calibration in found.values()}
    name = classifier.name if classifier else ", ".join(sorted(makers)) or LABELS
    return Instrument(name, found)


def find_calibration(
    plan: AuditPlan, classifier: Classifier | None, name: str, values: Sequence[str]
) -> Calibration | None:
    """The calibration of an attribute, or of several joined, that a plan's measurement uses."""
    if path := plan.measurement.calibrations.get(name):
        calibration = Calibration.load(Path(path))
        if classifier is not None:
            _check_belongs(path, calibration, classifier, shown_of(plan, classifier))
        return calibration
    if classifier is None:
        return None
    if own := classifier.calibration(name):
        return own
    kept = kept_calibration(plan, classifier, name, values)
    return Calibration.load(kept) if kept.exists() else None


def kept_calibration(plan: AuditPlan, classifier: Classifier, name: str, values: Sequence[str]) -> Path:
    """Where `fairaudit calibrate` keeps what holds for this classifier and all that it depends on."""
    content = [
        classifier.name,
        dict(classifier.fingerprint()),
        classifier.preprocessing,
        shown_of(plan, classifier),
        name,
        list(values),
    ]
    digest = hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()
    return cache_folder() / "calibrations" / f"{digest}.json"


def kept_calibrations(plan: AuditPlan, classifier: Classifier) -> dict[str, Path]:
    """The kept calibrations that a plan's measurement uses, by what they are of."""
    if plan.measurement.calibrations:
        return {
            name: path
            for name, path in _kept(plan, classifier).items()
            if name in plan.attributes and name not in plan.measurement.calibrations
        }
    return _kept(plan, classifier)


def shown_of(plan: AuditPlan, classifier: Classifier) -> str:
    """What of a picture a classifier is shown, in words."""
    if plan.faces == "whole-image":
        return "whole pictures"
    aligned = ", aligned" if classifier.crop.aligned else ""
    return f"faces found by {plan.detector}, margin {classifier.crop.margin:g}{aligned}"


def _kept(plan: AuditPlan, classifier: Classifier) -> dict[str, Path]:
    wanted = {name: plan.attribute(name).values for name in plan.attributes}
    joint = {" x ".join(names): tuple(_cells(plan, names)) for names in plan.crossed}
    paths = {
        name: kept_calibration(plan, classifier, name, values) for name, values in (wanted | joint).items()
    }
    return {
        name: path for name, path in paths.items() if path.exists() and classifier.calibration(name) is None
    }


def _check_belongs(path: str, calibration: Calibration, classifier: Classifier, shown: str) -> None:
    """Refuse a calibration that says that it was made otherwise."""
    made = {
        "weights": (calibration.weights, dict(classifier.fingerprint())),
        "preprocessing": (calibration.preprocessing, classifier.preprocessing),
        "faces": (calibration.faces, shown),
    }
    for what, (then, now) in made.items():
        if then is not None and then != now:
            told = "" if what == "weights" else f" ({then}, not {now})"
            raise UsageError(
                f"{path} calibrates {calibration.classifier} with other {what}{told} than "
                f"{classifier.name} has here; make it again with fairaudit calibrate"
            )


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
