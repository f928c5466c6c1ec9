"""How far a run's images are from real ones: stored features to Frechet distances."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from fairaudit.digests import seed_of
from fairaudit.errors import ImageError
from fairaudit.fetching import find_asset
from fairaudit.generating import IMAGES
from fairaudit.labelling import Classifier
from fairaudit.metrics.quality import Moments, frechet_interval
from fairaudit.models.images import ImageFolder, read_image
from fairaudit.plan import AuditPlan
from fairaudit.results import Estimate
from fairaudit.store import Run, write

NO_REFERENCE = "no real images to compare with; name a folder of them with --reference"
NO_INCEPTION = "the Inception weights are not on this machine; get them with `fairaudit fetch inception`"
REPLICATES = 200


@dataclass(frozen=True)
class Reference:
    """Real images that quality is measured against.

    Attributes
    ----------
    moments
        Of the classifier's features; None where there is nothing to compare with.
    folder
        The pictures, where the user named them.
    """

    moments: Moments | None
    folder: Path | None

    @classmethod
    def find(cls, run: Run, plan: AuditPlan, classifier: Classifier, own: Path | None) -> Reference:
        """The plan's reference folder, else the statistics that come with the generator, else nothing."""
        named = plan.measurement.reference
        if named is not None:
            folder = ImageFolder(Path(named))
            return cls(_moments_of(run, folder, classifier), folder.folder)
        if own is not None and own.exists() and classifier.name.startswith("builtin:"):
            return cls(_load_moments(own), None)
        return cls(None, None)


def quality_of(
    run: Run, plan: AuditPlan, classifier: Classifier, sampler: str, reference: Reference
) -> dict[str, Estimate]:
    """Frechet distance on the classifier's features, and FID where its network and a reference are there."""
    table = run.read_all("features", classifier.name, sampler)
    chance: dict[str, Any] = {
        "replicates": REPLICATES,
        "seed": seed_of("quality", plan.digest, sampler) % 2**32,
        "level": plan.measurement.level,
    }
    name = f"frechet:{classifier.name}"
    if reference.moments is None:
        frechet = Estimate(value=None, method="Frechet distance", reason=NO_REFERENCE)
    elif len(table) == 0:
        frechet = Estimate(value=None, method="Frechet distance", reason="no readable image")
    else:
        frechet = frechet_interval(np.stack(table["feature"].to_list()), reference.moments, **chance)
    return {name: frechet, "fid": _fid(run, plan, sampler, reference, chance)}


def _fid(run: Run, plan: AuditPlan, sampler: str, reference: Reference, chance: dict[str, Any]) -> Estimate:
    method = "FID, clean-fid's preprocessing and Inception"
    weights = find_asset("inception")
    missing = NO_INCEPTION if weights is None else NO_REFERENCE if reference.folder is None else None
    if weights is None or reference.folder is None:
        return Estimate(value=None, method=method, reason=missing)
    with tempfile.TemporaryDirectory() as aside:
        if sampler == IMAGES:
            folder = Path(plan.generator)
        else:
            folder = Path(aside)
            for image in run.read_all("samples", sampler)["image"]:
                (folder / image["path"]).write_bytes(image["bytes"])
        features = inception_features(folder, weights)
    real = Moments.of(inception_features(reference.folder, weights))
    estimate = frechet_interval(features, real, **chance)
    return estimate.model_copy(update={"method": f"{method}; {estimate.method}"})


def inception_features(folder: Path, weights: Path) -> NDArray[np.float64]:
    """Inception features (n, 2048) of a folder's pictures, by clean-fid with its `clean` resizing."""
    import torch
    from cleanfid.fid import get_folder_features
    from cleanfid.inception_torchscript import InceptionV3W

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = InceptionV3W(str(weights.parent), download=False).to(device)
    with torch.inference_mode():
        found = get_folder_features(
            str(folder),
            network,
            num_workers=0,
            batch_size=32,
            device=device,
            mode="clean",
            verbose=False,
        )
    return np.asarray(found, dtype=np.float64)


def _moments_of(run: Run, folder: ImageFolder, classifier: Classifier) -> Moments:
    """Feature moments of a folder's pictures; kept in the run, because a reference can be large."""
    path = run.folder / "reference" / f"{folder.fingerprint()['sha256']}.safetensors"
    if path.exists():
        return _load_moments(path)
    moments = None
    for begin in range(0, len(folder.files), 256):
        pictures = []
        for file in folder.files[begin : begin + 256]:
            try:
                pictures.append(read_image(folder.folder / file))
            except ImageError:
                continue  # a reference with a broken file is still a reference
        if pictures:
            part = Moments.of(classifier.read(pictures).features)
            moments = part if moments is None else moments.merge(part)
    if moments is None:
        raise ImageError(f"{folder.folder} holds no readable image to compare with")
    write(path, save_moments(moments))
    return moments


def save_moments(moments: Moments) -> bytes:
    """Moments as safetensors."""
    encoded: bytes = save({"n": np.array(moments.n), "mean": moments.mean, "cov": moments.cov})
    return encoded


def _load_moments(path: Path) -> Moments:
    stored = load_file(path)
    return Moments(int(stored["n"]), stored["mean"].astype(np.float64), stored["cov"].astype(np.float64))
