"""Image classifiers of transformers: the same answers, and labels that must be clear."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
import torch
from fairaudit.classifiers.huggingface import load, outputs_of
from PIL import Image
from transformers import (
    AutoImageProcessor,
    ConvNextConfig,
    ConvNextForImageClassification,
    ConvNextImageProcessor,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from fairaudit.attributes import ATTRIBUTES
from fairaudit.errors import ModelError, UsageError
from tests.classifiers.networks import assert_alone_as_together, pictures, request

LABELS = ["Man", "Woman"]


def save_vit(folder: Path, labels: list[str]) -> Path:
    """A tiny ViT with its processor."""
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32,
        patch_size=8, id2label=dict(enumerate(labels)), label2id={label: i for i, label in enumerate(labels)},
        initializer_range=0.5,
    )  # fmt: skip
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vit(tmp_path_factory.mktemp("vit"), LABELS)


def by_hand(kind: type, folder: Path, images: list[np.ndarray]) -> torch.Tensor:
    """Probabilities as the documentation of transformers makes them."""
    processor = AutoImageProcessor.from_pretrained(folder)
    model = kind.from_pretrained(folder).eval()
    with torch.no_grad():
        inputs = processor(images=[Image.fromarray(image) for image in images], return_tensors="pt")
        probabilities: torch.Tensor = model(**inputs).logits.softmax(1)
    return probabilities


def test_labels_of_one_attribute_need_no_file(vit: Path) -> None:
    classifier = load(request(argument=str(vit)))
    images = pictures(3, 50)
    assert classifier.values == {"gender": ("female", "male")}
    expected = by_hand(ViTForImageClassification, vit, images)[:, [1, 0]]
    assert expected.std(0).min() > 1e-3
    torch.testing.assert_close(torch.from_numpy(classifier.read(images).probabilities["gender"]), expected)
    assert classifier.read(images).features.shape == (3, 16)
    assert list(classifier.fingerprint()) == ["model.safetensors", "outputs"]
    assert "32" in classifier.preprocessing


def test_a_picture_is_read_the_same_in_any_company(vit: Path) -> None:
    assert_alone_as_together(load(request(argument=str(vit))), pictures(18, 50), (0, 17))


@pytest.mark.parametrize("kind", ["resnet", "convnext"])
def test_other_families_load(kind: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    labels = {0: "a", 1: "b", 2: "c"}
    if kind == "resnet":
        config = ResNetConfig(
            embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic", id2label=labels
        )
        model = ResNetForImageClassification(config)
    else:
        config = ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2, id2label=labels)
        model = ConvNextForImageClassification(config)
    model.save_pretrained(tmp_path)
    ConvNextImageProcessor(size={"shortest_edge": 32}).save_pretrained(tmp_path)
    (tmp_path / "o.yaml").write_text("attributes: {x: {yes: [b, 2], no: [a]}}")
    classifier = load(request(argument=str(tmp_path), outputs=tmp_path / "o.yaml"))
    images = pictures(2, 50)
    p = by_hand(type(model), tmp_path, images)
    expected = torch.stack([p[:, 1] + p[:, 2], p[:, 0]], 1)
    torch.testing.assert_close(torch.from_numpy(classifier.read(images).probabilities["x"]), expected)
    assert classifier.read(images).features.shape == (2, 16)


@pytest.mark.parametrize(
    "labels", [["cat", "dog"], ["male", "female", "other"], ["male", "man"], ["LABEL_0"]]
)
def test_unclear_labels_ask_for_a_file(labels: list[str]) -> None:
    with pytest.raises(UsageError, match=r"--outputs hf:x=FILE"):
        outputs_of(labels, "hf:x")


def test_known_labels_are_put_in_order() -> None:
    ages = ["more than 70", *ATTRIBUTES["age"].values[:-1]]
    assert outputs_of(ages, "x").attributes["age"]["more than 70"] == (0,)
    races = ["White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern"]
    found = outputs_of(races, "x").attributes["race"]
    assert tuple(found) == ATTRIBUTES["race"].values
    assert found["Latino_Hispanic"] == (2,)


def test_what_cannot_be_loaded_is_one_sentence(
    vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for argument in (str(tmp_path), str(tmp_path / "nowhere")):
        with pytest.raises(ModelError, match=r"cannot load|does not give") as refused:
            load(request(argument=argument))
        assert "\n" not in str(refused.value)
    with pytest.raises(UsageError, match="takes no --weights"):
        load(request(argument=str(vit), weights=vit / "model.safetensors"))


def test_nothing_that_a_model_brings_is_run_and_nobody_is_told_to(vit: Path, tmp_path: Path) -> None:
    for path in vit.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((vit / "config.json").read_text())
    own = config | {"model_type": "own", "auto_map": {"AutoConfig": "own.C"}}
    (tmp_path / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\nclass C: pass\n")
    for content, words in (
        (own, "nothing that a model brings is run"),
        (config | {"hidden_size": 2 * config["hidden_size"]}, "other shapes than its config.json says"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(content))
        with pytest.raises(ModelError, match=words) as refused:
            load(request(argument=str(tmp_path)))
        assert "trust_remote_code" not in str(refused.value)
    assert not (tmp_path / "ran").exists()


def test_a_model_of_the_hub_that_is_not_here_comes_with_the_command_that_gets_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"no folder org/none.*run `fairaudit fetch hf:org/none`"):
        load(request(argument="org/none"))
    assert capfd.readouterr().err == ""


def test_a_revision_of_the_hub_is_taken_whatever_main_has_become(
    vit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    home, old = tmp_path / "models--org--gender", "1" * 40
    shutil.copytree(vit, home / "snapshots" / old)
    classifier = load(request(argument=f"org/gender@{old}"))
    assert classifier.name == f"hf:org/gender@{old}"
    assert classifier.fingerprint()[f"org/gender@{old} revision"] == old
    np.testing.assert_array_equal(
        classifier.read(pictures(2, 40)).probabilities["gender"],
        load(request(argument=str(vit))).read(pictures(2, 40)).probabilities["gender"],
    )


def test_pickled_weights_are_refused(vit: Path, tmp_path: Path) -> None:
    for name in ("config.json", "preprocessor_config.json"):
        (tmp_path / name).write_bytes((vit / name).read_bytes())
    torch.save(ViTForImageClassification.from_pretrained(vit).state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pickled weights are not loaded"):
        load(request(argument=str(tmp_path)))
