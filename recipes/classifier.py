"""Train `builtin:faces64-classifier` on FairFace at 64x64.

    python recipes/classifier.py --data FAIRFACE64 --work build/train

Ends with WORK/faces64-classifier: model.safetensors, config.json, and the calibrations of gender, race,
age, gender x race and gender x age.
Temperatures come from held-out training faces, the confusion counts from the validation faces,
so that what corrects a share has seen neither the weights nor the temperatures being fitted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from fairaudit.classifiers.facenet import FaceNet
from safetensors.torch import save_file
from torch import Tensor

from faces import VALUES, Faces, load_faces
from fairaudit.digests import sha256_of
from training import Average, Checkpoint, arguments, autocast, batches, load_weights, log, one_cycle

WEIGHT = {"gender": 1.5, "race": 1.0, "age": 0.7}
"""How much each attribute's loss counts."""
LEARNING_RATE = 2e-3
SMALL = 0.7
"""The part of the steps that sees 48x48 pictures: nearly as instructive as 64x64, at half the cost."""


def main() -> None:
    options = arguments(__doc__ or "", steps=4200, batch=128).parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    train, held_out = load_faces(options.data, "train"), load_faces(options.data, "held_out")
    net = FaceNet({name: len(values) for name, values in VALUES.items()})
    if options.start_from:
        load_weights(net, options.start_from)
    net = net.to(options.device, memory_format=torch.channels_last)
    average = Average(net, 0.998)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    learners = {"net": net, "optimizer": optimizer}
    checkpoint = Checkpoint(options.work / "classifier.pt", average, learners)
    start = checkpoint.resume()

    labels = {name: torch.from_numpy(codes) for name, codes in train.labels.items()}
    rows = batches(len(train), options.batch, options.seed, start)
    forward = torch.compile(net, dynamic=False) if options.compile else net
    began = time.time()
    for step in range(start, options.steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * one_cycle(step, options.steps, warmup=200)
        index = next(rows)
        generator = torch.Generator().manual_seed(options.seed + step)
        size = 48 if step < SMALL * options.steps else 64
        images = augment(to_tensor(train.images[index.numpy()], options.device), generator, size)
        with autocast(options.device):
            logits = forward(images)
        loss = torch.stack(
            [
                WEIGHT[name]
                * F.cross_entropy(
                    logits[name].float(), labels[name][index].to(options.device), label_smoothing=0.05
                )
                for name in VALUES
            ]
        ).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        average.update(net)
        if (step + 1) % 300 == 0 or step + 1 == options.steps:
            logits_held = predict(average.module, held_out, options.device)
            accuracy = {
                name: float((logits_held[name].argmax(1).numpy() == held_out.labels[name]).mean())
                for name in VALUES
            }
            seconds = round(time.time() - began)
            log(
                options.work,
                "classifier",
                {"step": step + 1, "loss": loss.item(), "seconds": seconds, **accuracy},
            )
            checkpoint.keep(step + 1)
    export(average.module, held_out, load_faces(options.data, "val"), options.work, options.device)


def to_tensor(images: np.ndarray, device: str) -> Tensor:
    """uint8 (n, h, w, 3) to float (n, 3, h, w) in [-1, 1]."""
    tensor = torch.from_numpy(images).to(device).permute(0, 3, 1, 2)
    return tensor.float().div(127.5).sub(1).contiguous(memory_format=torch.channels_last)


def augment(images: Tensor, generator: torch.Generator, size: int) -> Tensor:
    """Flip, shift and scale a little, vary brightness, contrast, saturation and blur, erase a patch."""
    count = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return (torch.rand(count, generator=generator) * (high - low) + low).to(images.device)

    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    scale, angle = uniform(0.85, 1.1), uniform(-0.2, 0.2)
    theta = torch.stack(
        [
            torch.stack([flip * scale * angle.cos(), -scale * angle.sin(), uniform(-0.12, 0.12)], 1),
            torch.stack([flip * scale * angle.sin(), scale * angle.cos(), uniform(-0.12, 0.12)], 1),
        ],
        1,
    )
    grid = F.affine_grid(theta, [count, 3, size, size], align_corners=False)
    images = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    shape = (count, 1, 1, 1)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * uniform(0.6, 1.4).view(shape)
    mean = images.mean((1, 2, 3), keepdim=True)
    images = mean + (images - mean) * uniform(0.7, 1.3).view(shape) + uniform(-0.2, 0.2).view(shape)
    # Pictures are audited as they come, so the network must stand some blur.
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="reflect"), 3, 1)
    images = torch.where(uniform(0, 1).view(shape) < 0.2, blurred, images)
    # One patch in a third of the pictures: no single part of a face may decide.
    along = torch.linspace(0, 1, size, device=images.device)
    top, left, side = uniform(0, 1).view(shape), uniform(0, 1).view(shape), uniform(0.1, 0.3).view(shape)
    rows = (along.view(1, 1, size, 1) - top).abs() < side
    columns = (along.view(1, 1, 1, size) - left).abs() < side
    chosen = uniform(0, 1).view(shape) < 0.33
    images = torch.where(rows & columns & chosen, torch.zeros_like(images), images)
    return images.clamp(-1, 1).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def predict(net: FaceNet, faces: Faces, device: str) -> dict[str, Tensor]:
    """Logits (n, K) of all faces per attribute."""
    net.eval()
    parts = [net(to_tensor(faces.images[begin : begin + 250], device)) for begin in range(0, len(faces), 250)]
    return {name: torch.cat([part[name].cpu() for part in parts]) for name in VALUES}


