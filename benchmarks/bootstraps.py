"""How fast intervals are, beside a plain pandas resampling of the same ones.

    make bench

Images of several prompts are labelled with one of K values by a classifier of known errors. Prints the
seconds of the interval of the discrepancy over prompts (`prompt_discrepancy`) and of the difference of
two samplers (`paired_prompt_difference`, its test included); the seconds of a
resampling that draws the rows of every prompt with replacement and counts them anew for each
replicate; and the ratios. The resampling is measured on few replicates and scaled linearly to all.
Seconds vary from machine to machine and with what else it does; the ratios much less.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from fairaudit.metrics.fairness import fairness_discrepancy
from fairaudit.statistics.prompts import paired_prompt_difference, prompt_discrepancy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=5000)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--values", type=int, default=7)
    parser.add_argument("--replicates", type=int, default=10_000)
    parser.add_argument("--plain-replicates", type=int, default=10, help="of the resampling, to be scaled")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest of these counts")
    options = parser.parse_args()
    k, replicates = options.values, options.replicates
    table, confusion = labels(options.images, options.prompts, k)
    target = np.full(k, 1 / k)
    counts = pd.crosstab(table["prompt"], table["a"]).reindex(columns=range(k), fill_value=0)
    a, b, prompts = (table[column].to_numpy() for column in ("a", "b", "prompt"))
    ours = {
        "interval": lambda: prompt_discrepancy(counts, target, confusion, replicates=replicates),
        "paired": lambda: paired_prompt_difference(a, b, prompts, target, confusion, replicates=replicates),
    }
    plain = {
        "interval": lambda: resample(table, ["a"], confusion, options.plain_replicates),
        "paired": lambda: resample(table, ["a", "b"], confusion, options.plain_replicates),
    }
    print(f"{options.images} images, {options.prompts} prompts, {k} values, {replicates} replicates")
    for name, work in ours.items():
        seconds = fastest(work, options.repeats)
        slow = fastest(plain[name], 1) * replicates / options.plain_replicates
        print(f"{name:<9} {seconds:8.2f} s   pandas {slow:8.0f} s (scaled)   ratio {slow / seconds:6.0f} x")


def labels(images: int, prompts: int, k: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Labels of two samplers, half of which agree, and the classifier's calibration."""
    rng = np.random.default_rng(0)
    prompt = np.arange(images) % prompts
    shares = np.cumsum(rng.dirichlet(np.ones(k), size=prompts), axis=1)
    a = np.minimum((rng.random((images, 1)) > shares[prompt]).sum(axis=1), k - 1)
    b = np.where(rng.random(images) < 0.5, a, rng.integers(k, size=images))
    confusion = np.array([rng.multinomial(500, row) for row in np.eye(k) * 0.8 + 0.2 / k])
    return pd.DataFrame({"prompt": prompt, "a": a, "b": b}), confusion


def resample(table: pd.DataFrame, samplers: list[str], confusion: np.ndarray, replicates: int) -> np.ndarray:
    """Ends of a 95 % interval by resampling rows within prompts, and the calibration."""
    rng, k, found = np.random.default_rng(0), len(confusion), []
    for _ in range(replicates):
        rows = table.groupby("prompt").sample(frac=1, replace=True, random_state=rng)
        rates = np.array([rng.multinomial(row.sum(), row / row.sum()) for row in confusion], dtype=float)
        inverse = np.linalg.inv(rates / rates.sum(axis=1, keepdims=True))
        roots = []
        for sampler in samplers:
            shares = pd.crosstab(rows["prompt"], rows[sampler], normalize="index")
            corrected = shares.reindex(columns=range(k), fill_value=0).to_numpy() @ inverse
            roots.append(np.sqrt((fairness_discrepancy(corrected, np.full(k, 1 / k)) ** 2).mean()))
        found.append(roots[0] - sum(roots[1:]))
    return np.asarray(np.quantile(found, [0.025, 0.975]))


def fastest(work: Callable[[], object], repeats: int) -> float:
    """Seconds of the fastest of several repeats, after one that does not count."""
    work()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


if __name__ == "__main__":
    main()
