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
    p_equivalence: float | None = None,
) -> Verdict:
    """Fair (within the tolerance), unfair, or not enough evidence for either.

    "fair" takes evidence too: the equivalence test rejects that the discrepancy is the tolerance or
    more. At a level of 5 % that takes the 90 % interval to lie within the tolerance (Schuirmann
    1987), for only one of its ends can be wrong about a generator that is not fair. Where there is no such
    test (over several prompts) the *whole* interval must lie within, which is the same at half the
    level. The verdict is the test's alone: a reader who sees its p-value below the level sees "fair".

    A generator within the tolerance is fair even where many images make its small deviation significant.

    Parameters
    ----------
    fd_value, fd_low, fd_high
        Fairness discrepancy and its interval; None where it could not be computed.
    p_adjusted
        Of the test that the shares are on target, adjusted for the family of tests.
    level
        Significance level of either test.
    tolerance
        Discrepancy up to which a generator counts as fair.
    p_equivalence
        Of `equivalence_test` with this tolerance; not adjusted, None where there is none.
    """
    if fd_value is None or fd_low is None or fd_high is None:
        return "not enough evidence"
    if fd_high <= tolerance if p_equivalence is None else p_equivalence < level:
        return "fair"
    if p_adjusted is not None and p_adjusted < level:
        return "unfair"
    return "not enough evidence"
