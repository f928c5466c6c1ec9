"""Where the networks run."""

from __future__ import annotations

import torch

from fairaudit.errors import UsageError


def choose_device(wanted: str) -> torch.device:
    """`auto` is the GPU if there is one, else the CPU.

    Raises
    ------
    UsageError
        If a GPU is asked for and there is none.
    """
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise UsageError("no CUDA GPU is visible to PyTorch here; use --device cpu or --device auto")
    if wanted not in ("cpu", "cuda"):
        raise UsageError(f"unknown device {wanted!r}; use auto, cpu or cuda")
    # The same bytes on every run, as far as the device type can give them.
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    # float32 in the plan means float32, on the GPU too.
    torch.backends.cudnn.allow_tf32 = False
    return torch.device(wanted)
