"""From the bytes of a file to pixels, the same wherever the file comes from."""

from __future__ import annotations

import io
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from fairaudit.errors import ImageError

MAX_PIXELS = 100_000_000
"""Larger pictures are not decoded: a small file can claim to hold a picture that fills the memory."""

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
"""What is decoded, by Pillow's names; JPEG stands for MPO, too. Pillow knows forty more, rarely used and
little tested, and starts Ghostscript for one of them."""

LONGEST = 1536
"""Larger pictures are made smaller, in pixels of the longer side: no classifier looks at more, and many
are held at once."""

_LARGE = 16_000_000
_ONE_AT_A_TIME = ThreadPoolExecutor(1, thread_name_prefix="large-pictures")
"""Pictures of more pixels than `_LARGE` take hundreds of megabytes each while they are decoded. They
share a thread, not only a lock: every thread keeps some of the memory that it once needed."""


def decode(encoded: bytes) -> NDArray[np.uint8]:
    """Decode a picture to RGB (h, w, 3): upright, first frame, transparency over white.

    Pictures of more than `LONGEST` pixels on a side are made smaller. Colour profiles are not applied:
    classifiers were trained on pixels as they are stored.

    Raises
    ------
    ImageError
        If the bytes are broken, truncated, too large or no picture; the message is the reason alone.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(encoded), formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise ImageError(f"too large ({width} x {height} pixels)")
                if width * height <= _LARGE:
                    return _to_rgb(image)
                return _ONE_AT_A_TIME.submit(_to_rgb, image).result()
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
    upright = ImageOps.exif_transpose(_shrunk(image))
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        rgba = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.asarray(upright.convert("RGB"))


def _shrunk(image: Image.Image) -> Image.Image:
    """The picture in 8 bits, at most `LONGEST` wide and high."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        # Pillow would clip deep grey to white or black.
        exif = image.getexif()
        grey = np.asarray(image)
        # Old versions of Pillow call the 16 bits of a PNG "I".
        deep = image.mode.startswith("I;16") or image.format == "PNG"
        image = Image.fromarray(_from_16_bits(grey) if deep else _from_fractions(grey))
        image.getexif().update(exif)
    if max(image.size) > LONGEST:
        if image.mode == "P":
            image = image.convert("RGBA" if "transparency" in image.info else "RGB")
        image.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS, reducing_gap=3)
    return image


def _from_16_bits(grey: NDArray[Any]) -> NDArray[np.uint8]:
    eight = (grey >> 8).astype(np.uint8)
    if grey.any() and not eight.any():
        raise ImageError("unknown range (16 bits, of which the upper 8 are empty)")
    return eight


def _from_fractions(grey: NDArray[Any]) -> NDArray[np.uint8]:
    """Fractions from 0, black, to 1, white. Nothing says what white is of other numbers of 32 bits."""
    low, high = grey.min(), grey.max()
    if grey.dtype.kind != "f" or not (low >= 0 and high <= 1):
        raise ImageError(f"unknown range (32 bits, {low:g} to {high:g})")
    eight: NDArray[np.uint8] = np.rint(grey * 255).astype(np.uint8)
    return eight
