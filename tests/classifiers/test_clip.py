"""Zero-shot classification: open_clip called by hand says the same."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import open_clip
import pytest
import torch
from fairaudit.classifiers.clip import load, load_builtin, load_default
from fairaudit.classifiers.texts import Prompts
from PIL import Image
from safetensors.torch import save_file

from fairaudit.attributes import ATTRIBUTES
from fairaudit.errors import ModelError, UsageError
from fairaudit.outputs import make_described
from tests.classifiers.networks import assert_alone_as_together, pictures, request

CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    },
    "preprocess_cfg": {
        "mean": [0.5] * 3,
        "std": [0.4] * 3,
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    },
}
TEXTS = """
templates: ["a photo of {}", "{}"]
attributes:
  gender: {female: [a woman, a girl], male: [a man, a boy]}
  hat: {no: [a bare head], yes: [a hat]}
temperature: 2
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model as open_clip pushes it to a hub; its tokenizer's vocabulary is open_clip's own."""
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    model = open_clip.CLIP(**CONFIG["model_cfg"])
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "texts.yaml"
    path.write_text(TEXTS)
    return path


def by_hand(folder: Path, images: list[np.ndarray], values: list[list[str]], over: float) -> np.ndarray:
    """Zero-shot probabilities as open_clip's own examples make them."""
    model, _, prepare = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    model.eval()
    with torch.no_grad():
        seen = model.encode_image(torch.stack([prepare(Image.fromarray(image)) for image in images]))
        seen = seen / seen.norm(dim=1, keepdim=True)
        columns = []
        for some in values:
            said = model.encode_text(tokenizer(some))
            mean = (said / said.norm(dim=1, keepdim=True)).mean(0)
            columns.append(mean / mean.norm())
        logits = model.logit_scale.exp() * seen @ torch.stack(columns, 1) / over
    return logits.softmax(1).numpy()


def test_it_is_what_open_clip_says(folder: Path, texts: Path) -> None:
    classifier = load(request(argument=str(folder), outputs=texts))
    images = pictures(5, 50)
    read = classifier.read(images)
    words = [[f"{before}{one}" for before in ("a photo of ", "") for one in own] for own in
             (["a woman", "a girl"], ["a man", "a boy"])]  # fmt: skip
    expected = by_hand(folder, images, words, over=2.0)
    assert expected.std(0).min() > 1e-3
    np.testing.assert_allclose(read.probabilities["gender"], expected, atol=1e-5)
    assert classifier.values["hat"] == ("no", "yes")
    assert classifier.values["race"] == ATTRIBUTES["race"].values
    np.testing.assert_allclose(np.linalg.norm(read.features, axis=1), 1, rtol=1e-5)


def test_a_folder_may_bring_its_own_texts(folder: Path, texts: Path, tmp_path: Path) -> None:
    own = shutil.copytree(folder, tmp_path / "own")
    shutil.copy(texts, own / "prompts.yaml")
    images = pictures(2)
    brought, told = load(request(argument=str(own))), load(request(argument=str(folder), outputs=texts))
    assert brought.values == told.values
    for name, found in told.read(images).probabilities.items():
        np.testing.assert_array_equal(brought.read(images).probabilities[name], found)
    assert brought.fingerprint()["texts"] == told.fingerprint()["texts"]


def test_a_picture_is_read_the_same_in_any_company(folder: Path) -> None:
    classifier = load(request(argument=str(folder)))
    assert_alone_as_together(classifier, pictures(18, 50), (0, 15, 17))


def test_the_order_of_texts_and_values_does_not_matter(folder: Path, tmp_path: Path, texts: Path) -> None:
    turned = tmp_path / "turned.yaml"
    turned.write_text(
        'templates: ["{}", "a photo of {}"]\n'
        "attributes: {hat: {yes: [a hat], no: [a bare head]},"
        " gender: {male: [a boy, a man], female: [a girl, a woman]}}\ntemperature: 2"
    )
    one, other = (load(request(argument=str(folder), outputs=path)) for path in (texts, turned))
    images = pictures(3)
    ours, theirs = one.read(images), other.read(images)
    for name in ("gender", "hat"):
        order = [other.values[name].index(value) for value in one.values[name]]
        np.testing.assert_allclose(ours.probabilities[name], theirs.probabilities[name][:, order], atol=1e-5)


def test_texts_are_embedded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = load(request(argument=str(folder)))
    classifier.read(pictures(1))
    monkeypatch.setattr(classifier, "embed_texts", None)
    classifier.read(pictures(2))


def test_close_values_are_no_label(folder: Path, tmp_path: Path) -> None:
    free = load(request(argument=str(folder))).read(pictures(20, seed=1)).probabilities["gender"]
    gaps = np.abs(free[:, 0] - free[:, 1])
    (tmp_path / "o.yaml").write_text(f"margin: {np.median(gaps)}")
    strict = load(request(argument=str(folder), outputs=tmp_path / "o.yaml"))
    read = strict.read(pictures(20, seed=1)).probabilities["gender"]
    np.testing.assert_array_equal(np.isnan(read).any(1), gaps < np.median(gaps))
    np.testing.assert_array_equal(read[gaps >= np.median(gaps)], free[gaps >= np.median(gaps)])


