"""A folder of pictures as what is audited."""

from __future__ import annotations

import hashlib
import io
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
    exclude
        A folder below it that is left out, such as the run's own.
    files
        Paths relative to the folder.
    skipped
        Files that are not pictures, by relative path, with the reason.
    """

    folder: Path
    exclude: Path | None = None
    files: list[Path] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for path in sorted(self.folder.rglob("*")):
            relative = path.relative_to(self.folder)
            if path.is_dir() or any(part.startswith(".") for part in relative.parts):
                continue
            if self.exclude is not None and path.resolve().is_relative_to(self.exclude.resolve()):
                continue
            if not path.is_file() or not _is_text(relative):
                self.skipped[repr(relative.as_posix())[1:-1]] = "not a readable file name or link"
            elif path.suffix.lower() in SUFFIXES:
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


def _is_text(path: Path) -> bool:
    """Whether a path can be written in UTF-8; on some systems it can be any bytes."""
    try:
        path.as_posix().encode()
    except UnicodeEncodeError:
        return False
    return True


def read_image(path: Path) -> NDArray[np.uint8]:
    """The picture (h, w, 3) of a file; see `decode`."""
    return decode(read_file(path))


def read_file(path: Path) -> bytes:
    """The content of a picture's file.

    Raises
    ------
    ImageError
        If it cannot be read; the message is the reason alone.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"not readable ({error.strerror})") from error


def decode(encoded: bytes) -> NDArray[np.uint8]:
    """Decode a picture to RGB (h, w, 3): upright, first frame, transparency over white.

    Raises
    ------
    ImageError
        If the bytes are broken, truncated, too large or no picture; the message is the reason alone.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(encoded)) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise ImageError(f"too large ({width} x {height} pixels)")
                return _to_rgb(image)
    except UnidentifiedImageError:
        raise ImageError("not a readable image") from None
    except Image.DecompressionBombError:
        raise ImageError("too large") from None
    except ImageError:
        raise
    except OSError as error:
        raise ImageError(f"broken ({error.strerror or ' '.join(str(error).split())})") from error
    except Exception as error:  # decoders of a dozen formats raise anything on hostile bytes
        raise ImageError(f"broken ({type(error).__name__})") from error


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
