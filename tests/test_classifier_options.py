"""Classifiers on the command line: files reach the plan, and what they read is declared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision import models

from fairaudit.attributes import ATTRIBUTES
from fairaudit.plan import AuditPlan
from tests.classifiers.networks import pictures, save, spread

Fairaudit = Callable[..., int]

GENDER = "attributes: {gender: {female: [0], male: [1], neither: [2]}}\nsize: 32\nabstain_above: 1"
HAT = "attributes: {hat: {no: rest, yes: [2]}}\nsize: 32"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures, weights of a network with three outputs, and two readings of them."""
    (tmp_path / "pictures").mkdir()
    for number, picture in enumerate(pictures(12, 32)):
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{number}.png")
    save(spread(models.resnet18(weights=None, num_classes=3)), tmp_path / "w.pt")
    (tmp_path / "gender.yaml").write_text(GENDER)
    (tmp_path / "hat.yaml").write_text(HAT)
    return tmp_path


def audit(fairaudit: Fairaudit, folder: Path, *options: object) -> int:
    command = ("audit", folder / "pictures", "--out", folder / "run", "--quiet", "--faces", "whole-image")
    return fairaudit(*command, "--classifier", "torchvision:resnet18", *options)


def test_other_values_of_a_known_attribute_are_declared(fairaudit: Fairaudit, folder: Path) -> None:
    files = ("--weights", folder / "w.pt", "--outputs", folder / "gender.yaml")
    assert audit(fairaudit, folder, *files) == 0
    plan = AuditPlan.load(folder / "run" / "plan.yaml")
    assert plan.values == {"gender": ("female", "male", "neither")}
    assert plan.weights == {"torchvision:resnet18": str(folder / "w.pt")}
    results = json.loads((folder / "run" / "results.json").read_text())
    (sampler,) = results["samplers"].values()
    assert [*sampler["attributes"]["gender"]["shares"]] == ["female", "male", "neither"]
    manifest = json.loads((folder / "run" / "manifest.json").read_text())
    assert len(manifest["classifier"]["w.pt"]) == 64


def test_other_attributes_and_files_by_name(fairaudit: Fairaudit, folder: Path) -> None:
    files = ("--weights", f"torchvision:resnet18={folder / 'w.pt'}", "--outputs", folder / "hat.yaml")
    assert audit(fairaudit, folder, *files, "--attribute", "hat") == 0
    plan = AuditPlan.load(folder / "run" / "plan.yaml")
    assert plan.values == {"hat": ("no", "yes")}
    # The plan alone says all that the command line said.
    assert fairaudit("audit", "--plan", folder / "run" / "plan.yaml", "--out", folder / "run", "--quiet") == 0


def test_an_attribute_that_is_not_read_is_refused(
    fairaudit: Fairaudit, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ("--weights", folder / "w.pt", "--outputs", folder / "hat.yaml")
    assert audit(fairaudit, folder, *files, "--attribute", "gender") == 2
    assert "unknown attribute of torchvision:resnet18 'gender'" in capsys.readouterr().err
    assert not (folder / "run").exists()


def test_files_of_a_plan_go_where_their_classifier_goes(
    fairaudit: Fairaudit, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit(fairaudit, folder, "--weights", folder / "w.pt", "--outputs", folder / "gender.yaml") == 0
    again = ("audit", "--plan", folder / "run" / "plan.yaml", "--out", folder / "other", "--quiet")
    assert fairaudit(*again, "--classifier", "builtin:faces64-classifier") == 2
    # What is wrong is the plan's values, not files of a classifier that nobody asks.
    assert "builtin:faces64-classifier has not the values female, male, neither" in capsys.readouterr().err


def test_second_opinions_read_the_same_pictures(fairaudit: Fairaudit, folder: Path) -> None:
    more = ("--second-opinion", "builtin:faces64-classifier")
    files = ("--weights", folder / "w.pt", "--outputs", folder / "gender.yaml")
    assert audit(fairaudit, folder, *files, *more) == 0
    plan = AuditPlan.load(folder / "run" / "plan.yaml")
    assert plan.second_opinions == ("builtin:faces64-classifier",)
    assert len([*(folder / "run" / "labels").iterdir()]) == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--classifier", "fairfaces"), "did you mean 'fairface'"),
        (("--classifier", "fairface"), "--weights fairface=FILE"),
        (("--classifier", "builtin:faces64-classifier", "--weights", "x.pt"), "takes no --weights"),
        (("--classifier", "analytic:gmm", "--outputs", "x.yaml"), "takes no --outputs"),
        (("--faces", "some"), "faces"),
    ],
)
def test_wrong_options_are_one_sentence(
    options: tuple[str, ...],
    words: str,
    fairaudit: Fairaudit,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert fairaudit("audit", folder / "pictures", "--out", folder / "run", "--quiet", *options) == 2
    said = capsys.readouterr().err
    assert words in said
    assert len(said.strip().splitlines()) == 1
    assert not (folder / "run").exists()


def test_fairface_reads_all_built_in_values_on_the_command_line(fairaudit: Fairaudit, folder: Path) -> None:
    path = save(spread(models.resnet34(weights=None, num_classes=18)), folder / "fairface.pt")
    command = ("audit", folder / "pictures", "--out", folder / "run", "--quiet", "--attribute", "race")
    assert fairaudit(*command, "--classifier", "fairface-4", "--weights", path) == 0
    plan = AuditPlan.load(folder / "run" / "plan.yaml")
    assert plan.attribute("race").values == ("White", "Black", "Asian", "Indian")
    assert plan.attribute("race").values != ATTRIBUTES["race"].values
    assert np.isclose(sum(plan.target("race").values()), 1)
