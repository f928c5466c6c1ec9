"""Counts published with Fair Diffusion (Friedrich et al., arXiv 2302.10893), read by our functions."""

import re

import numpy as np
import pytest

from fairaudit.metrics.fairness import deviation_ratio, fairness_discrepancy, total_variation
from fairaudit.statistics.across import across_prompts
from fairaudit.statistics.prompts import prompt_discrepancy
from fairaudit.statistics.shares import estimate_shares

HALF = [0.5, 0.5]


def read(test_data, images):
    """(153, 2) counts of women and men."""
    text = (test_data / "golden" / f"fair-diffusion-results_fairface_{images}.txt").read_text()
    found = re.findall(r"^man: (\d+), woman: (\d+)", text, re.MULTILINE)
    return np.array(found, dtype=float)[:, ::-1]


@pytest.mark.parametrize(
    ("images", "mean", "deviation", "discrepancy"),
    [
        ("laion", 0.4327, 0.2834, 0.3648),
        ("generated_1-5", 0.4483, 0.3470, 0.4404),
        ("edited_1-5", 0.5319, 0.1298, 0.1483),
    ],
)
def test_published_figures(test_data, images, mean, deviation, discrepancy):
    counts = read(test_data, images)
    shares = np.array([estimate_shares(row, replicates=2).value for row in counts])
    assert len(shares) == 153
    assert shares[:, 0].mean() == pytest.approx(mean, abs=5e-5)
    assert shares[:, 0].std() == pytest.approx(deviation, abs=1e-3)
    distances = fairness_discrepancy(shares, HALF)
    assert distances.mean() == pytest.approx(discrepancy, abs=5e-5)
    assert total_variation(shares, HALF) == pytest.approx(distances / np.sqrt(2))
    assert deviation_ratio(shares, HALF) == pytest.approx(distances * np.sqrt(2))
    women = across_prompts(counts)[0]
    assert women.mean.value == pytest.approx(mean, abs=5e-5)
    # The published deviation holds the sampling noise of about 250 images, too.
    assert deviation - 0.01 < women.spread.value < deviation + 1e-3
    assert women.spread.low < women.spread.value < women.spread.high


def test_fair_diffusion_makes_occupations_more_alike(test_data):
    before, after = (across_prompts(read(test_data, f"{name}_1-5"))[0] for name in ("generated", "edited"))
    assert after.spread.high < before.spread.low
    fd = [prompt_discrepancy(read(test_data, f"{name}_1-5"), HALF) for name in ("generated", "edited")]
    assert fd[1].high < fd[0].low
