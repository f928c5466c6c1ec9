"""How often a sequential audit errs, when it stops, and how many images that saves.

    python benchmarks/sequential.py [--streams 2000] [--images 2000] [--only errors|savings|power]

Errors: fair streams with a look after every 16 images; the percentage that is called unfair at any
look, and the largest percentage of intervals (each value's own, and those of all values together) that
miss the truth at any look. Every stream has a calibration of its own. Savings: the mean number of
images at which generators that are off by a discrepancy are found, beside the number that
`images_for_discrepancy` plans for it at 80 % power, and beside the plan for a discrepancy of .1, which is
what one makes who does not know the bias. Power: those plans and half-widths, against the tests and
intervals that they are made for.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairaudit.statistics.betting import log_capital
from fairaudit.statistics.detection import alternatives
from fairaudit.statistics.margins import calibrated, family, null_box, own_and_other, plain
from fairaudit.statistics.power import images_for_discrepancy, images_for_half_width, symmetric_confusion
from fairaudit.statistics.sequential import CALIBRATION, log_evidence
from fairaudit.statistics.shares import estimate_shares
from fairaudit.statistics.tests import goodness_of_fit

Array = NDArray[np.float64]
Rng = np.random.Generator
LEVEL, UNIT, CHUNK = 0.05, 16, 250


@dataclass(frozen=True)
class Setting:
    """Fair shares, and the classifier's accuracy (None: labels as they are) and calibration faces a value."""

    k: int
    accuracy: float | None = None
    faces: int = 0

    @property
    def target(self) -> Array:
        return np.full(self.k, 1 / self.k)

    @property
    def rates(self) -> Array:
        return np.eye(self.k) if self.accuracy is None else symmetric_confusion(self.k, self.accuracy, 1)

    @property
    def known(self) -> Array | None:
        """The calibration that planning takes as known."""
        return None if self.accuracy is None else self.faces * self.rates

    def calibrations(self, size: tuple[int, ...], rng: Rng) -> Array | None:
        if self.accuracy is None:
            return None
        return rng.multinomial(self.faces, self.rates, size=(*size, self.k)).astype(np.float64)

    def labels(self, n: int, shares: Array, size: tuple[int, ...], rng: Rng) -> Array:
        return rng.multinomial(n, shares @ self.rates, size=size).astype(np.float64)

    def __str__(self) -> str:
        if self.accuracy is None:
            return f"{self.k}       raw             "
        return f"{self.k}  {self.accuracy:8.2f}  {self.faces:11d}"


