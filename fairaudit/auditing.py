"""The main job: plan in, run directory with results and reports out."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch

from fairaudit import registry
from fairaudit.agreeing import check_opinions
from fairaudit.brought import brought_labels
from fairaudit.calibrations import keep_copies, kept_calibrations
from fairaudit.device import choose_device
from fairaudit.digests import sha256_of
from fairaudit.disclosing import disclosed
from fairaudit.errors import NotEnoughEvidenceError, UsageError
from fairaudit.extracting import extract_features, open_extractors
from fairaudit.gathering import open_audited, open_compared
from fairaudit.generating import Workplace, make_sampler
from fairaudit.generators import Generators
from fairaudit.instruments import make_instrument, open_classifiers, open_finder
from fairaudit.learning import open_real
from fairaudit.manifest import make_manifest
from fairaudit.measurement import Measurement
from fairaudit.measuring import measure, measure_labels
from fairaudit.needs import Need
from fairaudit.pictures import is_pictures
from fairaudit.plan import AuditPlan
from fairaudit.progress import Bars
from fairaudit.reading import Eyes, read_images
from fairaudit.references import open_reference, read_reference
from fairaudit.refusing import check_samplers, keep_allowed
from fairaudit.reporting import ReportInput
from fairaudit.results import Results
from fairaudit.rounds import generate_and_read
from fairaudit.showing import picture_grid
from fairaudit.statistics.tests import goodness_of_fit
from fairaudit.store import Run, read_manifest, write
from fairaudit.tables import (
    check_probabilities,
    has_pairs,
    is_label_table,
    label_tables,
    table_fingerprint,
)
from fairaudit.truths import known_truths


@dataclass(frozen=True)
class Finished:
    """A finished run."""

    results: Results
    reports: Mapping[str, Path]


def without_impossible(plan: AuditPlan, device: str) -> tuple[AuditPlan, Mapping[str, str]]:
    """The plan with the samplers that its generators allow, and why each of the others is left out."""
    where = choose_device(device)
    classifier = open_classifiers(plan, where)[0]
    return keep_allowed(plan, Generators(plan, where, classifier))


def audit(plan: AuditPlan, out: Path, device: str, bars: Bars) -> Finished:
    """Do all of a plan's work that is not done yet, measure, and write the reports.

    Raises
    ------
    UsageError
        If the plan cannot be carried out; nothing is written then.
    """
    if is_label_table(plan.generator):
        run, results = _audit_table(plan, out)
    else:
        run, results = _audit_images(plan, out, choose_device(device), bars)
    write(out / "results.json", results.to_json().encode())
    return Finished(results, write_reports(run, plan, results))


def _audit_images(plan: AuditPlan, out: Path, device: torch.device, bars: Bars) -> tuple[Run, Results]:
    eyes = Eyes(open_classifiers(plan, device), open_finder(plan), open_extractors(plan, device))
    check_opinions(plan, eyes.classifiers[1:])
    open_real(plan, eyes.classifiers[0])
    audit_one = _audit_pictures if is_pictures(plan.generator) else _audit_model
    return audit_one(plan, out, device, bars, eyes)


def _audit_model(
    plan: AuditPlan,
    out: Path,
    device: torch.device,
    bars: Bars,
    eyes: Eyes,
) -> tuple[Run, Results]:
    classifier = eyes.classifiers[0]
    generators = Generators(plan, device, classifier)
    sources = generators.sources
    truths = {name: source.truth for name, source in sources.items() if source.truth is not None}
    brought = brought_labels(plan)
    measurement = Measurement(
        plan, make_instrument(plan, classifier, out), known_truths(plan, truths), frozenset(brought)
    )
    for sampler in plan.samplers:
        make_sampler(sampler)
    _check_size(plan, len(plan.prompts) * plan.sampling.images_per_prompt)
    compared = open_compared(plan, out)
    seen = [*(sampler.key for sampler in plan.samplers), *compared.collections]
    named = open_reference(plan, eyes.extractors, seen)
    if not Run.exists(out):
        check_samplers(plan, generators)  # what cannot be fails here, before anything is written
    source, *others = generators.fingerprints().items()
    kept = kept_calibrations(plan, classifier, out)
    instruments = _read_with(plan, eyes, kept) | _followed(plan, generators)
    tables = {plan.against[name]: table_fingerprint(plan.against[name]) for name in brought}
    manifest = make_manifest(
        source[1], instruments, device.type, plan.digest, dict(others) | compared.fingerprints | tables
    )
    place = Workplace(Run.open(out, plan, manifest), plan, bars)
    keep_copies(out, kept)
    read_images(place, eyes, compared.gather(place.run), compared.fetches)
    watch = generate_and_read(place, generators, eyes, measurement)
    extract_features(place, eyes.extractors, seen, compared.fetches)
    own = sources[plan.generator].reference
    against = read_reference(place, eyes, named, own, measurement.seen)
    results = measure(
        place.run,
        measurement,
        classifier,
        extractors=eyes.extractors,
        against=against,
        given=compared,
        brought=brought,
        watch=watch,
    )
    return place.run, results


def _audit_pictures(
    plan: AuditPlan,
    out: Path,
    device: torch.device,
    bars: Bars,
    eyes: Eyes,
) -> tuple[Run, Results]:
    classifier = eyes.classifiers[0]
    measurement = Measurement(plan, make_instrument(plan, classifier, out), known_truths(plan))
    given = open_audited(plan, out)
    named = open_reference(plan, eyes.extractors, list(given.collections))
    _check_size(plan, given.images)
    (fingerprint,) = given.fingerprints.values()
    kept = kept_calibrations(plan, classifier, out)
    manifest = make_manifest(fingerprint, _read_with(plan, eyes, kept), device.type, plan.digest)
    place = Workplace(Run.open(out, plan, manifest), plan, bars)
    keep_copies(out, kept)
    read_images(place, eyes, given.gather(place.run), given.fetches)
    extract_features(place, eyes.extractors, list(given.collections), given.fetches)
    against = read_reference(place, eyes, named, None, measurement.seen)
    results = measure(
        place.run, measurement, classifier, extractors=eyes.extractors, against=against, given=given
    )
    return place.run, results


def _audit_table(plan: AuditPlan, out: Path) -> tuple[Run, Results]:
    path = plan.generator
    measurement = Measurement(plan, make_instrument(plan, None), known_truths(plan))
    values = {name: plan.attribute(name).values for name in plan.attributes}
    labels, prompts = label_tables(path, values)
    if plan.measurement.threshold:
        check_probabilities(path, labels, values)
    _check_size(plan, max(len(table) for table in labels.values()))
    manifest = make_manifest(table_fingerprint(path), _read_with(plan), "none", plan.digest)
    run = Run.open(out, plan, manifest)
    for name, table in labels.items():
        run.write_table(run.path("labels", plan.classifier, name, "labels"), table)
    return run, measure_labels(measurement, labels, prompts, paired=has_pairs(path))


def _read_with(
    plan: AuditPlan, eyes: Eyes | None = None, kept: Mapping[str, Path] = MappingProxyType({})
) -> dict[str, str]:
    """Fingerprints of what reads and corrects: classifiers, extractors, detector, the user's files."""
    own: dict[str, str] = {}
    if eyes is not None:
        own |= eyes.classifiers[0].fingerprint()
        for other in eyes.classifiers[1:]:
            own |= {f"{other.name}: {file}": digest for file, digest in other.fingerprint().items()}
        for extractor in eyes.extractors:
            digests = extractor.fingerprint().items()
            own |= {f"features of {extractor.name}: {file}": digest for file, digest in digests}
        if eyes.finder.detector is not None:
            own |= {f"faces: {file}": digest for file, digest in eyes.finder.detector.fingerprint().items()}
    calibrations = plan.measurement.calibrations | {name: str(path) for name, path in kept.items()}
    brought = {f"calibration of {name}": path for name, path in calibrations.items()}
    if plan.measurement.planted is not None:
        brought["planted"] = plan.measurement.planted
    return own | {name: sha256_of(Path(path)) for name, path in brought.items()}


