"""Cross-attention of a UNet, weighted by token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor


@contextmanager
def emphasised(unet: torch.nn.Module, factors: Tensor | None) -> Iterator[None]:
    """Multiply the cross-attention maps of a UNet by a factor per token, inside the `with` alone.

    Parameters
    ----------
    factors
        (n, length), for each image and token; None leaves the maps as they are.

    Notes
    -----
    FairQueue (Teo et al., NeurIPS 2024) multiplies the maps after the softmax, without normalising
    them again. A map A enters a layer only as A V, and (A diag(c)) V = A (diag(c) V), so the values
    of the tokens are multiplied instead: the same for every implementation of attention.
    """
    if factors is None:
        yield
        return

    def weigh(module: torch.nn.Module, inputs: Any, values: Tensor) -> Tensor:
        return values * factors[..., None].to(values.dtype)

    with ExitStack() as stack:
        # Compiled code was traced without the hooks.
        stack.enter_context(torch.compiler.set_stance("force_eager"))
        for name, module in unet.named_modules():
            if name.endswith("attn2.to_v"):
                stack.callback(module.register_forward_hook(weigh).remove)
        yield
