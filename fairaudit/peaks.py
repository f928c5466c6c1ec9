"""How much memory making images took at most."""

from __future__ import annotations

import sys

import torch

ALLOCATED = "peak of what was allocated on the GPU, the model included"
RESIDENT = "resident peak of the process up to then, Python and the model included"


def begin_peak(device: torch.device) -> None:
    """From here on; a process has one peak from its start, which nothing can begin anew."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak(device: torch.device, images: int) -> tuple[int, str] | None:
    """Bytes, and what they are of, with the images that were made at once; None where no system tells."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device), f"{ALLOCATED}, {images} images at once"
    try:
        import resource
    except ImportError:  # Windows
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024), f"{RESIDENT}, {images} images at once"
