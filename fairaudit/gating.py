"""Rules that a run must meet: passed, failed, or not enough evidence to tell."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import yaml

from fairaudit.contrasts import difference_of
from fairaudit.errors import UsageError, reason_of, unknown
from fairaudit.gaps import comparison_of
from fairaudit.named_numbers import named_numbers
from fairaudit.results import AttributeResult, Estimate, Results, SamplerResult, Verdict

Outcome = Literal["passed", "failed", "not enough evidence"]

_RULE = re.compile(
    r"^\s*(?:(?P<a>\S+)\s+vs\s+(?P<b>\S+)\s+)?(?P<metric>[^\s\"<>=][^\"<>=]*?)"
    r"(?:\s+for\s+\"(?P<prompt>[^\"]+)\")?\s*(?P<sign><=|>=)\s*(?P<limit>\S+?)(?:\s+within\s+(?P<margin>\S+))?\s*$"
)
_ROUNDING = 1e-12
_MOST_FACTOR = 1e6
"""By how much an interval could shrink before no number of images is worth naming."""
FORM = '[SAMPLER:]METRIC [for "PROMPT"] <= NUMBER [within NUMBER], or A vs B METRIC <= NUMBER'


@dataclass(frozen=True)
class Rule:
    """A limit on one number of a run.

    Attributes
    ----------
    metric
        As in results.json: gender.fd, gender.shares.female, fid, race.unchanged.
    upper
        Whether the number may at most be the limit; else it must at least be that.
    margin
        How far beyond the limit the interval may reach for the rule to pass.
    sampler
        Whose images; None where it stands before the metric, or a run has one sampler only.
    against
        The sampler that the difference is taken from, where the rule is about a difference.
    prompt
        The images of one prompt.
    """

    text: str
    metric: str
    upper: bool
    limit: float
    margin: float = 0.0
    sampler: str | None = None
    against: str | None = None
    prompt: str | None = None


@dataclass(frozen=True)
class Judgement:
    """What a run says of a rule.

    Attributes
    ----------
    images
        About how many images would be enough, where the evidence is not.
    note
        What else the reader should know.
    """

    rule: Rule
    outcome: Outcome
    estimate: Estimate
    images: int | None = None
    note: str | None = None


def parse_rule(text: str) -> Rule:
    """A rule from its text.

    Raises
    ------
    UsageError
        If it has another form.
    """
    found = _RULE.match(text)
    if found is None:
        raise UsageError(f"the rule {text!r} is not of the form {FORM}")
    numbers = {}
    for name in ("limit", "margin"):
        try:
            numbers[name] = float(found[name] or 0)
        except ValueError as error:
            raise UsageError(f"the rule {text!r} has {found[name]!r} where a number should be") from error
        if not math.isfinite(numbers[name]):
            raise UsageError(f"the rule {text!r} needs a finite number, not {found[name]!r}")
    if numbers["margin"] < 0:
        raise UsageError(f"the rule {text!r} has a margin below 0")
    return Rule(
        text=" ".join(text.split()),
        metric=found["metric"],
        upper=found["sign"] == "<=",
        sampler=found["a"],
        against=found["b"],
        prompt=found["prompt"],
        **numbers,
    )


def read_rules(given: Sequence[str]) -> list[Rule]:
    """Rules that are given as texts, or as YAML files with a list of texts (or ``rules:`` with one).

    Raises
    ------
    UsageError
        If a file cannot be read or holds no such list, or a rule has another form.
    """
    texts: list[str] = []
    for one in given:
        texts += _listed(Path(one)) if one.endswith((".yaml", ".yml")) else [one]
    return [parse_rule(text) for text in texts]


def _listed(path: Path) -> list[str]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"cannot read the rules in {path}: {reason_of(error)}") from error
    rules = content.get("rules") if isinstance(content, dict) else content
    if not isinstance(rules, list) or not rules or not all(isinstance(rule, str) for rule in rules):
        raise UsageError(f'{path} holds no list of rules such as - "gender.fd <= 0.1"')
    return rules


def judge(results: Results, rules: Sequence[Rule]) -> list[Judgement]:
    """What a run says of every rule; without rules, what its own verdicts say.

    Raises
    ------
    UsageError
        If a rule names what the run does not have.
    """
    return [_judge(results, rule) for rule in rules] if rules else list(_verdicts(results))


def together(judgements: Sequence[Judgement]) -> Outcome:
    """Failed if one rule failed; else not enough evidence if it is missing for one; else passed."""
    outcomes = {judgement.outcome for judgement in judgements}
    ranked: tuple[Outcome, ...] = ("failed", "not enough evidence", "passed")
    return next(outcome for outcome in ranked if outcome in outcomes)


def _with_sampler(results: Results, rule: Rule) -> Rule:
    """The rule with the sampler that stands before a colon; metrics may hold colons themselves."""
    name, colon, metric = rule.metric.partition(":")
    if rule.against is not None or not colon:
        return rule
    if name in results.samplers:
        return replace(rule, sampler=name, metric=metric)
    if any(rule.metric in (*one.quality, *one.utility, *one.gaps) for one in results.samplers.values()):
        return rule
    raise unknown("sampler", name, results.samplers)


_OUTCOMES: Mapping[Verdict, Outcome] = {
    "fair": "passed",
    "unfair": "failed",
    "not enough evidence": "not enough evidence",
}


def _verdicts(results: Results) -> Iterator[Judgement]:
    """Every sampler's own verdicts."""
    for sampler, result in results.samplers.items():
        for name, attribute in result.attributes.items():
            yield _verdict(name, attribute, sampler)


