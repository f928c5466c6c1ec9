"""Do prediction-powered intervals hold the truth as often as they claim, and are they worth it?

    python benchmarks/prediction_powered.py --streams 1000

Simulates runs of N images, labelled by a classifier whose errors are biased and hang on the true
value, of which n are judged by a human, drawn at random or stratified by the machine label; some images have
no face, which the human cannot tell and the classifier labels all the same half of the time. Prints for
every row how often the nominal 95 % interval of the share held the truth, of the method and of the human
labels alone, the mean ratio of their widths, and how often the result fell back to the exact interval.
Then the rows that cover less than 93 %.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from fairaudit.statistics.prediction_powered import EXACT, Judged, powered_share

HUMANS = (30, 60, 100, 200, 400)
IMAGES = (400, 1000, 10_000)
SHARES = (0.5, 0.2, 0.05)
RECALLS = ((0.99, 0.97), (0.95, 0.8), (0.6, 0.9), (0.3, 0.6))
"""Chance that the classifier names the value where it is, and another where it is not."""
NO_FACE = (0.0, 0.1)
LEAST = 0.93


@dataclass(frozen=True)
class Setting:
    """One row of the grid."""

    n: int
    images: int
    share: float
    recalls: tuple[float, float]
    no_face: float
    stratified: bool

    def draw(self, rng: np.random.Generator) -> Judged:
        """One run; the value of interest has the code 1."""
        face = rng.random(self.images) >= self.no_face
        truth = np.where(face, rng.random(self.images) < self.share, -1)
        right = rng.random(self.images) < np.where(truth == 1, *self.recalls)
        machine = np.where(right, truth, 1 - truth)
        machine = np.where(face, machine, rng.choice([-1, -1, 0, 1], self.images))
        strata = machine + 1 if self.stratified else np.zeros(self.images, dtype=np.int64)
        chosen = rng.permutation(self.images)
        if self.stratified:
            rank = np.empty(self.images)
            for code in np.unique(strata):
                own = strata[chosen] == code
                rank[chosen[own]] = np.arange(own.sum())
            chosen = chosen[np.argsort(rank[chosen], kind="stable")]
        chosen = chosen[: self.n]
        return Judged(machine, chosen, truth[chosen], strata)


@dataclass(frozen=True)
class Outcome:
    """How often the truth was held, mean ratio of widths, and how often the exact interval was taken."""

    powered: float
    alone: float
    width: float
    exact: float


def grid() -> Iterator[Setting]:
    """Every combination."""
    for parts in itertools.product(HUMANS, IMAGES, SHARES, RECALLS, NO_FACE, (False, True)):
        if parts[0] < parts[1]:
            yield Setting(*parts)


def simulate(setting: Setting, streams: int, seed: int = 0) -> Outcome:
    """Many runs of a setting."""
    rng = np.random.default_rng(seed)
    held, held_alone, widths, exact = 0, 0, [], 0
    for _ in range(streams):
        found = powered_share(setting.draw(rng), 1)
        share, alone = found.share, found.alone
        held += (share.low or 0) <= setting.share <= (share.high or 0)
        held_alone += (alone.low or 0) <= setting.share <= (alone.high or 0)
        widths.append(((share.high or 0) - (share.low or 0)) / ((alone.high or 0) - (alone.low or 0)))
        exact += share.method == EXACT
    return Outcome(held / streams, held_alone / streams, float(np.mean(widths)), exact / streams)


def main() -> None:
    """Print the grid and the rows that fall short."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    arguments = parser.parse_args()
    print(f"{'draw':10} {'n':>4} {'N':>6} {'share':>5} {'recalls':>10} {'no face':>7} "
          f"{'holds':>6} {'humans':>6} {'width':>6} {'exact':>6}")  # fmt: skip
    found = {}
    for row, setting in enumerate(grid()):
        found[setting] = outcome = simulate(setting, arguments.streams, row)
        print(describe(setting, outcome), flush=True)
    margin = 2.58 * np.sqrt(0.05 * 0.95 / arguments.streams)
    short = [(s, o) for s, o in found.items() if o.powered < LEAST]
    mean = np.mean([outcome.powered for outcome in found.values()])
    print(f"\n{len(found)} rows, coverage {mean:.3f} on average; {len(short)} below {LEAST:.2f} "
          f"(chance alone: +-{margin:.3f} a row):")  # fmt: skip
    for setting, outcome in short:
        print(describe(setting, outcome))


def describe(setting: Setting, outcome: Outcome) -> str:
    """A row of the table."""
    recalls = "/".join(f"{recall:.2f}" for recall in setting.recalls)
    draw = "stratified" if setting.stratified else "random"
    return (
        f"{draw:10} {setting.n:4} {setting.images:6} {setting.share:5.2f} {recalls:>10} "
        f"{setting.no_face:7.2f} {outcome.powered:6.3f} {outcome.alone:6.3f} {outcome.width:6.2f} "
        f"{outcome.exact:6.2f}"
    )


if __name__ == "__main__":
    main()
