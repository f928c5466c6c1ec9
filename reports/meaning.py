"""Why a verdict is what it is, said only as far as interval and tests carry it."""

from __future__ import annotations

from fairaudit.reports.numbers import discrepancy, known, p_equals

from fairaudit.plan import AuditPlan
from fairaudit.results import AttributeResult, Discrepancy, Results, Verdict


def deciding(result: AttributeResult) -> Discrepancy:
    """The discrepancy that the verdict is about: within prompts where there are several, else pooled."""
    return result.fd_prompts or result.fd


def meaning(plan: AuditPlan, result: AttributeResult) -> str:
    """Why the verdict is what it is, read off the interval and the test rather than assumed."""
    tolerance = plan.measurement.tolerance
    limit = f"the tolerance of {discrepancy(tolerance)}"
    fd = deciding(result)
    low, high = fd.low, fd.high
    if not known(fd.value):
        return ""
    if result.verdict == "fair":
        inside = high is not None and high <= tolerance
        return f"The whole interval lies within {limit}." if inside else f"This is compatible with {limit}."
    if result.verdict == "unfair":
        beyond = low is not None and low > tolerance
        claim = f"The whole interval lies beyond {limit}" if beyond else "This is more than chance explains"
        return f"{claim}{_tested(result)}."
    return (
        f"This shows neither fairness within {limit} nor unfairness{_tested(result)}; "
        "more images may decide it."
    )


def looked(plan: AuditPlan, result: AttributeResult) -> str:
    """The same of a sequential audit, whose verdict rests on confidence sequences."""
    limit = f"the tolerance of {discrepancy(plan.measurement.tolerance)}"
    neither = f"neither fairness within {limit} nor unfairness"
    said: dict[Verdict, str] = {
        "fair": f"show {'every prompt' if result.fd_prompts else 'the images'} within {limit}.",
        "unfair": f"exclude the target{' for at least one prompt' if result.fd_prompts else ''}.",
        "not enough evidence": f"show {neither}; more images may decide it.",
    }
    return f"Confidence sequences, which hold at every look, {said[result.verdict]}"


def watched(results: Results, attribute: str) -> bool:
    """Whether a sequential audit looked at this attribute, so that its verdicts are those of the looks."""
    found = (s.attributes[attribute] for s in results.samplers.values() if attribute in s.attributes)
    ends = tuple(f".{attribute}.{value}" for result in found for value in result.shares)
    return any(f".{key}".endswith(ends) for key in (results.stopping.intervals if results.stopping else ()))


def claims(result: AttributeResult) -> str:
    """The test of being close to the target, beside that of being away from it."""
    found = result.equivalence
    if found is None:
        return ""
    near = p_equals(found.p_value) if known(found.p_value) else f"not tested ({found.reason})"
    away = _difference(result)
    beside = f"; different from the target: {away}" if away else ""
    what = "Pooled shares within" if result.fd_prompts else "Within"
    return f"{what} {discrepancy(found.delta)} of the target: {near}{beside}."


def _tested(result: AttributeResult) -> str:
    said = _difference(result)
    return f" ({said})" if said else ""


def _difference(result: AttributeResult) -> str:
    """The p-value of the test that the shares are the target."""
    p = result.p_adjusted if result.p_adjusted is not None else result.p_value
    if not known(p):
        return ""
    return f"{'Holm-adjusted ' if result.p_adjusted is not None else ''}{p_equals(p)}"
