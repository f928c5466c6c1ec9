"""Shares that a generator's images are held against: those of its training data, where they are known."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairaudit.errors import UsageError, reason_of
from fairaudit.plan import AuditPlan

Truth = Mapping[str, Mapping[str, Any]]


def known_truths(plan: AuditPlan, own: Mapping[str, Truth] | None = None) -> Mapping[str, Truth]:
    """What is known of each generator: what the plan names for the one it audits, else what they bring.

    Raises
    ------
    UsageError
        If the named file is no mapping of prompt endings to attributes to shares.
    """
    if plan.measurement.planted is None:
        return own or {}
    path = Path(plan.measurement.planted)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read the planted shares {path}: {reason_of(error)}") from error
    if not isinstance(content, dict):
        raise UsageError(f"{path}: planted shares map the end of a prompt to attributes")
    for prompt, attributes in content.items():
        for name in plan.attributes:
            shares = attributes.get(name) if isinstance(attributes, dict) else None
            if not _are_shares(shares, plan.attribute(name).values):
                raise UsageError(
                    f"{path}: {prompt}.{name} must give a share or count to some of "
                    f"{', '.join(plan.attribute(name).values)}"
                )
    return {**(own or {}), plan.generator: content}


def planted(truth: Truth, prompt: str, attribute: str, values: tuple[str, ...]) -> dict[str, float] | None:
    """Share of every value for the longest ending of a prompt that the truth knows, if it knows one."""
    endings = [known for known in truth if prompt == known or prompt.endswith(f" {known}")]
    if not endings:
        return None
    counts = truth[max(endings, key=len)][attribute]
    total = sum(counts.values())
    return {value: counts.get(value, 0) / total for value in values}


def _are_shares(shares: Any, values: tuple[str, ...]) -> bool:
    return (
        isinstance(shares, dict)
        and set(shares) <= set(values)
        and all(isinstance(x, int | float) and math.isfinite(x) and x >= 0 for x in shares.values())
        and sum(shares.values()) > 0
    )
