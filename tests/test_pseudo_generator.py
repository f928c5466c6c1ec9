"""Folders drawn from real faces with known shares, as a generator of known bias would fill them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fairaudit.classifiers.faces64 import load
from PIL import Image

from fairaudit.auditing import audit
from fairaudit.instruments import make_instrument
from fairaudit.labelling import LABELLED, ClassifierRequest
from fairaudit.measurement import Measurement
from fairaudit.measuring import measure_labels
from fairaudit.plan import make_plan
from fairaudit.progress import progress_bars
from fairaudit.results import AttributeResult

HELD_OUT = 2000
"""The last training faces: recipes/faces.py keeps them from training, and no calibration counted them."""

SHARES = (0.9, 0.7, 0.5, 0.2)
FOLDERS = 40
SIZE = 400


@pytest.fixture(scope="module")
def faces(test_data: Path) -> pd.DataFrame:
    """Held-out faces with their true gender, and what the built-in classifier reads in them."""
    import io

    shard = pd.read_parquet(sorted((test_data / "fairface64").glob("train-*.parquet"))[-1])[-HELD_OUT:]
    pictures = [np.asarray(Image.open(io.BytesIO(b)).convert("RGB")) for b in shard["image"]]
    found = load(ClassifierRequest(torch.device("cpu"))).read(pictures).probabilities["gender"]
    return pd.DataFrame(
        {
            "picture": pictures,
            "true": shard["gender"].str.lower().to_numpy(),
            "gender": np.array(["female", "male"])[found.argmax(1)],
            "gender.p.female": found[:, 0],
            "gender.p.male": found[:, 1],
        }
    )


def draw(faces: pd.DataFrame, share: float, seed: int) -> pd.DataFrame:
    women = round(SIZE * share)
    parts = [
        faces[faces["true"] == value].sample(count, random_state=seed)
        for value, count in (("female", women), ("male", SIZE - women))
    ]
    return pd.concat(parts).sample(frac=1, random_state=seed).reset_index(drop=True)


def test_corrected_intervals_hold_the_true_share(faces: pd.DataFrame) -> None:
    plan = make_plan({"generator": "pseudo", "classifier": "builtin:faces64-classifier"})
    measurement = Measurement(plan, make_instrument(plan, load(ClassifierRequest(torch.device("cpu")))))
    covered, corrected, raw = 0, [], []
    for folder in range(FOLDERS):
        share = SHARES[folder % len(SHARES)]
        rows = draw(faces, share, folder)
        labels = rows.drop(columns=["picture", "true"]).assign(
            image="", prompt=None, index=range(SIZE), outcome=LABELLED, reason=None
        )
        results = measure_labels(measurement, {"images": labels}, [], paired=False)
        found = results.samplers["images"].attributes["gender"].shares["female"]
        assert found.value is not None
        assert found.low is not None
        assert found.high is not None
        assert found.raw is not None
        covered += found.low <= share <= found.high
        corrected.append(abs(found.value - share))
        raw.append(abs(found.raw - share))
    assert covered >= 0.9 * FOLDERS
    assert np.mean(corrected) < np.mean(raw)


def test_a_folder_of_files_is_read_as_its_faces_are(faces: pd.DataFrame, tmp_path: Path) -> None:
    rows = draw(faces, 0.7, 1)
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, picture in enumerate(rows["picture"]):
        Image.fromarray(picture).save(folder / f"{number:04d}.png")
    with progress_bars(visible=False) as bars:
        finished = audit(make_plan({"generator": str(folder), "samplers": []}), tmp_path / "run", "cpu", bars)
    found: AttributeResult = finished.results.samplers["images"].attributes["gender"]
    assert found.counts == rows["gender"].value_counts().reindex(["female", "male"]).to_dict()
    share = found.shares["female"]
    assert share.low is not None
    assert share.high is not None
    assert share.low <= 0.7 <= share.high
