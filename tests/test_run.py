"""A whole run on a tiny random model: resumed, interrupted and repeated, it ends the same."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fairaudit.costs import cost_of
from fairaudit.errors import PlanChangedError, UsageError
from fairaudit.plan import AuditPlan, make_plan
from fairaudit.results import Results
from fairaudit.showing import picture_grid
from fairaudit.store import Run, units_of

Fairaudit = Callable[..., int]

SMALL = ("--images", 10, "--steps", 4, "--quiet", "--device", "cpu")
SAMPLERS = ("baseline", "guidance", "switching")


def sample_files(run: Path) -> dict[str, bytes]:
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in run.glob("[slf]*/**/*.parquet")}


@pytest.fixture(scope="module")
def finished(tiny_pipeline: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of three samplers that nothing disturbed."""
    out = tmp_path_factory.mktemp("runs") / "undisturbed"
    subprocess.run(command(tiny_pipeline, out), check=True, capture_output=True, timeout=300)
    return out


def command(model: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "fairaudit.cli", "compare", str(model), "--out", str(out), *map(str, SMALL)]


def test_a_run_directory_holds_what_the_contract_says(finished: Path) -> None:
    for name in ("plan.yaml", "manifest.json", "results.json", "report.html", "report.pdf", "report.md"):
        assert (finished / name).stat().st_size > 0, name
    units = [unit.name for unit in units_of(4, 10, 16)]
    for sampler in SAMPLERS:
        assert sorted(path.stem for path in (finished / "samples" / sampler).iterdir()) == units
    results = Results.load(finished / "results.json")
    assert results.n == 40
    assert list(results.samplers) == list(SAMPLERS)
    assert results.plan_digest == AuditPlan.load(finished / "plan.yaml").digest
    assert json.loads((finished / "results.json").read_text())["schema"] == 1
    assert not list(finished.glob("**/*.part"))


def test_samples_open_as_pictures(finished: Path) -> None:
    from fairaudit.store import pixels

    table = Run(finished).read_all("samples", "switching")
    assert {pixels(image["bytes"]).shape for image in table["image"]} == {(16, 16, 3)}
    assert table["assignment"].value_counts().to_dict() == {"female": 20, "male": 20}


def test_numbers_that_cannot_be_had_are_null_with_a_reason(finished: Path) -> None:
    quality = Results.load(finished / "results.json").samplers["baseline"].quality
    assert quality["fid"].value is None
    assert "fairaudit fetch inception" in str(quality["fid"].reason)
    assert quality["frechet:builtin:faces64-classifier"].value is None


def test_the_same_command_again_changes_nothing(
    finished: Path, tiny_pipeline: Path, fairaudit: Fairaudit
) -> None:
    before = {path: path.stat().st_mtime_ns for path in finished.glob("**/*.parquet")}
    results = (finished / "results.json").read_bytes()
    assert fairaudit("compare", tiny_pipeline, "--out", finished, *SMALL) == 0
    assert {path: path.stat().st_mtime_ns for path in finished.glob("**/*.parquet")} == before
    assert (finished / "results.json").read_bytes() == results


def test_killed_again_and_again_a_run_ends_with_the_same_bytes(
    finished: Path, tiny_pipeline: Path, tmp_path: Path
) -> None:
    out = tmp_path / "killed"
    for files in (1, 5, 14):
        process = subprocess.Popen(
            command(tiny_pipeline, out), stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + 120
        while len(list(out.glob("*/**/*.parquet"))) < files and process.poll() is None:
            assert time.monotonic() < deadline, "no progress"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command(tiny_pipeline, out), check=True, capture_output=True, timeout=300)
    assert sample_files(out) == sample_files(finished)
    killed, whole = (Results.load(path / "results.json") for path in (out, finished))
    assert killed.digest == whole.digest


def test_a_sampler_alone_makes_the_images_it_makes_in_company(
    finished: Path, tiny_pipeline: Path, tmp_path: Path, fairaudit: Fairaudit
) -> None:
    arguments = ("audit", tiny_pipeline, "--sampler", "switching", "--out", tmp_path / "alone", *SMALL)
    assert fairaudit(*arguments) == 0
    alone, together = sample_files(tmp_path / "alone"), sample_files(finished)
    mine = {name: content for name, content in together.items() if "/switching/" in name}
    assert alone == mine


