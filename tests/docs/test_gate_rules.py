"""The page of the gate's rules: each is understood and judged, and no number is without one."""

from __future__ import annotations

import re

from fairaudit.gating import Rule, attribute_numbers, judge, parse_rule
from fairaudit.named_numbers import named_numbers
from tests.docs.blocks import ROOT, inline_code
from tests.reports.everything import everything

PAGE = ROOT / "docs" / "reference" / "gate-rules.md"
RULES = [parse_rule(code) for code in inline_code(PAGE) if re.search(r"(<=|>=) \d", code)]


def test_every_rule_of_the_page_finds_its_number() -> None:
    results = everything()
    assert len(RULES) > 40
    for rule in RULES:
        (found,) = judge(results, [rule])
        assert found.estimate.value is not None, rule.text


def short(rule: Rule) -> str:
    """A metric without the sampler before it, and without attribute, value and network."""
    return family(rule.metric.partition(":")[2] if rule.against is None else rule.metric)


def family(metric: str) -> str:
    name = metric.partition(":")[0]
    for part in ("shares", "gap"):
        if f".{part}." in name:
            return part
    return name.rpartition(".")[2]


def test_every_number_that_a_rule_can_be_about_is_on_the_page() -> None:
    results = everything()
    sampler = results.samplers["switching"]
    names = [*named_numbers(results, "switching")]
    names += [key for attribute in sampler.attributes.values() for key, _ in attribute_numbers(attribute)]
    shown = {short(rule) for rule in RULES}
    assert {family(f"x.{name}" if "." in name else name) for name in names} <= shown