def _followed(plan: AuditPlan, generators: Generators) -> dict[str, str]:
    """Fingerprints of the classifiers of middle blocks that samplers follow."""
    used = {plan.generator_of(one) for one in plan.samplers if Need.HIDDEN in make_sampler(one).needs}
    files = {f"heads of {name}": generators.heads_file(name) for name in plan.generators if name in used}
    return {name: sha256_of(file) for name, file in files.items() if file is not None}


def write_reports(run: Run, plan: AuditPlan, results: Results, out: Path | None = None) -> dict[str, Path]:
    """Write the report in every registered format, into the run or another folder."""
    command = "compare" if plan.prompts else "audit"
    place = shlex.quote(f"{run.folder.resolve().name}/plan.yaml")
    content = ReportInput(
        plan=plan,
        results=results,
        manifest=read_manifest(run.folder / "manifest.json"),
        grid=[] if is_label_table(plan.generator) else picture_grid(run, plan),
        command=f"fairaudit {command} --plan {place} --out NEW_RUN",
    )
    return render_reports(content, out or run.folder)


def render_reports(content: ReportInput, out: Path) -> dict[str, Path]:
    """The report in every registered format, in a folder."""
    content = disclosed(content)
    written = {}
    for name in registry.names("reports"):
        written[name] = out / f"report.{name}"
        write(written[name], registry.load("reports", name)(content))
    return written


def rewrite_reports(folder: Path, out: Path | None = None) -> dict[str, Path]:
    """Write the reports of a finished run again, from its stored results."""
    if not (folder / "results.json").exists():
        raise UsageError(f"{folder} holds no results.json; finish the run first")
    return write_reports(
        Run(folder), AuditPlan.load(folder / "plan.yaml"), Results.load(folder / "results.json"), out
    )


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