def test_scores_are_cosines_of_each_picture_with_its_caption(folder: Path) -> None:
    classifier = load(request(argument=str(folder)))
    images, captions = pictures(4), ["a nurse", "a pilot", "a nurse", "a cat"]
    scores = classifier.score(images, captions)
    seen, said = classifier.embed_images(images), classifier.embed_texts(captions)
    expected = 100 * np.maximum((seen.numpy() * said.numpy()).sum(1), 0)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    np.testing.assert_allclose(classifier.score(images[::-1], captions[::-1])[::-1], scores, atol=1e-4)


def test_an_architecture_takes_a_file_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(1)
    model = open_clip.CLIP(**CONFIG["model_cfg"])
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", CONFIG["model_cfg"])
    torch.save({"state_dict": model.state_dict()}, tmp_path / "w.pt")
    save_file(model.state_dict(), tmp_path / "w.safetensors")
    images = pictures(2, 32)
    one, other = (
        load(request(argument="tiny", weights=tmp_path / f"w.{kind}")) for kind in ("pt", "safetensors")
    )
    np.testing.assert_array_equal(one.read(images).features, other.read(images).features)
    assert one.name == "clip:tiny"
    assert list(one.fingerprint()) == ["w.pt", "texts"]


def test_wrong_models_are_one_sentence(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "w.pt").write_text("hello")
    for given, words in (
        ({"argument": "ViT-B-32"}, "needs its weights, once"),
        ({"argument": "ViT-B-32/openai", "weights": tmp_path / "w.pt"}, "needs its weights, once"),
        ({"argument": "ViT-B-32", "weights": tmp_path / "none.pt"}, "are not at"),
        ({"argument": "ViT-B-31/openai"}, "unknown model of open_clip 'ViT-B-31'; did you mean"),
        ({"argument": "ViT-B-32/opnai"}, "unknown weights of ViT-B-32 'opnai'; did you mean 'openai'"),
        ({"argument": str(tmp_path)}, "open_clip cannot load local-dir"),
        ({"argument": str(folder), "weights": tmp_path / "w.pt"}, "takes no --weights"),
    ):
        with pytest.raises(UsageError) as refused:
            load(request(**given))
        assert words in str(refused.value)
        assert "\n" not in str(refused.value)


def test_files_of_something_else_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "tiny", CONFIG["model_cfg"])
    ran = tmp_path / "ran"

    class Hostile:
        def __reduce__(self) -> Any:
            return Path.touch, (ran,)

    (tmp_path / "hello.pt").write_text("hello")
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps({"logit_scale": Hostile()}, protocol=4))
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other.pt")
    for name, words in (
        ("hello", "holds no weights"),
        ("pickle", "pickled objects are not loaded"),
        ("other", "does not fit tiny"),
    ):
        with pytest.raises(ModelError, match=words) as refused:
            load(request(argument="tiny", weights=tmp_path / f"{name}.pt"))
        assert "\n" not in str(refused.value)
        assert "weights_only" not in str(refused.value), "advice to run the file"
    assert not ran.exists()
    assert capfd.readouterr().err == ""


def test_weights_that_are_elsewhere_come_with_the_command_that_gets_them(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", CONFIG["model_cfg"])
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for argument, place in (
        ("ViT-B-32/openai", "timm/vit_base_patch32_clip_224.openai"), ("hf-hub:org/none", "org/none"),
    ):  # fmt: skip
        with pytest.raises(ModelError, match=f"not on this machine.*`fairaudit fetch hf:{place}`"):
            load(request(argument=argument))
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"templates": ["a photo"]}, "needs the place {} once"),
        ({"templates": []}, "templates"),
        ({"attributes": {"hat": {"yes": ["a hat"]}}}, "at least two values"),
        ({"attributes": {"hat": {"yes": ["a hat"], "no": []}}}, "attributes.hat.no"),
        ({"temperature": 0}, "temperature"),
        ({"margin": 1}, "margin"),
        ({"prompts": []}, "prompts"),
    ],
)
def test_wrong_texts_are_refused(content: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError) as refused:
        make_described(content, Prompts, "here")
    assert words in str(refused.value)


def test_the_built_in_model_is_loaded_or_missed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fairaudit import contrastive

    monkeypatch.setattr(contrastive, "asset", lambda name: folder)
    assert [make(request()).name for make in (load_default, load_builtin)] == ["clip", "builtin:faces64-clip"]
    monkeypatch.setattr(contrastive, "asset", lambda name: folder / "nowhere")
    with pytest.raises(ModelError, match="not in this installation"):
        load_default(request())


def test_built_in_texts_are_english() -> None:
    said = Prompts().texts()
    assert said["gender"]["female"][0] == "a photo of a female person"
    assert said["race"]["East Asian"][1] == "a portrait of an east asian person"
