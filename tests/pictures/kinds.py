"""The same files as every kind of collection."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

Files = Mapping[str, bytes]
KINDS = ("folder", "zip", "tar", "tar.gz", "tars", "parquet", "parquets")


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(seed: int, size: tuple[int, int] = (40, 32)) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def peculiar() -> dict[str, bytes]:
    """Files that readers disagree about."""
    exif = Image.Exif()
    exif[0x0112] = 6
    clear = noise(1).convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size))
    deep = Image.fromarray(np.random.default_rng(2).integers(0, 2**16, (32, 40), dtype=np.uint16))
    frames = [noise(number).convert("P") for number in (3, 4)]
    return {
        "turned.jpg": encoded(noise(0), "JPEG", exif=exif),
        "clear.png": encoded(clear),
        "deep.png": encoded(deep),
        "moving.gif": encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "print.jpg": encoded(noise(5).convert("CMYK"), "JPEG"),
        "slow.jpg": encoded(noise(6), "JPEG", progressive=True),
        "wide.webp": encoded(noise(7, (90, 20)), "WEBP"),
        "plain.png": encoded(noise(8)),
        "broken.png": encoded(noise(9))[:200],
    }


def store(kind: str, files: Files, place: Path) -> Path:
    """Files, by their name with folders, as a collection of a kind below a place."""
    place.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        for name, content in files.items():
            (place / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
            (place / "pictures" / name).write_bytes(content)
        return place / "pictures"
    path = place / f"pictures.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    elif kind in ("tar", "tar.gz"):
        tar(path, files.items())
    elif kind == "parquet":
        parquet(path, files.items())
    else:
        path.mkdir(exist_ok=True)
        rows = list(files.items())
        for number, some in enumerate(part for part in (rows[:4], rows[4:]) if part):
            write, ending = (tar, "tar") if kind == "tars" else (parquet, "parquet")
            write(path / f"part-{number}.{ending}", some)
    return path


def tar(path: Path, files: Iterable[tuple[str, bytes]]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in files:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def parquet(path: Path, files: Iterable[tuple[str, bytes]], **columns: list[str]) -> Path:
    """A file in the layout of Hugging Face datasets, in row groups of three."""
    images = [{"bytes": content, "path": name} for name, content in files]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(images, type=kind), **columns})
    pq.write_table(table, path, row_group_size=3)
    return path


def captions_csv(rows: Mapping[str, str], column: str = "text") -> bytes:
    return pd.DataFrame({"file_name": list(rows), column: list(rows.values())}).to_csv(index=False).encode()


def captions_jsonl(rows: Mapping[str, str], column: str = "prompt") -> bytes:
    return "\n".join(json.dumps({"file_name": name, column: text}) for name, text in rows.items()).encode()
