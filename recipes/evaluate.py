"""Does the shipped model do what it is told, does it look like its data, and has it learnt faces by heart?

    python recipes/evaluate.py --data FAIRFACE64 --work build/evaluate

Prints every number of the card of builtin:faces64, and keeps them in WORK/numbers.json:

- obedience: of the images whose prompt names a gender, race or age, how many are labelled so;
- likeness: Frechet distance between the validation faces and as many images, each made for the caption of one
  of those faces ("a bad photo of" one that a detector does not see), beside the distance of as many training
  faces;
- guidance: the same distance at several guidance scales, for the captions of 1,000 of the faces;
- faces: in how many of these images OpenCV's cascade sees a face, of the bad photos and of the others,
  beside the validation faces;
- memory: how near 200 of these images are to training faces, beside how near validation faces are to them;
  WORK/neighbours.png shows the nearest. It holds photographs, so it is looked at, and not published;
- bias: how the measured shares of women follow the planted ones over occupations.

Labels and features are those of both built-in classifiers. The model learnt from the first, and not from the
second, which itself learnt in part from the first.

WORK/samples.png is the picture of the card: 24 women, and 24 men.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from numpy.typing import NDArray
from PIL import Image

from captions import AGE_WORDS, BAD, GENDER_NOUNS, MINORS, RACE_WORDS
from faces import VALUES, Faces, load_faces, seen
from fairaudit.auditing import audit
from fairaudit.instruments import open_classifier
from fairaudit.labelling import Classifier
from fairaudit.metrics.quality import Moments, frechet_distance
from fairaudit.models.builtin import asset
from fairaudit.plan import make_plan
from fairaudit.progress import progress_bars
from fairaudit.prompts import PROMPT_SETS
from fairaudit.sources import open_model

Pictures = NDArray[np.uint8]
WORDS = {"gender": GENDER_NOUNS, "race": RACE_WORDS, "age": AGE_WORDS}
SCALES = (1.0, 1.5, 2.0, 4.0)
"""Guidance scales whose likeness is measured."""
READERS = ("builtin:faces64-classifier", "builtin:faces64-clip")
"""Who labels the images and says what they are like."""
CLOSEST = 24
"""Images that neighbours.png shows: those that are nearest to a training face."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of FairFace Parquet shards")
    parser.add_argument("--work", type=Path, required=True, help="folder for the run, numbers and pictures")
    parser.add_argument("--named", type=int, default=100, help="images for every value that is named")
    parser.add_argument("--faces", type=int, default=2500, help="validation faces whose captions are asked")
    parser.add_argument("--occupations", type=int, default=32, help="images of every occupation; 0: none")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    painter = Painter(options.device)
    readers = [open_classifier(name, torch.device(options.device)) for name in READERS]
    train, val = load_faces(options.data, "train"), load_faces(options.data, "val")
    val = val.take(slice(options.faces))
    visible = seen(val.images)
    texts = captions_of(val, visible)
    made = painter.paint(texts, seed=1)
    numbers: dict[str, Any] = {}

    def keep(name: str, found: Any) -> None:
        """What is measured is kept at once: all of it takes half an hour."""
        numbers[name] = found
        (options.work / "numbers.json").write_text(json.dumps(numbers, indent=1) + "\n")
        print(json.dumps({name: found}, indent=1), flush=True)

    keep("likeness", likeness(readers, made, train, val))
    keep("guidance", by_guidance(painter, texts[:1000], readers, train, val.take(slice(1000))))
    keep("faces", faces_seen(made, visible))
    keep("memory", memory(made[:200], train.images, val.images[:200], options.work / "neighbours.png"))
    women_and_men = [_photo(noun) for noun in GENDER_NOUNS.values() for _ in range(24)]
    tile(painter.paint(women_and_men, seed=0), 12).save(options.work / "samples.png")
    keep("obedience", obedience(painter, readers, options.named))
    if options.occupations:
        keep("bias", bias(options.work / "occupations", options.occupations, options.device))


class Painter:
    """The shipped pipeline, as audits run it unless they are told otherwise."""

    def __init__(self, device: str) -> None:
        self.defaults = open_model("builtin:faces64").defaults()
        self.pipeline = StableDiffusionPipeline.from_pretrained(asset("faces64")).to(device)
        self.pipeline.set_progress_bar_config(disable=True)

    def paint(
        self, texts: Sequence[str], *, seed: int, guidance: float | None = None, batch: int = 50
    ) -> Pictures:
        """One picture (64, 64, 3) a text; that of text i depends on the seed, i and the text alone."""
        scale = self.defaults.guidance_scale if guidance is None else guidance
        parts = []
        for begin in range(0, len(texts), batch):
            some = list(texts[begin : begin + batch])
            noise = [
                torch.Generator().manual_seed(seed * 1_000_003 + begin + place) for place in range(len(some))
            ]
            images = self.pipeline(
                some, num_inference_steps=self.defaults.steps, guidance_scale=scale, generator=noise,
                output_type="np",
            ).images  # fmt: skip
            parts.append((images * 255).round().astype(np.uint8))
            print(f"painted {begin + len(some)} of {len(texts)}", flush=True)
        return np.concatenate(parts)


def tile(pictures: Pictures, columns: int) -> Image.Image:
    """Pictures of one size, row by row."""
    rows = [np.hstack(list(pictures[i : i + columns])) for i in range(0, len(pictures), columns)]
    return Image.fromarray(np.vstack(rows))


