"""`fairaudit doctor` says what is here, what is missing and how to get it, and whether it works."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fairaudit import doctoring
from fairaudit.errors import UsageError

Fairaudit = Callable[..., int]


def findings(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, Any]]:
    return {finding["what"]: finding for finding in json.loads(capsys.readouterr().out)}


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRAUDIT_CACHE", str(tmp_path / "cache"))


def test_the_built_in_model_works_here(fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]) -> None:
    assert fairaudit("doctor", "--json", "--device", "cpu") == 0
    found = findings(capsys)
    assert {name for name, finding in found.items() if finding["state"] == "failed"} == set()
    tests = [name for name in found if name.startswith("self-test")]
    assert len(tests) == 4
    assert found["builtin:faces64-classifier"]["found"].endswith("MB")
    assert found["yunet"]["remedy"].startswith("fairaudit fetch yunet")


def test_what_is_broken_fails_and_the_rest_is_still_looked_at(
    fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(name: str) -> None:
        if name == "yunet":
            raise UsageError("it is another file")

    def crash(*_: object) -> None:
        raise RuntimeError("no\nway")

    monkeypatch.setattr(doctoring, "find_asset", broken)
    monkeypatch.setattr(doctoring, "_audit", crash)
    monkeypatch.setattr(doctoring, "PACKAGES", ("torch", "not-a-package"))
    assert fairaudit("doctor", "--json") == 1
    found = findings(capsys)
    failed = {name for name, finding in found.items() if finding["state"] == "failed"}
    assert failed == {"not-a-package", "yunet", "self-test"}
    assert found["self-test"]["found"] == "RuntimeError: no way"
    assert found["inception"]["state"] == "missing"


def test_it_tells_no_password_and_makes_nothing_where_no_test_is_wanted(
    fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy:8080")
    assert fairaudit("doctor", "--no-test") == 0
    said = capsys.readouterr().out
    assert "secret" not in said
    assert "proxy: set" in " ".join(said.split())
    assert "self-test" not in said
