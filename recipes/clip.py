"""Train `builtin:faces64-clip`, a small open_clip model, on FairFace at 64x64 and captions of its labels.

    python recipes/clip.py --data FAIRFACE64 --work build/train

Ends with WORK/faces64-clip, which open_clip itself loads as ``local-dir:WORK/faces64-clip``.

Two losses. In a batch every caption that does not contradict a face's labels is a right answer for it:
captions leave labels out at random, so that one right answer only, as in CLIP (Radford et al. 2021), would
call most right answers wrong. And a face must find its own value among one caption for every value,
as zero-shot labelling will ask it; half of that target is what the built-in classifier reads in the face,
whose doubts about a blurred face say more than the label alone (Hinton et al. 2015).

The image tower is a convolutional network of timm: a vision transformer learns less from so few faces.
"""

from __future__ import annotations

import json
import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from fairaudit.classifiers.faces64 import load as load_classifier
from safetensors.torch import save_file
from torch import Tensor, nn

from captions import AGE_WORDS, GENDER_NOUNS, OPENINGS, RACE_WORDS
from classifier import augment, to_tensor
from faces import VALUES, Faces, load_faces
from fairaudit.labelling import ClassifierRequest
from training import (
    Average,
    Checkpoint,
    arguments,
    autocast,
    batches,
    load,
    load_weights,
    log,
    one_cycle,
    save,
)

