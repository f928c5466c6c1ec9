"""CelebA: 40 attributes on networks of torchvision, and the recipe that trains one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from fairaudit.classifiers.celeba import ATTRIBUTES, load
from PIL import Image
from torchvision import models, transforms

from fairaudit.errors import ModelError, UsageError
from tests.classifiers.networks import pictures, request, save, spread

RECIPES = Path(__file__).parent.parent.parent / "recipes"


@pytest.mark.parametrize("architecture", ["resnet18", "mobilenet_v2", "squeezenet1_1"])
def test_the_architecture_follows_from_the_weights(architecture: str, tmp_path: Path) -> None:
    net = spread(models.get_model(architecture, weights=None, num_classes=40))
    classifier = load(request(weights=save(net, tmp_path / "w.pt")))
    image = pictures(1, 300)[0]
    prepare = transforms.Compose(
        [
            transforms.ToPILImage(),
            transforms.Resize((224, 224)),
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    with torch.inference_mode():
        yes = net(prepare(image)[None]).sigmoid()[0].numpy()
    read = classifier.read([image]).probabilities
    assert len(classifier.values) == 40
    assert classifier.values["Smiling"] == ("no", "yes")
    assert classifier.values["gender"] == ("female", "male")
    found = [read["gender" if name == "Male" else name][0] for name in ATTRIBUTES]
    np.testing.assert_allclose(found, np.stack([1 - yes, yes], 1), atol=1e-5)


def test_names_are_in_the_order_of_the_data_set() -> None:
    assert len(ATTRIBUTES) == 40
    assert [ATTRIBUTES.index(name) for name in ("5_o_Clock_Shadow", "Male", "Smiling", "Young")] == [
        0,
        20,
        31,
        39,
    ]


def test_other_networks_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--weights celeba=FILE.*recipes/celeba\.py"):
        load(request())
    with pytest.raises(ModelError, match=r"no network of torchvision with 40 outputs.*architecture"):
        load(request(weights=save(torch.nn.Linear(3, 40), tmp_path / "w.pt")))
    (tmp_path / "o.yaml").write_text("architecture: resnet18\nattributes: {a: {x: [0], y: [1]}}")
    weights = save(models.resnet18(weights=None, num_classes=2), tmp_path / "w.pt")
    with pytest.raises(ModelError, match="has 2 outputs; CelebA has 40"):
        load(request(weights=weights, outputs=tmp_path / "o.yaml"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder like CelebA's, with 24 pictures and labels drawn at random."""
    folder = tmp_path_factory.mktemp("celeba")
    (folder / "img_align_celeba").mkdir()
    names = [f"{number:06d}.jpg" for number in range(1, 25)]
    for name, picture in zip(names, pictures(24, 60), strict=True):
        Image.fromarray(picture).save(folder / "img_align_celeba" / name)
    labels = np.random.default_rng(0).choice([-1, 1], (24, 40))
    rows = [f"{name} {' '.join(map(str, row))}" for name, row in zip(names, labels, strict=True)]
    (folder / "list_attr_celeba.txt").write_text("\n".join(["24", " ".join(ATTRIBUTES), *rows]) + "\n")
    parts = [f"{name} {number // 8}" for number, name in enumerate(names)]
    (folder / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return folder


def train(data: Path, work: Path, steps: int) -> str:
    """What the recipe prints."""
    command = [sys.executable, str(RECIPES / "celeba.py"), "--data", str(data), "--work", str(work),
               "--batch", "4", "--size", "32", "--steps", str(steps), "--device", "cpu",
               "--architecture", "mobilenet_v3_small"]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_recipe_trains_what_the_classifier_loads(data: Path, tmp_path: Path) -> None:
    assert '"step": 2' in train(data, tmp_path, 2)
    assert '"step": 3' in train(data, tmp_path, 3)
    classifier = load(request(weights=tmp_path / "celeba" / "model.safetensors"))
    assert "32 pixels" in classifier.preprocessing
    calibration = classifier.calibration("Smiling")
    assert calibration is not None
    assert calibration.values == classifier.values["Smiling"]
    assert calibration.preprocessing == classifier.preprocessing
    assert calibration.weights == classifier.fingerprint()
    test = [np.array(Image.open(path)) for path in sorted((data / "img_align_celeba").iterdir())[16:]]
    labels = [row.split()[32] for row in (data / "list_attr_celeba.txt").read_text().splitlines()[18:]]
    read = classifier.read(test).probabilities["Smiling"].argmax(1)
    counted = np.zeros((2, 2), int)
    np.add.at(counted, ([int(label == "1") for label in labels], read), 1)
    np.testing.assert_array_equal(calibration.counts, counted)
