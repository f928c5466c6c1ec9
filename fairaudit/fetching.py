"""Weights that are too large or not ours to ship: downloaded once, checked by sha256."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from fairaudit.digests import sha256_of
from fairaudit.errors import UsageError, unknown
from fairaudit.store import write


@dataclass(frozen=True)
class Asset:
    """A file on the network whose content is pinned."""

    file: str
    url: str
    sha256: str
    about: str


ASSETS = {
    "inception": Asset(
        "inception-2015-12-05.pt",
        "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/inception-2015-12-05.pt",
        "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
        "Inception-v3 as TorchScript, the network that clean-fid computes FID with (96 MB)",
    ),
}


def cache_folder() -> Path:
    """Where fetched files lie: `FAIRAUDIT_CACHE`, or the user's cache."""
    return Path(os.environ.get("FAIRAUDIT_CACHE") or Path.home() / ".cache" / "fairaudit")


def find_asset(name: str) -> Path | None:
    """The fetched file, if it is there and is what it should be.

    Raises
    ------
    UsageError
        If the file is there but its sha256 is another.
    """
    asset = ASSETS[name]
    path = cache_folder() / asset.file
    if not path.exists():
        return None
    if sha256_of(path) != asset.sha256:
        raise UsageError(f"{path} is not the pinned {name} (sha256 differs); delete it and fetch it again")
    return path


def fetch_asset(name: str) -> Path:
    """Download a file unless it is there; it is kept only if its sha256 is the pinned one.

    Raises
    ------
    UsageError
        If the name is unknown, or the network or the content fails.
    """
    if name not in ASSETS:
        raise unknown("download", name, ASSETS)
    if (found := find_asset(name)) is not None:
        return found
    asset, path = ASSETS[name], cache_folder() / ASSETS[name].file
    try:
        with urllib.request.urlopen(asset.url, timeout=30) as response:
            content = response.read()
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        raise UsageError(
            f"cannot download {asset.url} ({error}); where there is a network, download it "
            f"and put it at {path}"
        ) from error
    if hashlib.sha256(content).hexdigest() != asset.sha256:
        raise UsageError(f"{asset.url} did not send the pinned {name} (sha256 differs); nothing was kept")
    write(path, content)
    return path
