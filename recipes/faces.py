"""The FairFace photographs as arrays, split once for all recipes."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from fairaudit.classifiers.haar import Haar
from PIL import Image

GENDERS = ("female", "male")
RACES = (
    "White", "Black", "East Asian", "Southeast Asian", "Indian", "Middle Eastern", "Latino_Hispanic",
)  # fmt: skip
AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
VALUES = {"gender": GENDERS, "race": RACES, "age": AGES}

HELD_OUT = 2000
"""The last training faces: never trained on, used for temperatures and for choosing."""


@dataclass(frozen=True)
class Faces:
    """Pictures (n, 64, 64, 3) uint8 and integer labels (n,) per attribute."""

    images: np.ndarray
    labels: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: slice) -> Faces:
        return Faces(self.images[rows], {name: column[rows] for name, column in self.labels.items()})


def load_faces(data: Path, split: str) -> Faces:
    """Read one split of `data`, a folder of Parquet shards (file, age, gender, race, image).

    ``train`` leaves out the held-out faces, ``held_out`` is only them, ``val`` the validation faces.
    """
    shards = sorted(data.glob("val.parquet" if split == "val" else "train-*.parquet"))
    if not shards:
        raise SystemExit(f"{data}: no FairFace shards (train-*.parquet, val.parquet) there")
    table = pd.concat([pd.read_parquet(shard) for shard in shards], ignore_index=True)
    if split != "val":
        table = table[:-HELD_OUT] if split == "train" else table[-HELD_OUT:]
    with ThreadPoolExecutor() as pool:
        images = np.stack(list(pool.map(_decode, table["image"])))
    lowered = table["gender"].str.lower()
    labels = {
        name: pd.Categorical(lowered if name == "gender" else table[name], categories=values).codes
        for name, values in VALUES.items()
    }
    if any((codes < 0).any() for codes in labels.values()):
        raise SystemExit(f"{data}: a label that is not one of {VALUES}")
    return Faces(images, {name: codes.astype(np.int64) for name, codes in labels.items()})


def seen(pictures: np.ndarray) -> np.ndarray:
    """In which of the pictures (n,) OpenCV's cascade sees a face: of FairFace, in three of four.

    The others are turned away, dark, hidden in part, or not to the cascade's taste.
    """
    detector = Haar()
    with ThreadPoolExecutor() as pool:
        return np.array(list(pool.map(lambda picture: len(detector.find(picture)) > 0, pictures)))


def _decode(encoded: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(encoded)).convert("RGB"), dtype=np.uint8)
