"""A sequential audit stops when the evidence is in, and stops there again when it is run again."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fairaudit.results import Results

Fairaudit = Callable[..., int]

PROMPTS = ("--prompts", "a photo of a mechanic", "--prompts", "a photo of a nurse")
RULE = ("--until", "half-width=0.45", "--images", 200, "--steps", 2, "--quiet", "--device", "cpu", *PROMPTS)


def command(model: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "fairaudit.cli", "audit", str(model), "--out", str(out), *map(str, RULE)]


@pytest.fixture(scope="module")
def stopped(tiny_pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("until") / "run"
    subprocess.run(command(tiny_pipeline, out), check=True, capture_output=True, timeout=300)
    return out


def test_it_stops_early_and_says_so(stopped: Path) -> None:
    results = Results.load(stopped / "results.json")
    assert results.stopping is not None
    assert results.stopping.decided
    assert results.stopping.planned == 400
    assert results.n == results.stopping.images < 400
    # Rounds are whole: every prompt has as many images, in blocks of 16.
    assert results.n == results.stopping.looks * 2 * 16
    assert {p.attributes["gender"].n for p in results.samplers["baseline"].prompts.values()} == {
        results.n // 2
    }
    assert any("every look" in caveat for caveat in results.caveats)
    for interval in results.stopping.intervals.values():
        assert interval.low is not None
        assert interval.high is not None
        assert 0 <= interval.low <= interval.high <= 1


def test_killed_and_run_again_it_stops_at_the_same_image(
    stopped: Path, tiny_pipeline: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    process = subprocess.Popen(
        command(tiny_pipeline, out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while len(list(out.glob("samples/**/*.parquet"))) < 3 and process.poll() is None:
        assert time.monotonic() < deadline, "no progress"
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    subprocess.run(command(tiny_pipeline, out), check=True, capture_output=True, timeout=300)
    killed, whole = (Results.load(path / "results.json") for path in (out, stopped))
    assert killed.stopping == whole.stopping
    assert killed.digest == whole.digest


def test_a_rule_that_is_none_is_refused(
    tiny_pipeline: Path, tmp_path: Path, fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fairaudit("audit", tiny_pipeline, "--until", "certain", "--out", tmp_path / "run") == 2
    assert "--until verdict" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
