"""What the three recipes share: devices, averages of weights, checkpoints that survive a kill."""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn


def arguments(description: str, *, steps: int, batch: int) -> argparse.ArgumentParser:
    """The options that every recipe takes."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder of FairFace Parquet shards")
    parser.add_argument("--work", type=Path, required=True, help="folder for checkpoints and caches")
    parser.add_argument("--steps", type=int, default=steps)
    parser.add_argument("--batch", type=int, default=batch)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compile", action="store_true", help="let torch.compile fuse the network")
    parser.add_argument("--start-from", type=Path, help="weights to begin with")
    return parser


def autocast(device: str) -> torch.autocast:
    """bfloat16 where the hardware has it: many CPUs only emulate it, ten times slower."""
    has = device != "cpu" or torch.cpu._is_avx512_bf16_supported()
    return torch.autocast(device, dtype=torch.bfloat16, enabled=has)


def load_weights(module: nn.Module, path: Path) -> None:
    """Load shipped fp16 weights into a float32 module."""
    state = load_file(path)
    module.load_state_dict({n: v.float() if v.is_floating_point() else v for n, v in state.items()})


def one_cycle(step: int, steps: int, warmup: int = 500) -> float:
    """Learning-rate factor: linear warm-up, then a cosine to zero."""
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))


class Average:
    """Exponential moving average of a module's parameters and buffers."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.module = copy.deepcopy(module).requires_grad_(False)
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        for mine, theirs in zip(self.module.state_dict().values(), module.state_dict().values(), strict=True):
            if mine.is_floating_point():
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)


def save(path: Path, state: dict[str, Any]) -> None:
    """Write a file so that a kill leaves the old one or the new one."""
    aside = path.with_suffix(".part")
    torch.save(state, aside)
    os.replace(aside, path)


def load(path: Path) -> dict[str, Any] | None:
    """Read what `save` wrote, None where there is nothing yet."""
    return torch.load(path, weights_only=True) if path.exists() else None


class Checkpoint:
    """A training's state in one file: all that learns, the average of its weights, and the steps done.

    Parameters
    ----------
    path
        The file.
    average
        Knows from `resume` on how many updates it has seen.
    learners
        Modules and optimizers by name.
    """

    def __init__(self, path: Path, average: Average, learners: dict[str, Any]) -> None:
        self.path, self.average = path, average
        self.learners = {**learners, "average": average.module}

    def resume(self) -> int:
        """Load what was kept; the number of steps done, 0 where nothing is kept."""
        if (state := load(self.path)) is None:
            return 0
        for name, learner in self.learners.items():
            learner.load_state_dict(state[name])
        self.average.updates = int(state["step"])
        return self.average.updates

    def keep(self, step: int) -> None:
        """Write the state after `step` steps."""
        save(self.path, {name: part.state_dict() for name, part in self.learners.items()} | {"step": step})


def log(work: Path, name: str, row: dict[str, Any]) -> None:
    """Append a row to WORK/NAME.jsonl and print it."""
    with (work / f"{name}.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    print(name, json.dumps(row), flush=True)


def batches(size: int, batch: int, seed: int, start: int) -> Iterator[Tensor]:
    """Endless batches of row numbers, each epoch a fresh permutation; resumes at batch `start`."""
    per_epoch = size // batch
    epoch, skip = divmod(start, per_epoch)
    while True:
        generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
        rows = torch.randperm(size, generator=generator)[: per_epoch * batch].view(per_epoch, batch)
        yield from rows[skip:]
        epoch, skip = epoch + 1, 0
