"""Put trained weights into the package: fairaudit/assets.

    python recipes/publish.py --data FAIRFACE64 --work build/train

Copies what WORK has of faces64-classifier, faces64 and faces64-clip, without training state, and makes
anew the reference that Frechet distances are measured against: moments of the classifier's features
of the validation faces, from which no photograph can be had back.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from fairaudit.classifiers.faces64 import Faces64Classifier

from faces import load_faces
from fairaudit.metrics.quality import Moments
from fairaudit.statistics_files import save_moments
from fairaudit.store import write

ASSETS = Path(__file__).parent.parent / "fairaudit" / "assets"
PARTS = {
    "faces64-classifier": ("gender x age.calibration.json", "the card"),
    "faces64": ("truth.json", "the card, samples.png (evaluate.py), heads.safetensors (heads.py)"),
    "faces64-clip": ("prompts.yaml", "the card, calibrations and reliability.png (`fairaudit calibrate`)"),
}
"""What a recipe writes last, and what belongs to the weights but is not made by it."""
LIMIT = 60_000_000
"""Bytes that all shipped weights may have together."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of FairFace Parquet shards")
    parser.add_argument("--work", type=Path, required=True, help="folder that the training wrote")
    options = parser.parse_args()
    for name, (last, stale) in PARTS.items():
        if not (options.work / name / last).exists():
            continue
        shutil.copytree(
            options.work / name,
            ASSETS / name,
            ignore=shutil.ignore_patterns("vae.json"),
            dirs_exist_ok=True,
        )
        print(f"{name} is published; make again what belonged to the old weights: {stale}")
    classifier = Faces64Classifier(ASSETS / "faces64-classifier", torch.device("cpu"))
    faces = load_faces(options.data, "val")
    moments = Moments.of(classifier.read(list(faces.images)).features)
    write(ASSETS / "faces64" / "reference.safetensors", save_moments(moments))
    size = sum(path.stat().st_size for path in ASSETS.rglob("*") if path.is_file())
    print(f"{size / 1e6:.1f} MB in {ASSETS}")
    if size > LIMIT:
        raise SystemExit(f"more than {LIMIT / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
