"""How far two runs differ: image by image where they share their noise, else by their intervals."""

from __future__ import annotations

from collections.abc import Iterator

from fairaudit.comparing import compare_pair
from fairaudit.contrasts import contrast
from fairaudit.errors import FairauditError
from fairaudit.families import adjusted
from fairaudit.gaps import Kind, numbers_of
from fairaudit.measurement import Measurement
from fairaudit.metrics.titles import metric_direction
from fairaudit.opened import Opened
from fairaudit.pairing_runs import PairedRuns
from fairaudit.pictures import is_pictures
from fairaudit.results import AttributeResult, Comparison, Estimate
from fairaudit.tables import is_label_table
from fairaudit.versus import Pair, Versus, verdicts

KINDS: tuple[Kind, ...] = ("quality", "utility")


def share_noise(first: Opened, second: Opened) -> bool:
    """Whether images of equal prompt and index belong together: from the same noise, or the same picture."""
    if not set(first.texts) & set(second.texts):
        return False
    if first.plan.prompts and second.plan.prompts:
        one, other = first.plan.sampling, second.plan.sampling
        return (one.seed, one.height, one.width) == (other.seed, other.height, other.width)
    given = [is_pictures(run.plan.generator) and not run.plan.prompts for run in (first, second)]
    return all(given) and first.manifest.get("source") == second.manifest.get("source")


def compare_runs(first: Opened, second: Opened, same: list[str], differs: list[str]) -> Versus:
    """Two runs with all differences between their matching samplers, second minus first."""
    level = max(first.plan.measurement.level, second.plan.measurement.level)
    pairs = list(_pairs(first, second))
    comparer = _Comparer(first, second, level)
    comparisons = adjusted([found for one, other in pairs for found in comparer.all(one, other)])
    versus = Versus(
        first=first.side(),
        second=second.side(),
        paired=comparer.paired,
        same=same,
        differs=differs,
        notes=[*_unmatched(first, second, pairs), *comparer.notes],
        pairs=[
            Pair(
                sampler=one if one == other else f"{one} and {other}",
                first=first.key(one),
                second=second.key(other),
                shares=comparer.shares(one, other, comparisons),
            )
            for one, other in pairs
        ],
        comparisons=comparisons,
        level=level,
        verdicts=[],
    )
    return versus.model_copy(update={"verdicts": list(verdicts(versus, comparer.attributes))})


def _pairs(first: Opened, second: Opened) -> Iterator[tuple[str, str]]:
    """Samplers of equal names; or the only one of either run."""
    common = [name for name in first.samplers if name in second.samplers]
    if not common and len(first.samplers) == len(second.samplers) == 1:
        yield next(iter(first.samplers)), next(iter(second.samplers))
    yield from ((name, name) for name in common)


def _unmatched(first: Opened, second: Opened, pairs: list[tuple[str, str]]) -> Iterator[str]:
    if not pairs:
        yield (
            f"The runs have no sampler of the same name ({', '.join(first.samplers)}; "
            f"{', '.join(second.samplers)}): nothing is compared."
        )
        return
    for side, run in enumerate((first, second)):
        alone = [name for name in run.samplers if name not in [pair[side] for pair in pairs]]
        if alone:
            yield f"Only {run.name} has {', '.join(alone)}: not compared."


