"""Networks that users bring: weights loaded without unpickling, pictures fitted, batches of one size."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor, nn

from fairaudit.errors import ModelError, UsageError, reason_of
from fairaudit.labelling import ClassifierRequest

Resample = Literal["bilinear", "bicubic", "lanczos"]
Part = TypeVar("Part")
Found = TypeVar("Found")

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_WRAPPERS = ("state_dict", "model_state_dict", "model")
_COUNTER = "num_batches_tracked"
"""Steps of training, which older files do not have."""
_PREFIX = re.compile(r"^(module\.|_orig_mod\.)+")


@dataclass(frozen=True)
class Fit:
    """A picture cut square around its middle, resized, and standardised.

    Parameters
    ----------
    size
        Side in pixels.
    mean, std
        Of each channel of pictures in [0, 1].
    """

    size: int = 224
    mean: tuple[float, float, float] = IMAGENET_MEAN
    std: tuple[float, float, float] = IMAGENET_STD
    resample: Resample = "bilinear"

    def __call__(self, image: NDArray[np.uint8]) -> Tensor:
        """A picture (h, w, 3) as the input (3, size, size) of a network."""
        method = Image.Resampling[self.resample.upper()]
        fitted = np.array(ImageOps.fit(Image.fromarray(image), (self.size, self.size), method))
        scaled = torch.from_numpy(fitted).permute(2, 0, 1).float().div(255)
        return (scaled - torch.tensor(self.mean)[:, None, None]) / torch.tensor(self.std)[:, None, None]

    def __str__(self) -> str:
        mean, std = (" ".join(f"{x:g}" for x in numbers) for numbers in (self.mean, self.std))
        return f"square, {self.size} pixels, {self.resample}, mean {mean}, deviation {std}"


class Tapped:
    """A network, and what enters its last layer."""

    def __init__(self, net: Callable[[Tensor], Any], last: nn.Module) -> None:
        self.net = net
        self._seen: list[Tensor] = []
        last.register_forward_pre_hook(lambda _, inputs: self._seen.append(inputs[0]))

    def __call__(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, d), which are averages over the places of a map, and outputs (n, K)."""
        self._seen.clear()
        outputs = self.net(pictures)
        features = self._seen.pop()
        return features.flatten(2).mean(2) if features.ndim > 2 else features, outputs


def batch_of(device: torch.device) -> int:
    """Rows of a network call: always the same, so that a label does not depend on its neighbours."""
    return 16 if device.type == "cpu" else 64


@torch.inference_mode()
def in_batches(
    images: Sequence[NDArray[np.uint8]],
    fit: Callable[[NDArray[np.uint8]], Tensor],
    call: Callable[[Tensor], Sequence[Tensor]],
    device: torch.device,
) -> list[Tensor]:
    """What a network says of pictures, row by row, in float32 on the CPU.

    Parameters
    ----------
    fit
        A picture (h, w, 3) to one row of the network's input.
    call
        Rows of `batch_of(device)` to tensors with as many rows; the last rows are padded with zeros.
    """
    size = batch_of(device)
    found: list[list[Tensor]] = []
    for begin in range(0, len(images), size):
        rows = torch.stack([fit(image) for image in images[begin : begin + size]])
        padded = torch.cat([rows, rows.new_zeros(size - len(rows), *rows.shape[1:])]).to(device)
        found.append([part[: len(rows)].float().cpu() for part in call(padded)])
    return [torch.cat(parts) for parts in zip(*found, strict=True)]


def side_by_side(call: Callable[[Part], Found], parts: Sequence[Part], device: torch.device) -> list[Found]:
    """What a call finds in each part; on a CPU two parts at a time, each with half of torch's threads.

    Threads that share a call wait for each other after every layer, and longest where others decode beside
    them. A part is always computed with as many threads, so that nothing depends on how many there are.
    """
    if device.type != "cpu":
        return [call(part) for part in parts]
    threads = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(
            min(2, threads), initializer=torch.set_num_threads, initargs=(max(1, threads // 2),)
        ) as pool:
            return list(pool.map(call, parts))
    finally:
        # What a thread sets for itself is also what later threads begin with.
        torch.set_num_threads(threads)


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of weights by name, floating ones as float32.

    Takes safetensors, and files of `torch.save` that load without running code; what training scripts
    wrap around them (`state_dict`, `module.`) is taken off.

    Raises
    ------
    ModelError
        If the file cannot be read, or is none of these.
    """
    try:
        content = _read(path)
    except OSError as error:
        raise ModelError(f"cannot read the weights {path}: {reason_of(error)}") from error
    except Exception as error:  # a file of another kind fails in many ways
        raise ModelError(
            f"{path} holds no weights: it is neither safetensors nor a PyTorch file of tensors alone "
            "(pickled objects are not loaded, because they can run code)"
        ) from error
    for key in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content or not _are_tensors(content):
        raise ModelError(f"{path} holds no state dict, which would be tensors by name")
    state = {_PREFIX.sub("", name): value for name, value in content.items()}
    return {name: v.float() if v.is_floating_point() else v for name, v in state.items()}


def weights_of(request: ClassifierRequest, name: str, source: str = "") -> Path:
    """The file of weights that a user brings, or `UsageError` that says what to bring, and from where."""
    if request.weights is None:
        raise UsageError(f"{name} needs its weights: name the file with --weights {name}=FILE{source}")
    if not request.weights.is_file():
        raise UsageError(f"the weights of {name} are not at {request.weights}")
    return request.weights


def refuse(name: str, option: str, given: Path | None, why: str) -> None:
    """`UsageError` where a file is given that a classifier has no use for."""
    if given is not None:
        raise UsageError(f"{name} takes no --{option}: {why}")


def read_metadata(path: Path) -> dict[str, str]:
    """What is written beside the tensors of a safetensors file; nothing for other files."""
    from safetensors import SafetensorError, safe_open

    if path.suffix != ".safetensors":
        return {}
    try:
        with safe_open(path, "pt") as file:
            return dict(file.metadata() or {})
    except (OSError, SafetensorError):
        return {}


def put_state(net: nn.Module, state: Mapping[str, Tensor], path: Path, what: str) -> None:
    """Give a network, made without weights, its own.

    Raises
    ------
    ModelError
        If they are of another network; it names the first tensor that differs.
    """
    if found := difference(net, state):
        raise ModelError(f"{path} does not fit {what}: {found}")
    counters = {name: torch.tensor(0) for name in net.state_dict() if name.endswith(_COUNTER)}
    net.load_state_dict({**counters, **state}, assign=True)


def difference(net: nn.Module, state: Mapping[str, Tensor]) -> str:
    """The first difference between a network's layout and that of weights; empty where there is none."""
    own = net.state_dict()
    for problem, names in (
        ("it lacks", [name for name in own if name not in state and not name.endswith(_COUNTER)]),
        ("it has besides", [name for name in state if name not in own]),
    ):
        if names:
            others = f" and {len(names) - 1} more" if len(names) > 1 else ""
            return f"{problem} {names[0]}{others}"
    for name, tensor in state.items():
        if tensor.shape != own[name].shape:
            return f"{name} is {_shape(tensor)}, not {_shape(own[name])}"
    return ""


def _read(path: Path) -> Any:
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of odd pickles, whose refusal says all
        return torch.load(path, map_location="cpu", weights_only=True)


def _are_tensors(content: Mapping[Any, Any]) -> bool:
    return all(isinstance(name, str) and isinstance(v, Tensor) for name, v in content.items())


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a number"
