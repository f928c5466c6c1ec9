"""Do the intervals of shares hold the truth as often as they claim? And do those of CLEAM?

    python benchmarks/coverage.py --streams 100

Simulates audits of known shares through a classifier of known accuracy, calibrated on a sample, over
the whole grid: number of images x values x shares x accuracy x calibration faces. Prints for every
row how often the nominal 95 % intervals held the truth, per value and for all values at once, of raw
and of corrected shares, and whether the result claims its coverage. Then the extremes of what is claimed
and the rows that fall short by more than chance. Last, the interval of CLEAM (Teo et al., NeurIPS
2023) on the same labels: the labelled pool is resampled s = 30 times, and the half-width is 1.96
standard deviations of the resampled shares over sqrt(s), with the accuracies taken as known. It describes
the resampling of one pool, not the draw of the pool, and so covers far less than 95 %.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats

from fairaudit.statistics.correction import Array, invert_shares, prediction_rates
from fairaudit.statistics.shares import estimate_shares

IMAGES = (30, 100, 400, 2000)
VALUES = (2, 4, 7)
ACCURACIES = (0.75, 0.9, 0.99)
SHARES = ("uniform", "halving", "extreme", "border")
CALIBRATION = (100, 500, 5000)
"""Faces altogether; and, as the last size, 5000 of each value."""


@dataclass(frozen=True)
class Setting:
    """One row of the grid; `faces` per value."""

    n: int
    k: int
    shares: str
    accuracy: float
    faces: int

    def truth(self) -> Array:
        """(K,) shares that add up to 1."""
        k = self.k
        if self.shares == "uniform":
            return np.full(k, 1 / k)
        if self.shares == "halving":
            return np.asarray(0.5 ** np.arange(k) / (2 - 0.5 ** (k - 1)))
        if self.shares == "extreme":
            return np.array([0.98] + [0.02 / (k - 1)] * (k - 1))
        return (
            np.array([1.0, *[0.0] * (k - 1)]) if k == 2 else np.array([0.9, 0.0, *[0.1 / (k - 2)] * (k - 2)])
        )

    def rates(self) -> Array:
        """(K, K) chances of being labelled, half of the errors going to the next value."""
        k, error = self.k, 1 - self.accuracy
        even = np.full((k, k), error / 2 / (k - 1)) + error / 2 * np.roll(np.eye(k), 1, axis=1)
        return np.where(np.eye(k, dtype=bool), self.accuracy, even)


@dataclass(frozen=True)
class Coverage:
    """How often intervals held the truth: (K,) per value, all at once, and were claimed."""

    each: Array
    joint: float
    claimed: float


def grid() -> Iterator[Setting]:
    """Every combination."""
    for k, shares, accuracy, n in itertools.product(VALUES, SHARES, ACCURACIES, IMAGES):
        for faces in (*(total // k for total in CALIBRATION), 5000):
            yield Setting(n, k, shares, accuracy, faces)


def audits(setting: Setting, streams: int) -> Iterator[tuple[Array, Array, int]]:
    """Labels (K,) and calibration counts (K, K) of simulated audits, each with its seed."""
    place = SHARES.index(setting.shares), round(1000 * setting.accuracy)
    rng = np.random.default_rng([setting.n, setting.k, setting.faces, *place])
    truth, rates = setting.truth(), setting.rates()
    for seed in range(streams):
        labels = rng.multinomial(setting.n, truth @ rates).astype(np.float64)
        yield labels, rng.multinomial(setting.faces, rates).astype(np.float64), seed


def cover(setting: Setting, streams: int, *, corrected: bool = True, replicates: int = 500) -> Coverage:
    """Coverage of corrected shares, or of raw ones as shares of what the classifier reports.

    Audits without a value make no statement and do not count; where none is left, coverage is nan.
    """
    truth = setting.truth() if corrected else setting.truth() @ setting.rates()
    each, joint, claimed = [], [], []
    for labels, faces, seed in audits(setting, streams):
        found = estimate_shares(labels, faces if corrected else None, replicates=replicates, seed=seed)
        if found.low is None or found.high is None or found.simultaneous is None:
            continue
        low, high = found.simultaneous
        each.append((found.low <= truth) & (truth <= found.high))
        joint.append(((low <= truth) & (truth <= high)).all())
        claimed.append(found.claim is None)
    if not each:
        return Coverage(np.full(setting.k, np.nan), np.nan, 0.0)
    return Coverage(np.mean(each, axis=0), float(np.mean(joint)), float(np.mean(claimed)))


def cover_cleam(setting: Setting, streams: int, batches: int = 30) -> float:
    """Coverage of CLEAM's interval for the first of two shares."""
    held = []
    for labels, faces, seed in audits(setting, streams):
        rng = np.random.default_rng(seed)
        pools = rng.binomial(setting.n, labels[0] / setting.n, size=batches) / setting.n
        half = 1.96 * pools.std() / np.sqrt(batches)
        ends = np.array([[mean, 1 - mean] for mean in (pools.mean() - half, pools.mean() + half)])
        low, high = sorted(invert_shares(ends, prediction_rates(faces))[:, 0])
        held.append(low <= setting.truth()[0] <= high)
    return float(np.mean(held))