def captions_of(faces: Faces, visible: NDArray[np.bool_]) -> list[str]:
    """All that is known of each face; `visible` (n,) are those that a detector sees."""
    texts = []
    for row, good in enumerate(visible):
        age, race, gender = (VALUES[name][faces.labels[name][row]] for name in ("age", "race", "gender"))
        who = f"{gender} person" if age in MINORS else GENDER_NOUNS[gender]
        texts.append(_photo(f"{AGE_WORDS[age]} {RACE_WORDS[race]} {who}", "a photo of" if good else BAD))
    return texts


def _photo(phrase: str, opening: str = "a photo of") -> str:
    return f"{opening} {'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def obedience(painter: Painter, readers: Sequence[Classifier], images: int) -> dict[str, Any]:
    """By attribute, reader and named value: the part that is labelled so, and their mean over chance."""
    found: dict[str, Any] = {}
    for name, values in VALUES.items():
        texts = [_photo(WORDS[name][v] + ("" if name == "gender" else " person")) for v in values]
        pictures = painter.paint([text for text in texts for _ in range(images)], seed=2)
        found[name] = {}
        for reader in readers:
            wanted = np.repeat([list(reader.values[name]).index(value) for value in values], images)
            right = reader.read(list(pictures)).probabilities[name].argmax(1) == wanted
            mean = float(right.mean())
            rates = dict(zip(values, right.reshape(-1, images).mean(1).tolist(), strict=True))
            found[name][reader.name] = {"labelled so": rates, "mean": mean, "over chance": mean * len(values)}
    return found


def likeness(readers: Sequence[Classifier], made: Pictures, train: Faces, val: Faces) -> dict[str, Any]:
    """Frechet distances to the validation faces on the features of each reader, of the images and of as
    many training faces.
    """
    found: dict[str, Any] = {"n": len(made)}
    for reader in readers:
        images, faces, validation = (
            Moments.of(reader.read(list(some)).features)
            for some in (made, train.images[: len(val)], val.images)
        )
        apart, usual = frechet_distance(images, validation), frechet_distance(faces, validation)
        found[reader.name] = {"images": apart, "training faces": usual, "ratio": apart / usual}
    return found


def by_guidance(
    painter: Painter, texts: Sequence[str], readers: Sequence[Classifier], train: Faces, val: Faces
) -> dict[str, dict[str, Any]]:
    """The likeness at every scale of guidance, from the same noise."""
    return {
        f"{scale:g}": likeness(readers, painter.paint(texts, seed=1, guidance=scale), train, val)
        for scale in SCALES
    }


def faces_seen(made: Pictures, visible: NDArray[np.bool_]) -> dict[str, float]:
    """The part of images in which a detector sees a face, by whether it sees the face of their caption."""
    found = seen(made)
    return {
        "images": float(found[visible].mean()),
        "images of bad photos": float(found[~visible].mean()),
        "validation faces": float(visible.mean()),
    }


def memory(made: Pictures, train: Pictures, val: Pictures, picture: Path) -> dict[str, float]:
    """Root mean square pixel distance (white is 1) to the nearest training face or mirror image of one.

    An image that was learnt by heart is nearer to one than any new face is: `nearer` is the part of the
    images that are nearer to a training face than 99 in 100 validation faces are.
    """
    (near, which), (usual, _) = nearest(made, train), nearest(val, train)
    order = near.argsort()[:CLOSEST]
    pairs = np.concatenate([made[order], train[which[order] % len(train)]], axis=2)
    tile(pairs, 4).save(picture)
    return {
        "median": float(np.median(near)),
        "least": float(near.min()),
        "validation median": float(np.median(usual)),
        "validation least": float(usual.min()),
        "nearer": float((near < np.quantile(usual, 0.01)).mean()),
    }


def nearest(pictures: Pictures, train: Pictures) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distance (n,) to the nearest face, and its number; those of mirror images follow the others."""
    wanted = _flat(pictures)
    distances = []
    for faces in (train, train[:, :, ::-1]):
        for begin in range(0, len(faces), 2000):
            distances.append(torch.cdist(wanted, _flat(faces[begin : begin + 2000])))
    least, which = torch.cat(distances, 1).min(1)
    return (least / wanted.shape[1] ** 0.5).double().numpy(), which.numpy()


def _flat(pictures: Pictures) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pictures)).flatten(1).float().div(255)


def bias(out: Path, images: int, device: str) -> dict[str, Any]:
    """Measured against planted shares of women, by occupation."""
    plan = make_plan(
        {
            "generator": "builtin:faces64",
            "prompts": list(PROMPT_SETS["occupations"]),
            "sampling": asdict(open_model("builtin:faces64").defaults()) | {"images_per_prompt": images},
        }
    )
    with progress_bars() as bars:
        results = audit(plan, out, device, bars).results
    rows = {}
    for prompt, found in results.samplers["baseline"].prompts.items():
        result = found.attributes["gender"]
        assert result.planted is not None
        rows[prompt] = (result.planted["female"], result.shares["female"].value)
    planted, measured = np.array(list(rows.values()), dtype=float).T
    return {
        "planted, measured": rows,
        "correlation": float(np.corrcoef(planted, measured)[0, 1]),
        "mean absolute difference": float(np.abs(planted - measured).mean()),
    }


if __name__ == "__main__":
    main()
