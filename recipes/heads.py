"""Train the heads of builtin:faces64's middle block: what they read there of gender, race and age.

    python recipes/heads.py

Makes images of the thirty occupations and of persons, labels them with the built-in classifier, and
writes fairaudit/assets/faces64/heads.safetensors. Prints the held-out mean recall at every step.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

import torch
from fairaudit.classifiers.faces64 import load

from fairaudit.attributes import ATTRIBUTES
from fairaudit.head_training import train_heads
from fairaudit.labelling import ClassifierRequest
from fairaudit.plan import SamplingPlan
from fairaudit.prompts import PROMPT_SETS
from fairaudit.recording import Setting
from fairaudit.sources import open_model


def main() -> None:
    source = open_model("builtin:faces64")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20, help="images of every prompt")
    parser.add_argument("--seed", type=int, default=1, help="another than audits use")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=Path(source.location) / "heads.safetensors")
    options = parser.parse_args()
    device = torch.device(options.device)
    deployed = asdict(source.defaults())
    plan = SamplingPlan(images_per_prompt=options.images, seed=options.seed, block=20, **deployed)
    prompts = [*PROMPT_SETS["occupations"], *PROMPT_SETS["person"]]
    classifier = load(ClassifierRequest(device))
    attributes = [ATTRIBUTES[name] for name in classifier.values]
    setting = Setting(source.load(device, plan), classifier, attributes, prompts, plan)
    accuracies = train_heads(setting, source.fingerprint(), options.out)
    for name, accuracy in accuracies.items():
        print(f"{name}: mean recall on {accuracy.n} images of other prompts")
        for time, recall in zip(accuracy.times, accuracy.mean_recall, strict=True):
            print(f"  {time:.3f} {recall:.3f}")


if __name__ == "__main__":
    main()