def describe(setting: Setting) -> str:
    """A row's settings, in columns."""
    return f"{setting.n:5d} {setting.k:2d} {setting.shares:8s} {setting.accuracy:5.2f} {setting.faces:6d}"


def short(found: Coverage, streams: int) -> bool:
    """Whether any interval of a row covers less than 93 % beyond chance (binomial, 1 in 1000)."""
    rates = [*found.each, found.joint]
    return any(stats.binom.cdf(round(rate * streams), streams, 0.93) < 0.001 for rate in rates)


def summary(name: str, rows: list[tuple[Setting, Coverage]], streams: int) -> None:
    """Averages and extremes of the claimed rows, and the worst of them."""
    claimed = [(setting, found) for setting, found in rows if found.claimed > 0.5]
    kinds: dict[str, list[float]] = {"common": [], "rare": [], "border": [], "all at once": []}
    for setting, found in claimed:
        for share, rate in zip(setting.truth(), found.each, strict=True):
            expected = setting.n * min(share, 1 - share)
            kinds["border" if expected == 0 else "rare" if expected < 4 else "common"].append(rate)
        kinds["all at once"].append(found.joint)
    print(f"\n{name}: {len(claimed)} of {len(rows)} rows claimed")
    for kind, rates in kinds.items():
        print(f"  {kind:12s} mean {np.mean(rates):.3f}  min {np.min(rates):.3f}  max {np.max(rates):.3f}")
    failed = [setting for setting, found in claimed if short(found, streams)]
    print(f"  rows below .93 by more than chance: {len(failed)}")
    print("  worst rows: n, K, shares, accuracy, faces a value, least per value, all at once")
    for setting, found in sorted(claimed, key=lambda row: float(row[1].each.min()))[:5]:
        print(f"  {describe(setting)}  {found.each.min():.3f} {found.joint:.3f}")


def main() -> None:
    """Print the grid, its extremes, and CLEAM's interval beside ours."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--streams", type=int, default=25, help="simulated audits per row")
    streams = parser.parse_args().streams
    print(f"{streams} audits a row: by chance alone a row of 95 % varies by +-{0.43 / np.sqrt(streams):.3f}")
    print("    n  K shares     acc  faces  least  most  all at once  claimed")
    rows: dict[str, list[tuple[Setting, Coverage]]] = {"corrected": [], "raw": []}
    for setting in grid():
        kinds = ("corrected", "raw") if setting.faces == 5000 else ("corrected",)
        for kind in kinds:  # raw shares know no calibration: one row for all sizes of it
            found = cover(setting, streams, corrected=kind == "corrected")
            rows[kind].append((setting, found))
            print(
                f"{describe(setting)}  {found.each.min():5.3f} {found.each.max():5.3f}"
                f"        {found.joint:5.3f}    {found.claimed:5.2f}  {kind}"
            )
    for name, some in rows.items():
        summary(name, some, streams)
    print("\nCLEAM's interval, K = 2: n, K, shares, accuracy, faces a value, its coverage, ours")
    beside = [(s, cover_cleam(s, 10 * streams), c) for s, c in rows["corrected"] if s.k == 2 and s.n == 400]
    for setting, theirs, ours in beside:
        if setting.shares in {"uniform", "halving"}:
            print(f"{describe(setting)}  {theirs:5.3f} {ours.joint:5.3f}")


if __name__ == "__main__":
    main()
