"""The one decision that tables and reports share."""

from __future__ import annotations

from fairaudit.results import Verdict


def decide(
    fd_value: float | None,
    fd_low: float | None,
    fd_high: float | None,
    p_adjusted: float | None,
    *,
    level: float,
    tolerance: float,
) -> Verdict:
    """Fair, unfair, or not enough evidence for either.

    "fair" takes evidence too: the *whole* interval lies within the tolerance. A generator within
    the tolerance is fair even where many images make its small deviation significant.

    Parameters
    ----------
    fd_value, fd_low, fd_high
        Fairness discrepancy and its interval; None where it could not be computed.
    p_adjusted
        Of the test that the shares are on target, adjusted for the family of tests.
    level
        Significance level of the test.
    tolerance
        Discrepancy up to which a generator counts as fair.
    """
    if fd_value is None or fd_low is None or fd_high is None:
        return "not enough evidence"
    if fd_high <= tolerance:
        return "fair"
    if p_adjusted is not None and p_adjusted < level:
        return "unfair"
    return "not enough evidence"
