"""What a plan's generator stands for: a diffusion model, or a folder of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairaudit.errors import UsageError, unknown
from fairaudit.models.builtin import GENERATORS, PREFIX, asset, planted_shares

if TYPE_CHECKING:
    import torch

    from fairaudit.models.diffusers import StableDiffusion
    from fairaudit.plan import SamplingPlan


@dataclass(frozen=True)
class ModelSource:
    """A diffusion model, loaded only when images are to be made.

    Parameters
    ----------
    location
        Pipeline folder, or the id of one on the hub.
    truth
        Shares in the training data, where they are known.
    reference
        Feature statistics of real images that come with the model.
    """

    location: str
    truth: Mapping[str, Mapping[str, Any]] | None = None
    reference: Path | None = None

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the weights; of a model on the hub only its id."""
        from fairaudit.models.diffusers import fingerprint

        folder = Path(self.location)
        return fingerprint(folder) if folder.is_dir() else {"hub": self.location}

    def load(self, device: torch.device, plan: SamplingPlan) -> StableDiffusion:
        """The model on a device, in the plan's precision."""
        import torch

        from fairaudit.models.diffusers import StableDiffusion

        dtype: torch.dtype = getattr(torch, plan.dtype)
        return StableDiffusion(self.location, device, dtype, height=plan.height, width=plan.width)


def open_model(name: str) -> ModelSource:
    """A model by its name: `builtin:NAME`, a pipeline folder, or a hub id such as `org/model`.

    Raises
    ------
    UsageError
        If the name can be none of these.
    """
    if name.startswith(PREFIX):
        short = name.removeprefix(PREFIX)
        if short not in GENERATORS:
            raise unknown("built-in model", name, [PREFIX + known for known in GENERATORS])
        folder = asset(short)
        reference = folder / "reference.safetensors"
        return ModelSource(str(folder), planted_shares(short), reference)
    if Path(name).is_dir():
        return ModelSource(name)
    if name.count("/") == 1 and not name.startswith((".", "/")) and not name.endswith("/"):
        return ModelSource(name)
    raise UsageError(
        f"{name!r} is no model: expected {' or '.join(PREFIX + known for known in GENERATORS)}, "
        "an existing StableDiffusionPipeline folder, or a hub id like org/model"
    )


def is_image_folder(name: str) -> bool:
    """Whether a source is a folder of pictures rather than of a model."""
    return Path(name).is_dir() and not (Path(name) / "model_index.json").exists()
