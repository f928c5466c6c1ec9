"""Labels that someone already has are measured without any image."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fairaudit.errors import UsageError
from fairaudit.results import Results
from fairaudit.statistics.correction import correct_shares
from fairaudit.tables import label_tables

Fairaudit = Callable[..., int]

CONFUSION = [[940, 60], [30, 970]]
GENDER = {"gender": ("female", "male")}


def calibration_file(
    folder: Path, *, attribute: str = "gender", values: tuple[str, ...] = GENDER["gender"]
) -> Path:
    path = folder / f"{attribute}.json"
    content = {
        "schema": 1,
        "classifier": "someone's",
        "attribute": attribute,
        "values": values,
        "confusion": CONFUSION,
        "rows": "true value",
        "columns": "predicted value",
        "data": "2000 faces",
    }
    path.write_text(json.dumps(content))
    return path


def table_file(folder: Path, rows: dict[str, list[object]], name: str = "labels.csv") -> Path:
    path = folder / name
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_a_table_and_a_calibration_are_enough(tmp_path: Path, fairaudit: Fairaudit) -> None:
    table = table_file(
        tmp_path, {"image": [f"{i}.png" for i in range(200)], "gender": ["female"] * 130 + ["male"] * 70}
    )
    out = tmp_path / "run"
    assert fairaudit("audit", table, "--calibration", calibration_file(tmp_path), "--out", out) == 0
    results = Results.load(out / "results.json")
    found = results.samplers["images"].attributes["gender"]
    assert found.classifier == "someone's"
    assert found.counts == {"female": 130, "male": 70}
    expected = correct_shares(np.array([130, 70]) / 200, np.array(CONFUSION))
    assert found.shares["female"].value == pytest.approx(expected[0])
    assert found.verdict == "unfair"
    assert results.samplers["images"].quality == {}
    for name in ("report.html", "report.pdf", "report.md", "plan.yaml", "manifest.json"):
        assert (out / name).stat().st_size > 0, name
    assert fairaudit("audit", table, "--calibration", tmp_path / "gender.json", "--out", out) == 0


def test_csv_and_parquet_of_the_same_labels_measure_the_same(tmp_path: Path, fairaudit: Fairaudit) -> None:
    rows = {"gender": ["female", "male", None] * 40, "prompt": ["a", "b", "a", "b"] * 30}
    table_file(tmp_path, rows)
    pd.DataFrame(rows).to_parquet(tmp_path / "labels.parquet")
    results = []
    for name in ("labels.csv", "labels.parquet"):
        assert fairaudit("audit", tmp_path / name, "--out", tmp_path / f"run-{name}") == 0
        found = Results.load(tmp_path / f"run-{name}" / "results.json").samplers["images"]
        results.append(
            (found.attributes["gender"].counts, found.attributes["gender"].outcomes, set(found.prompts))
        )
    assert results[0] == results[1]
    assert results[0][0] == {"female": 40, "male": 40}
    assert results[0][1] == {"labelled": 80, "unlabelled": 40}
    assert results[0][2] == {"a", "b"}


def test_the_order_of_rows_does_not_matter(tmp_path: Path, fairaudit: Fairaudit) -> None:
    rows = pd.DataFrame({"image": [f"{i}" for i in range(90)], "gender": ["female", "female", "male"] * 30})
    for name, table in (("one", rows), ("two", rows.sample(frac=1, random_state=1))):
        table.to_csv(tmp_path / "labels.csv", index=False)
        assert fairaudit("audit", tmp_path / "labels.csv", "--out", tmp_path / name) == 0
    one, two = (Results.load(tmp_path / name / "results.json") for name in ("one", "two"))
    assert one.digest == two.digest


def test_the_same_audit_in_another_folder_has_the_same_numbers(tmp_path: Path, fairaudit: Fairaudit) -> None:
    rows = {"gender": ["female", "male", "male"] * 40, "prompt": ["a", "b"] * 60}
    found = []
    for name in ("here", "there"):
        folder = tmp_path / name
        folder.mkdir()
        calibrated = ("--calibration", calibration_file(folder))
        assert fairaudit("audit", table_file(folder, rows), *calibrated, "--out", folder / "run") == 0
        found.append(Results.load(folder / "run" / "results.json").samplers)
    # Intervals are drawn at random, and to the last digit the same.
    assert found[0] == found[1]


def test_samplers_of_a_table_are_compared_where_an_index_pairs_them(
    tmp_path: Path, fairaudit: Fairaudit
) -> None:
    rows = {
        "sampler": ["baseline"] * 100 + ["switching"] * 100,
        "index": [*range(100), *range(100)],
        "gender": ["female"] * 90 + ["male"] * 10 + ["female", "male"] * 50,
    }
    table = table_file(tmp_path, rows)
    assert fairaudit("audit", table, "--out", tmp_path / "paired") == 0
    (comparison,) = Results.load(tmp_path / "paired" / "results.json").comparisons
    assert (comparison.a, comparison.b) == ("switching", "baseline")
    assert comparison.changes is not None
    assert comparison.changes.flips["female"]["male"] == 45
    assert comparison.changes.flips["male"]["female"] == 5
    table = table_file(
        tmp_path, {name: column for name, column in rows.items() if name != "index"}, "loose.csv"
    )
    assert fairaudit("audit", table, "--out", tmp_path / "loose") == 0
    assert Results.load(tmp_path / "loose" / "results.json").comparisons == []


def test_values_that_are_not_built_in_are_declared_by_the_target(
    tmp_path: Path, fairaudit: Fairaudit
) -> None:
    table = table_file(tmp_path, {"tone": ["light"] * 60 + ["dark"] * 20})
    arguments = ("audit", table, "--attribute", "tone", "--out", tmp_path / "run")
    assert fairaudit(*arguments) == 2
    assert fairaudit(*arguments, "--target", "tone=light:0.4,medium:0.3,dark:0.3") == 0
    found = Results.load(tmp_path / "run" / "results.json").samplers["images"].attributes["tone"]
    assert found.counts == {"light": 60, "medium": 0, "dark": 20}
    assert found.shares["medium"].value == 0
    assert found.shares["medium"].high is not None
    assert found.shares["medium"].high > 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"sex": ["female"]}, "no column 'gender'"),
        ({"gender": ["female", "woman"]}, "row 2 has gender 'woman'"),
        ({"gender": ["female"], "gender.p.female": [0.9]}, "no column 'gender.p.male'"),
        ({"gender": ["female"], "gender.p.female": [0.9], "gender.p.male": [0.9]}, "row 1 has probabilities"),
        ({"gender": ["female"], "gender.p.female": ["high"], "gender.p.male": [0.1]}, "not a number"),
        ({"gender": ["male", "male"], "prompt": ["a", None]}, "some have none"),
        ({"gender": ["male", "male"], "index": [3, 3]}, "row 2 repeats an index"),
        ({"gender": ["male"], "index": ["first"]}, "no whole number"),
        ({"gender": []}, "no rows"),
    ],
)
def test_a_wrong_table_is_one_sentence_with_its_place(
    tmp_path: Path, rows: dict[str, list[object]], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        label_tables(table_file(tmp_path, rows), GENDER)


def test_a_calibration_of_something_else_is_refused(
    tmp_path: Path, fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    table = table_file(tmp_path, {"gender": ["female", "male"] * 40})
    other = calibration_file(tmp_path, attribute="race", values=("White", "Black"))
    assert fairaudit("audit", table, "--calibration", other, "--out", tmp_path / "run") == 2
    assert "a calibration for 'race', which is not among the attributes" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_calibration_in_another_order_corrects_the_same(tmp_path: Path, fairaudit: Fairaudit) -> None:
    table = table_file(tmp_path, {"gender": ["female"] * 150 + ["male"] * 50})
    path = calibration_file(tmp_path)
    assert fairaudit("audit", table, "--calibration", path, "--out", tmp_path / "one") == 0
    content = json.loads(path.read_text())
    content["values"] = content["values"][::-1]
    content["confusion"] = [row[::-1] for row in content["confusion"][::-1]]
    path.write_text(json.dumps(content))
    assert fairaudit("audit", table, "--calibration", path, "--out", tmp_path / "two") == 0
    one, two = (
        Results.load(tmp_path / name / "results.json")
        .samplers["images"]
        .attributes["gender"]
        .shares["female"]
        for name in ("one", "two")
    )
    assert one.value == pytest.approx(two.value)


def test_asking_for_a_correction_without_a_calibration_is_refused(
    tmp_path: Path, fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    table = table_file(tmp_path, {"gender": ["female", "male"] * 40})
    assert fairaudit("audit", table, "--estimator", "corrected", "--out", tmp_path / "run") == 2
    assert "needs a calibration of gender" in capsys.readouterr().err


def test_a_threshold_makes_labels_unsure(tmp_path: Path, fairaudit: Fairaudit) -> None:
    rows = {
        "gender": ["female"] * 60 + ["male"] * 60,
        "gender.p.female": [0.95] * 60 + [0.45] * 30 + [0.1] * 30,
        "gender.p.male": [0.05] * 60 + [0.55] * 30 + [0.9] * 30,
    }
    table = table_file(tmp_path, rows)
    assert fairaudit("audit", table, "--threshold", 0.7, "--out", tmp_path / "run") == 0
    found = Results.load(tmp_path / "run" / "results.json").samplers["images"].attributes["gender"]
    assert found.outcomes == {"labelled": 90, "unsure": 30}
    assert found.shares["female"].raw == pytest.approx(60 / 90)
    assert found.shares["female"].bounds == pytest.approx((60 / 120, 90 / 120))


def test_shares_of_the_training_data_can_be_brought(
    tmp_path: Path, fairaudit: Fairaudit, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {"prompt": ["a nurse"] * 100 + ["a baker"] * 100, "gender": ["female"] * 95 + ["male"] * 105}
    table, truth = table_file(tmp_path, rows), tmp_path / "truth.json"
    truth.write_text(json.dumps({"nurse": {"gender": {"male": 1, "female": 9}}}))
    assert fairaudit("audit", table, "--planted", truth, "--out", tmp_path / "run") == 0
    found = Results.load(tmp_path / "run" / "results.json").samplers["images"]
    nurse = found.prompts["a nurse"].attributes["gender"]
    assert nurse.planted == {"female": 0.9, "male": 0.1}
    assert nurse.amplification is not None
    assert nurse.amplification["female"].value == pytest.approx(0.05)
    assert found.prompts["a baker"].attributes["gender"].planted is None
    whole = found.attributes["gender"].bias_amplification
    assert whole is not None
    assert whole.value == pytest.approx(0.05)
    truth.write_text(json.dumps({"nurse": {"gender": {"women": 1}}}))
    assert fairaudit("audit", table, "--planted", truth, "--out", tmp_path / "other") == 2
    assert "nurse.gender must give a share" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        ({"gender": ["male"] * 40}, ("--threshold", 0.9), "--threshold needs probabilities of gender"),
        ({"gender": ["male"] * 40}, ("--until", "verdict"), "there already"),
        ({"gender": ["male"] * 40}, ("--tolerance", 1), "calls every generator fair"),
        ({"gender": ["male"] * 40}, ("--tolerance", "inf"), "finite"),
        ({"gender": ["male"] * 40}, ("--level", 1e-5), "replicates"),
        (
            {"prompt": ["a"] * 40},
            ("--attribute", "prompt", "--target", "prompt=a:0.5,b:0.5"),
            "cannot be called",
        ),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    tmp_path: Path,
    fairaudit: Fairaudit,
    capsys: pytest.CaptureFixture[str],
    rows: dict[str, list[object]],
    arguments: tuple[object, ...],
    message: str,
) -> None:
    assert fairaudit("audit", table_file(tmp_path, rows), *arguments, "--out", tmp_path / "run") == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_an_unfair_prompt_is_not_hidden_by_many_fair_ones(tmp_path: Path, fairaudit: Fairaudit) -> None:
    prompts = [f"p{number}" for number in range(60)]
    rows = {"prompt": [prompt for prompt in prompts for _ in range(200)], "gender": ["female", "male"] * 6000}
    rows["gender"][:200] = ["female"] * 200
    assert fairaudit("audit", table_file(tmp_path, rows), "--out", tmp_path / "run") == 0
    found = Results.load(tmp_path / "run" / "results.json").samplers["images"]
    assert found.prompts["p0"].attributes["gender"].verdict == "unfair"
    assert found.attributes["gender"].verdict == "unfair"


def test_one_image_a_prompt_says_nothing_about_prompts(tmp_path: Path, fairaudit: Fairaudit) -> None:
    rows = {"prompt": [f"p{number}" for number in range(60)], "gender": ["female", "male"] * 30}
    assert fairaudit("audit", table_file(tmp_path, rows), "--out", tmp_path / "run") == 0
    found = Results.load(tmp_path / "run" / "results.json").samplers["images"].attributes["gender"]
    assert found.fd_prompts is not None
    assert found.fd_prompts.value is None
    assert "no prompt has 3 labels" in str(found.fd_prompts.reason)
    assert found.verdict == "not enough evidence"


def test_nothing_labelled_ends_with_its_own_exit_code(tmp_path: Path, fairaudit: Fairaudit) -> None:
    table = table_file(tmp_path, {"image": ["a"] * 40, "gender": [None] * 40})
    assert fairaudit("audit", table, "--out", tmp_path / "run") == 4
    assert (tmp_path / "run" / "report.html").exists()


def test_joint_errors_of_two_attributes_correct_their_cells(tmp_path: Path, fairaudit: Fairaudit) -> None:
    rows = {"gender": ["female", "male"] * 200, "tone": ["light"] * 200 + ["dark"] * 200}
    cells = ["female | light", "female | dark", "male | light", "male | dark"]
    confusion = [[80 if row == column else 7 for column in range(4)] for row in range(4)]
    joint = tmp_path / "joint.json"
    content = {"schema": 1, "classifier": "mine", "attribute": "gender x tone", "values": cells}
    joint.write_text(json.dumps({**content, "confusion": confusion, "data": "404 faces"}))
    arguments = ("audit", table_file(tmp_path, rows), "--attribute", "gender", "--attribute", "tone")
    target = ("--target", "tone=light:0.5,dark:0.5")
    assert fairaudit(*arguments, *target, "--calibration", joint, "--out", tmp_path / "run") == 0
    found = Results.load(tmp_path / "run" / "results.json").samplers["images"].intersections["gender x tone"]
    assert list(found.cells) == cells
    assert "corrected" in found.cells["male | dark"].method
    assert "not corrected" not in found.cells["male | dark"].method
    assert found.cells["male | dark"].value == pytest.approx(0.25)
    assert fairaudit(*arguments, *target, "--out", tmp_path / "raw") == 0
    raw = Results.load(tmp_path / "raw" / "results.json").samplers["images"].intersections["gender x tone"]
    assert "not corrected" in raw.cells["male | dark"].method
