"""The first stage of a run of pictures that are there already: the list of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from fairaudit.ahead import Fetch
from fairaudit.errors import UsageError
from fairaudit.pictures import Collection, Entry, open_pictures
from fairaudit.pictures.collection import add_skipped
from fairaudit.plan import IMAGES, AuditPlan
from fairaudit.store import Run, Unit
from fairaudit.tables import is_label_table

BLOCK = 64
"""Pictures that are stored and resumed together."""

MOST_PROMPTS = 500
"""With more, as where every picture has a caption of its own, prompts are not measured one by one."""


@dataclass(frozen=True)
class Given:
    """Pictures that a run was given.

    Attributes
    ----------
    collections
        By the name that its pictures go under in this run. One collection has several names where it
        is a run of several samplers.
    """

    collections: Mapping[str, Collection] = field(default_factory=dict)

    @cached_property
    def all_prompts(self) -> list[str]:
        """The prompts, in the order they occur."""
        return list(
            dict.fromkeys(
                entry.prompt
                for collection in self._distinct
                for entry in collection.entries
                if entry.prompt is not None
            )
        )

    @property
    def prompts(self) -> list[str]:
        """The prompts that are measured one by one: all, or none where there are too many."""
        return self.all_prompts if len(self.all_prompts) <= MOST_PROMPTS else []

    @property
    def skipped(self) -> dict[str, str]:
        """What is in the collections and is no picture, each by a name of its own."""
        skipped: dict[str, str] = {}
        for collection in self._distinct:
            add_skipped(skipped, collection.name, collection.skipped.items())
        return skipped

    @property
    def fingerprints(self) -> dict[str, dict[str, str | int]]:
        """What each collection holds, by its name."""
        return {collection.name: collection.fingerprint() for collection in self._distinct}

    @property
    def fetches(self) -> dict[str, Fetch]:
        """By sampler: what reads its pictures."""
        return {sampler: collection.read for sampler, collection in self.collections.items()}

    @property
    def images(self) -> int:
        """Pictures of the sampler that has the most."""
        return max(sum(map(len, blocks)) for blocks in map(self._blocks, self.collections))

    @property
    def _distinct(self) -> list[Collection]:
        return list({id(collection): collection for collection in self.collections.values()}.values())

    def gather(self, run: Run) -> list[tuple[str, Unit]]:
        """Store which pictures each sampler has; they stay where they are."""
        work = []
        for sampler in self.collections:
            for number, entries in enumerate(self._blocks(sampler)):
                unit = Unit(0, number, tuple(entry.index for entry in entries))
                if not run.path("samples", sampler, unit.name).exists():
                    names, prompts = [entry.name for entry in entries], [entry.prompt for entry in entries]
                    run.write_references(sampler, unit, names, prompts)
                work.append((sampler, unit))
        return work

    def _blocks(self, sampler: str) -> list[Sequence[Entry]]:
        entries = self.collections[sampler].entries
        own = [entry for entry in entries if entry.sampler in (None, sampler)]
        # Pictures of a run may go under another name here.
        own = own or list(entries)
        return [own[begin : begin + BLOCK] for begin in range(0, len(own), BLOCK)]


def open_audited(plan: AuditPlan, out: Path | None = None) -> Given:
    """The pictures that a plan audits, without those of the run itself."""
    collection = open_pictures(plan.generator, exclude=out)
    return Given(dict.fromkeys(samplers_of(collection), collection))


def open_compared(plan: AuditPlan, out: Path | None = None) -> Given:
    """The pictures that a plan's samplers are compared with."""
    collections = {
        label: open_pictures(name, exclude=out)
        for label, name in plan.against.items()
        if not is_label_table(name)
    }
    for collection in collections.values():
        if len(samplers := samplers_of(collection)) > 1:
            raise UsageError(
                f"{collection.name} is a run of several samplers ({', '.join(samplers)}); "
                f"name the folder of one, such as {collection.name.rstrip('/')}/samples/{samplers[0]}"
            )
    return Given(collections)


def samplers_of(collection: Collection) -> list[str]:
    """What the samplers of its pictures are called."""
    return list(dict.fromkeys(entry.sampler or IMAGES for entry in collection.entries))
