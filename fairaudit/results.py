"""The one object behind results.json, the reports, the tables and the exit code (schema 1)."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fairaudit.effects import Collateral, Diversity, Downstreams
from fairaudit.errors import UsageError
from fairaudit.estimates import Estimate as Estimate  # noqa: PLC0414 (others take it from here)
from fairaudit.estimates import size_of
from fairaudit.fronts import Choice, TradeOff

Verdict = Literal["fair", "unfair", "not enough evidence"]
EstimatorName = Literal["raw", "soft", "corrected", "em"]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="constants")


class Share(Estimate):
    """Estimated fraction of a value; `raw` is the uncorrected one among labelled images."""

    raw: float | None
    bounds: tuple[float, float] | None = None
    """Raw share if every unlabelled image had another value, and if every one had this value."""
    simultaneous: tuple[float, float] | None = None
    """Interval that holds for all values of the attribute at once."""


class Discrepancy(Estimate):
    """Fairness discrepancy ||share - target||_2; `raw` from uncorrected shares.

    `null95` is what a fair generator stays under with 95 % chance at this n.
    """

    raw: float | None
    null95: float | None


class Index(Estimate):
    """A measure of imbalance other than FD; `raw` is the plug-in value of the labels.

    `null95` is the end that a fair generator stays within with 95 % chance at this n: an upper end
    for distances, a lower end for evenness (entropy, effective number).
    """

    raw: float | None
    null95: float | None


class Equivalence(_Record):
    """The test of the claim "within delta of the target", beside the test of difference."""

    delta: float
    p_value: float | None
    test: str
    reason: str | None = None


class Spread(_Record):
    """One value over prompts, which are taken as a sample of the prompts that could be asked."""

    mean: Estimate
    """Mean of the prompts' shares; the interval resamples prompts."""
    spread: Estimate
    """Standard deviation of the prompts' true shares, without what sampling adds."""


class Threshold(_Record):
    """The raw shares that are left when labels below a confidence are taken as unsure."""

    threshold: float
    labelled: int
    shares: dict[str, float | None]


class Transfer(_Record):
    """Are the labels as confident as the calibration's were? If not, its counts may not hold here."""

    p_value: float | None
    distance: float | None
    """Largest difference of the two distributions of confidence, in [0, 1] (Kolmogorov-Smirnov)."""
    test: str
    warning: bool
    reason: str | None = None


class AttributeResult(_Record):
    """How the values of one attribute are distributed in one set of images."""

    classifier: str
    calibration: str | None
    """What the classifier was calibrated on; None means that shares are uncorrected."""
    estimator: EstimatorName
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
    p_bh: float | None = None
    """Adjusted for the false discovery rate (Benjamini & Hochberg 1995)."""
    test: str
    verdict: Verdict
    planted: dict[str, float] | None = None
    """The share in the generator's training data, where that is known."""
    amplification: dict[str, Estimate] | None = None
    """Share minus planted share of every value."""
    bias_amplification: Estimate | None = None
    """How much further than planted the shares lean to the side that the plant leans to, mean over
    prompts; positive where the generator exaggerates its training data."""
    directional_amplification: Estimate | None = None
    """How much more than in the training data a prompt goes with the values that it goes with there
    more often than other prompts do (Wang & Russakovsky 2021)."""
    other_estimators: dict[EstimatorName, dict[str, Estimate]] = {}
    """The same images by the estimators that were not chosen."""
    indices: dict[str, Index] = {}
    equivalence: Equivalence | None = None
    across_prompts: dict[str, Spread] | None = None
    thresholds: list[Threshold] = []
    transfer: Transfer | None = None


class PromptResult(_Record):
    """The same, for the images of one prompt."""

    attributes: dict[str, AttributeResult]


class Cost(_Record):
    """What one image costs. Seconds are measured, so they differ from run to run."""

    nfe_per_image: float | None
    seconds_per_image: float | None
    images_per_second: float | None
    reason: str | None = None
    peak_memory: Estimate | None = None
    """In MiB, while a unit was made; None in results of before it was measured."""


class Intersection(_Record):
    """Several attributes at once: every combination of their values is declared, seen or not."""

    attributes: list[str]
    n: int
    """Images that have a label of every attribute."""
    cells: dict[str, Share]
    """By ``value | value``, in the order of the attributes."""
    target: dict[str, float]
    """Product of the attributes' targets, in the mean over prompts where these have their own."""
    fd: Discrepancy
    marginal_fd: dict[str, float | None]
    """Discrepancy of each attribute alone, from the same images."""
    p_value: float | None
    p_adjusted: float | None = None
    """Adjusted over the sampler's intersections (Holm)."""
    test: str
    smallest: Estimate
    """The least represented cell's share over its target; 1 is fair."""
    smallest_cell: str | None


class Obfuscation(_Record):
    """Epsilon-fairness: can a probe tell from the image which value the sampler was told to aim at?

    0.5 is perfect obfuscation, 0 none. It says something else than FD: a sampler that obeys balanced
    assignments has FD 0 and error 0.
    """

    error: Estimate
    """Held-out balanced error rate, the least of all probes."""
    probes: dict[str, Estimate]


class Consensus(_Record):
    """What several classifiers say together."""

    shares: dict[str, Estimate]
    changed: int
    """Labels of the first classifier that the consensus overrules."""


class Agreement(_Record):
    """How far several readers of the same images agree."""

    raters: list[str]
    images: int
    """Images with labels of at least two."""
    percent: Estimate
    """Share of equal pairs of labels of an image, in [0, 1]."""
    kappa: Estimate
    alpha: Estimate
    consensus: Consensus | None = None
    """Where they are classifiers."""


