"""Is everything here that an audit needs? Versions, devices, weights, and an audit of the built-in model."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import numpy as np
import torch

import fairaudit
from fairaudit.errors import FairauditError
from fairaudit.fetching import ASSETS, cache_folder, find_asset
from fairaudit.models.builtin import GENERATORS, PREFIX, asset
from fairaudit.offline import is_offline
from fairaudit.plan import AuditPlan
from fairaudit.progress import progress_bars
from fairaudit.store import Run, pixels

State = Literal["ok", "missing", "failed"]

PACKAGES = (
    "torch", "torchvision", "diffusers", "transformers", "accelerate", "safetensors", "open_clip_torch",
    "clean-fid", "scikit-learn", "scipy", "numpy", "pandas", "pyarrow", "pillow", "opencv-python-headless",
    "typst",
)  # fmt: skip
OPTIONAL = {
    "peft": "LoRA files of Stable Diffusion, SDXL, SD3 and FLUX; get it with `pip install 'fairaudit[lora]'`"
}

PROMPTS = {"female": "a photo of a woman", "male": "a photo of a man"}
IMAGES = 8
"""Images of each prompt; a wrong label now and then is the model's, so a quarter of them may be wrong."""
BATCHES = (16, 5)
"""Batch sizes whose images are compared."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes
    ----------
    state
        `missing` is something that only some audits need.
    remedy
        What to do about it.
    """

    what: str
    state: State
    found: str
    remedy: str | None = None


def examine(device: str, *, test: bool) -> Iterator[Finding]:
    """Everything that is looked at, as it is found.

    Parameters
    ----------
    test
        Whether to make images too, which takes the better part of a minute on a CPU.
    """
    yield from _versions()
    yield from _devices()
    yield from _surroundings()
    yield from _weights()
    if test:
        yield from _self_test(device)


def _versions() -> Iterator[Finding]:
    yield Finding("fairaudit", "ok", f"{fairaudit.__version__}, Python {platform.python_version()}")
    for name in PACKAGES:
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "failed", "not installed", f"pip install {name}")
    for name, use in OPTIONAL.items():
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "missing", "not installed", use)


def _devices() -> Iterator[Finding]:
    yield Finding("cpu", "ok", f"{os.cpu_count()} cores, {torch.get_num_threads()} threads in PyTorch")
    if not torch.cuda.is_available():
        built = (
            f"PyTorch is built for CUDA {torch.version.cuda}" if torch.version.cuda else "PyTorch has no CUDA"
        )
        yield Finding("gpu", "missing", f"none is visible ({built}); audits run on the CPU")
        return
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        memory = f"{properties.total_memory / 2**30:.0f} GiB"
        yield Finding(f"gpu {number}", "ok", f"{properties.name}, {memory}, CUDA {torch.version.cuda}")


def _surroundings() -> Iterator[Finding]:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
        free = shutil.disk_usage(folder).free / 2**30
        yield Finding("cache", "ok", f"{folder}, {free:.0f} GiB free")
    except OSError as error:
        remedy = "name a folder that can be written with FAIRAUDIT_CACHE"
        yield Finding("cache", "failed", f"{folder}: {error.strerror}", remedy)
    if is_offline():
        yield Finding("network", "ok", "not to be used (HF_HUB_OFFLINE is set)")
        return
    mirror = os.environ.get("HF_ENDPOINT", "none")
    # A proxy's address may hold a password.
    names = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
    proxy = "set" if any(os.environ.get(name) for name in names) else "none"
    said = "used only to fetch what is asked for"
    yield Finding("network", "ok", f"{said}; mirror of the hub: {mirror}; proxy: {proxy}")


def _weights() -> Iterator[Finding]:
    for name in (*GENERATORS, "faces64-classifier", "faces64-clip"):
        files = list(asset(name).rglob("*.safetensors"))
        size = sum(file.stat().st_size for file in files) / 1e6
        state: State = "ok" if files else "failed"
        found = f"{size:.1f} MB" if files else "not in the package"
        yield Finding(PREFIX + name, state, found, None if files else "install fairaudit again")
    for name, pinned in ASSETS.items():
        remedy = f"fairaudit fetch {name}  ({pinned.size}: {pinned.about})"
        try:
            here = find_asset(name)
        except FairauditError as error:
            yield Finding(name, "failed", str(error), remedy)
        else:
            yield Finding(
                name, "ok" if here else "missing", str(here or "not fetched"), None if here else remedy
            )


def _self_test(device: str) -> Iterator[Finding]:
    """Audit the built-in model twice, with two batch sizes."""
    with tempfile.TemporaryDirectory() as folder:
        runs = []
        for batch in BATCHES:
            out = Path(folder) / str(batch)
            began = time.perf_counter()
            problem = _attempt(partial(_audit, out, batch, device))
            if problem is not None:
                yield Finding(
                    "self-test", "failed", problem, "please report this with the output of `fairaudit doctor`"
                )
                return
            runs.append((out, time.perf_counter() - began))
        yield from _judge(runs[0][0], runs[1][0], runs[1][1])


def _audit(out: Path, batch: int, device: str) -> None:
    from fairaudit.auditing import audit
    from fairaudit.planning import build_plan

    plan = build_plan(
        f"{PREFIX}{GENERATORS[0]}",
        prompts=list(PROMPTS.values()),
        fields={"sampling.images_per_prompt": IMAGES, "sampling.batch": batch},
    )
    with progress_bars(visible=False) as bars:
        audit(plan, out, device, bars)


def _attempt(work: Callable[[], None]) -> str | None:
    """What went wrong, in a line. Whatever it is, the other findings are still wanted."""
    try:
        work()
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return None


def _judge(first: Path, second: Path, seconds: float) -> Iterator[Finding]:
    """Are the labels what the prompts ask for, and does the batch size change anything?"""
    plan = AuditPlan.load(first / "plan.yaml")
    a, b = (Run(out).read_all("labels", plan.classifier, "baseline") for out in (first, second))
    wanted = a["prompt"].map({prompt: value for value, prompt in PROMPTS.items()})
    right, total = int((a["gender"] == wanted).sum()), len(a)
    found = f"{right} of {total} faces are read as the prompt asks for"
    yield Finding("self-test: labels", "ok" if right >= 0.75 * total else "failed", found)
    flips = int((a["gender"] != b["gender"]).sum())
    images = [Run(out).read_all("samples", "baseline")["image"] for out in (first, second)]
    pairs = [[pixels(image["bytes"]).astype(int) for image in both] for both in zip(*images, strict=True)]
    apart = max(int(np.abs(x - y).max()) for x, y in pairs)
    between = f"between batches of {BATCHES[0]} and {BATCHES[1]}"
    found = f"{flips} of {total} labels differ {between}, pixels by at most {apart} of 255"
    yield Finding("self-test: batch size", "ok" if flips <= 1 else "failed", found)
    report = (first / "report.pdf").read_bytes()
    yield Finding(
        "self-test: report",
        "ok" if report.startswith(b"%PDF") else "failed",
        f"PDF of {len(report) / 1e6:.1f} MB",
    )
    yield Finding("self-test: speed", "ok", f"{total} images made, labelled and reported in {seconds:.1f} s")


def works(findings: list[Finding]) -> bool:
    """Whether nothing failed; what is missing is needed by some audits only."""
    return all(finding.state != "failed" for finding in findings)
