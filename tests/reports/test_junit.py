"""JUnit: a test case a verdict, and XML whatever a prompt holds."""

from __future__ import annotations

from xml.etree import ElementTree

from fairaudit.reports import junit

from fairaudit.results import Results
from tests.reports.sample import HOSTILE, sample_report

KIND = {"fair": None, "unfair": "failure", "not enough evidence": "skipped"}


def suites(report) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(junit.render(report))
    assert root.tag == "testsuites"
    return {suite.get("name"): suite for suite in root}


def expected(results: Results) -> dict[str, str | None]:
    return {
        f"{name}: {attribute} is fair": KIND[found.verdict]
        for name, sampler in results.samplers.items()
        for attribute, found in sampler.attributes.items()
    }


def test_every_verdict_is_a_test_case():
    report = sample_report(attributes=("gender", "race"), prompts=3)
    found = suites(report)
    said = {case.get("name"): next((part.tag for part in case), None) for case in found["fairaudit"]}
    assert said == expected(report.results)
    assert set(said.values()) == set(KIND.values())
    assert len(found["fairaudit.prompts"]) == 3 * 3 * 2


def test_the_counts_are_those_of_the_cases():
    for suite in suites(sample_report(rich=True)).values():
        tags = [part.tag for case in suite for part in case]
        assert int(suite.get("tests")) == len(suite.findall("testcase"))
        assert int(suite.get("failures")) == tags.count("failure")
        assert int(suite.get("skipped")) == tags.count("skipped")


def test_missing_evidence_says_how_many_images_would_tell():
    report = sample_report(rich=True, samplers=("baseline", "guidance", "switching"))
    result = report.results.samplers["switching"].attributes["gender"]
    result.verdict = "not enough evidence"
    fd = result.fd_prompts
    fd.value, fd.low, fd.high = 0.05, 0.0, 0.15
    case = next(c for c in suites(report)["fairaudit"] if c.get("name") == "switching: gender is fair")
    # The interval reaches 0.1 above the value and may reach 0.05: twice as narrow takes four times as many.
    assert f"about {4 * result.n} images would tell" in case.find("skipped").get("message")


def test_any_prompt_makes_legal_xml():
    report = sample_report(hostile=True)
    prompts = report.results.samplers["baseline"].prompts
    prompts["\x00\x08 & ]]> \ud800 \ufffe \x7f"] = next(iter(prompts.values()))
    names = {case.get("name") for case in suites(report)["fairaudit.prompts"]}
    assert f'baseline: gender is fair for "{HOSTILE[0]}"' in names
    assert 'baseline: gender is fair for "?? & ]]> ? ? ?"' in names


def test_no_number_is_skipped_with_its_reason():
    for suite in suites(sample_report(missing=True)).values():
        for case in suite:
            assert "were given" in case.find("skipped").get("message")