class HumanShare(Estimate):
    """A share that rests on human labels."""

    alone: Estimate
    """What as many human labels say without the classifier's."""
    narrower: float | None
    """How much narrower the interval is than theirs, as a part of it, below 0 where it is wider; None where
    it is theirs."""


class Human(_Record):
    """What people say who looked at some of a sampler's images."""

    annotators: list[str]
    draw: str
    """How the images were drawn that they looked at."""
    images: int
    """Images that they judged, in the order of the draw up to the first that nobody judged."""
    left_out: int = 0
    """Images that they judged after that one: which of them is no chance, so they count for nothing."""
    known: int
    """Those of them that they could tell."""
    shares: dict[str, HumanShare]
    """By value: its share among the images that a person can tell."""
    machine: Estimate
    """How often the classifier's label is theirs, where both have one."""
    agreement: Agreement | None = None
    """How far several annotators agree."""


class ValueQuality(_Record):
    """One measure of quality by the values of an attribute, each against real images of the same value."""

    values: dict[str, Estimate]
    images: dict[str, int]
    """By value: images that it is of; not all that are labelled so where it takes equally many of each."""
    gap: Estimate
    between: tuple[str, str] | None
    """The values that the gap is between: what the second has is taken from what the first has."""


class SamplerResult(_Record):
    """All that was measured of one sampler's images."""

    title: str
    parameters: dict[str, Any]
    attributes: dict[str, AttributeResult]
    prompts: dict[str, PromptResult]
    quality: dict[str, Estimate]
    utility: dict[str, Estimate]
    cost: Cost
    intersections: dict[str, Intersection] = {}
    obfuscation: dict[str, Obfuscation] = {}
    """By attribute, for samplers that are told a value."""
    generator: str | None = None
    """What it ran on, where a run has several generators."""
    agreement: dict[str, Agreement] = {}
    """By attribute that several classifiers read."""
    human: dict[str, Human] = {}
    """By attribute that people looked at."""
    collateral: Collateral | None = None
    """Of samplers that debias, where the classifier reads other attributes, too."""
    diversity: dict[str, dict[str, Diversity]] = {}
    """By attribute and value: Vendi score of its images."""
    quality_by_value: dict[str, dict[str, ValueQuality]] = {}
    """By attribute and measure."""

    @property
    def gaps(self) -> dict[str, Estimate]:
        """How far quality differs between values, whichever is worse, by ``ATTRIBUTE.gap.MEASURE``."""
        return {
            f"{attribute}.gap.{measure}": size_of(found.gap)
            for attribute, by_measure in self.quality_by_value.items()
            for measure, found in by_measure.items()
        }


class Changes(_Record):
    """Labels of one attribute under sampler b (from) and sampler a (to), on the same noise."""

    attribute: str
    flips: dict[str, dict[str, int]]
    """From value to value, counts; "none" is an image without a label."""
    changed: Estimate
    """Fraction of images, labelled under both, whose label differs."""
    p_value: float | None
    test: str
    shares: dict[str, Estimate]
    """Difference of the shares, a minus b."""


class Comparison(_Record):
    """A difference, a minus b: paired on the same noise, or, as its method and test say, unpaired."""

    metric: str
    a: str
    b: str
    difference: Estimate
    p_value: float | None
    p_adjusted: float | None = None
    p_bh: float | None = None
    """Adjusted for the false discovery rate (Benjamini & Hochberg 1995)."""
    test: str
    changes: Changes | None = None

    @property
    def paired(self) -> bool:
        """Whether both sides start from the same noise."""
        return not self.test.startswith("unpaired")


class Stopping(_Record):
    """A sequential audit: it looked after every round, and stopped when a confidence sequence decided."""

    rule: str
    """What it was to stop at, as given with --until."""
    looks: int
    images: int
    """Images of each sampler that were made."""
    planned: int
    """Images of each sampler that the plan allows."""
    decided: bool
    intervals: dict[str, Estimate]
    """By ``attribute.value``: the anytime-valid interval at the stop."""


class Results(_Record):
    """Everything that results.json holds."""

    schema_: Literal[1] = Field(1, alias="schema")
    plan_digest: str
    generator: str
    n: int
    """Images of each sampler."""
    skipped: dict[str, str] = {}
    """Input files that were not usable, with the reason; of many for the same kind of reason the first."""
    skipped_counts: dict[str, int] = {}
    """All of them, by kind of reason."""
    samplers: dict[str, SamplerResult]
    comparisons: list[Comparison]
    caveats: list[str] = []
    stopping: Stopping | None = None
    tradeoffs: list[TradeOff] = []
    choices: list[Choice] = []
    downstream: dict[str, Downstreams] = {}
    """By attribute that a classifier learns from generated images."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    @property
    def digest(self) -> str:
        """sha256 of all but the measured seconds: equal for equal plans, however often interrupted."""
        content = self.model_dump(by_alias=True)
        for sampler in content["samplers"].values():
            sampler["cost"] = {"nfe_per_image": sampler["cost"]["nfe_per_image"]}
            # What nobody asked for leaves the digest as it was before it could be asked for.
            for field in ("agreement", "human", "collateral", "diversity", "quality_by_value"):
                if not sampler[field]:
                    del sampler[field]
        content["tradeoffs"] = [one for one in content["tradeoffs"] if one["metric"] != "seconds_per_image"]
        for field in ("tradeoffs", "choices", "downstream"):
            if not content[field]:
                del content[field]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def unusable(self) -> int:
        """Number of input files that were not usable."""
        return sum(self.skipped_counts.values()) or len(self.skipped)

    @property
    def measured(self) -> bool:
        """Whether anything could be said of any attribute."""
        return any(
            result.fd.value is not None
            for sampler in self.samplers.values()
            for result in sampler.attributes.values()
        )

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