class _Comparer:
    """Compares samplers of two runs; `notes` say what could be compared otherwise only."""

    def __init__(self, first: Opened, second: Opened, level: float) -> None:
        self.first, self.second, self.level = first, second, level
        self.paired = share_noise(first, second)
        self.several = len(set(first.texts) & set(second.texts)) > 1
        self.attributes = [name for name in first.plan.attributes if name in second.plan.attributes]
        self.notes = list(self._about_attributes())
        self._measurement = self._open_measurement()
        self._pairs = PairedRuns(first, second, level) if self.paired else None
        self.notes += self._pairs.notes if self._pairs else []

    def all(self, one: str, other: str) -> Iterator[Comparison]:
        """Every comparison of a sampler of the first run with one of the second."""
        for name in self.attributes:
            if name in self.first.samplers[one].attributes and name in self.second.samplers[other].attributes:
                yield self._attribute(name, one, other)
        yield from self._numbers(one, other)

    def shares(self, one: str, other: str, comparisons: list[Comparison]) -> dict[str, dict[str, Estimate]]:
        """Differences of the shares: those of pairs where images were compared, else of the estimates."""
        found = {}
        for name in self.attributes:
            results = self._results(name, one, other)
            if results is None or set(results[0].shares) != set(results[1].shares):
                continue
            changes = next(
                (c.changes for c in comparisons if c.a == self.second.key(other) and c.changes
                 and c.changes.attribute == name),
                None,
            )  # fmt: skip
            found[name] = (changes and changes.shares) or {
                value: self._contrast(share, results[0].shares[value])[0]
                for value, share in results[1].shares.items()
            }
        return found

    def _results(self, name: str, one: str, other: str) -> tuple[AttributeResult, AttributeResult] | None:
        mine, theirs = self.first.samplers[one].attributes, self.second.samplers[other].attributes
        return (mine[name], theirs[name]) if name in mine and name in theirs else None

    def _contrast(self, a: Estimate, b: Estimate) -> tuple[Estimate, float | None, str]:
        difference, p, test = contrast(a, b, self.level, independent=not self.paired)
        return difference, p, test if self.paired else f"unpaired, {test}"

    def _attribute(self, name: str, one: str, other: str) -> Comparison:
        a, b = self.second.key(other), self.first.key(one)
        if self._measurement is not None and self._read_alike(name, one, other):
            labels = {a: self.second.labels(other), b: self.first.labels(one)}
            return compare_pair(
                self._measurement, labels, name, a, b, several=self.several, paired=self.paired
            )
        results = self._results(name, one, other)
        assert results is not None
        within = results[0].fd_prompts is not None and results[1].fd_prompts is not None
        before, after = (found.fd_prompts if within else found.fd for found in results)
        assert before is not None
        assert after is not None
        difference, p, test = self._contrast(after, before)
        metric = f"{name}.fd_prompts" if within else f"{name}.fd"
        return Comparison(metric=metric, a=a, b=b, difference=difference, p_value=p, test=test)

    def _numbers(self, one: str, other: str) -> Iterator[Comparison]:
        """Quality and utility that both have, where it is known which way is better; in pairs if possible."""
        paired = {} if self._pairs is None else {found.metric: found for found in self._pairs.of(one, other)}
        for kind in KINDS:
            before = numbers_of(self.first.samplers[one], kind)
            for metric, after in numbers_of(self.second.samplers[other], kind).items():
                if metric not in before or not metric_direction(metric):
                    continue
                if metric in paired:
                    yield paired[metric]
                    continue
                difference, p, test = self._contrast(after, before[metric])
                if difference.value is not None:
                    yield Comparison(
                        metric=metric, a=self.second.key(other), b=self.first.key(one),
                        difference=difference, p_value=p, test=test,
                    )  # fmt: skip

    def _about_attributes(self) -> Iterator[str]:
        for run, other in ((self.first, self.second), (self.second, self.first)):
            alone = [name for name in run.plan.attributes if name not in other.plan.attributes]
            if alone:
                yield f"Only {run.name} audits {', '.join(alone)}: not compared."
        for run in (self.first, self.second):
            if run.results.stopping is not None:
                yield (
                    f"{run.name} is a sequential audit: intervals and p-values are for a number of images "
                    "fixed in advance, so its differences promise less than they say."
                )

    def _open_measurement(self) -> Measurement | None:
        """What the second run measured with; None where it is not there any more, which is noted."""
        from fairaudit.device import choose_device
        from fairaudit.instruments import make_instrument, open_classifiers

        plan = self.second.plan
        try:
            classifier = (
                None if is_label_table(plan.generator) else open_classifiers(plan, choose_device("cpu"))[0]
            )
            return Measurement(plan, make_instrument(plan, classifier, self.second.run.folder))
        except (FairauditError, OSError) as error:
            self.notes.append(f"Discrepancies are compared by their intervals only: {error}.")
            return None

    def _read_alike(self, name: str, one: str, other: str) -> bool:
        """Whether both runs' labels mean the same; if not, it is noted why."""
        results = self._results(name, one, other)
        assert results is not None
        before, after = results
        mine, theirs = self.first.plan, self.second.plan
        reasons = {
            "another classifier": mine.classifier == theirs.classifier,
            "another estimator": before.estimator == after.estimator,
            "another calibration": before.calibration == after.calibration,
            "another target": before.target == after.target
            and mine.prompt_targets.get(name) == theirs.prompt_targets.get(name),
            "other faces": (mine.faces, mine.detector) == (theirs.faces, theirs.detector),
            "labels that were brought": self.first.keeps_labels(one) and self.second.keeps_labels(other),
            "another threshold": mine.measurement.threshold == theirs.measurement.threshold,
        }
        differing = [reason for reason, equal in reasons.items() if not equal]
        if differing:
            note = f"{name} is compared by the intervals of its discrepancies: {', '.join(differing)}."
            if note not in self.notes:
                self.notes.append(note)
        return not differing
