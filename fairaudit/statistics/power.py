"""How many images an audit needs: for intervals of a given width, or to find a given discrepancy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fairaudit.statistics.correction import (
    Array,
    SingularConfusionError,
    check_separation,
    prediction_rates,
)
from fairaudit.statistics.detection import alternatives, exact_power, null_errors, simulated_power
from fairaudit.statistics.shares import check_calibration, check_target
from fairaudit.statistics.widths import corrected_half_width, wilson_half_width

_MOST = 10_000_000
"""Beyond that many images or calibration faces the answer is a reason."""


@dataclass(frozen=True)
class PowerResult:
    """The answer to a question of size; `images` is None exactly where `reason` says why.

    Attributes
    ----------
    images
        Labelled images of every prompt.
    total
        Of all prompts together.
    calibration
        Faces a value that the calibration must have before any number of images is enough.
    """

    images: int | None
    total: int | None
    reason: str | None = None
    calibration: int | None = None


def symmetric_confusion(k: int, accuracy: float, per_value: int) -> Array:
    """Calibration counts (k, k) of a classifier of which only its accuracy is known.

    Every value is recognised as often, and mistaken for each of the others as often. Counts are not
    rounded.

    Raises
    ------
    ValueError
        If there are fewer than 2 values, no face, or the accuracy is not above chance.
    """
    if k < 2 or per_value < 1:
        raise ValueError("a calibration has at least 2 values and 1 face of each")
    if not 1 / k < accuracy <= 1:
        raise ValueError(f"an accuracy of {accuracy:g} is not above chance for {k} values, or not a fraction")
    wrong = (1 - accuracy) / (k - 1)
    return np.asarray(per_value * (wrong + (accuracy - wrong) * np.eye(k)), dtype=np.float64)


def images_for_half_width(
    half_width: float, shares: ArrayLike, confusion: ArrayLike | None = None, *, level: float = 0.05
) -> PowerResult:
    """Images until the widest interval of `estimate_shares` is ``share +- half_width``.

    Simulated with half-widths .03 to .2, K 2, 4, 7, shares .02 to .98, accuracy .75 to .99, calibration on
    100 to 1000 a value: the mean half-width of real intervals is within 10 % of what is asked.

    Parameters
    ----------
    half_width
        Half the distance of the ends, in (0, 0.5).
    shares
        (K,) true shares that are expected; uniform ones need the most images of all.
    confusion
        (K, K) calibration counts as they are, or None if labels are taken as they are.
    level
        The interval covers 1 - level.

    Returns
    -------
    PowerResult
        With a reason if the calibration's own error is wider, or if it cannot tell the values apart.

    Raises
    ------
    ValueError
        If a number is out of its range.
    """
    goal = _values(shares)
    _check(half_width, 0.5, "half-width")
    plain = _smallest(lambda n: wilson_half_width(goal * n, level) <= half_width)
    if confusion is None or plain is None:
        return _result(plain, 1)
    try:
        matrix = _usable(confusion, len(goal), level)
    except SingularConfusionError as error:
        return PowerResult(None, None, str(error))
    per_value = matrix.sum() / len(goal)

    def half(images: int, faces: float) -> float:
        return corrected_half_width(images, goal, matrix * faces / per_value, level)

    widest = half(_MOST, per_value)
    if widest >= half_width:
        return _floor(
            f"calibration error alone gives ±{widest:.2g}",
            _smallest(lambda faces: half(_MOST, faces) < half_width),
        )
    # Errors of a classifier hardly ever shorten an interval: fewer images need not be tried.
    return _result(_smallest(lambda n: half(n, per_value) <= half_width, start=max(1, plain // 2)), 1)


def images_for_discrepancy(
    discrepancy: float,
    target: ArrayLike,
    confusion: ArrayLike | None = None,
    *,
    power: float = 0.8,
    level: float = 0.05,
    prompts: int = 1,
) -> PowerResult:
    """Images a prompt until `goodness_of_fit` finds a discrepancy with probability `power`.

    The generator is taken to be off in one value, up or down, and in the others in proportion to
    their target, whichever of these is hardest to find. Several prompts are tested together with
    all their images (Holm 1979); one that is off alone must then pass ``level / (prompts + 1)``.

    Simulated with FD .1 to .7, K 2, 4, 7, accuracy .75 to .99, calibration on 100 to 500 a value: where
    a power of .8 is asked, real tests have .74 to .89, and up to .98 at 10 images or fewer, where one
    image less may be far from enough.

    Parameters
    ----------
    discrepancy
        True fairness discrepancy, above 0.
    target
        (K,) fair shares.
    confusion
        (K, K) calibration counts as they are, or None if labels are taken as they are.
    power
        Probability of a significant test.
    level
        Significance level.
    prompts
        Number of prompts with as many images each.

    Returns
    -------
    PowerResult
        With a reason if the calibration's own error hides the discrepancy, or if it cannot tell the
        values apart.

    Raises
    ------
    ValueError
        If a number is out of its range, or no generator can be that far from the target.
    """
    goal = _values(target)
    _check(discrepancy, np.inf, "discrepancy")
    _check(power, 1, "power")
    if prompts < 1:
        raise ValueError("there is at least one prompt")
    wrong = alternatives(goal, discrepancy)
    strict = level if prompts == 1 else level / (prompts + 1)
    if confusion is None:
        return _result(_smallest(lambda n: _plain_power(n, goal, wrong, strict) >= power), prompts)
    try:
        matrix = _usable(confusion, len(goal), level)
    except SingularConfusionError as error:
        return PowerResult(None, None, str(error))
    rates, per_value = prediction_rates(matrix), matrix.sum() / len(goal)

    def reached(n: int, faces: float) -> float:
        errors = null_errors(goal, matrix * faces / per_value)
        return min(simulated_power(n, goal @ rates, off @ rates, errors, strict) for off in wrong)

    limit = reached(_MOST, per_value)
    if limit < power:
        return _floor(
            f"calibration error keeps the power at {limit:.0%} whatever the number of images",
            _smallest(lambda faces: reached(_MOST, faces) >= power),
        )
    return _result(_smallest(lambda n: reached(n, per_value) >= power), prompts)


def _plain_power(n: int, goal: Array, wrong: Array, level: float) -> float:
    if len(goal) == 2:
        return min(exact_power(n, goal, off, level) for off in wrong)
    nothing = np.zeros((len(goal), len(goal)))
    return min(simulated_power(n, goal, off, nothing, level) for off in wrong)


def _values(shares: ArrayLike) -> Array:
    goal = check_target(shares, np.size(shares))
    if len(goal) < 2:
        raise ValueError("shares of one value are always 1: no image is needed")
    return goal


def _check(number: float, most: float, what: str) -> None:
    if not 0 < number < most:
        raise ValueError(f"a {what} is above 0 and below {most:g}, not {number:g}")


def _usable(confusion: ArrayLike, k: int, level: float) -> Array:
    matrix = np.asarray(confusion, dtype=np.float64)
    if matrix.shape != (k, k):
        raise ValueError(f"shares of {k} values do not belong to a {matrix.shape} calibration")
    check_separation(prediction_rates(matrix))
    check_calibration(matrix, level, 2000, 0)
    return matrix


def _smallest(enough: Callable[[int], bool], start: int = 1) -> int | None:
    """The smallest number from 1 to `_MOST` that is enough, by doubling from `start` and halving."""
    high = 1 if start > 1 and enough(start) else start
    while not enough(high):
        if high >= _MOST:
            return None
        high = min(2 * high, _MOST)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _result(images: int | None, prompts: int) -> PowerResult:
    if images is None:
        return PowerResult(None, None, f"more than {_MOST} images would be needed")
    return PowerResult(images, images * prompts)


def _floor(what: str, faces: int | None) -> PowerResult:
    advice = (
        "no calibration is large enough" if faces is None else f"calibrate on at least {faces} faces a value"
    )
    return PowerResult(None, None, f"{what}; {advice}", faces)
