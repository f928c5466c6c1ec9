"""FairFace: the published layout, read as the authors read it."""

from __future__ import annotations

import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from fairaudit.classifiers.fairface import load, load_four
from torchvision import models, transforms

from fairaudit.attributes import ATTRIBUTES
from fairaudit.cards import card_of
from fairaudit.errors import ModelError, UsageError
from fairaudit.labelling import Classifier
from tests.classifiers.networks import assert_alone_as_together, pictures, request, save, spread

PUBLISHED = {
    "race": [
        "White",
        "Black",
        "Latino_Hispanic",
        "East Asian",
        "Southeast Asian",
        "Indian",
        "Middle Eastern",
    ],
    "gender": ["male", "female"],
    "age": ["0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70"],
}


@cache
def reference() -> models.ResNet:
    """The network, made as the authors make it."""
    torch.manual_seed(3)
    net = models.resnet34(weights=None)
    net.fc = torch.nn.Linear(net.fc.in_features, 18)
    net.fc.weight.data *= 0.2
    return spread(net)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(reference(), tmp_path_factory.mktemp("fairface") / "res34_fair_align_multi_7_20190809.pt")


@pytest.fixture(scope="module")
def classifier(weights: Path) -> Classifier:
    return load(request(weights=weights))


def published_outputs(images: list[np.ndarray]) -> torch.Tensor:
    """The outputs (n, 18) by the authors' own steps."""
    prepare = transforms.Compose(
        [
            transforms.ToPILImage(),
            transforms.Resize((224, 224)),
            transforms.ToTensor(),
            transforms.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]),
        ]
    )
    with torch.inference_mode():
        outputs: torch.Tensor = reference()(torch.stack([prepare(image) for image in images]))
    return outputs


def test_every_value_has_its_published_output(classifier: Classifier) -> None:
    images = pictures(3, 300)
    outputs = published_outputs(images)
    read = classifier.read(images).probabilities
    for name, part in (("race", outputs[:, :7]), ("gender", outputs[:, 7:9]), ("age", outputs[:, 9:18])):
        assert classifier.values[name] == ATTRIBUTES[name].values
        order = [PUBLISHED[name].index(value) for value in classifier.values[name]]
        expected = part.softmax(1)[:, order]
        torch.testing.assert_close(torch.from_numpy(read[name]), expected)
        assert expected.std(0).max() > 1e-3, "all pictures look alike to this network"


def test_four_races_are_the_first_four_outputs(tmp_path: Path) -> None:
    classifier = load_four(
        request(weights=save(reference(), tmp_path / "fairface_alldata_4race_20191111.pt"))
    )
    images = pictures(2, 300)
    assert classifier.values == {"race": ("White", "Black", "Asian", "Indian")}
    read = classifier.read(images).probabilities["race"]
    torch.testing.assert_close(torch.from_numpy(read), published_outputs(images)[:, :4].softmax(1))


def test_features_are_what_the_last_layer_takes(classifier: Classifier) -> None:
    images, net = pictures(2, 224), reference()
    features = classifier.read(images).features
    assert features.shape == (2, 512)
    with torch.inference_mode():
        outputs = net.fc(torch.from_numpy(features))
    torch.testing.assert_close(outputs, published_outputs(images), atol=1e-4, rtol=1e-4)


def test_a_picture_is_read_the_same_in_any_company(classifier: Classifier) -> None:
    assert_alone_as_together(classifier, pictures(17, 64), (16,))


def test_faces_are_shown_as_in_training(classifier: Classifier) -> None:
    assert (classifier.crop.margin, classifier.crop.aligned) == (0.25, True)


def test_a_published_file_that_was_fetched_is_found(
    classifier: Classifier, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRAUDIT_CACHE", str(tmp_path))
    assert "weights: --weights FILE" in str(card_of(load))
    (tmp_path / weights.name).write_bytes(weights.read_bytes())
    assert "weights: present" in str(card_of(load))
    found = load(request())
    images = pictures(2)
    for name, read in found.read(images).probabilities.items():
        np.testing.assert_array_equal(read, classifier.read(images).probabilities[name])
    with pytest.raises(UsageError, match="fairface-4 needs its weights"):
        load_four(request())


def test_without_weights_the_error_says_what_to_bring(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAIRAUDIT_CACHE", str(tmp_path))
    with pytest.raises(UsageError, match=r"--weights fairface=FILE.*github.com/dchen236/FairFace"):
        load(request())
    with pytest.raises(UsageError, match=r"not at nowhere\.pt"):
        load(request(weights=Path("nowhere.pt")))


def test_the_other_published_file_is_refused(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is the published file of fairface, not of fairface-4"):
        load_four(request(weights=weights))


def wrong_files(folder: Path) -> dict[str, Path]:
    """Files that are no weights of FairFace, by what is said of them."""
    said = {
        "1000 outputs; those of fairface are 18": save(models.resnet34(weights=None), folder / "imagenet.pt"),
        "it lacks layer1.2": save(models.resnet18(weights=None, num_classes=18), folder / "other.pt"),
        "holds no state dict": folder / "list.pt",
        "pickled objects are not loaded": folder / "evil.pt",
        "neither safetensors nor": folder / "text.safetensors",
        "holds no weights": folder / "empty.pt",
    }
    torch.save([1, 2], folder / "list.pt")
    (folder / "evil.pt").write_bytes(pickle.dumps(Boom()))
    (folder / "text.safetensors").write_text("hello")
    (folder / "empty.pt").write_bytes(b"")
    return said


class Boom:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path("boom").touch, ())


def test_wrong_files_are_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words, path in wrong_files(tmp_path).items():
        with pytest.raises(ModelError) as refused:
            load(request(weights=path))
        assert words in str(refused.value)
        assert "\n" not in str(refused.value)
    assert not (tmp_path / "boom").exists()
