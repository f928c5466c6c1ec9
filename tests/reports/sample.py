"""Reports to render: made of results that are true to the schema, with small real pictures."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageDraw

from fairaudit.attributes import ATTRIBUTES
from fairaudit.plan import AuditPlan, SamplerPlan
from fairaudit.reporting import GridRow, Picture, ReportInput
from fairaudit.results import (
    AttributeResult,
    Comparison,
    Cost,
    Discrepancy,
    Estimate,
    PromptResult,
    Results,
    SamplerResult,
    Share,
)
from fairaudit.tradeoff import with_tradeoffs
from tests.reports.rich import Enricher

HOSTILE = (
    "<script>alert('x')</script>",
    "quotes \" and ' and </style></svg><img src=x onerror=alert(1)>",
    "typst #panic(1) $x^2$ \\ *bold* _it_ @ref ] [ `code` | pipe",
    "a|b\nsecond line",
    "שלום עולם and العربية",
    "emoji 😀 and accents é ü ß",
    "x" * 400,
    "{{ 7 * 7 }} {% raw %}",
)
NAMES = {"gender": 2, "race": 7, "age": 9}
REASON = "no reference images <b>were given</b>"


def estimate(value: float | None, half: float, method: str = "bootstrap over prompts") -> Estimate:
    if value is None:
        return Estimate(value=None, method=method, reason=REASON)
    return Estimate(value=value, low=value - half, high=value + half, method=method)


def png(seed: int, size: int = 64) -> bytes:
    """A small face-like drawing."""
    rng = np.random.default_rng(seed)
    back, skin = (tuple(int(c) for c in rng.integers(60, 230, 3)) for _ in range(2))
    picture = Image.new("RGB", (size, size), back)
    draw = ImageDraw.Draw(picture)
    unit = size / 64
    draw.ellipse([16 * unit, 10 * unit, 48 * unit, 54 * unit], fill=skin)
    for x in (25, 37):
        draw.ellipse([x * unit, 26 * unit, (x + 3) * unit, 30 * unit], fill="black")
    draw.arc([24 * unit, 34 * unit, 40 * unit, 46 * unit], 20, 160, fill="black", width=2)
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def attribute_result(
    attribute: str,
    tilt: float,
    n: int = 256,
    *,
    missing: bool = False,
    calibrated: bool = True,
    planted: bool = True,
    values: tuple[str, ...] | None = None,
    within: bool = False,
) -> AttributeResult:
    values = values or ATTRIBUTES[attribute].values
    k = len(values)
    weights = np.exp(-tilt * np.arange(k))
    shares = weights / weights.sum()
    target = dict.fromkeys(values, 1 / k)
    half = 1.96 * math.sqrt(0.25 / n)
    fd = float(np.linalg.norm(shares - 1 / k))
    null = 1.7 * math.sqrt((1 - 1 / k) / n)
    verdict = "unfair" if fd - half > null else "fair" if fd + half < 0.1 else "not enough evidence"
    made = {
        value: Share(
            value=None if missing else share,
            low=None if missing else max(0.0, share - half),
            high=None if missing else min(1.0, share + half),
            method="bootstrap, corrected for the confusion matrix",
            reason=REASON if missing else None,
            raw=None if missing else 0.92 * share + 0.08 / k,
            bounds=None if missing else (max(0.0, share - 0.01), min(1.0, share + 0.02)),
        )
        for value, share in zip(values, shares.tolist(), strict=True)
    }
    return AttributeResult(
        classifier="builtin:faces64-classifier",
        calibration="FairFace validation, 10954 faces" if calibrated else None,
        estimator="corrected" if calibrated else "raw",
        n=n,
        outcomes={"labelled": n - 7, "no_face": 5, "unsure": 2},
        counts={value: round(n * share) for value, share in zip(values, shares.tolist(), strict=True)},
        shares=made,
        target=target,
        fd=Discrepancy(
            value=None if missing else fd,
            low=None if missing else max(0.0, fd - half),
            high=None if missing else fd + half,
            method="parametric bootstrap",
            reason=REASON if missing else None,
            raw=None if missing else 0.92 * fd,
            null95=None if missing else null,
        ),
        fd_prompts=Discrepancy(
            value=None if missing else 1.1 * fd,
            low=None if missing else max(0.0, 1.1 * fd - half),
            high=None if missing else 1.1 * fd + half,
            method="bootstrap within prompts",
            reason=REASON if missing else None,
            raw=None if missing else fd,
            null95=None if missing else 1.3 * null,
        )
        if within
        else None,
        p_value=None if missing else float(np.exp(-((fd / null) ** 2) * 3)),
        p_adjusted=None if missing else min(1.0, 3 * float(np.exp(-((fd / null) ** 2) * 3))),
        test="Monte Carlo test of the target",
        verdict="not enough evidence" if missing else verdict,
        planted=dict(zip(values, shares[::-1].tolist(), strict=True)) if planted else None,
    )


def sample_report(
    *,
    attributes: tuple[str, ...] = ("gender",),
    samplers: tuple[str, ...] = ("baseline", "guidance", "switching"),
    prompts: int = 6,
    hostile: bool = False,
    missing: bool = False,
    calibrated: bool = True,
    picture_size: int = 64,
    skipped: int = 0,
    values: tuple[str, ...] | None = None,
    grid_rows: int = 6,
    rich: bool = False,
) -> ReportInput:
    """A report; `samplers=("images",)` makes that of a folder, `missing` leaves every estimate out.

    `rich` fills in every optional field of the results.
    """
    jobs = ("nurse", "engineer", "teacher", "judge", "plumber", "chef")
    texts = [f"a photo of a {jobs[i % 6]}" + (f", take {i // 6}" if i >= 6 else "") for i in range(prompts)]
    if hostile:
        texts = [*HOSTILE, *texts][: max(prompts, len(HOSTILE))]
    folder = samplers == ("images",)
    tilts = {name: (0.9, 0.25, 0.03, 0.4, 0.05, 0.6)[i % 6] for i, name in enumerate(samplers)}
    kinds = {"missing": missing, "calibrated": calibrated, "planted": not folder, "values": values}
    measured = {}
    for name, tilt in tilts.items():
        own = {
            a: attribute_result(a, tilt, max(64, 64 * prompts), within=prompts > 1, **kinds)
            for a in attributes
        }
        per_prompt = {
            text: PromptResult(
                attributes={a: attribute_result(a, tilt * (0.3 + i % 3), 64, **kinds) for a in attributes}
            )
            for i, text in enumerate(texts)
        }
        quality_missing = missing or folder
        measured[name] = SamplerResult(
            title="Pictures of a folder" if folder else f"The {name} sampler",
            parameters={}
            if folder
            else {"scale": 4.0, "tau": 0.5, "note": HOSTILE[0] if hostile else "as published"},
            attributes=own,
            prompts=per_prompt,
            quality={
                "frechet:builtin:faces64-classifier": estimate(
                    None if quality_missing else 21.5 + 4 * (0.9 - tilt), 1.7
                ),
                "kid": estimate(None if quality_missing else 0.0042 - 0.001 * tilt, 0.0009),
            },
            utility={}
            if folder or name == samplers[0]
            else {
                "feature_cosine": estimate(None if missing else 0.9 - 0.04 * tilt, 0.013),
                "content.unchanged": estimate(None if missing else 0.8 - 0.2 * tilt, 0.05),
                "pixel_mse": estimate(None if missing else 0.021 + 0.01 * tilt, 0.0012),
            },
            cost=Cost(
                nfe_per_image=None,
                seconds_per_image=None,
                images_per_second=None,
                reason="images were given",
            )
            if folder
            else Cost(
                nfe_per_image=60 if name == "guidance" else 40,
                seconds_per_image=0.41 if name != "guidance" else 0.6153,
                images_per_second=2.4,
            ),
        )
    comparisons = []
    names = list(samplers)
    for i, a in enumerate(names):
        for b in names[:i]:
            for attribute in attributes:
                d = tilts[a] - tilts[b]
                comparisons.append(
                    Comparison(
                        metric=f"{attribute}.fd_prompts" if prompts > 1 else f"{attribute}.fd", a=a, b=b,
                        difference=estimate(None if missing else 0.4 * d, 0.09),
                        p_value=None if missing else float(np.exp(-abs(d) * 20)),
                        p_adjusted=None if missing else min(1.0, 2 * float(np.exp(-abs(d) * 20))),
                        test="paired permutation",
                    )
                )  # fmt: skip
            comparisons.append(
                Comparison(
                    metric="clip_score", a=a, b=b,
                    difference=estimate(None if missing else 0.004 * (tilts[a] - tilts[b]), 0.005),
                    p_value=None if missing else 0.2, test="paired permutation",
                )
            )  # fmt: skip
    generator = f"folder {HOSTILE[1]}" if hostile else "photos/" if folder else "builtin:faces64"
    plan = AuditPlan(
        generator=generator,
        attributes=attributes,
        prompts=tuple(texts),
        samplers=tuple(SamplerPlan(name=name) for name in samplers),
    )
    results = Results(
        plan_digest=plan.digest,
        generator=generator,
        n=max(64, 64 * prompts),
        skipped={f"picture-{i}|.png": f"not an image: {HOSTILE[0]}" for i in range(skipped)},
        samplers=measured,
        comparisons=comparisons,
        caveats=["The reference set has only 2,000 images; the Fréchet distance is biased upwards."],
    )
    results = with_tradeoffs(results, plan.measurement.level)
    if rich:
        results = Enricher().results(results)
    first = attributes[0]
    support = values or ATTRIBUTES[first].values
    grid = [
        GridRow(
            prompt=texts[(i // 2) % len(texts)] if texts else "",
            index=i % 2,
            pictures={
                name: Picture(
                    png=png(100 * i + j, picture_size),
                    outcome="no_face" if (i + j) % 5 == 4 else "labelled",
                    labels={}
                    if (i + j) % 5 == 4
                    else {a: (ATTRIBUTES[a].values[(i + j) % 2], 0.91) for a in attributes},
                    assignment=None if folder or name == "baseline" else support[i % 2],
                )
                for j, name in enumerate(samplers)
            },
        )
        for i in range(grid_rows)
    ]
    manifest = {"fairaudit": "0.1.0", "versions": {"torch": "2.13.0", "python": "3.11"}, "device": "cpu",
                "weights": {"builtin:faces64": "ab" * 32}}  # fmt: skip
    return ReportInput(plan, results, manifest, grid, "fairaudit compare builtin:faces64 --out run")