def test_a_changed_plan_is_refused_and_nothing_is_touched(
    finished: Path, tiny_pipeline: Path, fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sample_files(finished)
    arguments = ("compare", tiny_pipeline, "--out", finished, *SMALL, "--steps", 5)
    assert fairaudit(*arguments) == 2
    assert "sampling.steps: 4 -> 5" in capsys.readouterr().err
    assert sample_files(finished) == before


def test_what_differs_in_samplers_is_told_without_their_defaults(tmp_path: Path) -> None:
    one, two = {"name": "baseline"}, {"name": "switching", "parameters": {"tau": 0.5}}
    Run.open(tmp_path, make_plan({"generator": "model", "samplers": [one]}), {})
    with pytest.raises(PlanChangedError) as refused:
        Run.open(tmp_path, make_plan({"generator": "model", "samplers": [one, two]}), {})
    assert f"samplers: {json.dumps([one])} -> {json.dumps([one, two])}" in str(refused.value)


def test_a_damaged_unit_is_named_and_made_again_once_it_is_removed(
    finished: Path,
    tiny_pipeline: Path,
    tmp_path: Path,
    fairaudit: Fairaudit,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = shutil.copytree(finished, tmp_path / "run")
    for kind in ("samples", "labels"):
        damaged = sorted((run / kind).rglob("*.parquet"))[0]
        damaged.write_bytes(damaged.read_bytes()[:200])
        assert fairaudit("compare", tiny_pipeline, "--out", run, *SMALL) == 2
        error = capsys.readouterr().err
        assert str(damaged) in error
        assert error.count("\n") == 1
        damaged.unlink()
    assert fairaudit("compare", tiny_pipeline, "--out", run, *SMALL) == 0
    assert sample_files(run) == sample_files(finished)


@pytest.mark.parametrize("content", [b"", b'{"images": 4, "eval', b"\xff\xfe", b"[]", b"{}", b"null"])
def test_a_damaged_cost_is_named(tmp_path: Path, content: bytes) -> None:
    run, (unit, other) = Run(tmp_path), units_of(2, 4, 4)
    run.write_cost("baseline", unit, 10, 2.0)
    run.write_cost("baseline", other, 10, 2.0)
    damaged = sorted(tmp_path.rglob("*.json"))[0]
    damaged.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        cost_of(run, "baseline")
    assert str(damaged) in str(refused.value)
    assert "\n" not in str(refused.value)
    damaged.unlink()
    assert cost_of(run, "baseline").seconds_per_image == 0.5


def test_other_weights_under_the_same_name_are_noticed(tmp_path: Path) -> None:
    plan = make_plan({"generator": "model"})
    manifest = {"source": {"unet": "abc"}, "classifier": {}, "device": "cpu"}
    Run.open(tmp_path, plan, manifest)
    with pytest.raises(PlanChangedError, match="another source"):
        Run.open(tmp_path, plan, manifest | {"source": {"unet": "def"}})


def test_a_kill_in_the_first_write_leaves_a_directory_that_can_be_used(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml.part").write_text("schema: 1\ngener")
    Run.open(tmp_path, make_plan({"generator": "model"}), {"device": "cpu"})
    assert not list(tmp_path.glob("*.part"))


def test_sampler_names_cannot_leave_the_run_directory(tmp_path: Path) -> None:
    for name in ("..", "../..", "/etc", "a/../../b"):
        assert Run(tmp_path).path("samples", name, "unit").resolve().is_relative_to(tmp_path / "samples")


def test_pictures_of_the_report_know_their_assignment(finished: Path) -> None:
    grid = picture_grid(Run(finished), AuditPlan.load(finished / "plan.yaml"))
    assert {row.pictures["baseline"].assignment for row in grid} == {None}
    assert {row.pictures["switching"].assignment for row in grid} == {"female", "male"}


def test_json_is_alone_on_standard_output(
    finished: Path, tiny_pipeline: Path, fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fairaudit("compare", tiny_pipeline, "--out", finished, *SMALL, "--json") == 0
    printed = Results.model_validate_json(capsys.readouterr().out)
    assert printed == Results.load(finished / "results.json")


def test_reports_can_be_written_again(finished: Path, fairaudit: Fairaudit) -> None:
    html = (finished / "report.html").read_bytes()
    (finished / "report.html").unlink()
    assert fairaudit("report", finished) == 0
    assert (finished / "report.html").read_bytes() == html


def test_a_run_continues_where_ctrl_c_stopped_it(tiny_pipeline: Path, tmp_path: Path) -> None:
    process = subprocess.Popen(
        command(tiny_pipeline, tmp_path / "out"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        # A shell that starts tests in the background has them ignore the signal.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("out/samples/**/*.parquet")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the same command again continues" in errors
    assert "Traceback" not in errors


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_a_directory_without_permission_is_one_sentence(
    tiny_pipeline: Path, tmp_path: Path, fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o500)
    assert fairaudit("compare", tiny_pipeline, "--out", tmp_path / "run", *SMALL) == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_sentence_and_leaves_no_half_file(
    finished: Path, fairaudit: Fairaudit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(descriptor: int) -> None:
        os.write(os.open("/dev/full", os.O_WRONLY), b"x")

    before = (finished / "report.html").read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    assert fairaudit("report", finished) == 2
    assert "no space left" in capsys.readouterr().err
    assert (finished / "report.html").read_bytes() == before
    assert not list(finished.glob("**/*.part"))
