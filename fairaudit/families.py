"""Tests that belong together: their p-values, adjusted over all of them."""

from __future__ import annotations

from collections.abc import Sequence

from fairaudit.results import Comparison
from fairaudit.statistics.tests import benjamini_hochberg, holm


def adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons of one family, with their p-values adjusted over it (Holm, Benjamini and Hochberg)."""
    p_values = [one.p_value for one in comparisons]
    return [
        one.model_copy(update={"p_adjusted": by_holm, "p_bh": by_bh})
        for one, by_holm, by_bh in zip(comparisons, holm(p_values), benjamini_hochberg(p_values), strict=True)
    ]
