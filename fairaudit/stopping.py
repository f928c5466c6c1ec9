"""When a sequential audit may stop: rules, and the watch that looks after every round."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fairaudit.errors import UsageError
from fairaudit.results import Estimate, Results, Stopping, Verdict
from fairaudit.statistics.sequential import METHOD, ConfidenceSequence
from fairaudit.statistics.shares import NO_LABELS


@dataclass(frozen=True)
class Rule:
    """What an audit stops at: a verdict where `half_width` is None, else intervals as short as that."""

    text: str
    half_width: float | None = None


def parse_rule(text: str) -> Rule:
    """The rule that ``verdict`` or ``half-width=0.05`` asks for, or `UsageError`.

    Examples
    --------
    >>> parse_rule("half-width=0.05").half_width
    0.05
    """
    if text == "verdict":
        return Rule(text)
    match = re.fullmatch(r"half-width=(\d*\.?\d+)", text, flags=re.ASCII)
    if match and 0 < float(match[1]) < 0.5:
        return Rule(text, float(match[1]))
    raise UsageError(
        f"an audit cannot stop at {text!r}; ask for --until verdict, or for --until half-width=0.05 "
        "(any number between 0 and 0.5)"
    )


class Watch:
    """Looks at the labels of every sampler and prompt after every round, and says when to stop.

    Each prompt has a confidence sequence of its own at ``level / prompts``, so that all of them hold
    together. A sampler is decided

    - by ``verdict``: unfair as soon as one prompt is, fair as soon as all prompts are. Pooled shares
      have no say, because opposite biases of two prompts cancel in them;
    - by ``half-width``: as soon as the widest interval of all prompts and values is that short.

    Samplers are judged apart: the level is that of each sampler.

    Parameters
    ----------
    rule
        From `parse_rule`.
    samplers, prompts
        Names and texts, as they occur in the counts.
    attribute, values
        The attribute that is watched, with its values in the order of the counts.
    target
        (K,) fair shares over all prompts.
    targets
        (K,) fair shares under prompts that have their own.
    confusion
        (K, K) calibration counts, or None.
    level, tolerance
        As in the plan's measurement.
    planned
        Images of each sampler that the plan allows.
    """

    def __init__(
        self,
        rule: Rule,
        *,
        samplers: Sequence[str],
        prompts: Sequence[str],
        attribute: str,
        values: Sequence[str],
        target: ArrayLike,
        confusion: ArrayLike | None,
        level: float,
        tolerance: float,
        planned: int,
        targets: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        self.rule, self.attribute, self.values = rule, attribute, tuple(values)
        self.tolerance, self.planned, self.looks = tolerance, planned, 0
        self._pooled = {name: ConfidenceSequence(target, confusion, level=level) for name in samplers}
        self._parts = {
            name: {
                prompt: ConfidenceSequence(
                    (targets or {}).get(prompt, target), confusion, level=level / len(prompts)
                )
                for prompt in prompts
            }
            for name in samplers
        }

    def look(self, counts: Mapping[tuple[str, str], ArrayLike]) -> None:
        """Take all labels so far: by sampler and prompt, counts (K,) of every value.

        Looks are valid after whole rounds, when every prompt has as many images.
        """
        self.looks += 1
        for name, parts in self._parts.items():
            for prompt, sequence in parts.items():
                sequence.update(counts[name, prompt])
            self._pooled[name].update(sum(part.counts for part in parts.values()))

    @property
    def decided(self) -> bool:
        """Whether every sampler is."""
        return all(self._is_decided(name) for name in self._parts)

    def _is_decided(self, sampler: str) -> bool:
        if self.rule.half_width is None:
            return self.verdict(sampler) != "not enough evidence"
        widest = max(float((part.high - part.low).max()) for part in self._parts[sampler].values())
        return widest / 2 <= self.rule.half_width

    def verdict(self, sampler: str) -> Verdict:
        """On one sampler, over all its prompts."""
        found = {part.verdict(self.tolerance) for part in self._parts[sampler].values()}
        if "unfair" in found:
            return "unfair"
        return "fair" if found == {"fair"} else "not enough evidence"

    def conclude(self, results: Results) -> Results:
        """The results with the record of the stop, and with verdicts that hold although it was chosen.

        p-values and intervals for a fixed number of images promise nothing at a stop that the images
        themselves brought about, so verdicts on the watched attribute are the sequences'.
        """
        concluded = results.model_copy(deep=True)
        for name, parts in self._parts.items():
            sampler = concluded.samplers[name]
            sampler.attributes[self.attribute].verdict = self.verdict(name)
            for prompt, part in parts.items():
                sampler.prompts[prompt].attributes[self.attribute].verdict = part.verdict(self.tolerance)
            for attributes in (sampler.attributes, *(part.attributes for part in sampler.prompts.values())):
                for other, result in attributes.items():
                    if other != self.attribute:
                        result.verdict = "not enough evidence"
        concluded.stopping = self.record(results.n)
        concluded.caveats.append(
            f"Verdicts on {self.attribute} hold at every look of this sequential audit; other attributes "
            "have none, and p-values and other intervals are for a number of images fixed in advance."
        )
        return concluded

    def record(self, images: int) -> Stopping:
        """What results.json keeps of the stop at so many images of each sampler."""
        return Stopping(
            rule=self.rule.text,
            looks=self.looks,
            images=images,
            planned=self.planned,
            decided=self.decided,
            intervals={
                key: interval
                for name, sequence in self._pooled.items()
                for key, interval in self._intervals(name, sequence).items()
            },
        )

    def _intervals(self, sampler: str, sequence: ConfidenceSequence) -> dict[str, Estimate]:
        prefix = f"{sampler}." if len(self._pooled) > 1 else ""
        keys = [f"{prefix}{self.attribute}.{value}" for value in self.values]
        if sequence.value is None:
            reason = sequence.reason or NO_LABELS
            return {key: Estimate(value=None, method=METHOD, reason=reason) for key in keys}
        # Bounds of earlier looks may have passed today's estimate; wider intervals hold all the more.
        low, high = np.minimum(sequence.low, sequence.value), np.maximum(sequence.high, sequence.value)
        rows = zip(keys, sequence.value, low, high, strict=True)
        return {
            key: Estimate(value=float(value), low=float(begin), high=float(end), method=METHOD)
            for key, value, begin, end in rows
        }
