"""`fairaudit heads`: what it trains, a comparison follows, and says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Fairaudit = Callable[..., int]

MODEL = ("builtin:faces64", "--prompts", "a photo of a mechanic", "--prompts", "a photo of a nurse")


def test_trained_heads_are_followed_and_named_in_the_manifest(
    fairaudit: Fairaudit, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads, out = tmp_path / "h.safetensors", tmp_path / "run"
    quick = ("--steps", 2, "--quiet", "--device", "cpu")
    assert fairaudit("heads", *MODEL, *quick, "--attribute", "gender", "-n", 8, "--out", heads, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["path"] == str(heads)
    accuracy = said["attributes"]["gender"]
    assert len(accuracy["times"]) == len(accuracy["mean_recall"])
    assert all(0 <= recall <= 1 for recall in accuracy["mean_recall"])
    samplers = ("--samplers", "distribution-guidance", "--heads", heads)
    assert fairaudit("compare", *MODEL, *quick, *samplers, "--images", 8, "--out", out) == 0
    assert "heads of builtin:faces64" in json.loads((out / "manifest.json").read_text())["classifier"]
    heads.write_bytes(heads.read_bytes()[:-1] + b"\x00\x01")
    assert fairaudit("compare", *MODEL, *quick, *samplers, "--images", 8, "--out", out) == 2
    assert "another classifier" in capsys.readouterr().err
