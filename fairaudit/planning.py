"""Command-line options to a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fairaudit.attributes import ATTRIBUTES
from fairaudit.entries import (
    ALL,
    apply_settings,
    by_classifier,
    every_sampler,
    parse_against,
    parse_sampler,
)
from fairaudit.errors import UsageError, unknown
from fairaudit.fetching import find_asset
from fairaudit.instruments import open_classifier
from fairaudit.labelling import Calibration
from fairaudit.models.builtin import PREFIX
from fairaudit.pictures import is_pictures, open_pictures
from fairaudit.plan import AuditPlan, SamplerPlan, make_plan
from fairaudit.prompt_sets import LABOUR, labour_targets
from fairaudit.prompts import Prompt, resolve_prompts
from fairaudit.sources import open_model
from fairaudit.sweeping import apply_sweeps
from fairaudit.tables import is_label_table, prompts_of
from fairaudit.transition.record import AUTO, Facts, resolve_tau

BUILTIN_CLIP = f"{PREFIX}faces64-clip"
DEFAULT_PROMPTS = ("demo",)
FILES = ("weights", "outputs")
"""Fields that are files of classifiers: ``FILE`` or ``CLASSIFIER=FILE`` each."""


def build_plan(
    source: str | None,
    plan_file: Path | None = None,
    *,
    given_allowed: bool = False,
    fields: Mapping[str, Any],
    samplers: Sequence[str] = (),
    settings: Sequence[str] = (),
    prompts: Sequence[str] = (),
    targets: Sequence[str] = (),
    calibrations: Sequence[Path] = (),
    against: Sequence[str] = (),
    sweeps: Sequence[str] = (),
) -> AuditPlan:
    """The plan that a command line asks for.

    Parameters
    ----------
    source
        A model, pictures (see `open_pictures`) or a table of labels; None where the plan file names it.
    plan_file
        A plan to start from; options given beside it win.
    given_allowed
        Whether the source may be pictures or a table of labels.
    fields
        Other options by their place in the plan, for example ``sampling.steps``; None is "not given".
    samplers
        ``NAME`` or ``LABEL=NAME`` each; ``all`` alone is every registered one.
    settings
        ``SAMPLER.PARAMETER=VALUE`` each.
    targets
        ``ATTRIBUTE=uniform``, ``ATTRIBUTE=value:share,value:share,...`` or ``gender=labour`` each.
    calibrations
        Calibration files; each names its attribute.
    against
        ``NAME`` or ``LABEL=NAME`` each: models whose baseline is compared, too, or pictures.
    sweeps
        ``SAMPLER.PARAMETER=VALUE,VALUE,...`` each; see `apply_sweeps`.

    Raises
    ------
    UsageError
        If an option is wrong, or neither a source nor a plan is given.
    """
    content = _written(plan_file) if plan_file else {}
    if source is not None:
        content["generator"] = source
    if "generator" not in content:
        raise UsageError("name what to audit, or a plan with --plan")
    labels = is_label_table(content["generator"])
    given = labels or is_pictures(content["generator"])
    if given:
        _check_given(content["generator"], fields.get("until") or content.get("until"), given_allowed)
        content.update(prompts=[], samplers=[], against={})
    else:
        _put_work(content, prompts, samplers, against)
    apply_settings(content["samplers"], settings)
    content["samplers"] = apply_sweeps(content["samplers"], sweeps)
    for target in targets:
        _put_target(content, *_parse_target(target))
    _put_fields(content, fields)
    if not given:
        _as_deployed(content)
    if not labels:
        content.setdefault("extractors", default_extractors(content))
    _put_files(content, fields)
    calibrated = _put_calibrations(content, calibrations)
    if labels:
        content["classifier"] = "labels"
        _declare(content, calibrated)
    else:
        _declare_read(content)
    return with_found_taus(make_plan(content, str(plan_file) if plan_file else None))


def with_found_taus(plan: AuditPlan) -> AuditPlan:
    """The plan with numbers where a transition point is `auto`, or the file of a search.

    Raises
    ------
    UsageError
        If nothing was searched yet, or for something else.
    """
    samplers = tuple(_with_found_tau(plan, sampler) for sampler in plan.samplers)
    return plan.model_copy(update={"samplers": samplers})


def _with_found_tau(plan: AuditPlan, sampler: SamplerPlan) -> SamplerPlan:
    tau, sampling = sampler.parameters.get("tau"), plan.sampling
    if not isinstance(tau, str) or not (tau == AUTO or Path(tau).exists()):
        return sampler
    facts = Facts(
        plan.generator_of(sampler),
        plan.aim,
        sampling.scheduler,
        sampling.steps,
        plan.guidance_of(sampler),
    )
    return sampler.model_copy(update={"parameters": sampler.parameters | {"tau": resolve_tau(tau, facts)}})


def _written(plan_file: Path) -> dict[str, Any]:
    """What a plan file says, and no defaults: those may depend on the generator."""
    return AuditPlan.load(plan_file).model_dump(by_alias=True, mode="json", exclude_unset=True)


def _check_given(source: str, until: str | None, given_allowed: bool) -> None:
    if not given_allowed:
        raise UsageError(
            f"{source} is no diffusers pipeline (a folder with model_index.json); "
            "images or labels that are there already are measured by `fairaudit audit`"
        )
    if until:
        raise UsageError(f"--until decides when to stop making images; those of {source} are there already")


def _put_work(
    content: dict[str, Any], prompts: Sequence[str], samplers: Sequence[str], against: Sequence[str]
) -> None:
    """What images are made of and how, and what they are compared with."""
    if prompts or not content.get("prompts"):
        content["prompts"] = resolve_prompts(prompts or DEFAULT_PROMPTS)
    if samplers or not content.get("samplers"):
        wanted = every_sampler() if list(samplers) == [ALL] else samplers or ("baseline",)
        content["samplers"] = [parse_sampler(text) for text in wanted]
    entries, pictures = parse_against(against, content["samplers"])
    content["samplers"] += entries
    content["against"] = content.get("against", {}) | pictures


def _put_calibrations(content: dict[str, Any], calibrations: Sequence[Path]) -> dict[str, tuple[str, ...]]:
    """Each calibration file under its attribute; the values of those attributes."""
    read = {path: Calibration.load(path) for path in calibrations}
    for path, calibration in read.items():
        _put(content, ["measurement", "calibrations", calibration.attribute], str(path))
    return {calibration.attribute: calibration.values for calibration in read.values()}


def _declare(content: dict[str, Any], calibrated: Mapping[str, Sequence[str]]) -> None:
    """Declare the values of attributes: those of the target or calibration, else the built-in ones."""
    for name in content.get("attributes", ["gender"]):
        target = content.get("targets", {}).get(name)
        values = list(target) if isinstance(target, dict) else list(calibrated.get(name, ()))
        known = list(ATTRIBUTES[name].values) if name in ATTRIBUTES else None
        if values and (known is None or sorted(values) != sorted(known)):
            content.setdefault("values", {})[name] = values
        elif known is None and name not in content.get("values", {}):
            raise UsageError(
                f"{name} is no built-in attribute: declare its values with --target {name}=value:share,... "
                "or bring a --calibration"
            )


def _declare_read(content: dict[str, Any]) -> None:
    """Declare the values that a classifier reads, where they are not the built-in ones."""
    from fairaudit.device import choose_device

    classifier, *_ = _asked(content)
    names = [name for name in content.get("attributes", ["gender"]) if name not in content.get("values", {})]
    carried = classifier.startswith(("builtin:", "analytic:")) and classifier not in content["outputs"]
    if not names or (carried and all(name in ATTRIBUTES for name in names)):
        return
    files = [Path(content[kind][classifier]) if classifier in content[kind] else None for kind in FILES]
    values = open_classifier(classifier, choose_device("auto"), *files).values
    for name in names:
        if name not in values:
            raise unknown(f"attribute of {classifier}", name, values)
        if name not in ATTRIBUTES or values[name] != ATTRIBUTES[name].values:
            content.setdefault("values", {})[name] = list(values[name])


def _asked(content: dict[str, Any]) -> list[str]:
    """The classifiers of a plan, the one that its numbers rest on first."""
    default = AuditPlan.model_fields["classifier"].default
    return [content.get("classifier", default), *content.get("second_opinions", ())]


def _put_fields(content: dict[str, Any], fields: Mapping[str, Any]) -> None:
    for place, value in fields.items():
        if value is not None and place not in FILES:
            _put(content, place.split("."), value)


def _put_files(content: dict[str, Any], fields: Mapping[str, Any]) -> None:
    """The files of the networks that are asked; a plan's files of others go where those go."""
    classifiers = _asked(content)
    for place in FILES:
        asked = [*classifiers, *(content.get("extractors", ()) if place == "weights" else ())]
        written = {name: file for name, file in content.get(place, {}).items() if name in asked}
        content[place] = written | by_classifier(fields.get(place) or (), asked)


