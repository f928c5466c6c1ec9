"""How heads are made: pictures that a model makes, labelled by a classifier, teach its middle block."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fairaudit.attributes import Attribute
from fairaudit.errors import UsageError
from fairaudit.heads import Heads, identity
from fairaudit.needs import Need
from fairaudit.recording import Recorded, Setting, record

PENALTY = 300.0
"""Weight of half the squared norm of a head, in units of one image, for standardised features."""

HELD_OUT = 5
"""Every fifth prompt is held out; every fifth image where there are fewer prompts."""


@dataclass(frozen=True)
class Accuracy:
    """How well the heads of an attribute read pictures that they were not trained on.

    Parameters
    ----------
    times, mean_recall
        (T,): positions in the noise schedule, and the mean over values of the fraction of their
        images that is read right; 1 / K is chance.
    n
        Held-out images.
    """

    times: tuple[float, ...]
    mean_recall: tuple[float, ...]
    n: int


def train_heads(
    setting: Setting,
    fingerprint: Mapping[str, Any],
    out: Path,
    advance: Callable[[int], None] = lambda images: None,
) -> dict[str, Accuracy]:
    """Make images of prompts with the baseline, train heads on them, and write these to a file.

    Parameters
    ----------
    fingerprint
        Of the model, so that others refuse the heads.
    advance
        Told how many images were made since it was last told.

    Returns
    -------
    How well the heads of every attribute do on what was held out.

    Raises
    ------
    UsageError
        If the model has no middle block, or an attribute had one value only in all the images.
    """
    if Need.HIDDEN not in setting.denoiser.offers:
        raise UsageError("heads are trained on a UNet's middle block, which this model does not have")
    recorded = record(setting, advance)
    heads, accuracies = fit(recorded, setting.attributes, identity(fingerprint))
    heads.write(out)
    return accuracies


def fit(recorded: Recorded, attributes: Sequence[Attribute], model: str) -> tuple[Heads, dict[str, Accuracy]]:
    """One logistic regression per attribute and time, and how well it does on what was held out."""
    test = held_out(recorded.prompts)
    weights, biases, accuracies = {}, {}, {}
    for attribute in attributes:
        labels = recorded.labels[attribute.name]
        if len(np.unique(labels[~test])) < 2:
            raise UsageError(
                f"the {len(labels)} images show one value of {attribute.name} only; make more, "
                "or of other prompts"
            )
        count = len(attribute.values)
        importance = balance(labels, recorded.prompts)
        moments, recalls = [], []
        for features in recorded.features:
            x = features.float().numpy()
            moments.append(regress(x[~test], labels[~test], importance[~test], count))
            recalls.append(mean_recall(x[test], labels[test], *moments[-1]))
        weights[attribute.name] = torch.from_numpy(np.stack([weight for weight, _ in moments]))
        biases[attribute.name] = torch.from_numpy(np.stack([bias for _, bias in moments]))
        times = tuple(recorded.times.tolist())
        accuracies[attribute.name] = Accuracy(times, tuple(recalls), int(test.sum()))
    values = {attribute.name: attribute.values for attribute in attributes}
    return Heads(values, recorded.times, weights, biases, model), accuracies


def regress(
    x: NDArray[np.float32], labels: NDArray[np.int64], importance: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logistic regression on standardised features, as weights (K, D) and biases (K,) on x itself.

    Values without an image are out of reach: their bias is far below the others'.
    """
    from sklearn.linear_model import LogisticRegression

    mean, deviation = x.mean(0), x.std(0) + 1e-3
    model = LogisticRegression(C=1 / PENALTY, max_iter=300, tol=1e-3)
    model.fit((x - mean) / deviation, labels, sample_weight=importance)
    coefficients, intercepts = model.coef_, model.intercept_
    if len(coefficients) == 1:
        # Two values are one logit; each gets half of it.
        coefficients, intercepts = (np.concatenate([-a, a]) / 2 for a in (coefficients, intercepts))
    weight = np.zeros((count, x.shape[1]), dtype=np.float32)
    bias = np.full(count, intercepts.min() - 20.0, dtype=np.float32)
    weight[model.classes_] = coefficients / deviation
    bias[model.classes_] = intercepts - weight[model.classes_] @ mean
    return weight, bias


def balance(labels: NDArray[np.int64], prompts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weight (n,) of every image: each value counts as much as each other, within every prompt.

    Without it a head could read the value from what the middle block knows of the prompt.
    """
    counts = np.zeros((prompts.max() + 1, labels.max() + 1))
    np.add.at(counts, (prompts, labels), 1)
    weights = 1 / counts[prompts, labels]
    normalised: NDArray[np.float64] = weights / weights.mean()
    return normalised


def held_out(prompts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which of the images (n,) are held out: whole prompts, where there are enough."""
    units = prompts if prompts.max() + 1 >= HELD_OUT else np.arange(len(prompts))
    held: NDArray[np.bool_] = units % HELD_OUT == HELD_OUT - 1
    return held


def mean_recall(
    x: NDArray[np.float32],
    labels: NDArray[np.int64],
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
) -> float:
    """The mean over the values among the labels of the fraction of their rows that is read right."""
    right = (x @ weight.T + bias).argmax(1) == labels
    return float(np.mean([right[labels == value].mean() for value in np.unique(labels)]))
