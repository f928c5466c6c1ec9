"""What the fairest sampler costs is said as far as tests carry it, and no number contradicts its words."""

from __future__ import annotations

import pytest
from fairaudit.reports.advice import advice, seconds

from fairaudit.plan import AuditPlan
from fairaudit.results import Comparison, Estimate
from tests.reports.sample import sample_report


def cost_sentence(low: float, high: float, p_value: float | None, p_adjusted: float | None) -> str:
    results = sample_report().results
    kid = Comparison(
        metric="kid",
        a="switching",
        b="baseline",
        difference=Estimate(value=(low + high) / 2, low=low, high=high, method="sample"),
        p_value=p_value,
        p_adjusted=p_adjusted,
        test="sample",
    )
    results.comparisons.append(kid)
    return advice(AuditPlan(generator="builtin:faces64"), results)[-1]


@pytest.mark.parametrize(
    ("interval", "p_value", "p_adjusted", "said"),
    [
        ((0.01, 0.03), 0.01, 0.02, ""),
        ((0.01, 0.03), None, None, ""),
        ((-0.01, 0.03), 0.2, 0.4, ", no change shown"),
        ((0.01, 0.03), 0.01, 0.12, ", not shown beside so many comparisons (Holm-adjusted p = 0.120)"),
        ((0.01, 0.03), 0.06, None, ", not shown by its test (p = 0.060)"),
    ],
)
def test_a_change_that_is_not_shown_says_why(interval, p_value, p_adjusted, said):
    sentence = cost_sentence(*interval, p_value, p_adjusted)
    change = next(part for part in sentence.split("; ") if "KID" in part)
    assert change.split(")", 1)[1].rstrip(".") == said.rstrip(".")


@pytest.mark.parametrize(
    ("value", "said"), [(0.4587, "0.46"), (0.0123, "0.012"), (9.96, "10"), (61.7, "62"), (1234.5, "1,234")]
)
def test_seconds_have_two_digits_and_no_powers_of_ten(value, said):
    assert seconds(value) == said
