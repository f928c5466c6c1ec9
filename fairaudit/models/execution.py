"""How a pipeline is put on a device: precision, size, compilation, saving of memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch

from fairaudit.errors import UsageError
from fairaudit.models.loading import networks_of

Saving = Literal["none", "slicing", "offload"]
"""What is done for small cards: nothing; attention in slices and a decoder in slices and tiles; or
parts of the model moved to the GPU only while they work."""


@dataclass(frozen=True)
class Execution:
    """What a plan says about running the network.

    Parameters
    ----------
    dtype
        Precision of the network; the latents and the noise are cast to it.
    height, width
        Size of the pictures in pixels; None takes the model's own.
    guidance_scale
        What distilled networks (FLUX) are told as an input.
    compile
        Compile the blocks that the network repeats, or the whole of one that repeats none.
    """

    dtype: torch.dtype = torch.float32
    height: int | None = None
    width: int | None = None
    guidance_scale: float = 3.5
    compile: bool = False
    saving: Saving = "none"


PLAIN = Execution()
"""In float32, at the model's own size, neither compiled nor saving."""


def place(pipeline: Any, network: Any, device: torch.device, execution: Execution) -> None:
    """Put a pipeline on a device as the plan says.

    Raises
    ------
    UsageError
        If parts are to be moved between the GPU and memory, and there is no GPU.
    """
    for part in networks_of(pipeline):
        part.requires_grad_(False)
    if execution.saving == "offload":
        if device.type == "cpu":
            raise UsageError("saving offload moves parts between a GPU and memory; on the CPU use none")
        pipeline.enable_model_cpu_offload(device=device)
    else:
        pipeline.to(device)
    if execution.saving == "slicing":
        pipeline.enable_attention_slicing()
        if (vae := getattr(pipeline, "vae", None)) is not None:
            vae.enable_slicing()
            vae.enable_tiling()
    if device.type == "cuda" and hasattr(network, "conv_in"):
        network.to(memory_format=torch.channels_last)
    if execution.compile:
        _compile(network)


def _compile(network: Any) -> None:
    if getattr(network, "_repeated_blocks", None):
        network.compile_repeated_blocks()
    else:
        network.compile()
