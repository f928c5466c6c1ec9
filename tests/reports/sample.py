"""Reports to render: made of results that are true to the schema, with small real pictures."""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

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


def share_of(share: float, half: float, k: int, *, missing: bool) -> Share:
    method = "bootstrap, corrected for the confusion matrix"
    if missing:
        return Share(value=None, method=method, reason=REASON, raw=None)
    return Share(
        value=share,
        low=max(0.0, share - half),
        high=min(1.0, share + half),
        method=method,
        raw=0.92 * share + 0.08 / k,
        bounds=(max(0.0, share - 0.01), min(1.0, share + 0.02)),
    )


def discrepancy(
    fd: float, half: float, method: str, *, raw: float, null95: float, missing: bool
) -> Discrepancy:
    if missing:
        return Discrepancy(value=None, method=method, reason=REASON, raw=None, null95=None)
    return Discrepancy(
        value=fd, low=max(0.0, fd - half), high=fd + half, method=method, raw=raw, null95=null95
    )


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
    own = dict(zip(values, shares.tolist(), strict=True))
    half = 1.96 * math.sqrt(0.25 / n)
    fd = float(np.linalg.norm(shares - 1 / k))
    null = 1.7 * math.sqrt((1 - 1 / k) / n)
    p_value = float(np.exp(-((fd / null) ** 2) * 3))
    verdict = "unfair" if fd - half > null else "fair" if fd + half < 0.1 else "not enough evidence"
    across = discrepancy(
        1.1 * fd, half, "bootstrap within prompts", raw=fd, null95=1.3 * null, missing=missing
    )
    return AttributeResult(
        classifier="builtin:faces64-classifier",
        calibration="FairFace validation, 10954 faces" if calibrated else None,
        estimator="corrected" if calibrated else "raw",
        n=n,
        outcomes={"labelled": n - 7, "no_face": 5, "unsure": 2},
        counts={value: round(n * share) for value, share in own.items()},
        shares={value: share_of(share, half, k, missing=missing) for value, share in own.items()},
        target=dict.fromkeys(values, 1 / k),
        fd=discrepancy(fd, half, "parametric bootstrap", raw=0.92 * fd, null95=null, missing=missing),
        fd_prompts=across if within else None,
        p_value=None if missing else p_value,
        p_adjusted=None if missing else min(1.0, 3 * p_value),
        test="Monte Carlo test of the target",
        verdict="not enough evidence" if missing else verdict,
        planted=dict(zip(values, shares[::-1].tolist(), strict=True)) if planted else None,
    )


