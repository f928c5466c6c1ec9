"""The names that readers know for what the results call by key."""

from __future__ import annotations

from fairaudit.metrics.titles import metric_direction, metric_title

__all__ = ["FAIRFACE", "IMAGES", "metric_direction", "metric_title", "outcome_title"]

IMAGES = "images"
"""The name of the one sampler of an audit that was given images instead of a model."""

_OUTCOMES = {"no_face": "no face", "many_faces": "many faces"}

FAIRFACE = (
    "The built-in models were trained on FairFace (Karkkainen & Joo, FairFace: Face Attribute Dataset "
    "for Balanced Race, Gender, and Age, WACV 2021), licensed CC BY 4.0. They ship none of its "
    "photographs."
)


def outcome_title(outcome: str) -> str:
    """An outcome in words."""
    return _OUTCOMES.get(outcome, outcome.replace("_", " "))
