"""What a run was made with: versions, device, weights; no host and no user."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import fairaudit

_PACKAGES = ("torch", "torchvision", "diffusers", "transformers", "numpy", "scipy", "pillow", "pyarrow")


def make_manifest(
    source: Mapping[str, Any],
    classifier: Mapping[str, str],
    device: str,
    plan_digest: str,
    others: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """The content of manifest.json.

    Parameters
    ----------
    source, classifier
        Fingerprints: sha256 of weights by file, or what a folder of pictures holds.
    others
        Fingerprints of further generators, by name.
    """
    return {
        "schema": 1,
        "plan_digest": plan_digest,
        "source": dict(source),
        "other_sources": {name: dict(fingerprint) for name, fingerprint in (others or {}).items()},
        "classifier": dict(classifier),
        "device": device,
        "fairaudit": fairaudit.__version__,
        "revision": _revision(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in _PACKAGES},
    }


def _revision() -> str | None:
    """The git revision of fairaudit's own code, where it runs from a clone."""
    home = Path(fairaudit.__file__).resolve().parent.parent
    if not (home / ".git").exists():
        return None
    command = ["git", "-C", str(home), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None
