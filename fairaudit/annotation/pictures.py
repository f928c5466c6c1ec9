"""The pictures of a run, one by one: its own samples, or those of the source that it audited."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from fairaudit.pictures.collection import Collection
from fairaudit.pictures.opening import open_pictures
from fairaudit.plan import AuditPlan
from fairaudit.store import Run

Place = tuple[str, str, int]
"""Sampler, prompt ("" for none) and index of a picture."""


class RunPictures:
    """Reads pictures of a run by sampler, prompt and index; may be called from several threads."""

    def __init__(self, run: Run, plan: AuditPlan, samplers: Sequence[str]) -> None:
        self.run, self.plan = run, plan
        self._rows: dict[Place, tuple[Path, int]] = {}
        self._sources: dict[str, Collection] = {}
        for sampler in samplers:
            for path in sorted(run.path("samples", sampler, "any").parent.glob("*.parquet")):
                cells = pq.read_table(path, columns=["prompt", "index"]).to_pydict()
                for row, (prompt, index) in enumerate(zip(cells["prompt"], cells["index"], strict=True)):
                    self._rows[sampler, prompt or "", index] = path, row

    def __call__(self, sampler: str, prompt: str | None, index: int) -> bytes:
        """The file of a picture.

        Raises
        ------
        ImageError
            If it lies outside the run, and is not there any more.
        """
        path, row = self._rows[sampler, prompt or "", index]
        image = pq.read_table(path, columns=["image"])["image"][row].as_py()
        if image["bytes"] is not None:
            return bytes(image["bytes"])
        source = self.plan.against.get(sampler, self.plan.generator)
        if source not in self._sources:
            self._sources[source] = open_pictures(source, self.run.folder)
        return self._sources[source].read(image["path"])
