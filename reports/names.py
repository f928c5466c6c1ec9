"""The names that readers know for what the results call by key."""

from __future__ import annotations

from typing import Literal

Direction = Literal["lower is better", "higher is better", ""]

IMAGES = "images"
"""The name of the one sampler of an audit that was given images instead of a model."""

_METRICS: dict[str, tuple[str, Direction]] = {
    "fd": ("FD", "lower is better"),
    "fd_prompts": ("FD within prompts", "lower is better"),
    "fid": ("FID", "lower is better"),
    "kid": ("KID", "lower is better"),
    "frechet": ("Fréchet distance on classifier features", "lower is better"),
    "kernel": ("Kernel distance", "lower is better"),
    "precision": ("Precision", "higher is better"),
    "recall": ("Recall", "higher is better"),
    "density": ("Density", "higher is better"),
    "coverage": ("Coverage", "higher is better"),
    "feature_cosine": ("Feature cosine to the baseline", "higher is better"),
    "pixel_mse": ("Pixel change (MSE) from the baseline", ""),
    "unchanged": ("unchanged", "higher is better"),
    "clip_score": ("CLIP score", "higher is better"),
    "paired_lpips": ("Paired LPIPS", ""),
}

_OUTCOMES = {"no_face": "no face", "many_faces": "many faces"}

FAIRFACE = (
    "The built-in models were trained on FairFace (Karkkainen & Joo, FairFace: Face Attribute Dataset "
    "for Balanced Race, Gender, and Age, WACV 2021), licensed CC BY 4.0. They ship none of its "
    "photographs."
)


def metric_title(metric: str) -> str:
    """`gender.fd` becomes `FD of gender`; an unknown key loses its underscores."""
    owner, key = _split(metric)
    if owner and key == "unchanged":
        return f"{owner} unchanged".capitalize()
    title = _METRICS[key][0] if key in _METRICS else key.replace("_", " ")
    return f"{title} of {owner}" if owner else title


def metric_direction(metric: str) -> Direction:
    """Which way is better, where that is known."""
    return _METRICS.get(_split(metric)[1], ("", ""))[1]


def _split(metric: str) -> tuple[str, str]:
    """The attribute that a metric is of, if any, and its key without a network's name."""
    owner, _, key = metric.rpartition(".")
    if owner and key in _METRICS:
        return ("" if owner in {"quality", "utility"} else owner), key
    return "", metric.partition(":")[0] if metric.partition(":")[0] in _METRICS else metric


def outcome_title(outcome: str) -> str:
    """An outcome in words."""
    return _OUTCOMES.get(outcome, outcome.replace("_", " "))