CONFIG: dict[str, Any] = {
    "model_cfg": {
        "embed_dim": 128,
        "vision_cfg": {
            "timm_model_name": "resnet10t",
            "timm_pool": "avg",
            "timm_proj": "linear",
            "image_size": 80,
        },
        "text_cfg": {"context_length": 20, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
    },
    "preprocess_cfg": {
        "mean": [0.5] * 3,
        "std": [0.5] * 3,
        "interpolation": "bicubic",
        "resize_mode": "shortest",
    },
}
SIZE = 80
"""Faces are enlarged a little: the network halves the resolution five times."""
SMALL, SMALL_SIZE = 0.8, 56
"""The part of the steps that sees smaller ones, at half of the cost."""
LEARNING_RATE = 2e-3
KEEP = {"gender": 0.6, "race": 0.5, "age": 0.4}
"""How often a caption names the attribute."""
NOUNS = {"female": ("woman", "female person", "female"), "male": ("man", "male person", "male")}
PROMPTS = """\
templates: ["a photo of {}", "a portrait of {}", "a picture of {}", "the face of {}"]
attributes:
  gender: {female: [a woman, a female person], male: [a man, a male person]}
"""
"""The texts that `clip` asks it with, which are those of its captions."""
TEACHER = 0.5
"""The part of the target that is the classifier's reading."""


def main() -> None:
    options = arguments(__doc__ or "", steps=1800, batch=128).parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    train, held_out = load_faces(options.data, "train"), load_faces(options.data, "held_out")
    targets = soft_labels(train, options.device, options.work / "clip-targets.pt")
    folder = options.work / "faces64-clip"
    folder.mkdir(exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG, indent=1) + "\n")
    model = make_model()
    if options.start_from:
        load_weights(model, options.start_from)
    model = model.to(options.device, memory_format=torch.channels_last)
    tokenize = open_clip.SimpleTokenizer(context_length=CONFIG["model_cfg"]["text_cfg"]["context_length"])
    average = Average(model, 0.998)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    learners = {"model": model, "optimizer": optimizer}
    checkpoint = Checkpoint(options.work / "clip.pt", average, learners)
    start = checkpoint.resume()
    rows = batches(len(train), options.batch, options.seed, start)
    began = time.time()
    for step in range(start, options.steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * one_cycle(step, options.steps, warmup=200)
        index = next(rows)
        rng = random.Random(options.seed + step)
        generator = torch.Generator().manual_seed(options.seed + step)
        size = SMALL_SIZE if step < SMALL * options.steps else SIZE
        images = augment(to_tensor(train.images[index.numpy()], options.device), generator, size)
        labels = [{name: VALUES[name][train.labels[name][row]] for name in VALUES} for row in index.tolist()]
        named = [{name: own[name] for name in VALUES if rng.random() < KEEP[name]} for own in labels]
        asked = [{name: value} for name in VALUES for value in VALUES[name]]
        texts = [caption(rng, words) for words in named + asked]
        with autocast(options.device):
            seen, read = encode(model, images, tokenize(texts).to(options.device))
        scores = model.logit_scale.exp() * seen.float() @ read.float().T
        loss = contrast(scores[:, : len(named)], labels, named) + zero_shot_loss(
            scores[:, len(named) :], {name: targets[name][index] for name in VALUES}
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, np.log(50))
        average.update(model)
        if (step + 1) % 250 == 0 or step + 1 == options.steps:
            found = measure(average.module, held_out, options.device)
            seconds = round(time.time() - began)
            log(options.work, "clip", {"step": step + 1, "loss": loss.item(), "seconds": seconds, **found})
            checkpoint.keep(step + 1)
    finish(average.module, folder, held_out, load_faces(options.data, "val"), options.device)


def finish(model: nn.Module, folder: Path, held_out: Faces, val: Faces, device: str) -> None:
    """Write the weights and the texts, and print what the shipped model does on validation faces."""
    export(model, folder)
    shipped = load_model(folder).to(device)
    temperature = fit_temperature(shipped, held_out, device)
    (folder / "prompts.yaml").write_text(PROMPTS + f"temperature: {temperature:.3f}\n")
    print(json.dumps(measure(shipped, val, device), indent=1))


def make_model() -> nn.Module:
    """The untrained model; words that no caption has say nothing."""
    model = open_clip.CLIP(**CONFIG["model_cfg"])
    words = [
        *OPENINGS,
        *AGE_WORDS.values(),
        *RACE_WORDS.values(),
        *(n for all_ in NOUNS.values() for n in all_),
    ]
    known = open_clip.SimpleTokenizer()(
        [" ".join(words), "a an person people face, <start_of_text>"]
    ).unique()
    with torch.no_grad():
        unknown = torch.ones(len(model.token_embedding.weight), dtype=torch.bool)
        unknown[known] = False
        unknown[-2:] = False  # begin and end
        model.token_embedding.weight[unknown] = 0
    return model


def load_model(folder: Path) -> nn.Module:
    """The exported model, as open_clip loads it."""
    model: nn.Module = open_clip.create_model(f"local-dir:{folder.resolve()}").eval()
    return model


def caption(rng: random.Random, words: dict[str, str]) -> str:
    """A caption that names some values: attribute to value."""
    parts = [AGE_WORDS[words["age"]]] if "age" in words else []
    parts += [RACE_WORDS[words["race"]]] if "race" in words else []
    parts.append(
        rng.choice(NOUNS[words["gender"]]) if "gender" in words else rng.choice(("person", "person", "face"))
    )
    phrase = " ".join(parts)
    article = "an" if phrase[0] in "aeiou" else "a"
    return f"{rng.choice(OPENINGS)} {article} {phrase}" if rng.random() < 0.8 else f"{article} {phrase}"


def encode(model: nn.Module, images: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Normalised embeddings of images (n, 128) and texts (m, 128)."""
    return model.encode_image(images, normalize=True), model.encode_text(tokens, normalize=True)


def contrast(scores: Tensor, labels: list[dict[str, str]], named: list[dict[str, str]]) -> Tensor:
    """Cross-entropy both ways with all captions that are true of a face as its right answers, equally."""
    true = torch.tensor([[words.items() <= own.items() for words in named] for own in labels])
    true = true.float().to(scores.device)
    of_images, of_texts = true / true.sum(1, keepdim=True), true / true.sum(0, keepdim=True)
    return (F.cross_entropy(scores, of_images) + F.cross_entropy(scores.T, of_texts.T)) / 2


def zero_shot_loss(scores: Tensor, targets: dict[str, Tensor]) -> Tensor:
    """Cross-entropy of every attribute over the captions that name one value each."""
    weight, begin = {"gender": 1.5, "race": 1.0, "age": 0.7}, 0
    total = scores.new_zeros(())
    for name, values in VALUES.items():
        own = scores[:, begin : begin + len(values)]
        total = total + weight[name] * F.cross_entropy(own, targets[name].to(scores.device))
        begin += len(values)
    return total


def soft_labels(faces: Faces, device: str, kept: Path) -> dict[str, Tensor]:
    """The labels (n, K), mixed with what the built-in classifier reads in every face and its mirror image."""
    if (found := load(kept)) is not None:
        return found
    classifier = load_classifier(ClassifierRequest(torch.device(device)))
    both = [
        classifier.read(list(images)).probabilities for images in (faces.images, faces.images[:, :, ::-1])
    ]
    mixed = {}
    for name, values in VALUES.items():
        labels = np.eye(len(values), dtype=np.float32)[faces.labels[name]]
        read = (both[0][name] + both[1][name]) / 2
        mixed[name] = torch.from_numpy(TEACHER * read + (1 - TEACHER) * labels)
    save(kept, mixed)
    return mixed


@torch.no_grad()
def scores_of(model: nn.Module, faces: Faces, device: str) -> dict[str, Tensor]:
    """Cosines (n, K) of faces with the captions of every value, by attribute."""
    model.eval()
    tokenize = open_clip.SimpleTokenizer(context_length=CONFIG["model_cfg"]["text_cfg"]["context_length"])
    seen = []
    for begin in range(0, len(faces), 250):
        pictures = to_tensor(faces.images[begin : begin + 250], device)
        pictures = F.interpolate(pictures, (SIZE, SIZE), mode="bicubic", antialias=True, align_corners=False)
        seen.append(model.encode_image(pictures, normalize=True))
    images, found = torch.cat(seen).cpu(), {}
    for name, values in VALUES.items():
        texts = [[f"{opening} a {phrase(name, value)}" for opening in OPENINGS] for value in values]
        of_values = [model.encode_text(tokenize(some).to(device), normalize=True) for some in texts]
        read = F.normalize(torch.stack([some.mean(0) for some in of_values]), dim=1)
        found[name] = images @ read.cpu().T
    return found


def measure(model: nn.Module, faces: Faces, device: str) -> dict[str, float]:
    """Zero-shot accuracies. That of gender is how often the right one's captions score above the other's."""
    scores = scores_of(model, faces, device)
    return {name: float((scores[name].argmax(1).numpy() == faces.labels[name]).mean()) for name in VALUES}


def fit_temperature(model: nn.Module, faces: Faces, device: str) -> float:
    """The temperature of least log loss over all attributes, of a grid."""
    scores, scale = scores_of(model, faces, device), float(model.logit_scale.detach().exp())
    labels = {name: torch.from_numpy(faces.labels[name]) for name in VALUES}

    def loss(temperature: float) -> float:
        return sum(float(F.cross_entropy(scores[n] * scale / temperature, labels[n])) for n in VALUES)

    return min(np.geomspace(0.2, 5, 65), key=loss)


def phrase(name: str, value: str) -> str:
    """The words of one value alone."""
    word = {"gender": GENDER_NOUNS, "race": RACE_WORDS, "age": AGE_WORDS}[name][value]
    return word if name == "gender" else f"{word} person"


def export(model: nn.Module, folder: Path) -> None:
    """Write the fp16 weights."""
    state = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in model.state_dict().items()
    }
    save_file(state, folder / "open_clip_model.safetensors")


if __name__ == "__main__":
    main()
