"""Which calibration holds for a classifier as a plan uses it: a brought one, its own, or a kept one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from fairaudit.digests import sha256_of
from fairaudit.errors import UsageError
from fairaudit.fetching import cache_folder
from fairaudit.labelling import Calibration, Classifier
from fairaudit.plan import AuditPlan
from fairaudit.store import read_manifest, write

FOLDER = "calibrations"
"""Of the cache, and of a run: where kept calibrations are."""


def wanted_calibrations(plan: AuditPlan) -> dict[str, tuple[str, ...]]:
    """By attribute, or several joined: the values of the calibrations that a plan's measurement looks for."""
    alone = {name: plan.attribute(name).values for name in plan.attributes}
    brought = plan.measurement.calibrations
    joint = {
        name: cells_of(plan, names)
        for names in plan.crossed
        # Those that are brought replace all others: a joint one would be of other faces.
        if (name := " x ".join(names)) in brought or not brought
    }
    return alone | joint


def cells_of(plan: AuditPlan, names: Sequence[str]) -> tuple[str, ...]:
    """Every combination of the attributes' values, as calibrations and results name them."""
    return tuple(" | ".join(cell) for cell in product(*(plan.attribute(name).values for name in names)))


def find_calibration(
    plan: AuditPlan, classifier: Classifier | None, name: str, run: Path | None = None
) -> Calibration | None:
    """The calibration of an attribute, or of several joined, that a plan's measurement uses.

    Parameters
    ----------
    run
        Folder of the run, which may not be there yet.

    Raises
    ------
    UsageError
        If the plan brings one that was made otherwise.
    """
    if path := plan.measurement.calibrations.get(name):
        calibration = Calibration.load(Path(path))
        if classifier is not None and (misfit := misfit_of(calibration, plan, classifier)):
            raise UsageError(
                f"{path} calibrates {calibration.classifier} with other {misfit} than {classifier.name} has "
                "here; make it again with fairaudit calibrate"
            )
        return calibration
    if classifier is None:
        return None
    if own := own_calibration(plan, classifier, name):
        return own
    kept = kept_calibrations(plan, classifier, run).get(name)
    return Calibration.load(kept) if kept else None


def own_calibration(plan: AuditPlan, classifier: Classifier, name: str) -> Calibration | None:
    """The calibration that comes with a classifier, where it was made as the plan reads pictures."""
    own = classifier.calibration(name)
    return own if own and not misfit_of(own, plan, classifier) else None


def misfits(plan: AuditPlan, classifier: Classifier) -> Iterator[str]:
    """A sentence of every calibration that comes with a classifier and does not hold as the plan uses it."""
    for name in wanted_calibrations(plan):
        own = None if name in plan.measurement.calibrations else classifier.calibration(name)
        if own and (misfit := misfit_of(own, plan, classifier)):
            yield (
                f"The calibration of {name} that comes with {classifier.name} is left out: it was made with "
                f"other {misfit}."
            )


def misfit_of(calibration: Calibration, plan: AuditPlan, classifier: Classifier) -> str:
    """In what a calibration was made otherwise than it would be used; empty where it says of nothing."""
    weights, now = calibration.weights, classifier.fingerprint()
    if weights is not None and set(weights.values()) != set(now.values()):  # files may be renamed
        return "weights"
    made = {
        "preprocessing": (calibration.preprocessing, classifier.preprocessing),
        "faces": (calibration.faces, shown_of(plan, classifier)),
    }
    return next(
        (f"{what} ({then}, not {here})" for what, (then, here) in made.items() if then not in (None, here)),
        "",
    )


def shown_of(plan: AuditPlan, classifier: Classifier) -> str:
    """What of a picture a classifier is shown, in words."""
    if plan.faces == "whole-image":
        return "whole pictures"
    aligned = ", aligned" if classifier.crop.aligned else ""
    return f"faces found by {plan.detector}, margin {classifier.crop.margin:g}{aligned}"


def kept_calibration(plan: AuditPlan, classifier: Classifier, name: str, values: Sequence[str]) -> Path:
    """Where `fairaudit calibrate` keeps what holds for this classifier and all that it depends on."""
    content = [
        classifier.name,
        sorted(classifier.fingerprint().values()),
        classifier.preprocessing,
        shown_of(plan, classifier),
        name,
        list(values),
    ]
    digest = hashlib.blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=16).hexdigest()
    return cache_folder() / FOLDER / f"{digest}.json"


def kept_calibrations(plan: AuditPlan, classifier: Classifier, run: Path | None = None) -> dict[str, Path]:
    """The kept calibrations that a plan's measurement uses, by what they are of.

    A run that was begun goes on with those that its manifest names, whatever was calibrated since.
    """
    found = {}
    for name, values in wanted_calibrations(plan).items():
        if name in plan.measurement.calibrations or own_calibration(plan, classifier, name):
            continue
        path = kept_calibration(plan, classifier, name, values)
        if run is None or not (run / "manifest.json").exists():
            if path.exists():
                found[name] = path
        elif kept := _named(run, name, path):
            found[name] = kept
    return found


def keep_copies(run: Path, kept: Mapping[str, Path]) -> None:
    """Put the kept calibrations into the run that uses them."""
    for path in kept.values():
        if not (copy := run / FOLDER / path.name).exists():
            write(copy, path.read_bytes())


def _named(run: Path, name: str, path: Path) -> Path | None:
    """The calibration that a run's manifest names: its own copy, or else the kept one if it is the same."""
    digest = read_manifest(run / "manifest.json").get("classifier", {}).get(f"calibration of {name}")
    places = (run / FOLDER / path.name, path)
    return next((place for place in places if place.exists() and sha256_of(place) == digest), None)
