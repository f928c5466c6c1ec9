"""Pictures for the reports: of every prompt some, before there are many of one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

from fairaudit.cli import app
from fairaudit.plan import AuditPlan
from fairaudit.showing import GIVEN_PICTURES, picture_grid, spread
from fairaudit.store import Run


def test_places_are_spread_over_prompts_and_stay_in_order():
    places = [(prompt, i) for prompt in "abc" for i in range(4)] + [("d", 0)]
    assert spread(places, 6) == [("a", 0), ("a", 1), ("b", 0), ("b", 1), ("c", 0), ("d", 0)]
    assert spread(places, 2) == [("a", 0), ("b", 0)]
    assert spread(places, 99) == places
    assert spread([], 5) == []


def test_given_pictures_of_several_prompts_are_all_drawn_from(tmp_path: Path):
    rng = np.random.default_rng(0)
    for job in ("chef", "judge", "nurse"):
        folder = tmp_path / "pictures" / job
        folder.mkdir(parents=True)
        for i in range(30):
            picture = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(picture).save(folder / f"{i}.png")
    (tmp_path / "pictures" / "chef" / "0.png").write_bytes(b"no picture")
    rows = [
        f'{{"file_name": "{job}/{i}.png", "text": "a photo of a {job}"}}'
        for job in ("chef", "judge", "nurse")
        for i in range(30)
    ]
    (tmp_path / "pictures" / "metadata.jsonl").write_text("\n".join(rows), encoding="utf-8")
    command = ["audit", str(tmp_path / "pictures"), "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(app, command)
    assert done.exit_code in {0, 4}, done.output
    grid = picture_grid(Run(tmp_path / "run"), AuditPlan.load(tmp_path / "run" / "plan.yaml"))
    assert len(grid) == GIVEN_PICTURES
    shown = [row.prompt for row in grid]
    assert {shown.count(f"a photo of a {job}") for job in ("chef", "judge", "nurse")} == {16}
    assert shown == sorted(shown)
    assert "chef/0.png" not in {row.name for row in grid}
    assert {row.name for row in grid} >= {"chef/1.png", "nurse/0.png"}


def test_pictures_without_prompts_are_shown_and_reported(tmp_path: Path):
    rng = np.random.default_rng(0)
    (tmp_path / "flat").mkdir()
    for i in range(12):
        Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).save(tmp_path / "flat" / f"{i}.png")
    done = CliRunner().invoke(app, ["audit", str(tmp_path / "flat"), "--out", str(tmp_path / "run")])
    assert done.exit_code in {0, 4}, done.output
    grid = picture_grid(Run(tmp_path / "run"), AuditPlan.load(tmp_path / "run" / "plan.yaml"))
    assert {(row.prompt, row.name) for row in grid} == {("", f"{i}.png") for i in range(12)}
    assert (tmp_path / "run" / "report.pdf").exists()
