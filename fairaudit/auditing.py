"""The main job: plan in, run directory with results and reports out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch

from fairaudit import registry
from fairaudit.attributes import get_attribute
from fairaudit.device import choose_device
from fairaudit.errors import NotEnoughEvidenceError, UsageError, unknown
from fairaudit.generating import Workplace, folder_units, generate, list_folder, make_sampler, plan_units
from fairaudit.labelling import Classifier
from fairaudit.manifest import make_manifest
from fairaudit.measuring import measure
from fairaudit.models.images import ImageFolder
from fairaudit.plan import AuditPlan
from fairaudit.progress import Bars
from fairaudit.qualities import check_reference
from fairaudit.reading import read_images
from fairaudit.reporting import ReportInput
from fairaudit.results import Results
from fairaudit.showing import picture_grid
from fairaudit.sources import is_image_folder, open_model
from fairaudit.statistics.tests import goodness_of_fit
from fairaudit.store import Run, read_manifest, write


@dataclass(frozen=True)
class Finished:
    """A finished run."""

    results: Results
    reports: Mapping[str, Path]


def audit(plan: AuditPlan, out: Path, device: str, bars: Bars) -> Finished:
    """Do all of a plan's work that is not done yet, measure, and write the reports.

    Raises
    ------
    UsageError
        If the plan cannot be carried out; nothing is written then.
    """
    chosen = choose_device(device)
    classifier: Classifier = registry.load("classifiers", plan.classifier)(chosen)
    _check_attributes(plan, classifier)
    check_reference(plan)
    audit_one = _audit_folder if is_image_folder(plan.generator) else _audit_model
    run, results = audit_one(plan, out, chosen, bars, classifier)
    write(out / "results.json", results.to_json().encode())
    return Finished(results, write_reports(run, plan, results))


def _audit_model(
    plan: AuditPlan, out: Path, device: torch.device, bars: Bars, classifier: Classifier
) -> tuple[Run, Results]:
    source = open_model(plan.generator)
    for sampler in plan.samplers:
        make_sampler(sampler)
    _check_size(plan, len(plan.prompts) * plan.sampling.images_per_prompt)
    load = cache(lambda: source.load(device, plan.sampling))
    if not Run.exists(out):
        load()  # a model that cannot be loaded fails here, before anything is written
    manifest = make_manifest(source.fingerprint(), classifier.fingerprint(), device.type, plan.digest)
    place = Workplace(Run.open(out, plan, manifest), plan, bars)
    generate(place, load)
    read_images(place, classifier, plan_units(plan))
    results = measure(place.run, plan, classifier, truth=source.truth, reference=source.reference)
    return place.run, results


def _audit_folder(
    plan: AuditPlan, out: Path, device: torch.device, bars: Bars, classifier: Classifier
) -> tuple[Run, Results]:
    folder = ImageFolder(Path(plan.generator), exclude=out)
    _check_size(plan, len(folder.files))
    manifest = make_manifest(folder.fingerprint(), classifier.fingerprint(), device.type, plan.digest)
    place = Workplace(Run.open(out, plan, manifest), plan, bars)
    list_folder(place.run, folder)
    read_images(place, classifier, folder_units(folder), folder.folder)
    return place.run, measure(place.run, plan, classifier, skipped=folder.skipped)


def write_reports(run: Run, plan: AuditPlan, results: Results) -> dict[str, Path]:
    """Write the report in every registered format."""
    command = "compare" if plan.prompts else "audit"
    content = ReportInput(
        plan=plan,
        results=results,
        manifest=read_manifest(run.folder / "manifest.json"),
        grid=picture_grid(run, plan),
        command=f"fairaudit {command} --plan {shlex.quote(str(run.folder / 'plan.yaml'))} --out NEW_RUN",
    )
    written = {}
    for name in registry.names("reports"):
        written[name] = run.folder / f"report.{name}"
        write(written[name], registry.load("reports", name)(content))
    return written


def rewrite_reports(folder: Path) -> dict[str, Path]:
    """Write the reports of a finished run again, from its stored results."""
    if not (folder / "results.json").exists():
        raise UsageError(f"{folder} holds no results.json; finish the run first")
    return write_reports(
        Run(folder), AuditPlan.load(folder / "plan.yaml"), Results.load(folder / "results.json")
    )


def _check_attributes(plan: AuditPlan, classifier: Classifier) -> None:
    for name in plan.attributes:
        if name not in classifier.values:
            raise unknown(f"attribute of {classifier.name}", name, classifier.values)
        values = get_attribute(name).values
        calibration = classifier.calibration(name)
        if classifier.values[name] != values or (calibration and calibration.values != values):
            raise UsageError(f"{classifier.name} or its calibration has not the values {', '.join(values)}")


def _check_size(plan: AuditPlan, images: int) -> None:
    """Refuse to start what no outcome could decide."""
    if images == 0:
        raise UsageError("there is nothing to make: name at least one prompt with --prompts")
    for name in plan.attributes:
        target = np.array(list(plan.target(name).values()))
        # The least likely outcome: every image has the value of the smallest share.
        extreme = images * (np.arange(len(target)) == target.argmin())
        best, _ = goodness_of_fit(extreme, target)
        if best is not None and best >= plan.measurement.level:
            raise NotEnoughEvidenceError(
                f"{images} images cannot decide about {name}: even if all had the same value, p would be "
                f"{best:.2g}; ask for more with --images"
            )