def _as_deployed(content: dict[str, Any]) -> None:
    """Steps, guidance scale and classifier of the generator itself, where nobody said others."""
    source = open_model(content["generator"])
    content["sampling"] = asdict(source.defaults()) | content.get("sampling", {})
    if source.classifier is not None:
        content.setdefault("classifier", source.classifier)


def default_extractors(content: Mapping[str, Any]) -> list[str]:
    """The extractors of a plan that names none: those that are on this machine and have a use.

    Written into the plan by name, so that the same plan measures the same elsewhere.
    """
    found = [BUILTIN_CLIP] if content["generator"].startswith(PREFIX) else []
    reference = content.get("measurement", {}).get("reference")
    return [*found, "inception"] if reference and find_asset("inception") else found


def _put_target(content: dict[str, Any], name: str, value: str | dict[str, float]) -> None:
    """One target for all prompts, or the labour statistics of each prompt's occupation."""
    content.get("prompt_targets", {}).pop(name, None)
    if value != LABOUR:
        content.setdefault("targets", {})[name] = value
        return
    if name != "gender":
        raise UsageError(f"--target {name}=labour: the labour statistics tell women and men apart, no more")
    prompts = _prompts_of(content)
    if not prompts:
        raise UsageError("--target gender=labour needs prompts: each gets the share of its occupation")
    content.get("targets", {}).pop(name, None)
    _put(content, ["prompt_targets", name], labour_targets(prompts))


