"""The plan of a run: everything that its result depends on, and its digest."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from itertools import combinations, product
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from fairaudit.attributes import BETWEEN, Attribute, get_attribute, join, target_shares
from fairaudit.errors import UsageError, reason_of
from fairaudit.faces import Policy
from fairaudit.plan_parts import IMAGES, LABEL, MeasurementPlan, SamplerPlan, SamplingPlan
from fairaudit.prompts import EXACT, SLOT, Prompt
from fairaudit.stopping import parse_rule

__all__ = [
    "IMAGES",
    "LABEL",
    "AuditPlan",
    "MeasurementPlan",
    "SamplerPlan",
    "SamplingPlan",
    "differences",
    "make_plan",
]


class AuditPlan(BaseModel):
    """What is audited, with which samplers, on which prompts, and how it is measured.

    Two plans with equal `digest` ask for the same images and the same numbers.

    Attributes
    ----------
    values
        Declared values of attributes that are not built in, which only label tables can have.
    prompt_targets
        By attribute and neutral prompt: the target of prompts that have one of their own.
    debias
        Attributes that debiasing samplers debias, together; None is the first attribute alone.
    intersections
        Attributes that are measured together; None takes every pair.
    against
        By label: pictures that are there already, which the samplers are compared with.
    second_opinions
        Classifiers that are asked besides, to see how far they agree; no verdict rests on them.
    extractors
        Networks whose features of whole pictures quality and utility are measured on.
    weights, outputs
        By classifier or extractor: file of its weights, and YAML file of what its outputs mean.
    faces, detector
        Which face of a picture is judged, and what finds it.
    until
        When to stop early: verdict, or half-width=0.05. None makes all images.
    """

    schema_: Literal[1] = Field(1, alias="schema")
    generator: str
    attributes: tuple[str, ...] = Field(("gender",), min_length=1)
    values: dict[str, tuple[str, ...]] = {}
    targets: dict[str, Literal["uniform"] | dict[str, float]] = {}
    prompt_targets: dict[str, dict[str, dict[str, float]]] = {}
    debias: tuple[str, ...] | None = None
    intersections: tuple[tuple[str, ...], ...] | None = None
    prompts: tuple[str, ...] = ()
    samplers: tuple[SamplerPlan, ...] = (SamplerPlan(name="baseline"),)
    against: dict[str, str] = {}
    classifier: str = "builtin:faces64-classifier"
    second_opinions: tuple[str, ...] = ()
    extractors: tuple[str, ...] = ()
    weights: dict[str, str] = {}
    outputs: dict[str, str] = {}
    faces: Policy = "whole-image"
    detector: str = "yunet"
    sampling: SamplingPlan = SamplingPlan()
    until: str | None = None
    measurement: MeasurementPlan = MeasurementPlan()

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    @field_validator("attributes")
    @classmethod
    def _asked_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _distinct("attributes", names)

    @field_validator("values")
    @classmethod
    def _several(cls, values: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for name, declared in values.items():
            _distinct(f"values of {name}", declared)
            if len(declared) < 2:
                raise ValueError(f"{name} has one value only, so there is nothing to measure")
        return values

    @field_validator("until")
    @classmethod
    def _rule(cls, until: str | None) -> str | None:
        if until is not None:
            parse_rule(until)
        return until

    @model_validator(mode="after")
    def _classifiers_are_named(self) -> AuditPlan:
        asked = _distinct("classifiers", (self.classifier, *self.second_opinions))
        networks = (*asked, *_distinct("extractors", self.extractors))
        for what, names, known, kind in (
            ("weights", self.weights, networks, "classifiers or extractors"),
            ("outputs", self.outputs, asked, "classifiers"),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(f"{what} of {name!r}, which is not among the {kind}")
        return self

    @field_validator("prompts")
    @classmethod
    def _usable(cls, prompts: tuple[str, ...]) -> tuple[str, ...]:
        for prompt in prompts:
            if not prompt.strip():
                raise ValueError("a prompt is empty")
            if prompt.count(SLOT) + prompt.count(EXACT) > 1:
                raise ValueError(f"{prompt!r} has the slot {SLOT} more than once")
        _distinct("prompts", tuple(Prompt(prompt).text for prompt in prompts))
        return prompts

    @field_validator("samplers")
    @classmethod
    def _named_once(cls, samplers: tuple[SamplerPlan, ...]) -> tuple[SamplerPlan, ...]:
        _distinct("samplers", tuple(sampler.key for sampler in samplers))
        return samplers

    @model_validator(mode="after")
    def _pictures_are_named_apart(self) -> AuditPlan:
        for label in self.against:
            if not re.fullmatch(LABEL, label) or label in (IMAGES, *(one.key for one in self.samplers)):
                raise ValueError(
                    f"pictures to compare with cannot be called {label!r}: bring another LABEL=PATH"
                )
        return self

    @model_validator(mode="after")
    def _names_are_those_of_attributes(self) -> AuditPlan:
        for name in self.attributes:
            self.attribute(name)
        joint = {" x ".join(names) for names in self.crossed}
        for what, names, known in (
            ("target", self.targets, {*self.attributes}),
            ("target of prompts", self.prompt_targets, {*self.attributes}),
            ("calibration", self.measurement.calibrations, {*self.attributes, *joint}),
        ):
            for name in names:
                if name not in known:
                    raise ValueError(f"a {what} for {name!r}, which is not among the attributes")
        for name in _distinct("debias", self.debias or ()):
            if name not in self.attributes:
                raise ValueError(f"{name!r} is to be debiased, but is not among the attributes")
        for together in self.intersections or ():
            for name in _distinct("intersections", together):
                if name not in self.attributes:
                    raise ValueError(f"an intersection with {name!r}, which is not among the attributes")
            if len(together) < 2:
                raise ValueError("an intersection takes at least two attributes")
        return self

    @model_validator(mode="after")
    def _targets_can_be_missed(self) -> AuditPlan:
        texts = {Prompt(template).text for template in self.prompts}
        for name, own in self.prompt_targets.items():
            for prompt in own:
                if self.prompts and prompt not in texts:
                    raise ValueError(f"a target of {name} for {prompt!r}, which is not among the prompts")
        for name in self.attributes:
            targets = [self.target(name), *(self.target(name, prompt) for prompt in self._own(name))]
            limit = min(_furthest(list(target.values())) for target in targets)
            if self.measurement.tolerance >= limit:
                raise ValueError(
                    f"a tolerance of {self.measurement.tolerance:g} calls every generator fair: "
                    f"the discrepancy of {name} is at most {limit:.3g}"
                )
        return self

    @property
    def digest(self) -> str:
        """blake2b (16 bytes, hex) of the plan's canonical JSON."""
        content = json.dumps(self.model_dump(by_alias=True, mode="json"), sort_keys=True)
        return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()

    @property
    def reference_sampler(self) -> str | None:
        """The sampler that the others are compared with: the baseline of the generator, or else the first."""
        own = [s for s in self.samplers if s.name == "baseline" and s.generator in (None, self.generator)]
        as_planned = [s for s in own if s.guidance_scale is None]
        return next((sampler.key for sampler in (*as_planned, *own, *self.samplers)), None)

    @property
    def generators(self) -> tuple[str, ...]:
        """The generator, and the others that samplers run on."""
        return tuple(dict.fromkeys([self.generator, *(self.generator_of(s) for s in self.samplers)]))

    def generator_of(self, sampler: SamplerPlan) -> str:
        """What a sampler runs on."""
        return sampler.generator or self.generator

    def guidance_of(self, sampler: SamplerPlan) -> float:
        """The weight of classifier-free guidance that a sampler runs with."""
        own = sampler.guidance_scale
        return self.sampling.guidance_scale if own is None else own

    @property
    def crossed(self) -> tuple[tuple[str, ...], ...]:
        """The attributes that are measured together."""
        return tuple(combinations(self.attributes, 2)) if self.intersections is None else self.intersections

    @property
    def debiased(self) -> tuple[str, ...]:
        """The attributes that debiasing samplers debias together, in the order of `attributes`."""
        asked = self.debias or self.attributes[:1]
        return tuple(name for name in self.attributes if name in asked)

    @property
    def aim(self) -> Attribute:
        """What debiasing samplers debias: one attribute, or several joined."""
        return join([self.attribute(name) for name in self.debiased])

    def aim_target(self, prompt: str) -> dict[str, float]:
        """The share of every value that debiasing samplers aim at; several attributes independently."""
        return self.joint_target(self.debiased, prompt)

    def joint_target(self, attributes: Sequence[str], prompt: str | None = None) -> dict[str, float]:
        """The fair share of every combination of values: independent, under a prompt or over all."""
        if prompt is None and sum(bool(self._own(name)) for name in attributes) > 1:
            return _mean([self.joint_target(attributes, Prompt(text).text) for text in self.prompts])
        parts = [self.target(name, prompt) for name in attributes]
        return {
            BETWEEN.join(values): math.prod(part[value] for part, value in zip(parts, values, strict=True))
            for values in product(*parts)
        }

    def attribute(self, name: str) -> Attribute:
        """An attribute with its declared values: this plan's own, or a built-in one."""
        if name in self.values:
            return Attribute(name, {value: value for value in self.values[name]})
        return get_attribute(name)

    def target(self, attribute: str, prompt: str | None = None) -> dict[str, float]:
        """The fair share of every value of an attribute: under a neutral prompt, or over all prompts."""
        known, own = self.attribute(attribute), self._own(attribute)
        if prompt is None and own:
            texts = [Prompt(template).text for template in self.prompts] or list(own)
            return _mean([self.target(attribute, text) for text in texts])
        everywhere = self.targets.get(attribute, "uniform")
        shares = target_shares(known, everywhere if prompt is None else own.get(prompt, everywhere))
        return dict(zip(known.values, shares.tolist(), strict=True))

    def _own(self, attribute: str) -> dict[str, dict[str, float]]:
        """Targets of single prompts."""
        return self.prompt_targets.get(attribute, {})

    def to_yaml(self) -> str:
        """The text of plan.yaml."""
        content = self.model_dump(by_alias=True, mode="json")
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        # Rare line separators do not survive as they are; escaped they do.
        return text if yaml.safe_load(text) == content else yaml.safe_dump(content, sort_keys=False)

    @classmethod
    def from_yaml(cls, text: str, where: str = "plan") -> AuditPlan:
        """Read a plan, or raise `UsageError` with the first thing that is wrong and its place."""
        try:
            content = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise UsageError(f"{where}: not YAML: {' '.join(str(error).split())}") from error
        if not isinstance(content, dict):
            raise UsageError(f"{where}: a plan is a mapping with at least the key 'generator'")
        return make_plan(content, where)

    @classmethod
    def load(cls, path: Path) -> AuditPlan:
        """Read a plan file."""
        try:
            return cls.from_yaml(path.read_text(encoding="utf-8"), str(path))
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"cannot read the plan {path}: {reason_of(error)}") from error