def fit_temperature(logits: Tensor, labels: np.ndarray) -> float:
    """The temperature of least log loss (Guo et al. 2017)."""
    log_temperature = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.LBFGS([log_temperature], max_iter=50)
    target = torch.from_numpy(labels)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(logits / log_temperature.exp(), target)
        loss.backward()
        return loss

    optimizer.step(closure)
    return float(log_temperature.detach().exp())


def export(net: FaceNet, held_out: Faces, val: Faces, work: Path, device: str) -> None:
    """Write the fp16 weights, the configuration, the calibrations, and what the card says of them."""
    folder = work / "faces64-classifier"
    folder.mkdir(exist_ok=True)
    weights = {
        name: (value.half() if value.is_floating_point() else value).cpu().contiguous()
        for name, value in net.state_dict().items()
    }
    save_file(weights, folder / "model.safetensors")
    # What ships is what is calibrated: measure the rounded weights.
    shipped = FaceNet({name: len(values) for name, values in VALUES.items()}).to(device)
    shipped.load_state_dict({n: v.float() if v.is_floating_point() else v for n, v in weights.items()})
    held_logits, val_logits = predict(shipped, held_out, device), predict(shipped, val, device)
    temperature = {name: fit_temperature(held_logits[name], held_out.labels[name]) for name in VALUES}
    found = {name: (val_logits[name] / temperature[name]).softmax(1).numpy() for name in VALUES}
    predicted = {name: probabilities.argmax(1) for name, probabilities in found.items()}
    config = {"values": VALUES, "size": 64, "temperature": temperature}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    for name, values in VALUES.items():
        extra = {"temperature": temperature[name], "confidence": histogram(found[name])}
        write_calibration(folder, name, values, true=val.labels[name], read=predicted[name], extra=extra)
    for first, second in (("gender", "race"), ("gender", "age")):
        # The errors of two attributes depend on each other, so they are counted together.
        values = [f"{a} | {b}" for a in VALUES[first] for b in VALUES[second]]
        true, read = (codes[first] * len(VALUES[second]) + codes[second] for codes in (val.labels, predicted))
        write_calibration(folder, f"{first} x {second}", values, true=true, read=read, extra={})
    numbers = describe(found, val)
    (work / "classifier-numbers.json").write_text(json.dumps(numbers, indent=1) + "\n")
    print(json.dumps(numbers, indent=1))


def write_calibration(
    folder: Path,
    name: str,
    values: Sequence[str],
    *,
    true: np.ndarray,
    read: np.ndarray,
    extra: dict[str, Any],
) -> None:
    """One calibration file: confusion counts of the validation faces."""
    confusion = np.zeros((len(values), len(values)), dtype=int)
    np.add.at(confusion, (true, read), 1)
    calibration = {
        "schema": 1,
        "classifier": "builtin:faces64-classifier",
        "attribute": name,
        "values": list(values),
        "confusion": confusion.tolist(),
        "rows": "true value",
        "columns": "predicted value",
        "data": f"{len(true)} FairFace validation faces at 64x64 (Karkkainen & Joo 2021, CC BY 4.0)",
        "preprocessing": "square, 64 pixels, Lanczos",
        "faces": "whole pictures",
        "weights": {"model.safetensors": sha256_of(folder / "model.safetensors")},
        **extra,
    }
    (folder / f"{name}.calibration.json").write_text(json.dumps(calibration, indent=1) + "\n")


def histogram(probabilities: np.ndarray, bins: int = 20) -> list[int]:
    """How confident the labels are: counts of the largest probability in equal bins over [0, 1]."""
    counts, _ = np.histogram(probabilities.max(1), bins=bins, range=(0, 1))
    return [int(count) for count in counts]


def describe(found: dict[str, np.ndarray], faces: Faces) -> dict[str, Any]:
    """Accuracy, calibration error, recall of every value, and of gender within every race and age."""
    numbers: dict[str, Any] = {}
    right = {name: found[name].argmax(1) == faces.labels[name] for name in VALUES}
    for name, values in VALUES.items():
        numbers[name] = {
            "accuracy": float(right[name].mean()),
            "calibration error": calibration_error(found[name], right[name]),
            "recall": {
                value: float(right[name][faces.labels[name] == code].mean())
                for code, value in enumerate(values)
            },
        }
    numbers["gender"]["recall within"] = {
        f"{gender} | {value}": float(right["gender"][(faces.labels["gender"] == g) & rows].mean())
        for name in ("race", "age")
        for code, value in enumerate(VALUES[name])
        for rows in [faces.labels[name] == code]
        for g, gender in enumerate(VALUES["gender"])
    }
    return numbers


def calibration_error(probabilities: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: confidence against accuracy in equal bins (Guo et al. 2017)."""
    confidence = probabilities.max(1)
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[place == b].mean() - right[place == b].mean()) * (place == b).mean()
        for b in np.unique(place)
    ]
    return float(sum(gaps))


if __name__ == "__main__":
    main()