def _prompts_of(content: dict[str, Any]) -> list[str]:
    """What the images ask for, or were made for where they are there already."""
    source = content["generator"]
    if is_label_table(source):
        return prompts_of(source)
    if is_pictures(source):
        return list(dict.fromkeys(entry.prompt for entry in open_pictures(source).entries if entry.prompt))
    return [Prompt(template).text for template in content.get("prompts", [])]


def _parse_target(text: str) -> tuple[str, str | dict[str, float]]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"--target {text!r}: expected ATTRIBUTE=uniform, =value:share,... or =labour")
    if ":" in value:
        return name, parse_shares(value)
    if value not in ("uniform", LABOUR):
        raise unknown("target", value, ["uniform", LABOUR])
    return name, value


def parse_shares(text: str) -> dict[str, float]:
    """``value:share,value:share,...`` as a mapping, or `UsageError`."""
    try:
        pairs = [part.rsplit(":", 1) for part in text.split(",")]
        return {key.strip(): float(share) for key, share in pairs}
    except ValueError as error:
        raise UsageError(f"--target {text!r}: expected shares such as female:0.5,male:0.5") from error


def _put(content: dict[str, Any], place: list[str], value: Any) -> None:
    for part in place[:-1]:
        content = content.setdefault(part, {})
    content[place[-1]] = value
