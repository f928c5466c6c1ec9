"""Memory and time of many small pictures: does what they take grow with their number?

    python benchmarks/streaming.py --sizes 2000,20000,100000 --kinds folder,tar,parquet

For each kind of source and each number of pictures a process of its own runs the whole command, and says
how far its peak of memory rose above where it stood with everything imported and the classifier loaded, and
how many pictures it took in a second. Pictures are PNG files of 64 x 64 and a few kilobytes, so that what is
kept of each weighs the most beside the picture itself. Linux only: it is the kernel that knows the peak.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

DISTINCT = 500
"""Pictures that differ; the rest are the same again, under other names."""
KINDS = ("folder", "tar", "parquet")
COMMANDS = {
    "label": ["label", "{source}", "--out", "{out}.csv", "--quiet", "--device", "cpu", "--json"],
    "audit": ["audit", "{source}", "--out", "{out}", "--quiet", "--device", "cpu", "--json"],
}
CHILD = """
import sys, time
import torch
from fairaudit.classifiers.faces64 import Faces64Classifier, load
from fairaudit.cli import app
from fairaudit.labelling import ClassifierRequest
import fairaudit.auditing, fairaudit.label_files, fairaudit.measuring
load(ClassifierRequest(torch.device("cpu")))
if sys.argv.pop(1) == "idle":
    Faces64Classifier._features = lambda self, faces: torch.randn(64, 256)
def peak():
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmHWM"))
before, began = peak(), time.perf_counter()
app(sys.argv[1:], standalone_mode=False)
print(peak() - before, time.perf_counter() - began, file=sys.stderr)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="2000,20000,100000")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument(
        "--idle",
        action="store_true",
        help="leave the network out; what is kept is the same",
    )
    options = parser.parse_args()
    content = pictures()
    print("command  source     pictures   MiB above start   pictures/s")
    for kind in options.kinds.split(","):
        for size in map(int, options.sizes.split(",")):
            with tempfile.TemporaryDirectory() as folder:
                source = store(kind, content, size, Path(folder))
                for command in options.commands.split(","):
                    grown, seconds = measured(
                        command, source, Path(folder) / "out", "idle" if options.idle else "reading"
                    )
                    rate = size / seconds
                    print(f"{command:<8} {kind:<9} {size:>9,} {grown:>14,.0f} {rate:>14,.0f}", flush=True)


def pictures() -> list[bytes]:
    """PNG files of smooth shapes with some grain."""
    rng = np.random.default_rng(0)
    files = []
    for _ in range(DISTINCT):
        coarse = Image.fromarray(rng.integers(30, 225, (4, 4, 3), dtype=np.uint8))
        file = io.BytesIO()
        coarse.resize((64, 64), Image.Resampling.BICUBIC).save(file, "PNG")
        files.append(file.getvalue())
    return files


def store(kind: str, content: list[bytes], size: int, folder: Path) -> Path:
    """So many pictures as a folder, a tar archive, or a Parquet file."""
    path = folder / {"folder": "pictures", "tar": "pictures.tar", "parquet": "pictures.parquet"}[kind]
    if kind == "folder":
        path.mkdir()
        for name, file in _named(content, size):
            (path / name).write_bytes(file)
    elif kind == "tar":
        with tarfile.open(path, "w") as archive:
            for name, file in _named(content, size):
                member = tarfile.TarInfo(name)
                member.size = len(file)
                archive.addfile(member, io.BytesIO(file))
    else:
        rows = [{"bytes": file, "path": name} for name, file in _named(content, size)]
        kind_of = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        pq.write_table(pa.table({"image": pa.array(rows, kind_of)}), path, row_group_size=1000)
    return path


def _named(content: list[bytes], size: int) -> Iterator[tuple[str, bytes]]:
    for number in range(size):
        yield f"{number:06}.png", content[number % DISTINCT]


def measured(command: str, source: Path, out: Path, network: str) -> tuple[float, float]:
    """MiB by which the peak rose, and seconds."""
    arguments = [part.format(source=source, out=out) for part in COMMANDS[command]]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, network, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    grown, seconds = done.stderr.split()[-2:]
    return float(grown), float(seconds)


if __name__ == "__main__":
    main()
