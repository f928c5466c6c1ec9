"""The built-in classifier: its labels, its calibration, and what it must not depend on."""

from __future__ import annotations

import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fairaudit.classifiers.facenet import FaceNet
from fairaudit.classifiers.faces64 import Faces64Classifier, load
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from fairaudit.attributes import ATTRIBUTES
from fairaudit.errors import ModelError, UsageError
from fairaudit.labelling import Calibration, ClassifierRequest, outcome_of

READ = {name: ATTRIBUTES[name] for name in ("gender", "race", "age")}


@pytest.fixture(scope="module")
def classifier() -> Faces64Classifier:
    return load(ClassifierRequest(torch.device("cpu")))


@pytest.fixture(scope="module")
def pictures() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    blurred = [Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)) for _ in range(70)]
    return [np.asarray(image.resize((64, 64), Image.Resampling.BICUBIC)) for image in blurred]


def test_a_picture_is_read_the_same_in_any_company(
    classifier: Faces64Classifier, pictures: list[NDArray[np.uint8]]
) -> None:
    together = classifier.read(pictures)
    for row in (0, 30, 31, 32, 63, 64, 69):
        alone = classifier.read([pictures[row]])
        np.testing.assert_array_equal(alone.features[0], together.features[row])
        for name, probabilities in alone.probabilities.items():
            np.testing.assert_array_equal(probabilities[0], together.probabilities[name][row])


def test_reading_leaves_threads_of_torch_as_they_were(
    classifier: Faces64Classifier, pictures: list[NDArray[np.uint8]]
) -> None:
    """Reading has threads of its own; the caller's, and those that start later, keep their number."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        halved = classifier.read(pictures)
        with ThreadPoolExecutor(1) as later:
            assert (torch.get_num_threads(), later.submit(torch.get_num_threads).result()) == (4, 4)
    finally:
        torch.set_num_threads(before)
    np.testing.assert_allclose(halved.features, classifier.read(pictures).features, atol=1e-5)


def test_probabilities_are_over_the_declared_values(
    classifier: Faces64Classifier, pictures: list[NDArray[np.uint8]]
) -> None:
    reading = classifier.read(pictures)
    assert reading.features.shape == (70, 256)
    for name, attribute in READ.items():
        assert classifier.values[name] == attribute.values
        assert reading.probabilities[name].shape == (70, len(attribute.values))
        np.testing.assert_allclose(reading.probabilities[name].sum(1), 1, atol=1e-5)


def test_the_network_that_reads_is_the_one_that_was_trained(
    classifier: Faces64Classifier, pictures: list[NDArray[np.uint8]]
) -> None:
    """Its norms are folded into its convolutions, which changes nothing but the rounding."""
    trained = FaceNet({name: len(values) for name, values in classifier.values.items()}).eval()
    state = load_file(classifier.folder / "model.safetensors")
    trained.load_state_dict({n: v.float() if v.is_floating_point() else v for n, v in state.items()})
    with torch.no_grad():
        logits = trained(torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 127.5 - 1)
    reading = classifier.read(pictures)
    for name, found in logits.items():
        expected = (found / classifier.temperature[name]).softmax(1).numpy()
        np.testing.assert_allclose(reading.probabilities[name], expected, atol=1e-5)


def test_pictures_of_any_size_are_fitted(classifier: Faces64Classifier) -> None:
    for shape in ((64, 64, 3), (300, 200, 3), (1, 1, 3), (17, 900, 3)):
        assert np.isfinite(classifier.read([np.full(shape, 120, dtype=np.uint8)]).features).all()


def test_calibrations_count_every_validation_face(classifier: Faces64Classifier) -> None:
    for name, attribute in READ.items():
        calibration = classifier.calibration(name)
        assert calibration is not None
        assert calibration.values == attribute.values
        assert calibration.counts.sum() == 2500
        assert calibration.weights == classifier.fingerprint()
        assert (calibration.preprocessing, calibration.faces) == (classifier.preprocessing, "whole pictures")
    assert classifier.calibration("hair") is None


def test_labels_of_validation_faces_reproduce_the_shipped_confusion(
    classifier: Faces64Classifier, test_data: Path
) -> None:
    table = pd.read_parquet(test_data / "fairface64" / "val.parquet")
    faces = [np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB")) for encoded in table["image"]]
    reading = classifier.read(faces)
    for name, attribute in READ.items():
        true = table[name].str.lower() if name == "gender" else table[name]
        predicted = np.array(attribute.values)[reading.probabilities[name].argmax(1)]
        counted = pd.crosstab(true, predicted).reindex(
            index=list(attribute.values), columns=list(attribute.values), fill_value=0
        )
        shipped = classifier.calibration(name)
        assert shipped is not None
        # Weights are the same; a tie may fall otherwise on another processor.
        assert np.abs(counted.to_numpy() - shipped.counts).sum() <= 10
    gender = classifier.calibration("gender")
    assert gender is not None
    assert np.trace(gender.counts) / gender.counts.sum() > 0.86


def test_a_picture_of_one_colour_is_blocked() -> None:
    assert outcome_of(np.zeros((8, 8, 3), dtype=np.uint8)) == "blocked"
    assert outcome_of(np.full((8, 8, 3), [255, 0, 0], dtype=np.uint8)) == "blocked"
    face = np.zeros((8, 8, 3), dtype=np.uint8)
    face[0, 0] = 9
    assert outcome_of(face) == "labelled"


def test_missing_weights_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot load the classifier"):
        Faces64Classifier(tmp_path, torch.device("cpu"))


GOOD = {
    "schema": 1,
    "classifier": "mine",
    "attribute": "gender",
    "values": ["female", "male"],
    "confusion": [[940, 60], [30, 970]],
    "rows": "true value",
    "columns": "predicted value",
    "data": "2,000 labelled faces",
    "temperature": 1.0,
}


@pytest.mark.parametrize(
    "change",
    [
        {"confusion": [[940, 60]]},
        {"confusion": [[940, 60, 1], [30, 970, 1]]},
        {"confusion": [[-1, 60], [30, 970]]},
        {"confusion": [[0, 0], [30, 970]]},
        {"rows": "predicted value"},
        {"temperature": 0},
        {"schema": 2},
    ],
)
def test_a_calibration_that_cannot_be_is_refused(change: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "calibration.json"
    path.write_text(json.dumps(GOOD))
    assert Calibration.load(path).counts.tolist() == GOOD["confusion"]
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(UsageError, match=r"calibration\.json is not a calibration"):
        Calibration.load(path)