def prompt_verdicts(results: Results) -> list[Judgement]:
    """What the verdicts on every single prompt say; nothing where there is one prompt."""
    return [
        _verdict(name, attribute, sampler, prompt)
        for sampler, result in results.samplers.items()
        if len(result.prompts) > 1
        for prompt, found in result.prompts.items()
        for name, attribute in found.attributes.items()
    ]


def _verdict(name: str, attribute: AttributeResult, sampler: str, prompt: str | None = None) -> Judgement:
    text = f"{sampler}: {name} is fair" + (f' for "{prompt}"' if prompt is not None else "")
    rule = Rule(text, f"{name}.verdict", True, math.nan, sampler=sampler, prompt=prompt)
    fd = attribute.fd_prompts or attribute.fd
    outcome = _OUTCOMES[attribute.verdict]
    return Judgement(rule, outcome, fd, _enough(attribute, fd) if outcome == "not enough evidence" else None)


def _enough(attribute: AttributeResult, fd: Estimate) -> int | None:
    """About how many images would put the discrepancy on one side of the tolerance."""
    if attribute.equivalence is None or fd.value is None or fd.low is None or fd.high is None:
        return None
    ends = (fd.low, fd.value, fd.high)
    return decide(ends, attribute.n, attribute.equivalence.delta, 0.0, upper=True)[1]


def _judge(results: Results, rule: Rule) -> Judgement:
    rule = _with_sampler(results, rule)
    estimate, images = _find(results, rule)
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return Judgement(rule, "not enough evidence", estimate, note=estimate.reason)
    outcome, enough = decide(
        (estimate.low, estimate.value, estimate.high), images, rule.limit, rule.margin, upper=rule.upper
    )
    return Judgement(rule, outcome, estimate, enough, _about(results, rule, outcome))


