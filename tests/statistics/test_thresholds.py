import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairaudit.statistics.thresholds import threshold_shares

ROWS = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.45, 0.55]])


def test_images_below_the_threshold_lose_their_label():
    found = threshold_shares(ROWS, [0, 0.6, 0.85, 0.99])
    assert found.labelled.tolist() == [4, 3, 1, 0]
    assert found.shares[:3] == pytest.approx(np.array([[0.5, 0.5], [2 / 3, 1 / 3], [1, 0]]))
    assert np.isnan(found.shares[3]).all()


@given(st.integers(2, 7), st.integers(0, 50), st.integers(0, 2**32 - 1))
def test_more_is_never_left_at_a_higher_threshold(k, n, seed):
    rows = np.random.default_rng(seed).dirichlet(np.full(k, 0.5), size=n)
    found = threshold_shares(rows, np.linspace(0, 1, 11))
    assert (np.diff(found.labelled) <= 0).all()
    assert found.labelled[0] == n
    some = found.labelled > 0
    assert found.shares[some].sum(axis=1) == pytest.approx(1)
    assert (threshold_shares(rows[::-1], np.linspace(0, 1, 11)).labelled == found.labelled).all()


@pytest.mark.parametrize("thresholds", [[-0.1], [1.1], [np.nan], 0.5])
def test_what_is_no_threshold_is_refused(thresholds):
    with pytest.raises(ValueError, match="thresholds"):
        threshold_shares(ROWS, thresholds)
