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
