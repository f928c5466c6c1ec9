"""Weights that are too large or not ours to ship: downloaded once, when asked for, checked by sha256."""

from __future__ import annotations

import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fairaudit.digests import sha256_of
from fairaudit.errors import UsageError, unknown
from fairaudit.folders import make_folder
from fairaudit.offline import is_offline

HUB = "https://huggingface.co"
"""Addresses that begin so go to `HF_ENDPOINT` instead, where that is set."""
CHUNK = 1 << 20
PICKLED = ["*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", "*.msgpack", "*.h5"]
LIMIT = 1 << 30
"""Bytes that no file here has."""

_NO_SUCH_RANGE = http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE

Watch = Callable[[int, int], None]
"""Told how many bytes are there, and how many there will be."""


@dataclass(frozen=True)
class Asset:
    """A file on the network whose content is pinned.

    Attributes
    ----------
    urls
        The same file in several places, tried in order.
    size
        About.
    """

    file: str
    urls: tuple[str, ...]
    sha256: str
    size: str
    licence: str
    about: str


ASSETS: Mapping[str, Asset] = {
    "inception": Asset(
        "inception-2015-12-05.pt",
        (
            "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained/metrics/"
            "inception-2015-12-05.pt",
        ),
        "f58cb9b6ec323ed63459aa4fb441fe750cfe39fafad6da5cb504a16f19e958f4",
        "96 MB",
        "NVIDIA Source Code License (non-commercial); network Apache-2.0",
        "Inception-v3 as TorchScript, the network that clean-fid computes FID with",
    ),
    "inception-legacy": Asset(
        "pt_inception-2015-12-05-6726825d.pth",
        (
            "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/"
            "pt_inception-2015-12-05-6726825d.pth",
        ),
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        "96 MB",
        "Apache-2.0",
        "Inception-v3 in PyTorch, the network of pytorch-fid and of clean-fid's mode legacy_pytorch",
    ),
    "alexnet": Asset(
        "alexnet-owt-7be5be79.pth",
        ("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",),
        "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
        "244 MB",
        "BSD-3-Clause",
        "torchvision's AlexNet, on whose layers LPIPS compares pictures",
    ),
    "yunet": Asset(
        "face_detection_yunet_2023mar.onnx",
        (
            f"{HUB}/opencv/face_detection_yunet/resolve/main/face_detection_yunet_2023mar.onnx",
            "https://github.com/opencv/opencv_zoo/raw/main/models/face_detection_yunet/"
            "face_detection_yunet_2023mar.onnx",
        ),
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
        "233 kB",
        "MIT",
        "YuNet, the face detector that --faces largest and exclude-many use",
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
    return find_file(ASSETS[name])


def find_file(asset: Asset, folder: Path | None = None) -> Path | None:
    """The same for any pinned file, in the cache or another folder."""
    path = (folder or cache_folder()) / asset.file
    if not path.exists():
        return None
    if sha256_of(path) != asset.sha256:
        raise UsageError(f"{path} is not the pinned file (sha256 differs); delete it and fetch it again")
    return path


def check_name(name: str) -> None:
    """Raise `UsageError` if there is no such download."""
    if name not in ASSETS:
        raise unknown("download", name, ASSETS)


def address_asset(url: str, sha256: str | None) -> Asset:
    """A file that a user names by its address and pins by its sha256.

    Raises
    ------
    UsageError
        If it is not pinned, or the address ends in no file name.
    """
    file = Path(urlsplit(url).path).name
    if not re.fullmatch(r"[\w.-]*\w", file):
        raise UsageError(f"{url} names no file")
    if sha256 is None or not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise UsageError(f"{url} is not pinned: say with --sha256 which 64 hexadecimal digits it has")
    return Asset(file, (url,), sha256.lower(), "", "", "")


def fetch_file(asset: Asset, watch: Watch = lambda there, total: None, folder: Path | None = None) -> Path:
    """Download a file unless it is there; it is kept only if its sha256 is the pinned one.

    What an interrupted download has left is gone on with. Proxies are those of the environment.

    Parameters
    ----------
    folder
        Where it is to lie; None is the cache.

    Raises
    ------
    UsageError
        If the network is not to be used, or it or the content fails.
    """
    if (found := find_file(asset, folder)) is not None:
        return found
    path = (folder or cache_folder()) / asset.file
    if is_offline():
        raise UsageError(
            f"{asset.file} is not on this machine, and the network is not to be used; "
            f"download {asset.urls[0]} elsewhere and put it at {path}"
        )
    make_folder(path.parent)
    aside = path.with_name(path.name + ".part")
    failures = []
    for url in asset.urls:
        why = _download(_address(url), aside, asset.sha256, watch)
        if why is None:
            break
        failures.append(why)
    else:
        begun = "the same command goes on from what is there; or, " if aside.exists() else ""
        raise UsageError(
            f"cannot download {asset.file} ({'; '.join(failures)}); {begun}where there is a network, "
            f"download it and put it at {path}"
        )
    os.replace(aside, path)
    return path


def _download(url: str, aside: Path, sha256: str, watch: Watch) -> str | None:
    """Bring the file from one place, going on where another left off; what is wrong with it, or None."""
    if aside.exists() and sha256_of(aside) == sha256:
        return None
    host = urlsplit(url).hostname
    try:
        with aside.open("ab") as file:
            request = urllib.request.Request(url, headers={"User-Agent": "fairaudit"})
            if file.tell():
                request.add_header("Range", f"bytes={file.tell()}-")
            with urllib.request.urlopen(request, timeout=30) as response:
                if response.status != http.HTTPStatus.PARTIAL_CONTENT:
                    file.seek(0)
                    file.truncate()  # all of it comes again
                total = file.tell() + int(response.headers.get("Content-Length") or 0)
                while file.tell() < LIMIT and (chunk := response.read(CHUNK)):
                    file.write(chunk)
                    watch(file.tell(), total)
                if file.tell() < total:
                    raise http.client.IncompleteRead(b"", total - file.tell())
            file.flush()
            os.fsync(file.fileno())
    except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
        refused = isinstance(error, urllib.error.HTTPError) and error.code == _NO_SUCH_RANGE
        if refused or not aside.stat().st_size:
            aside.unlink()  # nothing to go on with
        return f"{host}: {' '.join(str(error).split())}"
    if sha256_of(aside) == sha256:
        return None
    aside.unlink()
    return f"{host} did not send the pinned file: its sha256 differs"


def _address(url: str) -> str:
    """The address of a file, on the mirror of the hub that the environment names."""
    mirror = os.environ.get("HF_ENDPOINT")
    return mirror.rstrip("/") + url.removeprefix(HUB) if mirror and url.startswith(HUB) else url


def fetch_repository(name: str, folder: Path | None = None) -> Path:
    """Download a model of the hub, `org/model` or `org/model@revision`, without files that are pickled.

    The hub's library checks what it brings, goes on with what was interrupted, and honours `HF_ENDPOINT`.

    Parameters
    ----------
    folder
        In which a folder `org/model` is made; None is the hub's own cache.

    Raises
    ------
    UsageError
        If it cannot be brought.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    try:
        found = snapshot_download(
            repository,
            revision=revision or None,
            ignore_patterns=PICKLED,
            local_dir=folder / repository if folder else None,
        )
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise UsageError(f"cannot download {name} from the hub: {' '.join(str(error).split())}") from error
    return Path(found)
