"""Networks of torchvision with the user's weights, and what outputs mean."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fairaudit.classifiers.torchvision import METADATA, load
from safetensors.torch import save_file
from torchvision import models
from torchvision.transforms import functional as F

from fairaudit.errors import ModelError, UsageError
from fairaudit.networks import read_state
from fairaudit.outputs import OutputReader, Outputs, make_described
from tests.classifiers.networks import assert_alone_as_together, pictures, request, save, spread

YAML = """
attributes:
  gender: {female: [0, 3], male: [1]}
size: 64
mean: [0.5, 0.5, 0.5]
std: [0.5, 0.4, 0.5]
abstain_above: 1
crop: {margin: 0.1, aligned: true}
"""


@pytest.mark.parametrize(
    "architecture", ["resnet18", "mobilenet_v3_small", "squeezenet1_1", "regnet_y_400mf"]
)
def test_a_state_dict_gives_what_the_network_gives(architecture: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = spread(models.get_model(architecture, weights=None, num_classes=4))
    (tmp_path / "o.yaml").write_text(YAML)
    path = save(net, tmp_path / "w.pth")
    classifier = load(request(argument=architecture, weights=path, outputs=tmp_path / "o.yaml"))
    images = pictures(2, 64)
    stacked = torch.stack([F.to_tensor(image) for image in images])
    with torch.inference_mode():
        logits = net(F.normalize(stacked, [0.5, 0.5, 0.5], [0.5, 0.4, 0.5]))
    p = logits.softmax(1)
    expected = torch.stack([p[:, 0] + p[:, 3], p[:, 1]], 1) / (1 - p[:, 2:3])
    torch.testing.assert_close(torch.from_numpy(classifier.read(images).probabilities["gender"]), expected)
    assert classifier.name == f"torchvision:{architecture}"
    assert (classifier.crop.margin, classifier.crop.aligned) == (0.1, True)
    assert "64 pixels" in classifier.preprocessing


def test_safetensors_can_say_what_they_mean(tmp_path: Path) -> None:
    net = spread(models.resnet18(weights=None, num_classes=2))
    state = {name: value.contiguous() for name, value in net.state_dict().items()}
    means = {"attributes": {"glasses": {"no": [0], "yes": [1]}}, "size": 32}
    save_file(state, tmp_path / "w.safetensors", {METADATA: json.dumps(means)})
    classifier = load(request(argument="resnet18", weights=tmp_path / "w.safetensors"))
    assert classifier.values == {"glasses": ("no", "yes")}
    assert_alone_as_together(classifier, pictures(18), (0, 17))
    assert list(classifier.fingerprint()) == ["w.safetensors", "outputs"]


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model", None])
def test_what_training_scripts_wrap_around_weights_is_taken_off(wrapper: str | None, tmp_path: Path) -> None:
    state = {"module.conv.weight": torch.arange(3).half(), "module._orig_mod.step": torch.tensor(7)}
    torch.save({wrapper: state, "epoch": 3} if wrapper else state, tmp_path / "w.pt")
    found = read_state(tmp_path / "w.pt")
    assert found.keys() == {"conv.weight", "step"}
    torch.testing.assert_close(found["conv.weight"], torch.arange(3.0))


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    path = save(models.resnet18(weights=None, num_classes=2), tmp_path / "w.pt")
    with pytest.raises(UsageError, match="did you mean 'resnet18'"):
        load(request(argument="resnet81", weights=path))
    with pytest.raises(UsageError, match="--weights torchvision:resnet18=FILE"):
        load(request(argument="resnet18"))
    with pytest.raises(UsageError, match="--outputs torchvision:resnet18=FILE"):
        load(request(argument="resnet18", weights=path))
    (tmp_path / "o.yaml").write_text("attributes: {a: {x: [0], y: [1]}}")
    with pytest.raises(ModelError, match=r"does not fit resnet34: it lacks layer1\.2"):
        load(request(argument="resnet34", weights=path, outputs=tmp_path / "o.yaml"))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("attributes: {}", "attributes"),
        ("attributes: {a: {x: [0]}}", "at least two values"),
        ("attributes: {a: {x: [0], y: []}}", "names no output"),
        ("attributes: {a: {x: [0], y: [0]}}", "two meanings"),
        ("attributes: {a: {x: [0], y: [2]}}", "output 2, but the network's are 0 to 1"),
        ("attributes: {a: {x: [0], y: [cat]}}", "unknown output of a.y 'cat'"),
        ("attributes: {a: {x: rest, y: rest}}", "only one value can be the rest"),
        ("attributes: {a: {x: [0], y: [1]}}\nsizes: 3", "sizes"),
        ("attributes: {a: {x: [0], y: [1]}}\nheads: [1, 1]", "several heads"),
        ("attributes: {a: {x: [0], y: [1]}}\nheads: [2, 2]", "4 outputs together, but the network has 2"),
        ("attributes: {a: {x: [0], y: [1]}}\nstd: [0, 1, 1]", "std"),
        ("attributes: [unclosed", "not YAML"),
        ("- a list", "valid dictionary"),
    ],
)
def test_wrong_outputs_are_one_sentence(text: str, words: str, tmp_path: Path) -> None:
    path = save(models.resnet18(weights=None, num_classes=2), tmp_path / "w.pt")
    (tmp_path / "o.yaml").write_text(text)
    with pytest.raises(UsageError) as refused:
        load(request(argument="resnet18", weights=path, outputs=tmp_path / "o.yaml"))
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def reader(content: object, count: int, labels: tuple[str, ...] = ()) -> OutputReader:
    return OutputReader(make_described(content, Outputs, "here"), count, labels)


def test_what_belongs_to_no_value_is_left_out_and_too_much_of_it_is_no_label() -> None:
    read = reader(
        {"attributes": {"a": {"x": [0], "y": ["dog"]}}, "abstain_above": "0.3"}, 3, ("cat", "dog", "?")
    )
    p = torch.tensor([[0.6, 0.2, 0.2], [0.3, 0.4, 0.3], [0.3, 0.35, 0.35]])
    found = read(p.log())["a"]
    np.testing.assert_allclose(found[:2], [[0.75, 0.25], [3 / 7, 4 / 7]], rtol=1e-6)
    assert np.isnan(found[2]).all()


def test_the_rest_is_all_that_no_other_value_has() -> None:
    p = torch.tensor([[0.1, 0.2, 0.7]])
    found = reader({"attributes": {"a": {"x": [1], "y": "rest"}}}, 3)(p.log())["a"]
    np.testing.assert_allclose(found, [[0.2, 0.8]], rtol=1e-6)


def test_independent_outputs_follow_the_rules_of_probability() -> None:
    p = torch.tensor([[0.9, 0.2, 0.5]])
    logits = (p / (1 - p)).log()
    one = reader({"activation": "sigmoid", "attributes": {"a": {"no": "rest", "yes": [0]}}}, 3)
    np.testing.assert_allclose(one(logits)["a"], [[0.1, 0.9]], rtol=1e-6)
    several = {"x": [0], "y": [1, 2]}
    exactly = np.array([0.9 * 0.8 * 0.5, 0.1 * (1 - 0.8 * 0.5)])
    found = reader({"activation": "sigmoid", "attributes": {"a": several}, "abstain_above": 1}, 3)(logits)[
        "a"
    ]
    np.testing.assert_allclose(found[0], exactly / exactly.sum(), rtol=1e-6)
    # Both, or neither, is what is left out.
    left = 1 - exactly.sum()
    for limit, labelled in ((left + 0.01, True), (left - 0.01, False)):
        content = {"activation": "sigmoid", "attributes": {"a": several}, "abstain_above": limit}
        assert np.isfinite(reader(content, 3)(logits)["a"]).all() == labelled


def test_temperature_divides_the_logits_of_its_attribute_alone() -> None:
    content = {"attributes": {"a": {"x": [0], "y": [1]}, "b": {"x": [0], "y": [1]}}, "temperature": {"a": 4}}
    found = reader(content, 2)(torch.tensor([[2.0, 0.0]]))
    np.testing.assert_allclose(found["a"][0, 0], 1 / (1 + np.exp(-0.5)), rtol=1e-6)
    np.testing.assert_allclose(found["b"][0, 0], 1 / (1 + np.exp(-2)), rtol=1e-6)


def test_words_of_yaml_are_words(tmp_path: Path) -> None:
    path = save(spread(models.resnet18(weights=None, num_classes=2)), tmp_path / "w.pt")
    (tmp_path / "o.yaml").write_text("attributes: {smiling: {no: rest, yes: [1]}}\nsize: 32")
    classifier = load(request(argument="resnet18", weights=path, outputs=tmp_path / "o.yaml"))
    assert classifier.values == {"smiling": ("no", "yes")}


def test_weights_of_nan_abstain(tmp_path: Path) -> None:
    net = models.resnet18(weights=None, num_classes=2)
    torch.nn.init.constant_(net.fc.bias, float("nan"))
    (tmp_path / "o.yaml").write_text("attributes: {a: {x: [0], y: [1]}}\nsize: 32")
    classifier = load(
        request(argument="resnet18", weights=save(net, tmp_path / "w.pt"), outputs=tmp_path / "o.yaml")
    )
    assert np.isnan(classifier.read(pictures(1)).probabilities["a"]).all()
