"""A folder of pictures as what is audited."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from fairaudit.errors import ImageError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

MAX_PIXELS = 100_000_000
"""Larger pictures are not decoded: a small file can claim to hold a picture that fills the memory."""


@dataclass
class ImageFolder:
    """The pictures below a folder, in the order of their paths.

    Attributes
    ----------
    files
        Paths relative to the folder.
    skipped
        Files that are not pictures, by relative path, with the reason.
    """

    folder: Path
    files: list[Path] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in sorted(self.folder.rglob("*")):
            relative = path.relative_to(self.folder)
            if not path.is_file() or any(part.startswith(".") for part in relative.parts):
                continue
            if path.suffix.lower() in SUFFIXES:
                self.files.append(relative)
            else:
                self.skipped[relative.as_posix()] = "not an image file"
        if not self.files:
            raise ImageError(
                f"{self.folder} holds no images (looked for {', '.join(sorted(SUFFIXES))} in it and below)"
            )

    def fingerprint(self) -> dict[str, str | int]:
        """What the folder holds: number of pictures and a digest of their paths and sizes."""
        digest = hashlib.sha256()
        for path in self.files:
            digest.update(f"{path.as_posix()}\0{(self.folder / path).stat().st_size}\n".encode())
        return {"images": len(self.files), "sha256": digest.hexdigest()}


def read_image(path: Path) -> NDArray[np.uint8]:
    """Decode a picture to RGB (h, w, 3): upright, first frame, transparency over white.

    Raises
    ------
    ImageError
        If the file is broken, truncated, too large or no picture; the message is the reason alone.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise ImageError(f"too large ({width} x {height} pixels)")
                return _to_rgb(image)
    except UnidentifiedImageError:
        raise ImageError("not a readable image") from None
    except Image.DecompressionBombError:
        raise ImageError("too large") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise ImageError(f"broken ({' '.join(str(error).split())})") from error


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    image.seek(0)
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16") or upright.mode == "I":
        # Pillow would clip 16-bit grey to white.
        upright = Image.fromarray((np.asarray(upright).astype(np.uint32) >> 8).astype(np.uint8))
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        rgba = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.asarray(upright.convert("RGB"))