def make_plan(content: dict[str, Any], where: str | None = None) -> AuditPlan:
    """Validate a plan's content. What it leaves out is the plan's own default: no model is asked for its own.

    Parameters
    ----------
    where
        The file that it is from; None for options of a command line.

    Raises
    ------
    UsageError
        Names the first wrong field, or its option, and what was said.
    """
    try:
        return AuditPlan.model_validate(content)
    except ValidationError as error:
        raise UsageError(_sentence(error, where)) from error


def _sentence(error: ValidationError, where: str | None) -> str:
    first = error.errors()[0]
    place = ".".join(map(str, first["loc"])) if where else _option(*map(str, first["loc"]))
    wrong = first["msg"].removeprefix("Value error, ")
    if wrong.startswith("Input should"):
        wrong = f"{wrong.removeprefix('Input ')}, not {first['input']!r}"
    return ": ".join(part for part in (where, place, wrong) if part)


_OPTIONS = {
    "attributes": "attribute",
    "extractors": "extractor",
    "images_per_prompt": "images",
    "intersections": "intersect",
    "second_opinions": "second-opinion",
    "targets": "target",
}
"""Options that are not called as the field that they set."""


def _option(*place: str) -> str:
    """The option that sets the field at a place; empty for what several set together."""
    field = next((part for part in place if part not in ("sampling", "measurement")), "")
    return field and f"--{_OPTIONS.get(field, field).replace('_', '-')}"


