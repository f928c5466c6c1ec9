"""Few human labels and many machine labels: shares whose intervals need no trust in the machine."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from fairaudit.results import Estimate
from fairaudit.statistics.correction import Array
from fairaudit.statistics.simultaneous import wilson

POWERED = "prediction-powered (power-tuned), human labels correct the classifier's"
EXACT = "human labels alone, exact (Clopper-Pearson)"
NONE_KNOWN = "no picture that annotators could tell"

FEWEST_LABELS = 30
FEWEST_OF_VALUE = 5
"""Human labels, and those of the value, below which normal intervals do not hold; exact ones do."""
FEWEST_OF_STRATUM = 2


@dataclass(frozen=True)
class Judged:
    """What machine and humans say of the images of one sampler.

    Attributes
    ----------
    machine
        (N,) codes of the classifier's labels, of all images; -1 is none.
    images
        (n,) places in `machine` of the images that humans judged.
    human
        (n,) codes of what they say; -1 where they cannot tell.
    strata
        (N,) codes of the groups that the images were drawn from; all 0 for a plain random draw.
    """

    machine: NDArray[np.int64]
    images: NDArray[np.int64]
    human: NDArray[np.int64]
    strata: NDArray[np.int64]

    @property
    def groups(self) -> list[tuple[float, int, NDArray[np.bool_]]]:
        """Share of each stratum among all images, its size, and which human labels are in it."""
        codes, sizes = np.unique(self.strata, return_counts=True)
        own = self.strata[self.images]
        return [
            (size / len(self.strata), int(size), own == code) for code, size in zip(codes, sizes, strict=True)
        ]

    @property
    def weights(self) -> Array:
        """(n,) images that each judged one stands for; they sum to N where every stratum was judged."""
        weights = np.zeros(len(self.images))
        for _, size, own in self.groups:
            weights[own] = size / max(int(own.sum()), 1)
        return weights


@dataclass(frozen=True)
class Powered:
    """A share, and what human labels alone say of it.

    Attributes
    ----------
    narrower
        1 - width of the share's interval / width of that of the human labels alone: at most 1, and
        below 0 where the share's is the wider one, as it may be of stratified draws. None where the
        share rests on human labels alone.
    """

    share: Estimate
    alone: Estimate
    narrower: float | None


def powered_share(judged: Judged, value: int, *, level: float = 0.05) -> Powered:
    """The share of a value among the images that a human can tell.

    Prediction-powered inference (Angelopoulos et al., Science 2023) with power tuning (PPI++,
    Angelopoulos, Duchi & Zrnic 2023), for a ratio and for stratified draws. With Y = "human says value",
    T = "human can tell", f and g the same of the classifier, and Z = Y - share T, h = f - share g, the share
    solves mean_N(tune h) + mean_n(Z - tune h) = 0, where the second mean weighs the strata by their sizes.
    Its variance is that of two-phase sampling: Var(Z) / N + sum_s W_s^2 (1/n_s - 1/N_s) S_s^2(Z - tune h),
    divided by mean(T)^2; `tune` is the regression of Z on h within strata, kept in [0, 1]. S^2 counts one
    disagreement more than was seen, because none among few does not mean none. The interval is of the
    generator's share, not of these N pictures', and valid whatever the classifier's errors are.

    A stratum that was judged whole adds nothing to the second sum. Fewer than 30 human labels, fewer than 5
    of the value or of the others, or a larger stratum of which fewer than 2 images were judged, get the
    exact interval (Clopper & Pearson 1934) of human labels alone, for weighted labels with the effective
    number (Korn & Graubard 1998).

    Returns
    -------
    Powered
        Beside it, `alone` is what as many human labels of a random draw say: Wilson's interval.
    """
    said, told = judged.human == value, judged.human >= 0
    known = int(told.sum())
    if known == 0:
        nothing = Estimate(value=None, method=EXACT, reason=NONE_KNOWN)
        return Powered(nothing, nothing, None)
    weights = judged.weights
    centre = float(weights[said].sum() / weights[told].sum())
    alone = _wilson(centre, known, level)
    spread = all(own.sum() >= FEWEST_OF_STRATUM or _whole(size, own) for _, size, own in judged.groups)
    few = min(int(said.sum()), known - int(said.sum())) < FEWEST_OF_VALUE
    if known < FEWEST_LABELS or few or not spread:
        return Powered(_exact(centre, weights[told], level), alone, None)
    share = _tuned(judged, value, level)
    widths = [float(e.high or 0) - float(e.low or 0) for e in (share, alone)]
    return Powered(share, alone, 1 - widths[0] / widths[1])


def _tuned(judged: Judged, value: int, level: float) -> Estimate:
    machine = judged.machine[judged.images]
    said, told = (judged.human == value).astype(float), (judged.human >= 0).astype(float)
    own, any_ = (machine == value).astype(float), (machine >= 0).astype(float)
    means = [(judged.machine == value).mean(), (judged.machine >= 0).mean()]
    share = float(_mean(judged, said) / _mean(judged, told))
    tune = 1.0
    for _ in range(20):  # the tuning hangs on the share by the images without a label only
        tune = _regression(judged, said - share * told, own - share * any_)
        top, bottom = (
            tune * mean + _mean(judged, human - tune * label)
            for mean, human, label in zip(means, (said, told), (own, any_), strict=True)
        )
        before, share = share, float(np.clip(top / bottom, 0, 1))
        if abs(share - before) < 1e-9:
            break
    residual = said - share * told
    error = np.sqrt(_variance(judged, residual, residual - tune * (own - share * any_))) / bottom
    reach = stats.t.isf(level / 2, len(judged.images) - len(judged.groups)) * error
    return Estimate(
        value=share, low=max(0.0, float(share - reach)), high=min(1.0, float(share + reach)), method=POWERED
    )


def _whole(size: int, own: NDArray[np.bool_]) -> bool:
    """Whether every image of a stratum was judged: nothing of it hangs on which were drawn."""
    return int(own.sum()) == size


def _mean(judged: Judged, numbers: Array) -> float:
    """Mean (n,) over the judged images, the strata weighed by their sizes."""
    return float(sum(weight * numbers[own].mean() for weight, _, own in judged.groups))


def _regression(judged: Judged, human: Array, label: Array) -> float:
    """Slope of human on machine numbers within strata, in [0, 1]."""
    above = below = 0.0
    for weight, size, own in judged.groups:
        if _whole(size, own):
            continue
        factor = weight**2 * (1 / own.sum() - 1 / size)
        off = label[own] - label[own].mean()
        above += factor * float(off @ human[own]) / (own.sum() - 1)
        below += factor * float(off @ off) / (own.sum() - 1)
    return float(np.clip(above / below, 0, 1)) if below > 0 else 1.0


def _variance(judged: Judged, human: Array, residual: Array) -> float:
    first = _mean(judged, human**2) - _mean(judged, human) ** 2
    second = 0.0
    for weight, size, own in judged.groups:
        if _whole(size, own):
            continue
        n = int(own.sum())
        squares = float(((residual[own] - residual[own].mean()) ** 2).sum())
        second += weight**2 * (1 / n - 1 / size) * (squares + 1) / n
    return first / len(judged.machine) + second


def _exact(centre: float, weights: Array, level: float) -> Estimate:
    """Clopper-Pearson with the effective number of labels."""
    n = float(weights.sum() ** 2 / (weights**2).sum())
    hits = centre * n
    low = stats.beta.ppf(level / 2, hits, n - hits + 1) if hits > 1e-9 else 0.0
    high = stats.beta.isf(level / 2, hits + 1, n - hits) if n - hits > 1e-9 else 1.0
    return Estimate(value=centre, low=min(float(low), centre), high=max(float(high), centre), method=EXACT)


def _wilson(centre: float, n: int, level: float) -> Estimate:
    low, high = wilson(np.array([centre, 1 - centre]) * n, level)
    return Estimate(value=centre, low=float(low[0]), high=float(high[0]), method="human labels alone, Wilson")
