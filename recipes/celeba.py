"""Train the weights of `celeba`, 40 attributes of a face, on CelebA (Liu et al. 2015).

    python recipes/celeba.py --data CELEBA --work build/celeba

CELEBA is the data set's own folder: img_align_celeba, list_attr_celeba.txt, list_eval_partition.txt. It is
for non-commercial research, and so is what is trained on it.
Ends with WORK/celeba: model.safetensors, which says in its metadata what its outputs mean, and a calibration
of every attribute. Temperatures come from the validation pictures, confusion counts from the test pictures.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from fairaudit.classifiers.celeba import ATTRIBUTES, celeba_outputs
from fairaudit.classifiers.torchvision import METADATA, PictureOutputs
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision import models

from classifier import histogram
from fairaudit.digests import sha256_of
from fairaudit.labelling import Calibration
from fairaudit.networks import read_state
from fairaudit.outputs import OutputReader
from training import Average, Checkpoint, arguments, autocast, batches, log, one_cycle

LEARNING_RATE = 1e-3
SPLITS = ("train", "valid", "test")
"""In the order of the numbers in list_eval_partition.txt."""


@dataclass(frozen=True)
class Pictures:
    """Pictures on disk, and whether each has each attribute (n, 40)."""

    files: Sequence[Path]
    labels: Tensor

    def __len__(self) -> int:
        return len(self.files)


def load_celeba(data: Path) -> dict[str, Pictures]:
    """The pictures of every split."""
    rows = (data / "list_attr_celeba.txt").read_text().splitlines()
    if tuple(rows[1].split()) != ATTRIBUTES:
        raise SystemExit(f"{data}: list_attr_celeba.txt has other attributes than CelebA")
    labelled = {name: labels for name, *labels in (row.split() for row in rows[2:])}
    parts = dict(row.split() for row in (data / "list_eval_partition.txt").read_text().splitlines())
    return {split: _pictures(data, labelled, parts, str(number)) for number, split in enumerate(SPLITS)}


def _pictures(data: Path, labelled: dict[str, list[str]], parts: dict[str, str], number: str) -> Pictures:
    names = [name for name in labelled if parts[name] == number]
    files = [data / "img_align_celeba" / name for name in names]
    return Pictures(files, torch.tensor([[int(label) > 0 for label in labelled[name]] for name in names]))


def main() -> None:
    parser = arguments(__doc__ or "", steps=20_000, batch=128)
    parser.add_argument("--architecture", default="resnet18", help="a network of torchvision")
    parser.add_argument("--size", type=int, default=128, help="side of the pictures, in pixels")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    splits = load_celeba(options.data)
    outputs = celeba_outputs(architecture=options.architecture, size=options.size)
    net = models.get_model(options.architecture, weights=None, num_classes=len(ATTRIBUTES))
    if options.start_from:
        net.load_state_dict(read_state(options.start_from))
    net = net.to(options.device, memory_format=torch.channels_last)
    average = Average(net, 0.998)
    optimizer = torch.optim.AdamW(net.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    learners = {"net": net, "optimizer": optimizer}
    checkpoint = Checkpoint(options.work / "celeba.pt", average, learners)
    start = checkpoint.resume()

    train = splits["train"]
    rows = batches(len(train), options.batch, options.seed, start)
    forward = torch.compile(net, dynamic=False) if options.compile else net
    began = time.time()
    for step in range(start, options.steps):
        for group in optimizer.param_groups:
            group["lr"] = LEARNING_RATE * one_cycle(step, options.steps)
        index = next(rows)
        generator = torch.Generator().manual_seed(options.seed + step)
        images = augment(read(train, index.tolist(), outputs), generator).to(options.device)
        net.train()
        with autocast(options.device):
            logits = forward(images.contiguous(memory_format=torch.channels_last))
        target = train.labels[index].to(options.device).float()
        loss = F.binary_cross_entropy_with_logits(logits.float(), target)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        average.update(net)
        if (step + 1) % 500 == 0 or step + 1 == options.steps:
            seconds = round(time.time() - began)
            log(options.work, "celeba", {"step": step + 1, "loss": loss.item(), "seconds": seconds})
            checkpoint.keep(step + 1)
    export(average.module, splits, outputs, options.work / "celeba", options.device)


def read(pictures: Pictures, rows: Sequence[int], outputs: PictureOutputs) -> Tensor:
    """Pictures (n, 3, h, w) as the classifier prepares them."""
    with ThreadPoolExecutor() as pool:
        opened = pool.map(lambda row: np.array(Image.open(pictures.files[row]).convert("RGB")), rows)
        return torch.stack([outputs.fit(image) for image in opened])


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Flip half of them, shift and scale a little."""
    count = len(images)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    flip = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    scale, zero = uniform(0.85, 1.1), torch.zeros(count)
    across = torch.stack([flip * scale, zero, uniform(-0.1, 0.1)], 1)
    down = torch.stack([zero, scale, uniform(-0.1, 0.1)], 1)
    grid = F.affine_grid(torch.stack([across, down], 1), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


@torch.no_grad()
def predict(net: nn.Module, pictures: Pictures, outputs: PictureOutputs, device: str) -> Tensor:
    """Logits (n, 40) of all pictures."""
    net.eval()
    rows = torch.arange(len(pictures)).split(250)
    return torch.cat([net(read(pictures, part.tolist(), outputs).to(device)).cpu() for part in rows])


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature (0.1 to 10) of least log loss for one attribute."""
    tried = torch.logspace(-1, 1, 201)
    losses = [F.binary_cross_entropy_with_logits(logits / t, labels.float()).item() for t in tried]
    return float(tried[int(np.argmin(losses))])


def export(
    net: nn.Module, splits: dict[str, Pictures], outputs: PictureOutputs, folder: Path, device: str
) -> None:
    """Write the weights with what they mean, and the calibrations."""
    folder.mkdir(exist_ok=True)
    valid, test = splits["valid"], splits["test"]
    logits = predict(net, valid, outputs, device)
    names = list(outputs.attributes)
    temperature = {
        name: fit_temperature(logits[:, place], valid.labels[:, place]) for place, name in enumerate(names)
    }
    outputs = outputs.model_copy(update={"temperature": temperature})
    state = {name: value.cpu().contiguous() for name, value in net.state_dict().items()}
    save_file(state, folder / "model.safetensors", {METADATA: outputs.model_dump_json()})
    weights = {"model.safetensors": sha256_of(folder / "model.safetensors"), "outputs": outputs.sha256}
    found = OutputReader(outputs, len(ATTRIBUTES))(predict(net, test, outputs, device))
    for place, name in enumerate(names):
        counted = calibrate(name, test.labels[:, place].long().numpy(), found[name], outputs)
        if counted is not None:
            counted = counted.model_copy(update={"weights": weights, "faces": "whole pictures"})
            text = counted.model_dump_json(indent=1, by_alias=True)
            (folder / f"{name}.calibration.json").write_text(text + "\n")


def calibrate(name: str, true: np.ndarray, read: np.ndarray, outputs: PictureOutputs) -> Calibration | None:
    """The confusion counts of the test pictures; None where a value has no picture."""
    confusion = np.zeros((2, 2), dtype=int)
    np.add.at(confusion, (true, read.argmax(1)), 1)
    if not confusion.sum(1).all():
        return None
    return Calibration(
        schema=1,
        classifier="celeba",
        attribute=name,
        values=tuple(outputs.attributes[name]),
        confusion=tuple(map(tuple, confusion.tolist())),
        data=f"{len(true)} CelebA test pictures (Liu et al. 2015, non-commercial research)",
        temperature=outputs.temperature[name],
        preprocessing=str(outputs.fit),
        confidence=tuple(histogram(read)),
    )


if __name__ == "__main__":
    main()
