"""How fast pictures are labelled, beside a loop over single pictures and beside decoding alone.

    python benchmarks/labelling.py

First the built-in classifier on small pictures: as a run labels them, against the loop that scripts of the
field have, one picture at a time, transformed by torchvision, through networks of the same size. FairFace's
own predict.py asks two networks about every picture, one of seven races and one of four; others ask one for
each attribute, and the least that a loop can do is to ask one for all. As in predict.py gradients are not
switched off, and tables are not written by either side. Then PNG files of 512 x 512,
labelled as a run does it, against decoding them with as many threads and nothing else: by a classifier that
costs the processor nothing, as one on a GPU, so that decoding is the bottleneck, and by the built-in one on
the same cores. All in the same process, by turns, so that what else the machine does meets all of them; the
ratios are medians over the turns. On a busy machine even they waver, so the processor time is printed too.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product

import numpy as np
import pandas as pd
import torch
from fairaudit.classifiers.facenet import FaceNet
from fairaudit.classifiers.faces64 import Faces64Classifier, load
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from torchvision import transforms

from fairaudit.faces import Crop, Finder
from fairaudit.labelling import ClassifierRequest, Reading
from fairaudit.pictures.decoding import decode
from fairaudit.reading import look_ahead, read_faces
from fairaudit.store import Unit, png

BLOCK = 64
WHOLE = Finder("whole-image")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=512)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--repeats", type=int, default=5, help="turns; the median counts")
    options = parser.parse_args()
    classifier = load(ClassifierRequest(torch.device(options.device)))
    net = published(classifier)
    small, large = pictures(options.images, 64), pictures(options.images, 512)
    threads = torch.get_num_threads()
    print(f"{options.device}, {os.cpu_count()} cores, {threads} threads of torch, {options.repeats} turns")
    times = by_turns(
        {
            "batches": lambda: labelled(classifier, small),
            "predict.py": lambda: one_by_one([net] * 2, classifier, small),
            "one network": lambda: one_by_one([net], classifier, small),
            "three": lambda: one_by_one([net] * 3, classifier, small),
        },
        options.repeats,
    )
    show(times, len(small), "64 x 64", ["predict.py", "one network", "three"], ["batches"])
    times = by_turns(
        {
            "idle": lambda: labelled(Idle(), large),
            "labelled": lambda: labelled(classifier, large),
            "decoded": lambda: decoded(large),
        },
        options.repeats,
    )
    show(times, len(large), "512 x 512", ["decoded"], ["idle", "labelled"])


def pictures(count: int, side: int) -> list[bytes]:
    """PNG files of smooth shapes with some grain, as large as those of photographs."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(30, 225, (8, 8, 3), dtype=np.uint8))
        smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)).astype(np.int16)
        made.append(png((smooth + rng.integers(-6, 7, smooth.shape)).clip(0, 255).astype(np.uint8)))
    return made


class Stored:
    """Files in memory, as the units of a run."""

    def __init__(self, files: Sequence[bytes]) -> None:
        self.files = files
        blocks = range(0, len(files), BLOCK)
        self.units = [Unit(0, n, tuple(range(b, b + BLOCK))) for n, b in enumerate(blocks)]

    def read_samples(self, sampler: str, unit: Unit) -> pd.DataFrame:
        files = self.files[unit.indices[0] : unit.indices[-1] + 1]
        return pd.DataFrame({"image": [{"bytes": file, "path": None} for file in files]})


class Idle:
    """A classifier that costs nothing, as one on a GPU costs the processor nothing."""

    crop = Crop()

    def read(self, images: Sequence[np.ndarray]) -> Reading:
        return Reading({}, np.zeros((len(images), 1), np.float32))


def labelled(classifier: Faces64Classifier | Idle, files: Sequence[bytes]) -> None:
    """As a run does it, without writing tables."""
    stored = Stored(files)
    work = [("images", unit) for unit in stored.units]
    for _, _, seen in look_ahead(stored, work, WHOLE, {}):  # type: ignore[arg-type]
        read_faces(classifier, seen, WHOLE)  # type: ignore[arg-type]


def published(classifier: Faces64Classifier) -> nn.Module:
    """The network as its file holds it, in PyTorch's own order, with one last layer for all attributes."""
    net = FaceNet({name: len(values) for name, values in classifier.values.items()})
    state = load_file(classifier.folder / "model.safetensors")
    net.load_state_dict({n: v.float() if v.is_floating_point() else v for n, v in state.items()})
    heads = [net.heads[name] for name in classifier.values]
    last = nn.Linear(heads[0].in_features, sum(head.out_features for head in heads))
    last.weight.data = torch.cat([head.weight.data for head in heads])
    last.bias.data = torch.cat([head.bias.data for head in heads])
    whole = nn.Sequential(net.body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)
    return whole.to(classifier.device).eval()


def one_by_one(nets: Sequence[nn.Module], classifier: Faces64Classifier, files: Sequence[bytes]) -> None:
    """The loop of FairFace's predict.py, in which Pillow reads the files instead of dlib."""
    size, ends = classifier.size, np.cumsum([len(values) for values in classifier.values.values()])
    transform = transforms.Compose(
        [
            transforms.Resize((size, size)),
            transforms.ToTensor(),
            transforms.Normalize((0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ]
    )
    for file in files:
        image = transform(Image.open(io.BytesIO(file)).convert("RGB"))
        image = image.view(1, 3, size, size).to(classifier.device)
        for net in nets:
            outputs = np.squeeze(net(image).cpu().detach().numpy())
            for scores in np.split(outputs, ends[:-1]):
                odds = np.exp(scores)
                np.argmax(odds / odds.sum())


def decoded(files: Sequence[bytes]) -> None:
    """Every core decodes, and nothing else is done."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(decode, files):
            pass


def by_turns(works: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds and processor seconds of every piece of work at every turn, after one that does not count."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for turn in range(repeats + 1):
        # Forth and back, so that nothing always runs after the same.
        for name, work in list(works.items())[:: 1 if turn % 2 else -1]:
            began, spent = time.perf_counter(), time.process_time()
            work()
            if turn:
                times[name].append((time.perf_counter() - began, time.process_time() - spent))
    return times


def show(
    times: Mapping[str, list[tuple[float, float]]],
    images: int,
    what: str,
    peers: Sequence[str],
    own: Sequence[str],
) -> None:
    """Rates, and the ratios of ours to the peers'."""
    print(f"{images} PNG files of {what}")
    for name, turns in times.items():
        seconds, busy = (statistics.median(column) for column in zip(*turns, strict=True))
        print(f"  {name:<11} {images / seconds:8.1f} images/s   {1000 * busy / images:6.2f} ms of processor")
    for mine, peer in product(own, peers):
        both = list(zip(times[peer], times[mine], strict=True))
        ratio, busy = (statistics.median(a[kind] / b[kind] for a, b in both) for kind in (0, 1))
        print(f"  {mine} / {peer}: {ratio:.2f} x in time, {busy:.2f} x in processor time")


if __name__ == "__main__":
    main()
