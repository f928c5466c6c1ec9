"""The exact mixture as a user audits it: what is measured is what is known to be true."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fairaudit.models.analytic import truth
from fairaudit.plan import AuditPlan


@pytest.fixture(scope="module")
def exact() -> dict[str, dict[str, float]]:
    return truth()["nurse"]


def test_an_audit_of_the_mixture_finds_its_exact_shares(
    fairaudit: Callable[..., int], tmp_path: Path, exact: dict[str, dict[str, float]]
) -> None:
    """Nobody names the classifier: the mixture's own reads its images."""
    arguments = ("audit", "analytic:gmm", "--images", 96, "--prompts", "a photo of a {attribute} nurse")
    assert fairaudit(*arguments, "--quiet", "--out", tmp_path / "run") == 0
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    measured = results["samplers"]["baseline"]["attributes"]["gender"]
    assert measured["classifier"] == "analytic:gmm"
    for value, share in exact["gender"].items():
        assert measured["shares"][value]["low"] < share < measured["shares"][value]["high"]


def test_another_classifier_can_be_named(fairaudit: Callable[..., int], tmp_path: Path) -> None:
    run = tmp_path / "run"
    arguments = ("--classifier", "builtin:faces64-classifier", "--images", 16, "--prompts", "person")
    assert fairaudit("audit", "analytic:gmm", *arguments, "--quiet", "--out", run) == 0
    assert AuditPlan.load(run / "plan.yaml").classifier == "builtin:faces64-classifier"
