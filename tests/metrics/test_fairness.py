import os
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairaudit.metrics.fairness import fairness_discrepancy


@pytest.fixture
def golden():
    folder = os.environ.get("FAIRAUDIT_TEST_DATA")
    if not folder:
        pytest.skip("FAIRAUDIT_TEST_DATA names no folder with published figures")
    return Path(folder) / "golden"


@pytest.mark.parametrize(
    ("images", "mean", "deviation", "discrepancy"),
    [
        ("laion", 0.4327, 0.2834, 0.3648),
        ("generated_1-5", 0.4483, 0.3470, 0.4404),
        ("edited_1-5", 0.5319, 0.1298, 0.1483),
    ],
)
def test_counts_published_with_fair_diffusion(golden, images, mean, deviation, discrepancy):
    text = (golden / f"fair-diffusion-results_fairface_{images}.txt").read_text()
    counts = np.array(re.findall(r"^man: (\d+), woman: (\d+)", text, re.MULTILINE), dtype=float)
    shares = counts / counts.sum(axis=1, keepdims=True)
    assert len(shares) == 153
    assert shares[:, 1].mean() == pytest.approx(mean, abs=5e-5)
    assert shares[:, 1].std() == pytest.approx(deviation, abs=1e-3)
    assert fairness_discrepancy(shares, [0.5, 0.5]).mean() == pytest.approx(discrepancy, abs=5e-5)


@given(st.floats(0, 1))
def test_binary_discrepancy_is_root_two_times_the_distance(share):
    found = fairness_discrepancy([share, 1 - share], [0.5, 0.5])
    assert found == pytest.approx(np.sqrt(2) * abs(share - 0.5), abs=1e-12)


def test_one_group_only_is_not_perfectly_fair():
    # Of values nobody generated the share is 0; they do not leave the norm.
    assert fairness_discrepancy([1, 0, 0, 0], np.full(4, 0.25)) == pytest.approx(np.sqrt(0.75))


@given(st.permutations(range(5)))
def test_order_of_values_does_not_matter(order):
    shares, target = np.array([0.1, 0.4, 0.2, 0.3, 0.0]), np.array([0.3, 0.1, 0.2, 0.2, 0.2])
    found = fairness_discrepancy(shares[order], target[order])
    assert found == pytest.approx(fairness_discrepancy(shares, target))
