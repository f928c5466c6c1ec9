"""What a plan's generator stands for: a diffusion model, or a folder of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from fairaudit.errors import UsageError, unknown
from fairaudit.models.builtin import GENERATORS, PREFIX, asset, planted_shares
from fairaudit.models.variants import split_variant

if TYPE_CHECKING:
    import torch

    from fairaudit.denoiser import Denoiser
    from fairaudit.plan import SamplingPlan

ANALYTIC = "analytic:gmm"
"""The generator that is no network: a Gaussian mixture."""


@dataclass(frozen=True)
class Defaults:
    """What a model is run with when its user says nothing."""

    steps: int
    guidance_scale: float


class Source(Protocol):
    """A model by its name, loaded only when images are to be made.

    Attributes
    ----------
    truth
        Shares in the training data, where they are known.
    reference
        Feature statistics of real images that come with the model.
    classifier
        Who reads its images where nobody names another; None is the plan's default.
    """

    @property
    def classifier(self) -> str | None: ...

    @property
    def truth(self) -> Mapping[str, Mapping[str, Any]] | None: ...

    @property
    def reference(self) -> Path | None: ...

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the weights; of a model on the hub its id and revision."""

    def defaults(self) -> Defaults:
        """Steps and guidance scale as the model is deployed with; loads no weights."""

    def load(self, device: torch.device, plan: SamplingPlan) -> Denoiser:
        """The model on a device, run as the plan says."""


@dataclass(frozen=True)
class ModelSource:
    """A pipeline of diffusers.

    Parameters
    ----------
    location
        Pipeline folder, or the id of one on the hub.
    edit
        File of weights that the model is changed with.
    deployed
        What it is run with by default, where that is not what its pipeline takes.
    """

    location: str
    truth: Mapping[str, Mapping[str, Any]] | None = None
    reference: Path | None = None
    edit: Path | None = None
    deployed: Defaults | None = None
    classifier: str | None = None

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of the weights; of a model on the hub its id and revision."""
        from fairaudit.models import diffusers, variants

        folder = Path(self.location)
        base = diffusers.fingerprint(folder) if folder.is_dir() else diffusers.hub_fingerprint(self.location)
        return base if self.edit is None else {**base, **variants.fingerprint(self.edit)}

    def defaults(self) -> Defaults:
        """Steps and guidance scale as its pipeline is deployed with; loads no weights."""
        from fairaudit.models import diffusers

        return self.deployed or Defaults(*diffusers.defaults(self.location))

    def load(self, device: torch.device, plan: SamplingPlan) -> Denoiser:
        """The model on a device, run as the plan says."""
        import torch

        from fairaudit.models import diffusers
        from fairaudit.models.execution import Execution

        execution = Execution(
            dtype=getattr(torch, plan.dtype),
            height=plan.height,
            width=plan.width,
            guidance_scale=plan.guidance_scale,
            compile=plan.compile,
            saving=plan.saving,
        )
        return diffusers.load(self.location, device, execution, self.edit)


@dataclass(frozen=True)
class AnalyticSource:
    """The Gaussian mixture with exact scores, `analytic:gmm`."""

    reference: None = None
    classifier = ANALYTIC

    @property
    def truth(self) -> Mapping[str, Mapping[str, Any]]:
        """The exact shares."""
        from fairaudit.models import analytic

        return analytic.truth()

    def fingerprint(self) -> Mapping[str, str]:
        """sha256 of its parameters."""
        from fairaudit.models import analytic

        return analytic.fingerprint()

    def defaults(self) -> Defaults:
        """Unguided, because only then its shares are the exact ones."""
        return Defaults(50, 1.0)

    def load(self, device: torch.device, plan: SamplingPlan) -> Denoiser:
        """The mixture as a denoiser, which has one size of pictures."""
        import torch

        from fairaudit.models import analytic

        if (plan.height, plan.width) != (None, None):
            raise UsageError(f"{ANALYTIC} makes pictures of one size; leave out --height and --width")
        return analytic.load(device, getattr(torch, plan.dtype))


def open_model(name: str) -> Source:
    """A model by its name: `builtin:NAME`, `analytic:gmm`, a pipeline folder, or a hub id
    (`org/model`, `org/model@revision`).

    `BASE+FILE` is a variant of a pipeline: FILE is a LoRA, or weights that replace some of the network's.

    Raises
    ------
    UsageError
        If the name can be none of these.
    """
    if name == ANALYTIC:
        return AnalyticSource()
    base, edit = split_variant(name)
    if base.startswith(PREFIX):
        short = base.removeprefix(PREFIX)
        if short not in GENERATORS:
            raise unknown("built-in model", base, [PREFIX + known for known in GENERATORS])
        folder = asset(short)
        reference = folder / "reference.safetensors"
        return ModelSource(str(folder), planted_shares(short), reference, edit, Defaults(20, 1.75))
    if Path(base).is_dir() or _is_hub_id(base):
        return ModelSource(base, edit=edit)
    known = ", ".join([*(PREFIX + short for short in GENERATORS), ANALYTIC])
    absent = "" if Path(base).exists() else ", and nothing of that name is here"
    raise UsageError(
        f"{name!r} is no model{absent}: expected {known}, "
        "the folder of a diffusers pipeline, or a hub id like org/model; `fairaudit audit` also takes "
        "pictures (a folder, a zip or tar archive, a Parquet file) and tables of labels (.csv, .parquet)"
    )


def _is_hub_id(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith((".", "/")) and not name.endswith("/")
