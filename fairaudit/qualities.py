"""How far a run's images are from real ones: stored features to Frechet distances."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from fairaudit.digests import seed_of
from fairaudit.errors import ImageError
from fairaudit.fetching import find_asset
from fairaudit.labelling import Classifier
from fairaudit.metrics.quality import Moments, frechet_interval
from fairaudit.models.images import ImageFolder, read_image
from fairaudit.plan import AuditPlan
from fairaudit.results import Estimate
from fairaudit.store import Run, pixels, png, write

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


def check_reference(plan: AuditPlan) -> None:
    """Raise `UsageError` now, not after hours, if the reference or the Inception weights are unusable."""
    find_asset("inception")
    if plan.measurement.reference is not None:
        ImageFolder(Path(plan.measurement.reference))


def _fid(run: Run, plan: AuditPlan, sampler: str, reference: Reference, chance: dict[str, Any]) -> Estimate:
    method = "FID, clean-fid's preprocessing and Inception"
    weights = find_asset("inception")
    if weights is None or reference.folder is None:
        reason = NO_INCEPTION if weights is None else NO_REFERENCE
        return Estimate(value=None, method=method, reason=reason)
    samples = run.read_all("samples", sampler)["image"]
    origin = Path(plan.generator)
    pictures = (
        (origin / image["path"]) if image["bytes"] is None else pixels(image["bytes"]) for image in samples
    )
    features = inception_features(pictures, weights)
    real = Moments.of(inception_features(_files_of(reference.folder), weights))
    estimate = frechet_interval(features, real, **chance)
    return estimate.model_copy(update={"method": f"{method}; {estimate.method}"})


def _files_of(folder: Path) -> Iterator[Path]:
    return (folder / file for file in ImageFolder(folder).files)


def inception_features(pictures: Iterable[Path | NDArray[np.uint8]], weights: Path) -> NDArray[np.float64]:
    """Inception features (n, 2048) of pictures or files, by clean-fid with its `clean` resizing.

    Files that cannot be read are left out. clean-fid is given PNG files of its own, because it
    reads folders by patterns and endings that not every folder fits.
    """
    import torch
    from cleanfid.fid import get_folder_features
    from cleanfid.inception_torchscript import InceptionV3W

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = InceptionV3W(str(weights.parent), download=False).to(device)
    with tempfile.TemporaryDirectory(prefix="fairaudit-") as aside, torch.inference_mode():
        for number, picture in enumerate(pictures):
            try:
                decoded = read_image(picture) if isinstance(picture, Path) else picture
            except ImageError:
                continue
            (Path(aside) / f"{number:09d}.png").write_bytes(png(decoded))
        found = get_folder_features(
            aside, network, num_workers=0, batch_size=32, device=device, mode="clean", verbose=False
        )
    return np.asarray(found, dtype=np.float64)


def _moments_of(run: Run, folder: ImageFolder, classifier: Classifier) -> Moments:
    """Feature moments of a folder's pictures; kept in the run, because a reference can be large."""
    path = run.folder / "reference" / f"{folder.fingerprint()['sha256']}.safetensors"
    if path.exists():
        return _load_moments(path)
    moments = None
    for begin in range(0, len(folder.files), 64):
        pictures = []
        for file in folder.files[begin : begin + 64]:
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