def differences(old: AuditPlan, new: AuditPlan) -> list[str]:
    """What differs between two plans, one `field: old -> new` each."""
    before, after = (flatten(_told(plan)) for plan in (old, new))
    return [
        f"{key}: {before.get(key, 'absent')} -> {after.get(key, 'absent')}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


def _told(plan: AuditPlan) -> dict[str, Any]:
    """A plan's content; of its samplers only what differs from defaults."""
    samplers = [sampler.model_dump(mode="json", exclude_defaults=True) for sampler in plan.samplers]
    return plan.model_dump(by_alias=True, mode="json") | {"samplers": samplers}


def _mean(targets: Sequence[dict[str, float]]) -> dict[str, float]:
    """What prompts with these targets have together, with as many images each."""
    return {value: math.fsum(target[value] for target in targets) / len(targets) for value in targets[0]}


def _furthest(target: list[float]) -> float:
    """The largest discrepancy there is: that of the least likely value alone."""
    return max(
        math.dist(target, [float(other == value) for other in range(len(target))])
        for value in range(len(target))
    )


def flatten(content: Any, prefix: str = "") -> dict[str, str]:
    """Every leaf of nested mappings as JSON, by its place."""
    if not isinstance(content, dict):
        return {prefix: json.dumps(content, ensure_ascii=False)}
    parts = [flatten(value, f"{prefix}.{key}" if prefix else key) for key, value in content.items()]
    return {key: value for part in parts for key, value in part.items()}


def _distinct(field: str, names: tuple[str, ...]) -> tuple[str, ...]:
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise ValueError(f"{field} names {repeated!r} twice")
    return names
