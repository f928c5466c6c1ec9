"""The parts of a plan: samplers, how images are made, how they are judged."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from fairaudit import registry

SchedulerName = Literal[
    "model", "ddim", "ddpm", "pndm", "lms", "euler", "euler-ancestral", "heun", "dpmsolver++", "unipc"
]
"""`model` is the generator's own."""

LABEL = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
"""What a sampler may be called in a run: it names a folder."""

IMAGES = "images"
"""The sampler's name under which a folder of pictures is stored and reported."""

_TAIL = 20
"""Draws that lie beyond an interval at the least: its ends are read from them."""


class Part(BaseModel):
    """A part of a plan: a misspelt field is refused, and nothing changes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SamplerPlan(Part):
    """A sampler by registry name, with the parameters that differ from its defaults.

    Attributes
    ----------
    label
        What it is called in the run, where a run has one sampler twice; None is its name.
    generator
        Another model to run it on, from the same noise; None is the plan's own.
    guidance_scale
        Its own weight of classifier-free guidance; None is that of the plan.
    """

    name: str
    parameters: dict[str, Any] = {}
    label: str | None = None
    generator: str | None = None
    guidance_scale: float | None = Field(None, ge=0, allow_inf_nan=False)

    @field_validator("label")
    @classmethod
    def _safe(cls, label: str | None) -> str | None:
        if label is not None and (not re.fullmatch(LABEL, label) or label == IMAGES):
            raise ValueError(
                f"{label!r} is no label: it takes at most 64 letters, digits and -_. after one of the first"
            )
        return label

    @model_validator(mode="after")
    def _not_another(self) -> SamplerPlan:
        if self.label != self.name and self.label in registry.names("samplers"):
            raise ValueError(f"{self.label!r} cannot be the label of {self.name}: it is another sampler")
        return self

    @property
    def key(self) -> str:
        """What names the sampler in the run: in its folders, results and reports."""
        return self.label or self.name


class SamplingPlan(Part):
    """How images are made.

    Attributes
    ----------
    batch
        Rows of one network call. Calls are padded to it, so that an image does not depend on
        what else is computed beside it; another batch may change the last bits of an image.
    block
        Images of one prompt that are stored and resumed together.
    compile
        Whether the network is compiled, which takes minutes once and saves time at every step.
    saving
        How memory is saved at the cost of time: attention in slices, or parts of the model kept
        off the device while they are not needed.
    heads
        File of classifiers of the UNet's middle block, for samplers that follow one.
    """

    images_per_prompt: int = Field(64, ge=1)
    seed: int = Field(0, ge=0)
    scheduler: SchedulerName = "model"
    steps: int = Field(20, ge=1)
    guidance_scale: float = Field(4.0, ge=0, allow_inf_nan=False)
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    height: int | None = Field(None, ge=1)
    width: int | None = Field(None, ge=1)
    batch: int = Field(32, ge=1)
    block: int = Field(16, ge=1)
    compile: bool = False
    saving: Literal["none", "slicing", "offload"] = "none"
    heads: str | None = None


class MeasurementPlan(Part):
    """How images are judged.

    Attributes
    ----------
    level
        Significance level of the tests; intervals cover 1 - level.
    tolerance
        The fairness discrepancy up to which a generator counts as fair (delta of the equivalence test).
    replicates
        Draws of every bootstrap and Monte Carlo test.
    estimator
        How shares are estimated from labels; auto is corrected where a calibration exists, and raw
        elsewhere. Shares from probabilities (soft, em) are shown beside them.
    threshold
        Labels of less confidence count as unsure.
    calibrations
        Calibration file of an attribute, instead of the classifier's own.
    planted
        JSON file of shares in the training data, by the end of a prompt and attribute.
    downstream
        Real pictures with known values, to test on what a classifier has learnt from generated ones.
    reference
        What quality is measured against (see `fairaudit.references`); None takes the generator's own
        statistics, if it has some.
    """

    level: float = Field(0.05, gt=0, lt=0.5)
    tolerance: float = Field(0.1, gt=0, allow_inf_nan=False)
    replicates: int = Field(2000, ge=200)
    estimator: Literal["auto", "raw", "corrected"] = "auto"
    threshold: float = Field(0.0, ge=0, lt=1)
    calibrations: dict[str, str] = {}
    planted: str | None = None
    reference: str | None = None
    downstream: str | None = None

    @model_validator(mode="after")
    def _enough_draws(self) -> MeasurementPlan:
        if self.level * self.replicates < _TAIL:
            raise ValueError(
                f"a level of {self.level:g} takes at least {round(_TAIL / self.level)} replicates"
            )
        return self
