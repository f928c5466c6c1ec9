"""Tables of labels that a plan's samplers are compared with: brought without their images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pandas as pd

from fairaudit.errors import UsageError
from fairaudit.plan import AuditPlan
from fairaudit.results import Cost, Estimate, SamplerResult
from fairaudit.tables import check_probabilities, is_label_table, label_tables

WITHOUT_IMAGES = "labels were brought without their images"


def brought_labels(plan: AuditPlan) -> dict[str, pd.DataFrame]:
    """The labels of every table that a plan compares with, by the name that it goes under.

    Raises
    ------
    UsageError
        If one is no table of the plan's attributes, or has labels of several samplers.
    """
    values = {name: plan.attribute(name).values for name in plan.attributes}
    found: dict[str, pd.DataFrame] = {}
    for label, path in plan.against.items():
        if not is_label_table(path):
            continue
        tables, _ = label_tables(path, values)
        if plan.measurement.threshold:
            check_probabilities(path, tables, values)
        if len(tables) > 1:
            raise UsageError(
                f"{path} has labels of several samplers ({', '.join(tables)}); bring a table of one"
            )
        (found[label],) = tables.values()
    return found


def without_cost() -> Cost:
    """What is known of the cost of images that are not there."""
    return Cost(nfe_per_image=None, seconds_per_image=None, images_per_second=None, reason=WITHOUT_IMAGES)


def without_images(like: SamplerResult) -> dict[str, dict[str, Estimate]]:
    """Quality and utility of labels alone: of each number that another sampler has, why it is not there."""
    none = Estimate(value=None, method="none", reason=WITHOUT_IMAGES)
    return {"quality": dict.fromkeys(like.quality, none), "utility": dict.fromkeys(like.utility, none)}


def about_brought(plan: AuditPlan, labels: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """What is to be said of each table."""
    for name in labels:
        yield (
            f"{name} is the table of labels {plan.against[name]}: what read them is not known here, so its "
            "shares are uncorrected, and a difference may be one between readers."
        )
