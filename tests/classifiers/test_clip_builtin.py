"""The CLIP that the package carries: open_clip itself loads it, and it reads faces as its card says."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import open_clip
import pandas as pd
import pytest
import torch
from fairaudit.classifiers.clip import ClipClassifier, load_builtin, load_default
from PIL import Image

from fairaudit.labelling import ClassifierRequest
from fairaudit.models.builtin import asset

FOLDER = asset("faces64-clip")


@pytest.fixture(scope="module")
def clip() -> ClipClassifier:
    return load_builtin(ClassifierRequest(torch.device("cpu")))


@pytest.fixture(scope="module")
def faces(test_data: Path) -> pd.DataFrame:
    """Six hundred validation faces; the shipped calibration counted them, no weight saw them."""
    return pd.read_parquet(test_data / "fairface64" / "val.parquet")[:600]


def decoded(faces: pd.DataFrame) -> list[np.ndarray]:
    return [np.asarray(Image.open(io.BytesIO(image)).convert("RGB")) for image in faces["image"]]


def test_open_clip_itself_loads_it(clip: ClipClassifier) -> None:
    model, transform = open_clip.create_model_from_pretrained(f"local-dir:{FOLDER}")
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = model.eval().encode_image(transform(Image.fromarray(picture))[None], normalize=True)
        text = model.encode_text(open_clip.get_tokenizer(f"local-dir:{FOLDER}")(["a photo of a woman"]))
    torch.testing.assert_close(clip.embed_images([picture]), expected, atol=1e-5, rtol=1e-4)
    found = clip.embed_texts(["a photo of a woman"])
    torch.testing.assert_close(found, torch.nn.functional.normalize(text), atol=1e-5, rtol=1e-4)


def test_the_default_is_the_same_model(clip: ClipClassifier) -> None:
    default = load_default(ClassifierRequest(torch.device("cpu")))
    assert default.name == "clip"
    assert default.fingerprint() == clip.fingerprint()


def test_it_reads_as_well_as_its_calibration_says(clip: ClipClassifier, faces: pd.DataFrame) -> None:
    read = clip.read(decoded(faces)).probabilities
    for name in ("gender", "race", "age"):
        calibration = clip.calibration(name)
        assert calibration is not None
        counts = calibration.ordered(name, clip.values[name]).counts
        said = counts.trace() / counts.sum()
        truth = faces[name].str.lower() if name == "gender" else faces[name]
        labels = np.array(clip.values[name])[read[name].argmax(1)]
        assert (labels == truth.to_numpy()).mean() == pytest.approx(said, abs=0.06)
        assert said > 1.3 * counts.sum(axis=1).max() / counts.sum() or name == "age"


def test_the_right_caption_scores_higher(clip: ClipClassifier, faces: pd.DataFrame) -> None:
    pictures, female = decoded(faces), (faces["gender"] == "Female").to_numpy()
    woman, man = (clip.score(pictures, [f"a photo of a {noun}"] * len(pictures)) for noun in ("woman", "man"))
    assert (np.where(female, woman - man, man - woman) > 0).mean() > 0.65
