"""Numbers as text, the same way everywhere."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fairaudit.results import Discrepancy, Estimate

MISSING = "n/a"


def known(value: float | None) -> bool:
    """Whether there is a number to show."""
    return value is not None and math.isfinite(value)


def fixed(value: float, decimals: int, signed: bool = False) -> str:
    """A number with so many decimals, a true minus sign, and never a negative zero."""
    text = f"{abs(value):.{decimals}f}"
    if not float(text):
        return text
    return ("−" if value < 0 else "+" if signed else "") + text


def percent(value: float | None) -> str:
    """A share as percentage."""
    return f"{fixed(100 * value, 1)}\u00a0%" if value is not None and known(value) else MISSING


def percent_interval(low: float | None, high: float | None) -> str:
    """`26.0 to 36.0 %`, or nothing where there is no interval."""
    if low is None or high is None or not (known(low) and known(high)):
        return ""
    return f"{fixed(100 * low, 1)} to {fixed(100 * high, 1)}\u00a0%"


def points(estimate: Estimate, *, signed: bool = True) -> tuple[str, str]:
    """A difference of shares in percentage points, and its interval."""
    if estimate.value is None or not known(estimate.value):
        return MISSING, ""
    low, high = (None if end is None else 100 * end for end in (estimate.low, estimate.high))
    between = interval(low, high, 1, signed)
    return f"{fixed(100 * estimate.value, 1, signed)}\u00a0pp", f"{between}\u00a0pp" if between else ""


def discrepancy(value: float | None) -> str:
    """A fairness discrepancy."""
    return fixed(value, 3) if value is not None and known(value) else MISSING


def interval(low: float | None, high: float | None, decimals: int = 3, signed: bool = False) -> str:
    """`0.20 to 0.34`, or nothing where there is no interval."""
    if low is None or high is None or not (known(low) and known(high)):
        return ""
    return f"{fixed(low, decimals, signed)} to {fixed(high, decimals, signed)}"


def decimals_for(estimate: Estimate) -> int:
    """As many decimals as the interval supports: two digits of its width."""
    if known(estimate.low) and known(estimate.high):
        scale = abs(float(estimate.high or 0) - float(estimate.low or 0))
    else:
        scale = abs(estimate.value or 0) / 10
    if not scale or not math.isfinite(scale):
        return 3
    return min(6, max(0, 1 - math.floor(math.log10(scale))))


def with_interval(text: str, between: str) -> str:
    """`0.27 (0.20 to 0.34)`."""
    return f"{text} ({between})" if between else text


def share_text(share: Estimate) -> str:
    """A share with its interval."""
    return with_interval(percent(share.value), percent_interval(share.low, share.high))


def fd_text(fd: Discrepancy) -> str:
    """A discrepancy with its interval."""
    return with_interval(discrepancy(fd.value), interval(fd.low, fd.high))


def estimate_text(estimate: Estimate, signed: bool = False) -> str:
    """Any other estimate with its interval."""
    if estimate.value is None or not known(estimate.value):
        return MISSING
    decimals = decimals_for(estimate)
    return with_interval(
        fixed(estimate.value, decimals, signed), interval(estimate.low, estimate.high, decimals, signed)
    )


def p_equals(p: float | None) -> str:
    """`p = 0.012` or `p < 0.001`, for sentences."""
    return f"p {'' if known(p) and (p or 0) < 0.001 else '= '}{p_text(p)}"


def p_text(p: float | None) -> str:
    """A p-value, `< 0.001` where it is smaller."""
    if p is None or not known(p):
        return MISSING
    return "<\u00a00.001" if p < 0.001 else fixed(p, 3)


def count(n: int, noun: str, plural: str = "") -> str:
    """`1 image`, `1,200 images`."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def listing(names: Sequence[str], word: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    head, last = ", ".join(names[:-1]), "".join(names[-1:])
    return f"{head} {word} {last}" if head else last


def shorten(text: str, length: int = 90) -> str:
    """One line of at most `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
