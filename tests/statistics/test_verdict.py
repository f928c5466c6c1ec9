import pytest

from fairaudit.statistics.verdict import decide


@pytest.mark.parametrize(
    ("interval", "p_adjusted", "verdict"),
    [
        ((0.05, 0.02, 0.1), 0.9, "fair"),
        ((0.05, 0.02, 0.09), 1e-9, "fair"),
        ((0.3, 0.2, 0.4), 0.01, "unfair"),
        ((0.3, 0.0, 0.4), 0.05, "not enough evidence"),
        ((0.0, 0.0, 0.3), 1.0, "not enough evidence"),
        ((0.3, 0.2, 0.4), None, "not enough evidence"),
        ((None, None, None), None, "not enough evidence"),
        ((0.05, None, None), 0.9, "not enough evidence"),
    ],
)
def test_verdict(interval, p_adjusted, verdict):
    assert decide(*interval, p_adjusted, level=0.05, tolerance=0.1) == verdict


@pytest.mark.parametrize(
    ("p_adjusted", "p_equivalence", "verdict"),
    [
        (0.9, 0.01, "fair"),
        (1e-9, 0.04, "fair"),
        (1e-9, 0.05, "unfair"),
        (0.05, 0.05, "not enough evidence"),
        (None, 0.5, "not enough evidence"),
    ],
)
def test_an_equivalence_test_decides_what_is_fair(p_adjusted, p_equivalence, verdict):
    for high in (0.08, 0.12):
        found = decide(0.05, 0.0, high, p_adjusted, level=0.05, tolerance=0.1, p_equivalence=p_equivalence)
        assert found == verdict


def test_nothing_is_fair_without_a_discrepancy():
    found = decide(None, None, None, 0.9, level=0.05, tolerance=0.1, p_equivalence=0.01)
    assert found == "not enough evidence"