@dataclass(frozen=True)
class Sample:
    """What `sample_report` is asked for, and the parts that it makes of it."""

    attributes: tuple[str, ...]
    samplers: tuple[str, ...]
    texts: tuple[str, ...]
    prompts: int
    hostile: bool
    missing: bool
    calibrated: bool
    values: tuple[str, ...] | None

    @property
    def folder(self) -> bool:
        """Whether the images were there already."""
        return self.samplers == ("images",)

    @property
    def n(self) -> int:
        """Images of a sampler."""
        return max(64, 64 * self.prompts)

    @property
    def generator(self) -> str:
        if self.hostile:
            return f"folder {HOSTILE[1]}"
        return "photos/" if self.folder else "builtin:faces64"

    def tilt(self, sampler: str) -> float:
        """How far a sampler's shares are from equal."""
        return (0.9, 0.25, 0.03, 0.4, 0.05, 0.6)[self.samplers.index(sampler) % 6]

    def measured(self, tilt: float, n: int, *, within: bool = False) -> dict[str, AttributeResult]:
        return {
            attribute: attribute_result(
                attribute,
                tilt,
                n,
                missing=self.missing,
                calibrated=self.calibrated,
                planted=not self.folder,
                values=self.values,
                within=within,
            )
            for attribute in self.attributes
        }

    def result(self, sampler: str) -> SamplerResult:
        tilt = self.tilt(sampler)
        parameters = {"scale": 4.0, "tau": 0.5, "note": HOSTILE[0] if self.hostile else "as published"}
        return SamplerResult(
            title="Pictures of a folder" if self.folder else f"The {sampler} sampler",
            parameters={} if self.folder else parameters,
            attributes=self.measured(tilt, self.n, within=self.prompts > 1),
            prompts={
                text: PromptResult(attributes=self.measured(tilt * (0.3 + i % 3), 64))
                for i, text in enumerate(self.texts)
            },
            quality=self.quality(tilt),
            utility={} if self.folder or sampler == self.samplers[0] else self.utility(tilt),
            cost=self.cost(sampler),
        )

    def quality(self, tilt: float) -> dict[str, Estimate]:
        missing = self.missing or self.folder
        return {
            "frechet:builtin:faces64-classifier": estimate(None if missing else 21.5 + 4 * (0.9 - tilt), 1.7),
            "kid": estimate(None if missing else 0.0042 - 0.001 * tilt, 0.0009),
        }

    def utility(self, tilt: float) -> dict[str, Estimate]:
        return {
            "feature_cosine": estimate(None if self.missing else 0.9 - 0.04 * tilt, 0.013),
            "content.unchanged": estimate(None if self.missing else 0.8 - 0.2 * tilt, 0.05),
            "pixel_mse": estimate(None if self.missing else 0.021 + 0.01 * tilt, 0.0012),
        }

    def cost(self, sampler: str) -> Cost:
        if self.folder:
            return Cost(
                nfe_per_image=None,
                seconds_per_image=None,
                images_per_second=None,
                reason="images were given",
            )
        asks_twice = sampler == "guidance"
        return Cost(
            nfe_per_image=60 if asks_twice else 40,
            seconds_per_image=0.6153 if asks_twice else 0.41,
            images_per_second=2.4,
        )

    def comparisons(self) -> list[Comparison]:
        """Every sampler with each before it."""
        kind = "fd_prompts" if self.prompts > 1 else "fd"
        return [
            self.comparison(metric, a, b)
            for i, a in enumerate(self.samplers)
            for b in self.samplers[:i]
            for metric in (*(f"{attribute}.{kind}" for attribute in self.attributes), "clip_score")
        ]

    def comparison(self, metric: str, a: str, b: str) -> Comparison:
        tilt = self.tilt(a) - self.tilt(b)
        p_value = float(np.exp(-abs(tilt) * 20))
        slope, half, p, p_adjusted = (
            (0.004, 0.005, 0.2, None)
            if metric == "clip_score"
            else (0.4, 0.09, p_value, min(1.0, 2 * p_value))
        )
        return Comparison(
            metric=metric,
            a=a,
            b=b,
            difference=estimate(None if self.missing else slope * tilt, half),
            p_value=None if self.missing else p,
            p_adjusted=None if self.missing else p_adjusted,
            test="paired permutation",
        )

    def grid(self, rows: int, picture_size: int) -> list[GridRow]:
        return [
            GridRow(
                prompt=self.texts[(i // 2) % len(self.texts)] if self.texts else "",
                index=i % 2,
                pictures={
                    sampler: self.picture(i, j, picture_size) for j, sampler in enumerate(self.samplers)
                },
            )
            for i in range(rows)
        ]

    def picture(self, row: int, column: int, size: int) -> Picture:
        """Every fifth without a face."""
        plain = self.folder or self.samplers[column] == "baseline"
        support = self.values or ATTRIBUTES[self.attributes[0]].values
        faceless = (row + column) % 5 == 4
        labels = {name: (ATTRIBUTES[name].values[(row + column) % 2], 0.91) for name in self.attributes}
        return Picture(
            png=png(100 * row + column, size),
            outcome="no_face" if faceless else "labelled",
            labels={} if faceless else labels,
            assignment=None if plain else support[row % 2],
        )


def prompts_of(number: int, *, hostile: bool) -> tuple[str, ...]:
    jobs = ("nurse", "engineer", "teacher", "judge", "plumber", "chef")
    texts = [f"a photo of a {jobs[i % 6]}" + (f", take {i // 6}" if i >= 6 else "") for i in range(number)]
    return tuple([*HOSTILE, *texts][: max(number, len(HOSTILE))] if hostile else texts)


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
    sample = Sample(
        attributes=attributes,
        samplers=samplers,
        texts=prompts_of(prompts, hostile=hostile),
        prompts=prompts,
        hostile=hostile,
        missing=missing,
        calibrated=calibrated,
        values=values,
    )
    plan = AuditPlan(
        generator=sample.generator,
        attributes=attributes,
        prompts=sample.texts,
        samplers=tuple(SamplerPlan(name=name) for name in samplers),
    )
    results = Results(
        plan_digest=plan.digest,
        generator=sample.generator,
        n=sample.n,
        skipped={f"picture-{i}|.png": f"not an image: {HOSTILE[0]}" for i in range(skipped)},
        samplers={name: sample.result(name) for name in samplers},
        comparisons=sample.comparisons(),
        caveats=["The reference set has only 2,000 images; the Fréchet distance is biased upwards."],
    )
    results = with_tradeoffs(results, plan.measurement.level)
    if rich:
        results = Enricher().results(results)
    manifest = {"fairaudit": "0.1.0", "versions": {"torch": "2.13.0", "python": "3.11"}, "device": "cpu",
                "weights": {"builtin:faces64": "ab" * 32}}  # fmt: skip
    command = "fairaudit compare builtin:faces64 --out run"
    return ReportInput(plan, results, manifest, sample.grid(grid_rows, picture_size), command)
