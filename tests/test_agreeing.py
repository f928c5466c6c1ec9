"""Several classifiers of one run: agreement and consensus."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from fairaudit.agreeing import consensus
from fairaudit.plan import IMAGES
from fairaudit.results import Results
from tests.test_calibrate import BUILTIN, Brightness, brightness, known

__all__ = ["brightness", "known"]


def test_the_consensus_trusts_who_is_right_more_often() -> None:
    """Three good readers and two that guess: the consensus is better than the best and than the majority."""
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=1500)
    right = rng.random((1500, 5)) < np.array([0.85, 0.8, 0.8, 0.34, 0.34])
    ratings = np.where(right, truth[:, None], rng.integers(3, size=(1500, 5)))
    found = (consensus(ratings) == truth).mean()
    votes = (ratings[:, :, None] == np.arange(3)).sum(axis=1).argmax(axis=1)
    assert found > (votes == truth).mean()
    assert found > (ratings == truth[:, None]).mean(axis=0).max()


def test_order_does_not_matter_and_silence_is_kept() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(2, size=300)
    ratings = np.where(rng.random((300, 3)) < 0.8, truth[:, None], 1 - truth[:, None])
    ratings = np.where(rng.random((300, 3)) < 0.3, -1, ratings)
    ratings[7] = -1
    found, order = consensus(ratings), rng.permutation(300)
    assert found[7] == -1
    assert ((found == -1) == (ratings == -1).all(axis=1)).all()
    assert (consensus(ratings[order]) == found[order]).all()
    assert (consensus(np.full((5, 2), -1)) == -1).all()


@pytest.mark.parametrize("readers", [2, 4])
def test_who_agrees_is_not_overruled(readers: int) -> None:
    same = np.repeat(np.random.default_rng(2).integers(4, size=50)[:, None], readers, axis=1)
    assert (consensus(same) == same[:, 0]).all()


def test_a_second_opinion_reaches_results_and_reports(fairaudit, brightness, known, tmp_path) -> None:
    plan = {
        "generator": str(known),
        "samplers": [],
        "classifier": BUILTIN,
        "second_opinions": [Brightness.name],
    }
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(plan))
    options = ("--out", tmp_path / "run", "--quiet", "--device", "cpu")
    assert fairaudit("audit", "--plan", tmp_path / "plan.yaml", *options) == 0
    sampler = Results.load(tmp_path / "run" / "results.json").samplers[IMAGES]
    found = sampler.agreement["gender"]
    assert found.raters == [BUILTIN, Brightness.name]
    assert found.images == 80
    assert found.kappa.low <= found.kappa.value <= found.kappa.high
    assert sum(share.value for share in found.consensus.shares.values()) == pytest.approx(1)
    report = (tmp_path / "run" / "report.md").read_text()
    assert "Do several classifiers agree?" in report


def test_an_opinion_on_something_else_is_refused(fairaudit, known, tmp_path, capsys) -> None:
    options = ("--second-opinion", "skin-tone", "--out", tmp_path / "run", "--quiet", "--device", "cpu")
    assert fairaudit("audit", known, *options) == 2
    assert "skin-tone is no second opinion on gender: it reads skin_type, monk" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
