"""The one object behind results.json, the reports, the tables and the exit code (schema 1)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fairaudit.errors import UsageError

Verdict = Literal["fair", "unfair", "not enough evidence"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")


class Estimate(_Record):
    """A number with its interval. `value` is None exactly where `reason` says why."""

    value: float | None
    low: float | None = None
    high: float | None = None
    method: str
    reason: str | None = None


class Share(Estimate):
    """Estimated fraction of a value; `raw` is the uncorrected one among labelled images."""

    raw: float | None
    bounds: tuple[float, float] | None = None
    """Raw share if every unlabelled image had another value, and if every one had this value."""


class Discrepancy(Estimate):
    """Fairness discrepancy ||share - target||_2; `raw` from uncorrected shares.

    `null95` is what a fair generator stays under with 95 % chance at this n.
    """

    raw: float | None
    null95: float | None


class AttributeResult(_Record):
    """How the values of one attribute are distributed in one set of images."""

    classifier: str
    calibration: str | None
    """What the classifier was calibrated on; None means that shares are uncorrected."""
    estimator: Literal["raw", "corrected"]
    n: int
    outcomes: dict[str, int]
    counts: dict[str, int]
    shares: dict[str, Share]
    target: dict[str, float]
    fd: Discrepancy
    fd_prompts: Discrepancy | None = None
    """Root mean square of the prompts' discrepancies, where there are several: opposite biases of two
    prompts cancel in `fd`, but not here."""
    p_value: float | None
    p_adjusted: float | None
    test: str
    verdict: Verdict
    planted: dict[str, float] | None = None
    """The share in the generator's training data, where that is known."""


class PromptResult(_Record):
    """The same, for the images of one prompt."""

    attributes: dict[str, AttributeResult]


class Cost(_Record):
    """What one image costs. Seconds are measured, so they differ from run to run."""

    nfe_per_image: float | None
    seconds_per_image: float | None
    images_per_second: float | None
    reason: str | None = None


class SamplerResult(_Record):
    """All that was measured of one sampler's images."""

    title: str
    parameters: dict[str, Any]
    attributes: dict[str, AttributeResult]
    prompts: dict[str, PromptResult]
    quality: dict[str, Estimate]
    utility: dict[str, Estimate]
    cost: Cost


class Comparison(_Record):
    """A paired difference, a minus b, on the same noise."""

    metric: str
    a: str
    b: str
    difference: Estimate
    p_value: float | None
    p_adjusted: float | None = None
    test: str


class Results(_Record):
    """Everything that results.json holds."""

    schema_: Literal[1] = Field(1, alias="schema")
    plan_digest: str
    generator: str
    n: int
    """Images of each sampler."""
    skipped: dict[str, str] = {}
    """Input files that were not usable, with the reason."""
    samplers: dict[str, SamplerResult]
    comparisons: list[Comparison]
    caveats: list[str] = []

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    @property
    def digest(self) -> str:
        """sha256 of all but the measured seconds: equal for equal plans, however often interrupted."""
        content = self.model_dump(by_alias=True)
        for sampler in content["samplers"].values():
            sampler["cost"] = {"nfe_per_image": sampler["cost"]["nfe_per_image"]}
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """The text of results.json."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read results.json, or raise `UsageError`."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise UsageError(f"{path} is not a results.json of schema 1; run the audit again") from error
