"""What the measured numbers are called, and which way is better."""

from __future__ import annotations

from typing import Literal

Direction = Literal["lower is better", "higher is better", ""]

METRICS: dict[str, tuple[str, Direction]] = {
    "fd": ("FD", "lower is better"),
    "fd_prompts": ("FD within prompts", "lower is better"),
    "fid": ("FID", "lower is better"),
    "kid": ("KID", "lower is better"),
    "fid_infinity": ("FID at infinite n", "lower is better"),
    "clip_fid": ("CLIP-FID", "lower is better"),
    "clip_fid_infinity": ("CLIP-FID at infinite n", "lower is better"),
    "cmmd": ("CMMD", "lower is better"),
    "frechet": ("Fréchet distance", "lower is better"),
    "frechet_infinity": ("Fréchet distance at infinite n", "lower is better"),
    "kernel": ("Kernel distance", "lower is better"),
    "precision": ("Precision", "higher is better"),
    "recall": ("Recall", "higher is better"),
    "density": ("Density", "higher is better"),
    "coverage": ("Coverage", "higher is better"),
    "feature_cosine": ("Feature cosine to the baseline", "higher is better"),
    "pixel_mse": ("Pixel change (MSE) from the baseline", ""),
    "unchanged": ("unchanged", "higher is better"),
    "clip_score": ("CLIP score", "higher is better"),
    "clip_i": ("CLIP-I to the baseline", "higher is better"),
    "dino": ("DINO similarity to the baseline", "higher is better"),
    "prompt_survival": ("Prompt survival", "higher is better"),
    "vendi": ("Vendi score", "higher is better"),
    "paired_lpips": ("Paired LPIPS", ""),
    "peak_memory": ("Peak memory (MiB)", "lower is better"),
    "nfe_per_image": ("Network evaluations per image", "lower is better"),
    "seconds_per_image": ("Seconds per image", "lower is better"),
}
"""By key in results.json, without an attribute before it and a network's name behind it."""


def metric_title(metric: str) -> str:
    """`gender.fd` becomes `FD of gender`; an unknown key loses its underscores."""
    owner, key = _split(metric)
    if owner and key == "unchanged":
        return f"{owner} unchanged".capitalize()
    title = METRICS[key][0] if key in METRICS else key.replace("_", " ")
    return f"{title} of {owner}" if owner else title


def metric_direction(metric: str) -> Direction:
    """Which way is better, where that is known."""
    return METRICS.get(_split(metric)[1], ("", ""))[1]


def _split(metric: str) -> tuple[str, str]:
    """The attribute that a metric is of, if any, and its key without a network's name."""
    owner, _, key = metric.rpartition(".")
    if owner and key in METRICS:
        return ("" if owner in {"quality", "utility"} else owner), key
    return "", metric.partition(":")[0] if metric.partition(":")[0] in METRICS else metric
