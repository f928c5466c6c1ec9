"""How far a run's images are from real ones: stored features to Frechet distances."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from fairaudit.digests import seed_of
from fairaudit.errors import ImageError
from fairaudit.faces import Finder
from fairaudit.fetching import find_asset
from fairaudit.instruments import open_finder
from fairaudit.labelling import Classifier
from fairaudit.metrics.quality import Moments, frechet_interval
from fairaudit.pictures import Collection, open_pictures
from fairaudit.pictures.decoding import decode
from fairaudit.plan import AuditPlan
from fairaudit.reading import Fetch, look_at, read_faces
from fairaudit.results import Estimate
from fairaudit.store import Run, png, write

NO_REFERENCE = "no real images to compare with; name a folder of them with --reference"
NO_INCEPTION = "the Inception weights are not on this machine; get them with `fairaudit fetch inception`"
OWN = ("builtin:faces64-classifier", "whole-image")
"""Who saw the real images that come with a generator, and how."""
REPLICATES = 200


@dataclass(frozen=True)
class Reference:
    """Real images that quality is measured against.

    Attributes
    ----------
    moments
        Of the classifier's features; None where there is nothing to compare with.
    pictures
        Where the user named them.
    """

    moments: Moments | None
    pictures: Collection | None

    @classmethod
    def find(cls, run: Run, plan: AuditPlan, classifier: Classifier, own: Path | None) -> Reference:
        """The plan's reference pictures, else the statistics that come with the generator, else nothing."""
        named = plan.measurement.reference
        if named is not None:
            pictures = open_pictures(named)
            return cls(_moments_of(run, pictures, classifier, open_finder(plan)), pictures)
        if own is not None and own.exists() and (classifier.name, plan.faces) == OWN:
            return cls(_load_moments(own), None)
        return cls(None, None)


def quality_of(
    run: Run,
    plan: AuditPlan,
    classifier: Classifier,
    sampler: str,
    reference: Reference,
    *,
    fetch: Fetch | None = None,
) -> dict[str, Estimate]:
    """Frechet distance on the classifier's features, and FID where its network and a reference are there.

    Parameters
    ----------
    fetch
        Where the pictures are, if the run holds only their names.
    """
    chance: dict[str, Any] = {
        "replicates": REPLICATES,
        "seed": seed_of("quality", plan.digest, sampler) % 2**32,
        "level": plan.measurement.level,
    }
    name = f"frechet:{classifier.name}"
    if reference.moments is None:
        frechet = Estimate(value=None, method="Frechet distance", reason=NO_REFERENCE)
    else:
        frechet = _frechet(run, classifier, sampler, reference.moments, chance)
    return {name: frechet, "fid": _fid(run, sampler, reference, chance, fetch)}


def _frechet(
    run: Run, classifier: Classifier, sampler: str, moments: Moments, chance: dict[str, Any]
) -> Estimate:
    table = run.read_all("features", classifier.name, sampler)
    if len(table) == 0:
        return Estimate(value=None, method="Frechet distance", reason="no image with a readable face")
    return frechet_interval(np.stack(table["feature"].to_list()), moments, **chance)


def check_reference(plan: AuditPlan) -> None:
    """Raise `UsageError` now, not after hours, if the reference or the Inception weights are unusable."""
    find_asset("inception")
    if plan.measurement.reference is not None:
        open_pictures(plan.measurement.reference)


def _fid(
    run: Run, sampler: str, reference: Reference, chance: dict[str, Any], fetch: Fetch | None
) -> Estimate:
    method = "FID, clean-fid's preprocessing and Inception"
    weights = find_asset("inception")
    if weights is None or reference.pictures is None:
        reason = NO_INCEPTION if weights is None else NO_REFERENCE
        return Estimate(value=None, method=method, reason=reason)
    samples = run.read_all("samples", sampler)["image"]
    encoded = (_bytes_of(image, fetch) for image in samples)
    features = inception_features(_readable(encoded), weights)
    real = Moments.of(inception_features(_readable(_files_of(reference.pictures)), weights))
    estimate = frechet_interval(features, real, **chance)
    return estimate.model_copy(update={"method": f"{method}; {estimate.method}"})


def _bytes_of(image: dict[str, Any], fetch: Fetch | None) -> Callable[[], bytes]:
    if fetch is None:
        return lambda: image["bytes"]
    return partial(fetch, image["path"])


def _files_of(pictures: Collection) -> Iterator[Callable[[], bytes]]:
    return (partial(pictures.read, entry.name) for entry in pictures.entries)


def _readable(files: Iterable[Callable[[], bytes]]) -> Iterator[NDArray[np.uint8]]:
    """The pictures of files, one after the other, without those that cannot be read."""
    for read in files:
        try:
            yield decode(read())
        except ImageError:
            continue  # named where the collection is listed or labelled


def inception_features(pictures: Iterable[NDArray[np.uint8]], weights: Path) -> NDArray[np.float64]:
    """Inception features (n, 2048) of pictures, by clean-fid with its `clean` resizing.

    clean-fid is given PNG files of its own, because it
    reads folders by patterns and endings that not every folder fits.
    """
    import torch
    from cleanfid.fid import get_folder_features
    from cleanfid.inception_torchscript import InceptionV3W

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = InceptionV3W(str(weights.parent), download=False).to(device)
    with tempfile.TemporaryDirectory(prefix="fairaudit-") as aside, torch.inference_mode():
        for number, picture in enumerate(pictures):
            (Path(aside) / f"{number:09d}.png").write_bytes(png(picture))
        found = get_folder_features(
            aside, network, num_workers=0, batch_size=32, device=device, mode="clean", verbose=False
        )
    return np.asarray(found, dtype=np.float64)


def _moments_of(run: Run, reference: Collection, classifier: Classifier, finder: Finder) -> Moments:
    """Feature moments of the faces of real pictures; kept in the run, because a reference can be large."""
    path = run.folder / "reference" / f"{reference.fingerprint()['sha256']}.safetensors"
    if path.exists():
        return _load_moments(path)
    moments = None
    pictures = iter([{"bytes": None, "path": entry.name} for entry in reference.entries])
    while some := list(islice(pictures, 64)):
        reading = read_faces(classifier, look_at(some, finder, reference.read), finder)
        features = np.empty((0, 0)) if reading is None else reading.features
        features = features[np.isfinite(features).all(axis=1)]
        if len(features):
            part = Moments.of(features)
            moments = part if moments is None else moments.merge(part)
    if moments is None:
        raise ImageError(f"{reference.name} holds no readable image with a face to compare with")
    write(path, save_moments(moments))
    return moments


def save_moments(moments: Moments) -> bytes:
    """Moments as safetensors."""
    encoded: bytes = save({"n": np.array(moments.n), "mean": moments.mean, "cov": moments.cov})
    return encoded


def _load_moments(path: Path) -> Moments:
    stored = load_file(path)
    return Moments(int(stored["n"]), stored["mean"].astype(np.float64), stored["cov"].astype(np.float64))
