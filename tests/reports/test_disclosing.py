"""Reports say nothing of the machine: of absolute paths only the last part, whatever typed them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from fairaudit.reports import html, markdown, pdf

from fairaudit.disclosing import disclosed
from fairaudit.plan import AuditPlan, SamplerPlan
from fairaudit.reporting import ReportInput
from tests.reports.sample import sample_report
from tests.reports.test_html import Page
from tests.reports.test_pdf import text_of

HOME = "/home/jane doe/secret-project"
PROMPT = "/imagine/prompt a nurse"


def told(**options) -> ReportInput:
    """A report of a run whose every path is absolute, under somebody's home."""
    report = sample_report(**options)
    source, lora = f"{HOME}/my model", "/home/jane/lora.safetensors"
    content = report.plan.model_dump(by_alias=True, mode="json")
    content |= {
        "generator": source,
        "prompts": [PROMPT],
        "weights": {report.plan.classifier: f"{HOME}/weights.safetensors"},
        "samplers": [{"name": "baseline"}, {"name": "switching", "generator": f"builtin:faces64+{lora}"}],
    }
    content["measurement"] |= {
        "reference": "/home/jane/reference",
        "calibrations": {"gender": "/home/jane/calibration.json"},
    }
    found = report.results.model_dump(by_alias=True)
    found |= {"generator": source, "skipped": {"a.png": f"cannot read {source}/a.png"}, "skipped_counts": {}}
    found["caveats"] = ["Reference: file:///home/jane/reference.", "https://jane:pw@example.org/set is fine"]
    return replace(
        report,
        plan=AuditPlan.model_validate(content),
        results=type(report.results).model_validate(found),
        command="fairaudit compare --plan '/home/jane/run/plan.yaml' --out NEW_RUN",
        manifest=report.manifest | {"reference": {"path": "/home/jane/reference"}},
    )


@pytest.mark.parametrize("kind", ["html", "md", "pdf"])
def test_no_format_shows_where_anything_lies(kind):
    report = disclosed(told(prompts=1))
    texts = {
        "html": lambda: Page(html.render(report).decode()).text,
        "md": lambda: markdown.render(report).decode().replace("\\", ""),
        "pdf": lambda: text_of(pdf.render(report)),
    }
    text = texts[kind]()
    for trace in ("jane", "/home", "secret-project", "doe/"):
        assert trace not in text
    assert "my model" in " ".join(text.split()) or "mymodel" in text


def test_what_was_cut_is_still_told_apart_and_the_rest_is_untouched():
    report = told(prompts=1)
    shown = disclosed(report)
    assert shown.plan.generator == "my model"
    assert shown.plan.prompts == (PROMPT,)
    assert shown.plan.samplers[1].generator == "builtin:faces64+lora.safetensors"
    assert shown.digest == report.results.digest != shown.results.digest
    assert "example.org/set" in json.dumps(shown.results.caveats)
    plan = report.plan.model_copy(
        update={
            "generator": "/a/unet",
            "samplers": (SamplerPlan(name="baseline"), SamplerPlan(name="switching", generator="/b/unet")),
        }
    )
    twins = disclosed(replace(report, plan=plan)).plan
    assert twins.generators == ("unet", "unet (2)")
    plain = sample_report()
    assert disclosed(plain).plan == plain.plan
    assert not disclosed(plain).shortened
