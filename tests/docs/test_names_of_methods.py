"""What draws intervals is called the same in results, documentation and formulas; and it is that."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fairaudit.statistics.amplification import DIRECTIONAL, PLAIN
from fairaudit.statistics.paired import PAIRED
from fairaudit.statistics.shares import CORRECTED, draw_shares
from fairaudit.statistics.unpaired import UNPAIRED
from tests.docs.blocks import ROOT

NAME = "Dirichlet draws"


def test_one_name_for_what_corrected_shares_rest_on() -> None:
    for method in (CORRECTED, PAIRED, UNPAIRED, PLAIN, DIRECTIONAL):
        assert NAME in method
        assert "bootstrap" not in method
    numbers = (ROOT / "docs" / "explanation" / "numbers.md").read_text(encoding="utf-8")
    corrected = re.search(r"### Corrected\n(.*?)\n### ", numbers, re.S)
    row = re.search(r"^\| interval \|.*$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    for text in (corrected and corrected[1], row and row[0]):
        assert text is not None
        assert NAME in text
        assert "bootstrap" not in text
    formulas = (ROOT / "reports" / "templates" / "formulas.typ").read_text(encoding="utf-8")
    assert '"Dir"' in formulas


def test_they_are_dirichlet() -> None:
    counts = np.array([3.0, 9.0, 28.0])
    weights = counts + 1 / 3
    drawn = draw_shares(counts, 40_000, np.random.default_rng(0))
    mean, total = weights / weights.sum(), weights.sum()
    assert drawn.mean(axis=0) == pytest.approx(mean, abs=0.002)
    assert drawn.var(axis=0) == pytest.approx(mean * (1 - mean) / (total + 1), rel=0.05)
