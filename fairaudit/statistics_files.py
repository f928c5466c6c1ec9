"""Files of feature statistics of real pictures: clean-fid's, anybody's `.npz`, and our safetensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from fairaudit.errors import UsageError, reason_of
from fairaudit.extracting import Extractor
from fairaudit.fetching import cache_folder
from fairaudit.metrics.quality import Moments
from fairaudit.real import Real

CLEANFID = "cleanfid:"
MODES = {"inception": "clean", "inception-legacy": "legacy_pytorch"}
"""How clean-fid calls the preprocessing of an extractor."""
_ADDRESS = "https://www.cs.cmu.edu/~clean-fid/stats/"
_SIDE = 64
_ROUNDING = 1e-4


def is_statistics(named: str) -> bool:
    """Whether a reference is a file of statistics."""
    return named.endswith((".npz", ".safetensors"))


def save_moments(moments: Moments) -> bytes:
    """Moments as safetensors; `n` is left out where it is not known."""
    tensors = {"mean": moments.mean, "cov": moments.cov}
    if moments.n is not None:
        tensors["n"] = np.array(moments.n)
    encoded: bytes = save(tensors)
    return encoded


def load_moments(path: Path) -> Moments:
    """Moments of a file: `mu` and `sigma` (.npz), or `mean` and `cov` (.safetensors), and `n` if it says so.

    Raises
    ------
    UsageError
        If it cannot be read, or holds no mean and covariance.
    """
    tensors = _tensors(path)
    names = ("mu", "sigma") if path.suffix == ".npz" else ("mean", "cov")
    if missing := [name for name in names if name not in tensors]:
        raise UsageError(f"{path} holds no statistics: {' and '.join(missing)} missing")
    mean, cov = (np.asarray(tensors[name], dtype=np.float64) for name in names)
    d = mean.size
    if mean.shape != (d,) or cov.shape != (d, d) or not np.isfinite(mean).all() or not np.isfinite(cov).all():
        raise UsageError(
            f"{path}: {names[0]} and {names[1]} are not a finite mean (d,) and covariance (d, d)"
        )
    if np.abs(cov - cov.T).max() > _ROUNDING * max(np.abs(cov).max(), 1) or cov.diagonal().min() < 0:
        raise UsageError(
            f"{path}: {names[1]} is no covariance: it is not symmetric with variances of at least 0"
        )
    return Moments(int(tensors["n"]) if "n" in tensors else None, mean, (cov + cov.T) / 2)


def read_statistics(path: Path, extractors: Sequence[Extractor]) -> Mapping[str, Real]:
    """Statistics for the one extractor whose features have as many dimensions."""
    moments = load_moments(path)
    sizes = {one.name: dimensions_of(one) for one in extractors}
    fitting = [name for name, size in sizes.items() if size == len(moments.mean)]
    if len(fitting) != 1:
        said = ", ".join(f"{name} has {size}" for name, size in sizes.items()) or "there is none"
        raise UsageError(
            f"{path} holds statistics of {len(moments.mean)} features, which must be those of one extractor "
            f"({said}); name that one with --extractor"
        )
    return {fitting[0]: Real(moments=moments)}


def dimensions_of(extractor: Extractor) -> int:
    """How many features it gives."""
    return int(extractor.features([np.zeros((_SIDE, _SIDE, 3), dtype=np.uint8)]).shape[1])


def cleanfid_statistics(named: str, extractors: Sequence[Extractor]) -> Mapping[str, Real]:
    """Statistics that clean-fid keeps under a name, for Inception; its features, too, where they are there.

    Parameters
    ----------
    named
        NAME/RESOLUTION/SPLIT, such as ``ffhq/1024/trainval70k``; NAME alone is what a user made with
        clean-fid's `make_custom_stats`.

    Raises
    ------
    UsageError
        If they are not on this machine: nothing is downloaded unasked.
    """
    parts = named.split("/")
    if len(parts) not in {1, 3} or not all(parts):
        raise UsageError(f"the reference cleanfid:{named} is not of the form cleanfid:NAME/RESOLUTION/SPLIT")
    name, resolution, split = parts if len(parts) > 1 else (parts[0], "na", "custom")
    found, missing = {}, ""
    for one in (extractor.name for extractor in extractors if extractor.name in MODES):
        stem = f"{name}_{MODES[one]}_{split}_{resolution}".lower()
        statistics, features = (_find(f"{stem}{ending}.npz") for ending in ("", "_kid"))
        if features is not None or statistics is not None:
            found[one] = Real(
                features=_features(features) if features else None,
                moments=load_moments(statistics) if statistics else None,
            )
        missing = f"{stem}.npz"
    if found:
        return found
    if not missing:
        raise UsageError(f"cleanfid:{named} is of Inception's features; name --extractor inception")
    raise UsageError(
        f"the statistics {missing} are not on this machine; get them with "
        f"`fairaudit fetch {_ADDRESS}{missing} --sha256 ...`, or put the file into {cache_folder()}"
    )


def _find(file: str) -> Path | None:
    """A file of clean-fid: where clean-fid keeps it, or where fetched files lie."""
    import cleanfid

    folders = (Path(cleanfid.__file__).parent / "stats", cache_folder())
    return next((folder / file for folder in folders if (folder / file).is_file()), None)


def _features(path: Path) -> NDArray[np.float64]:
    tensors = _tensors(path)
    features = np.asarray(tensors.get("feats", np.empty(0)), dtype=np.float64)
    if features.ndim != 2 or not len(features) or not np.isfinite(features).all():
        raise UsageError(f"{path} holds no features: feats is not an (n, d) array of finite numbers")
    return features


def _tensors(path: Path) -> Mapping[str, NDArray[np.float64]]:
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with np.load(path, allow_pickle=False) as content:
            return {name: content[name] for name in content.files}
    except OSError as error:
        raise UsageError(f"cannot read the statistics {path}: {reason_of(error)}") from error
    except (ValueError, EOFError, KeyError, SafetensorError, AttributeError) as error:
        raise UsageError(f"{path} holds no statistics: it is neither a plain .npz nor safetensors") from error
