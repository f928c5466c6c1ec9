"""`fairaudit tau`, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from fairaudit.transition.command import tau

SMALL = ["analytic:gmm", "--images", "6", "--steps", "6", "--guidance-scale", "1", "--quiet"]


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIRAUDIT_CACHE", str(tmp_path / "cache"))


def run(*arguments: object) -> object:
    app = typer.Typer()
    app.command()(tau)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_it_writes_a_record_a_picture_and_a_table(tmp_path: Path) -> None:
    done = run(*SMALL, "--out", tmp_path / "run", "--profile")
    assert done.exit_code == 0, done.output  # type: ignore[attr-defined]
    written = {path.name for path in (tmp_path / "run").iterdir()}
    assert written == {"tau.json", "tau.png", "profile.json", "profile.png"}
    assert "female, male" in done.output  # type: ignore[attr-defined]
    assert list((tmp_path / "cache" / "tau").glob("*.json"))
    profile = json.loads((tmp_path / "run" / "profile.json").read_text())
    assert set(profile["pairs"]["female, male"]) == {"the neutral prompt", "the other value's"}


def test_json_is_all_that_it_prints(tmp_path: Path) -> None:
    done = run(*SMALL, "--out", tmp_path, "--json", "--criterion", "published")
    assert json.loads(done.stdout) == json.loads((tmp_path / "tau.json").read_text())  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (["--criterion", "best"], "unknown criterion"),
        (["--images", "1"], "at least 4 images"),
        (["--attribute", "mood"], "mood"),
        (["--criterion", "share", "--classifier", "nobody"], "unknown classifier"),
        (["--steps", "0"], "steps"),
        (["--clamp"], "add --exact"),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(tmp_path: Path, wrong: list[str], says: str) -> None:
    done = run(*SMALL, "--out", tmp_path / "run", *wrong)
    assert says in str(done.exception)  # type: ignore[attr-defined]
    assert not (tmp_path / "run").exists()
