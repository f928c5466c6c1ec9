"""Runs as collections of pictures, and pictures that a run is compared with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fairaudit.results import Results
from tests.pictures.kinds import encoded, noise, store

Fairaudit = Callable[..., int]


def results_of(run: Path) -> Results:
    return Results.load(run / "results.json")


def test_a_run_is_audited_and_labelled_sampler_by_sampler(fairaudit: Fairaudit, tmp_path: Path) -> None:
    made = tmp_path / "made"
    options = ("--prompts", "a photo of a {attribute} nurse", "--images", 8, "--steps", 2, "--quiet")
    assert (
        fairaudit("compare", "builtin:faces64", *options, "--samplers", "baseline,switching", "--out", made)
        == 0
    )
    assert fairaudit("audit", made, "--out", tmp_path / "again", "--quiet") == 0
    one, two = results_of(made), results_of(tmp_path / "again")
    assert list(two.samplers) == ["baseline", "switching"]
    for name, sampler in two.samplers.items():
        assert sampler.attributes["gender"].counts == one.samplers[name].attributes["gender"].counts
        assert list(sampler.prompts) == ["a photo of a nurse"]
    (before,), (after,) = one.comparisons, two.comparisons
    assert before.difference.value == after.difference.value
    assert before.test == after.test == "paired permutation"
    assert before.changes is not None
    assert after.changes is not None
    assert before.changes.flips == after.changes.flips
    assert fairaudit("label", made, "--out", tmp_path / "labels.csv", "--quiet") == 0
    assert fairaudit("audit", tmp_path / "labels.csv", "--out", tmp_path / "table", "--quiet") == 0
    (labelled,) = results_of(tmp_path / "table").comparisons
    assert labelled.changes is not None
    assert labelled.changes.flips == before.changes.flips
    assert fairaudit("audit", tmp_path / "again", "--out", tmp_path / "third", "--quiet") == 2


def test_what_is_skipped_in_several_collections_is_counted_in_each(
    fairaudit: Fairaudit, tmp_path: Path
) -> None:
    """Four files of the same names in each of three, none of them a picture."""
    files = {f"{number:02}.png": encoded(noise(number, (16, 16))) for number in range(24)}
    spoilt = {"notes.txt": b"x", "empty.png": b"", "broken.png": b"no picture", "second.png": b"none"}
    sources = [store(kind, files | spoilt, tmp_path / kind) for kind in ("folder", "zip", "tar")]
    others = [part for source in sources[1:] for part in ("--against", f"{source.parent.name}={source}")]
    options = ("--samplers", "baseline", "--prompts", "a photo of a {attribute} nurse", "--images", 8)
    arguments = ("--against", f"folder={sources[0]}", *others, "--steps", 2, "--quiet")
    assert fairaudit("compare", "builtin:faces64", *options, *arguments, "--out", tmp_path / "run") == 0
    results = results_of(tmp_path / "run")
    assert results.skipped_counts == {"not an image file": 3, "empty file": 3, "not a readable image": 6}
    assert len(results.skipped) == 12
    assert sum("notes.txt" in name for name in results.skipped) == 3


def test_a_model_is_compared_with_pictures_that_are_there(fairaudit: Fairaudit, tmp_path: Path) -> None:
    files = {f"{number:02}.png": encoded(noise(number, (64, 64))) for number in range(30)}
    source = store("zip", files, tmp_path)
    options = ("--prompts", "a photo of a {attribute} nurse", "--images", 8, "--steps", 2, "--quiet")
    arguments = ("compare", "builtin:faces64", "--samplers", "baseline", *options, "--out", tmp_path / "run")
    assert fairaudit(*arguments, "--against", f"vendor={source}") == 0
    results = results_of(tmp_path / "run")
    assert list(results.samplers) == ["baseline", "vendor"]
    assert results.samplers["vendor"].attributes["gender"].n == 30
    assert results.samplers["vendor"].generator == str(source)
    assert results.samplers["vendor"].attributes["gender"].planted is None
    (comparison,) = results.comparisons
    assert (comparison.a, comparison.b, comparison.test) == (
        "vendor",
        "baseline",
        "unpaired Dirichlet draws, tail area at no difference",
    )
    assert comparison.difference.method.startswith("unpaired")
    assert comparison.changes is None
    digest = results.digest
    assert fairaudit(*arguments, "--against", f"vendor={source}") == 0
    assert results_of(tmp_path / "run").digest == digest
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["other_sources"][str(source)]["images"] == 30


def test_a_model_is_compared_with_labels_that_are_there(fairaudit: Fairaudit, tmp_path: Path) -> None:
    """No calibration of the model's classifier corrects labels that somebody else made."""
    table, options = tmp_path / "vendor.csv", ("--images", 8, "--steps", 2, "--quiet")
    table.write_text("image,gender\n" + "".join(f"{n}.png,{'female' if n else 'male'}\n" for n in range(30)))
    arguments = ("compare", "builtin:faces64", "--samplers", "baseline", *options, "--out", tmp_path / "run")
    arguments = (*arguments, "--prompts", "a photo of a {attribute} nurse", "--against", table)
    assert fairaudit(*arguments) == 0
    results = results_of(tmp_path / "run")
    assert list(results.samplers) == ["baseline", "vendor.csv"]
    made, vendor = results.samplers.values()
    found = vendor.attributes["gender"]
    assert (found.n, found.estimator, found.calibration) == (30, "raw", None)
    assert found.shares["female"].value == found.shares["female"].raw == 29 / 30
    assert made.attributes["gender"].estimator == "corrected"
    assert vendor.quality.keys() == made.quality.keys()
    assert {(one.value, one.reason) for one in (*vendor.quality.values(), *vendor.utility.values())} == {
        (None, "labels were brought without their images")
    }
    (comparison,) = [one for one in results.comparisons if one.metric == "gender.fd"]
    assert comparison.difference.value == pytest.approx(found.fd.value - made.attributes["gender"].fd.value)
    assert sum("vendor.csv is the table of labels" in caveat for caveat in results.caveats) == 1
    assert "the table of labels" in (tmp_path / "run" / "report.html").read_text()
    assert fairaudit("report", tmp_path / "run", tmp_path / "run", "--out", tmp_path / "two") == 0
    assert "its discrepancies: labels that were brought" in (tmp_path / "two" / "report.html").read_text()
    table.write_text(table.read_text() + "more.png,male\n")
    assert fairaudit(*arguments) == 2  # a run goes on only with the labels that it began with


def test_a_table_of_several_samplers_is_no_one_to_compare_with(fairaudit: Fairaudit, tmp_path: Path) -> None:
    table = tmp_path / "both.csv"
    table.write_text("sampler,gender\na,female\nb,male\n")
    assert fairaudit("compare", "builtin:faces64", "--against", table, "--out", tmp_path / "run") == 2
    assert not (tmp_path / "run").exists()
