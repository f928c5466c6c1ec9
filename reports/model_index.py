"""The numbers as metadata of a model card, in the `model-index` of the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from fairaudit.reports.generators import audited
from fairaudit.reports.meaning import deciding
from fairaudit.reports.names import metric_title
from fairaudit.reports.numbers import estimate_text, fd_text, known, share_text, shorten

from fairaudit.plan import AuditPlan
from fairaudit.reporting import ReportInput
from fairaudit.results import AttributeResult, Estimate, Results, SamplerResult

SHARES_SHOWN = 30
"""Shares that the metadata hold beside the discrepancies; more would hide them, and stand in the text."""


def front_matter(report: ReportInput) -> str:
    """The block of YAML that a model card begins with.

    Parameters
    ----------
    report
        What to show. Its texts are values of YAML on one line each, so that none can end the block.

    Returns
    -------
    str
        The block between its dashes. Every metric has a value, its interval in its name, and both ends,
        the number of images and the method under ``args``. What could not be computed cannot be said in
        this form; the text below gives its reason.
    """
    plan, results = report.plan, report.results
    task = "text-to-image" if plan.prompts else "unconditional-image-generation"
    entries = [_result(plan, results, name, task) for name in results.samplers]
    content = {
        "tags": ["fairness", "fairaudit"],
        "pipeline_tag": task,
        "model-index": [
            {
                "name": shorten(audited(results), 160),
                "results": [entry for entry in entries if entry["metrics"]],
            }
        ],
    }
    text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=10_000, default_flow_style=None)
    return f"---\n{text}---"


def _result(plan: AuditPlan, results: Results, name: str, task: str) -> dict[str, Any]:
    """What one sampler's images of one set of prompts were measured to be."""
    sampler = results.samplers[name]
    asked = len(plan.prompts)
    return {
        "task": {"type": task},
        "dataset": {
            "type": "prompts" if asked else "images",
            "name": f"{asked} prompts" if asked else "images",
            "config": shorten(name, 120),
            "revision": results.plan_digest,
        },
        "metrics": [*_fairness(results, sampler), *_measures(results, sampler)],
    }


def _fairness(results: Results, sampler: SamplerResult) -> Iterator[dict[str, Any]]:
    shares = sum(len(found.shares) for one in results.samplers.values() for found in one.attributes.values())
    for attribute, found in sampler.attributes.items():
        within = " within prompts" if found.fd_prompts else ""
        yield from _metric(
            deciding(found),
            "fairness_discrepancy",
            f"FD{within} of perceived {attribute}, {found.verdict}: {fd_text(deciding(found))}",
            found.n,
            attribute,
            verdict=found.verdict,
        )
        if shares <= SHARES_SHOWN:
            yield from _shares(found, attribute)


def _shares(found: AttributeResult, attribute: str) -> Iterator[dict[str, Any]]:
    for value, share in found.shares.items():
        target = found.target.get(value)
        name = f"Share of {shorten(value, 60)} in perceived {attribute}: {share_text(share)}"
        yield from _metric(share, "share", name, found.n, attribute, target=target)


def _measures(results: Results, sampler: SamplerResult) -> Iterator[dict[str, Any]]:
    for metric, estimate in (sampler.quality | sampler.utility).items():
        name = f"{metric_title(metric)}: {estimate_text(estimate)}"
        yield from _metric(estimate, metric.partition(":")[0], name, results.n, metric)


def _metric(
    estimate: Estimate, kind: str, name: str, n: int, config: str, **more: Any
) -> Iterator[dict[str, Any]]:
    """One entry; none where there is no number."""
    if not known(estimate.value):
        return
    args = {"low": estimate.low, "high": estimate.high, "n": n, "method": estimate.method, **more}
    yield {
        "type": kind,
        "value": estimate.value,
        "name": name,
        "config": config,
        "args": {key: value for key, value in args.items() if value is not None},
    }