def decide(
    interval: tuple[float, float, float], images: int, limit: float, margin: float, *, upper: bool
) -> tuple[Outcome, int | None]:
    """Whether an estimate keeps to a limit, and about how many images would tell where these do not.

    It passes if its whole interval lies within the limit and the margin, and fails if it lies wholly
    beyond the limit. The number takes intervals to shrink as one over the root of the images.

    Parameters
    ----------
    interval
        Low end, value and high end.

    Examples
    --------
    >>> decide((0.02, 0.05, 0.08), 100, 0.1, 0.0, upper=True)
    ('passed', None)
    >>> decide((0.02, 0.08, 0.14), 100, 0.1, 0.0, upper=True)
    ('not enough evidence', 900)
    """
    low, value, high = interval if upper else tuple(-end for end in reversed(interval))
    limit = limit if upper else -limit
    if high <= limit + margin + _ROUNDING:
        return "passed", None
    if low > limit:
        return "failed", None
    # Images until the interval would end before limit and margin, or begin beyond the limit.
    factors = []
    if value < limit + margin:
        factors.append((high - value) / (limit + margin - value))
    if value > limit:
        factors.append((value - low) / (value - limit))
    # On the limit itself, no number would tell.
    near = min(factors, default=math.inf)
    return "not enough evidence", math.ceil(round(images * near**2, 6)) if near < _MOST_FACTOR else None


def _find(results: Results, rule: Rule) -> tuple[Estimate, int]:
    """The number that a rule is about, and how many images it rests on."""
    if rule.against is not None:
        return _compared(results, rule), results.n
    sampler = _sampler(results, rule)
    attributes = sampler.attributes
    if rule.prompt is not None:
        if rule.prompt not in sampler.prompts:
            raise unknown("prompt", rule.prompt, sampler.prompts)
        attributes = sampler.prompts[rule.prompt].attributes
    numbers: dict[str, Estimate] = {
        f"{name}.{key}": estimate
        for name, found in attributes.items()
        for key, estimate in attribute_numbers(found)
    }
    if rule.prompt is None:
        numbers |= named_numbers(results, rule.sampler or next(iter(results.samplers)))
    if rule.metric not in numbers:
        raise unknown("number", rule.metric, numbers)
    own = attributes.get(rule.metric.split(".")[0])
    return numbers[rule.metric], results.n if own is None else own.n


def _sampler(results: Results, rule: Rule) -> SamplerResult:
    if rule.sampler is None:
        if len(results.samplers) > 1:
            known = ", ".join(results.samplers)
            raise UsageError(f"the rule {rule.text!r} must name a sampler, as in SAMPLER:METRIC ({known})")
        return next(iter(results.samplers.values()))
    if rule.sampler not in results.samplers:
        raise unknown("sampler", rule.sampler, results.samplers)
    return results.samplers[rule.sampler]


def attribute_numbers(attribute: AttributeResult) -> Iterator[tuple[str, Estimate]]:
    """What rules call the numbers of an attribute, behind its name."""
    yield "fd", attribute.fd
    if attribute.fd_prompts is not None:
        yield "fd_prompts", attribute.fd_prompts
    for value, share in attribute.shares.items():
        yield f"shares.{value}", share
    yield from attribute.indices.items()
    for name in ("bias_amplification", "directional_amplification"):
        if (found := getattr(attribute, name)) is not None:
            yield name, found


def _compared(results: Results, rule: Rule) -> Estimate:
    """The stored difference of two samplers, else that of their two numbers."""
    one, other = rule.sampler or "", rule.against or ""
    found = comparison_of(results, rule.metric, one, other)
    if found is not None:
        return found.difference
    sides = [named_numbers(results, name) for name in (one, other) if name in results.samplers]
    if len(sides) == 2 and all(rule.metric in numbers for numbers in sides):
        a, b = (numbers[rule.metric] for numbers in sides)
        return difference_of(a, b, independent=False)
    known = [f"{found.a} vs {found.b} {found.metric}" for found in results.comparisons]
    raise unknown("comparison", f"{one} vs {other} {rule.metric}", known)


def _about(results: Results, rule: Rule, outcome: Outcome) -> str | None:
    """What a passed limit on the pooled discrepancy would hide."""
    if outcome != "passed" or rule.against or rule.prompt or not rule.metric.endswith(".fd"):
        return None
    attribute = _sampler(results, rule).attributes[rule.metric.removesuffix(".fd")]
    within = attribute.fd_prompts
    if within is None or within.value is None or within.value <= rule.limit + rule.margin:
        return None
    return (
        f"pooled over the prompts; within them FD is {within.value:.3f}, because biases of opposite sign "
        f"cancel: name {rule.metric}_prompts"
    )
