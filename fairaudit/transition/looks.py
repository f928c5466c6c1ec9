"""What criteria see of images through a classifier."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from fairaudit.errors import UsageError
from fairaudit.labelling import Classifier
from fairaudit.transition.criteria import Look, Measure
from fairaudit.transition.curves import Array
from fairaudit.transition.setting import Pair, Setting

MeasureOf = Callable[[Pair], Measure]
"""For a pair of values, how much an image shows the first and not the second."""


def classifier_measure(setting: Setting, classifier: Classifier) -> MeasureOf:
    """How much more probable a classifier finds the first value of a pair than the second.

    Raises
    ------
    UsageError
        If the classifier does not read the attribute.
    """
    name, values = setting.attribute.name, setting.attribute.values
    if classifier.values.get(name) != values:
        raise UsageError(f"{classifier.name} does not read {name}; try --criterion witness")

    def measure_of(pair: Pair) -> Measure:
        first, second = (values.index(value) for value in pair)

        def measure(latents: Tensor) -> Array:
            read = classifier.read(list(setting.denoiser.decode(latents))).probabilities[name]
            return (read[:, first] - read[:, second]).astype(np.float64)

        return measure

    return measure_of


def classifier_look(setting: Setting, classifier: Classifier) -> Look:
    """The features of images that a classifier reads, as Frechet distances compare them."""

    def look(latents: Tensor) -> Array:
        return classifier.read(list(setting.denoiser.decode(latents))).features.astype(np.float64)

    return look
