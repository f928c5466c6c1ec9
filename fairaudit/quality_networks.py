"""The networks on whose features quality is measured, and what their measures are called."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fairaudit.extracting import stored_as
from fairaudit.plan import AuditPlan

_FRECHET: Mapping[str, str] = {"inception": "fid", "clip": "clip_fid"}
_KERNEL: Mapping[str, str] = {"inception": "kid", "clip": "cmmd"}


@dataclass(frozen=True)
class Network:
    """One whose features distances are measured on.

    Attributes
    ----------
    kind
        Of an extractor; None is the classifier, on whose features of faces no more than a Frechet
        distance is of use.
    stored
        Where its features lie.
    """

    name: str
    kind: str | None
    stored: str

    @property
    def frechet(self) -> str:
        """The key of its Frechet distance."""
        return self._key(_FRECHET.get(self.kind or "", "frechet"))

    @property
    def kernel(self) -> str:
        """The key of its kernel distance."""
        return self._key(_KERNEL.get(self.kind or "", "kernel"))

    @property
    def infinity(self) -> str:
        """The key of its Frechet distance at infinitely many images."""
        return self._key(f"{_FRECHET.get(self.kind or '', 'frechet')}_infinity")

    def _key(self, metric: str) -> str:
        """FID and KID without more are those of clean-fid's mode clean."""
        return metric if self.name == "inception" else f"{metric}:{self.name}"

    @property
    def title(self) -> str:
        """What its Frechet distance is called in words."""
        return {"fid": "FID", "clip_fid": "CLIP-FID"}.get(self.frechet.partition(":")[0], "Frechet distance")


def networks_of(plan: AuditPlan, measures: Iterable[str]) -> Iterator[Network]:
    """Those that the measures of a run's results were taken on, without opening one."""
    keys = list(measures)
    for key in keys:
        measure, _, name = key.partition(":")
        name = name or "inception"
        if measure in _FRECHET.values():
            kind = next(kind for kind, own in _FRECHET.items() if own == measure)
            yield Network(name, kind, stored_as(plan, name))
        elif measure == "frechet":
            seen = f"kernel:{name}" in keys
            yield Network(name, "other" if seen else None, stored_as(plan, name) if seen else name)