RAW = [Setting(k) for k in (2, 4, 7)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--only", choices=("errors", "savings", "power"))
    options = parser.parse_args()
    if options.only in (None, "errors"):
        errors(options.streams, options.images)
    if options.only in (None, "savings"):
        savings(options.streams, options.images)
    if options.only in (None, "power"):
        power(max(options.streams // 10, 20))


def errors(streams: int, images: int) -> None:
    """False alarms and misses of fair streams."""
    print(f"{streams} fair streams of {images} images, a look after every {UNIT}; errors at any look, %")
    print("K  accuracy  calibration   unfair   a value's interval   box of all")
    calibrations = [(accuracy, faces) for accuracy in (0.75, 0.9, 0.99) for faces in (100, 500, 2500)]
    for raw in RAW:
        for setting in (raw, *(Setting(raw.k, *calibration) for calibration in calibrations)):
            parts = enumerate(chunks(streams))
            found = [false_alarms(setting, images, part, np.random.default_rng(seed)) for seed, part in parts]
            alarms, *each, joint = 100 * np.sum(found, axis=0) / streams
            print(f"{setting}   {alarms:6.2f}   {max(each):18.2f}   {joint:10.2f}", flush=True)


def chunks(streams: int) -> Iterator[int]:
    """Numbers of streams that fit into memory."""
    yield from (min(CHUNK, streams - begin) for begin in range(0, streams, CHUNK))


def false_alarms(setting: Setting, images: int, streams: int, rng: Rng) -> Array:
    """Number of streams: called unfair, each value missed (K), any value missed at the joint level."""
    target = setting.target
    counts = setting.labels(UNIT, target, (streams, images // UNIT), rng).cumsum(axis=1)
    confusion = setting.calibrations((streams,), rng)
    alarms = refuted(counts, confusion, target).any(axis=1).sum()
    each = missed(counts, confusion, target, LEVEL).sum(axis=0)
    joint = missed(counts, confusion, target, LEVEL / family(setting.k)).any(axis=1).sum()
    return np.array([alarms, *each, joint], dtype=np.float64)


def refuted(counts: Array, confusion: Array | None, target: Array) -> NDArray[np.bool_]:
    """Whether the target is excluded (streams, looks) by counts (streams, looks, K)."""
    if confusion is None:
        return np.asarray(log_evidence(counts, target, target, target) >= np.log(1 / LEVEL))
    low, high = (end[:, None] for end in null_box(target, confusion, CALIBRATION * LEVEL))
    return np.asarray(log_evidence(counts, low, high, target) >= np.log(1 / ((1 - CALIBRATION) * LEVEL)))


def missed(counts: Array, confusion: Array | None, truth: Array, level: float) -> NDArray[np.bool_]:
    """Whether each value's interval misses the truth at any look (streams, K).

    It does where a gambler became rich who bets against the furthest mean score that the calibration
    allows at the true share.
    """
    part = 0.0 if confusion is None else CALIBRATION * level
    reading = plain(len(truth)) if confusion is None else calibrated(confusion[:, None], part)
    result = np.zeros((len(counts), len(truth)), dtype=bool)
    for margins, up in ((reading.above, True), (reading.below, False)):
        own, other = own_and_other(margins)
        reach = np.hypot(truth * own, (1 - truth) * other)
        mean = (truth + (reach if up else -reach) - reading.start) / reading.span
        scores, mean = (reading.scores, mean) if up else (1 - reading.scores, 1 - mean)
        rich = log_capital(counts, scores, mean) >= np.log(2 / (level - part))
        result |= (rich & (mean < 1)).any(axis=1)
    return result


def savings(streams: int, images: int) -> None:
    """Stopping times of unfair generators beside fixed plans."""
    streams = min(streams, 500)
    print(f"{streams} unfair streams of at most {images} images, a look after every {UNIT}")
    print("K  accuracy  calibration    FD   found, %   mean images   plan for it   plan for .1   saved, %")
    for raw in RAW:
        for setting in (raw, Setting(raw.k, 0.9, 500), Setting(raw.k, 0.9, 2500)):
            careful = images_for_discrepancy(0.1, setting.target, setting.known).images
            for fd in (0.1, 0.2, 0.3, 0.5, 0.7):
                plan = images_for_discrepancy(fd, setting.target, setting.known).images
                found, mean = stops(setting, fd, images, streams)
                saved = "-" if careful is None else f"{100 * (1 - mean / careful):.0f}"
                print(
                    f"{setting}   {fd:3.1f}   {100 * found:8.1f}   {mean:11.0f}   "
                    f"{plan!s:>11}   {careful!s:>11}   {saved:>8}",
                    flush=True,
                )


def stops(setting: Setting, fd: float, images: int, streams: int) -> tuple[float, float]:
    """Fraction of streams that are found unfair, and the mean number of images until then or the end."""
    rng, shares = np.random.default_rng(0), alternatives(setting.target, fd)[0]
    counts = setting.labels(UNIT, shares, (streams, images // UNIT), rng).cumsum(axis=1)
    stopped = refuted(counts, setting.calibrations((streams,), rng), setting.target)
    found = stopped.any(axis=1)
    looks = np.where(found, stopped.argmax(axis=1) + 1, images // UNIT)
    return float(found.mean()), float(UNIT * looks.mean())


def power(audits: int) -> None:
    """The real tests and intervals at the planned number of images."""
    print(f"{audits} audits at the planned number of images: power, and half-width over the one asked for")
    print("K  accuracy  calibration    FD   images   power   half-width   images   ratio")
    for raw in RAW:
        for setting in (raw, *(Setting(raw.k, *c) for c in ((0.75, 500), (0.9, 200), (0.99, 100)))):
            for fd, half in ((0.1, 0.05), (0.3, 0.1), (0.7, 0.2)):
                tested = images_for_discrepancy(fd, setting.target, setting.known).images
                wide = images_for_half_width(half, setting.target, setting.known).images
                reached = "-" if tested is None else f"{found(setting, fd, tested, audits):.3f}"
                ratio = "-" if wide is None else f"{width(setting, wide, audits) / half:.3f}"
                print(
                    f"{setting}   {fd:3.1f}   {tested!s:>6}   {reached:>5}   "
                    f"{half:10.2f}   {wide!s:>6}   {ratio:>5}",
                    flush=True,
                )


def found(setting: Setting, fd: float, n: int, audits: int) -> float:
    """Power of `goodness_of_fit`."""
    rng, shares, significant = np.random.default_rng(0), alternatives(setting.target, fd)[0], 0
    for seed in range(audits):
        counts, confusion = setting.labels(n, shares, (), rng), setting.calibrations((), rng)
        p_value, _ = goodness_of_fit(counts, setting.target, confusion, replicates=500, seed=seed)
        significant += p_value is not None and p_value < LEVEL
    return significant / audits


def width(setting: Setting, n: int, audits: int) -> float:
    """Mean half-width of the widest interval of `estimate_shares`."""
    rng, halves = np.random.default_rng(0), []
    for seed in range(audits):
        counts, confusion = setting.labels(n, setting.target, (), rng), setting.calibrations((), rng)
        shares = estimate_shares(counts, confusion, replicates=500, seed=seed)
        if shares.low is not None and shares.high is not None:
            halves.append((shares.high - shares.low) / 2)
    return float(np.mean(halves, axis=0).max())


if __name__ == "__main__":
    main()
