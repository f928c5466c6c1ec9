"""The exact classifier: its errors are those of Bayes' rule, and it reads what the generator draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fairaudit.classifiers.gaussian import GaussianClassifier, load
from numpy.typing import NDArray
from PIL import Image
from scipy.stats import binom, norm

from fairaudit import registry
from fairaudit.attributes import ATTRIBUTES, get_attribute
from fairaudit.guides import Differentiable
from fairaudit.labelling import ClassifierRequest
from fairaudit.models import analytic


@pytest.fixture(scope="module")
def classifier() -> GaussianClassifier:
    return load(ClassifierRequest(torch.device("cpu")))


@pytest.fixture(scope="module")
def pictures(classifier: GaussianClassifier) -> list[NDArray[np.uint8]]:
    drawn, _ = classifier.model.mixture.draw(300, torch.Generator().manual_seed(9))
    return list(classifier.model.decode(drawn.reshape(-1, *analytic.SHAPE)))


def test_it_is_registered() -> None:
    assert registry.load("classifiers", "analytic:gmm") is load


def test_a_picture_is_read_the_same_in_any_company(
    classifier: GaussianClassifier, pictures: list[NDArray[np.uint8]]
) -> None:
    together = classifier.read(pictures)
    for row in (0, 255, 256, 299):
        alone = classifier.read([pictures[row]])
        np.testing.assert_array_equal(alone.features[0], together.features[row])
        for name, probabilities in alone.probabilities.items():
            np.testing.assert_array_equal(probabilities[0], together.probabilities[name][row])


def test_pictures_of_the_pure_patterns_are_read_as_what_they_are(classifier: GaussianClassifier) -> None:
    means = classifier.model.mixture.means.reshape(-1, *analytic.SHAPE)
    reading = classifier.read(list(classifier.model.decode(means)))
    for place, name in enumerate(("gender", "race", "age")):
        values = [ATTRIBUTES[name].values[label] for label in reading.probabilities[name].argmax(1)]
        assert values == [cell[place] for cell in analytic.CELLS]
    np.testing.assert_allclose(reading.features, means.flatten(1), atol=1 / 255 + 1e-6)


def test_it_reads_enlarged_pictures_as_well(
    classifier: GaussianClassifier, pictures: list[NDArray[np.uint8]]
) -> None:
    enlarged = [np.asarray(Image.fromarray(p).resize((256, 256), Image.Resampling.NEAREST)) for p in pictures]
    own, theirs = classifier.read(pictures), classifier.read(enlarged)
    for name, sure in (("gender", 1.0), ("race", 1.0), ("age", 0.9)):
        same = own.probabilities[name].argmax(1) == theirs.probabilities[name].argmax(1)
        assert same.mean() >= sure


def test_probabilities_are_calibrated(
    classifier: GaussianClassifier, pictures: list[NDArray[np.uint8]]
) -> None:
    """They sum to 1, and of the ages as many are wrong as they say."""
    reading = classifier.read(pictures)
    for name in classifier.values:
        assert reading.probabilities[name].shape == (300, len(ATTRIBUTES[name].values))
        np.testing.assert_allclose(reading.probabilities[name].sum(1), 1, atol=1e-6)
    calibration = classifier.calibration("age")
    assert calibration is not None
    assert calibration.confidence is not None
    wrong = 1 - np.trace(calibration.counts) / calibration.counts.sum()
    said = 1 - reading.probabilities["age"].max(1).mean()
    assert said == pytest.approx(wrong, abs=0.008)


def test_calibration_counts_have_the_error_in_closed_form(classifier: GaussianClassifier) -> None:
    """Ages are thermometers 0.36 high on 6 numbers: an age with two neighbours errs 2 Phi(-d / 2)."""
    calibration = classifier.calibration("age")
    assert calibration is not None
    assert (calibration.values, calibration.temperature) == (get_attribute("age").values, 1.0)
    distance = 0.36 * np.sqrt(6) / analytic.SPREAD
    counts = calibration.counts
    assert (counts.sum(1) == 14 * 50).all()
    for row in range(9):
        sides = 2 if 0 < row < 8 else 1
        errors = counts[row].sum() - counts[row, row]
        assert 1e-4 < binom(700, sides * norm.cdf(-distance / 2)).cdf(errors) < 1 - 1e-6
    # Columns in between are chosen each for itself, so that an age two further off takes two errors at once.
    far = np.abs(np.subtract.outer(range(9), range(9))) > 1
    assert counts[far].sum() < 0.05 * (counts.sum() - np.trace(counts))


def test_joint_calibrations_add_up_to_those_of_their_parts(classifier: GaussianClassifier) -> None:
    joint, alone = classifier.calibration("gender x age"), classifier.calibration("age")
    assert joint is not None
    assert alone is not None
    assert joint.values[0] == "female | 0-2"
    folded = joint.counts.reshape(2, 9, 2, 9).sum((0, 2))
    np.testing.assert_array_equal(folded, alone.counts)
    assert classifier.calibration("hair") is None
    assert classifier.calibration("gender x hair") is None


def test_log_probabilities_are_what_is_read_and_give_gradients(
    classifier: GaussianClassifier, pictures: list[NDArray[np.uint8]]
) -> None:
    assert isinstance(classifier, Differentiable)
    scaled = torch.from_numpy(np.stack(pictures[:5])).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    scaled.requires_grad_()
    reading = classifier.read(pictures[:5])
    for name in classifier.values:
        found = classifier.log_probabilities(scaled, name)
        np.testing.assert_allclose(found.detach().exp(), reading.probabilities[name][:5], atol=1e-4)
    race = classifier.log_probabilities(scaled, "race")
    (slope,) = torch.autograd.grad(race[:, 0].sum(), scaled)
    # The race is the tint of the upper quarter, and nothing else tells of it.
    assert slope[:, :, :8].abs().max() > 0
    assert slope[:, :, 8:].abs().max() < 1e-6
