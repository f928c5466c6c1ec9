"""tau.json: what a search for the transition point found, and where `compare` finds it again.

`fairaudit tau` writes the record into its folder and, under the digest of all that tau depends on,
into the cache. `--set switching.tau=auto` and `--set switching.tau=PATH` become numbers by

    resolve_tau(text, Facts(generator, attribute, scheduler, steps, guidance_scale))

so that the plan holds the numbers and stays reproducible.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from fairaudit.attributes import Attribute
from fairaudit.errors import UsageError
from fairaudit.fetching import cache_folder
from fairaudit.sources import open_model
from fairaudit.store import write

AUTO = "auto"
FILE = "tau.json"


@dataclass(frozen=True)
class Facts:
    """What a transition point belongs to: another model, scheduler or guidance has another one."""

    generator: str
    attribute: Attribute
    scheduler: str
    steps: int
    guidance_scale: float

    @cached_property
    def fingerprint(self) -> str:
        """blake2b (16 bytes, hex) over the weights of the generator."""
        return _digest(dict(open_model(self.generator).fingerprint()))

    @cached_property
    def digest(self) -> str:
        """blake2b (16 bytes, hex) over the model's weights, the attribute, and how it is sampled."""
        words = dict(self.attribute.words)
        return _digest([self.fingerprint, words, self.scheduler, self.steps, float(self.guidance_scale)])

    @property
    def cached(self) -> Path:
        """Where the record of these facts lies, once it has been searched for."""
        return cache_folder() / "tau" / f"{self.digest}.json"


def _digest(content: object) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class CurveRecord(_Part):
    """What a criterion says at every tau that was tried; it is searched for the zero or the minimum."""

    tau: tuple[float, ...]
    value: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


class PairRecord(_Part):
    """The transition point between two values.

    Attributes
    ----------
    tau, low, high
        The point and its interval over the images, in [0, 1] of the noise schedule.
    evaluations
        Network evaluations per image of the criterion itself, both starting values together; the
        published curve beside it costs two for every step more.
    published
        The curve of the published criterion on the same noise, where it was asked for beside.
    """

    first: str
    second: str
    tau: float = Field(ge=0, le=1)
    low: float = Field(ge=0, le=1)
    high: float = Field(ge=0, le=1)
    evaluations: float
    curve: CurveRecord
    published: CurveRecord | None = None
    published_tau: float | None = None


class TauRecord(_Part):
    """All that `fairaudit tau` found.

    Attributes
    ----------
    times
        When the steps of the sampler are, falling, in [0, 1] of the noise schedule.
    cycle
        For more than two values: the points of K - 1 switches, falling, that the pairs imply.
    """

    schema_: Literal[1] = Field(1, alias="schema")
    generator: str
    fingerprint: str
    attribute: str
    values: tuple[str, ...]
    prompts: tuple[str, ...]
    scheduler: str
    steps: int
    guidance_scale: float
    seed: int
    images: int
    criterion: str
    times: tuple[float, ...]
    pairs: tuple[PairRecord, ...] = Field(min_length=1)
    cycle: tuple[float, ...] | None = None

    @property
    def tau(self) -> float | list[float]:
        """What the switching sampler takes: one point for two values, a cycle of them for more.

        A sampler switches between two steps, so a point is moved to where it does so nearest to it.
        """
        if len(self.values) == 2:
            return nearest_switch(self.pairs[0].tau, self.times)
        if self.cycle is None:
            raise UsageError(
                f"{self.steps} steps are too few to switch through all {len(self.values)} values of "
                f"{self.attribute} where they should be; search again with more --steps"
            )
        return list(self.cycle)

    def save(self, paths: Sequence[Path]) -> None:
        """Write the record to several paths."""
        for path in paths:
            write(path, self.to_json().encode())

    def to_json(self) -> str:
        """The content of tau.json."""
        return self.model_dump_json(by_alias=True, indent=1) + "\n"

    @classmethod
    def load(cls, path: Path) -> TauRecord:
        """Read tau.json, or the one in a folder."""
        path = path / FILE if path.is_dir() else path
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise UsageError(f"cannot read the transition point {path}: {error.strerror}") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise UsageError(f"{path} is no tau.json: {place} {first['msg']}") from error


def nearest_switch(tau: float, times: Sequence[float]) -> float:
    """The tau that makes a sampler with these steps switch as near to `tau` as it can.

    A switch before step i happens at its time, and any tau from there up to the time of the step
    before brings it about; the middle of the two is told.

    Examples
    --------
    >>> nearest_switch(0.55, [1.0, 0.75, 0.5, 0.25])
    0.625
    """
    bounds = [*times, 0.0]
    cut = min(range(len(bounds)), key=lambda i: abs(bounds[i] - tau))
    if cut in (0, len(times)):
        return 1.0 if cut == 0 else 0.0
    return (times[cut] + times[cut - 1]) / 2


def resolve_tau(text: str, facts: Facts) -> float | list[float]:
    """The numbers that `--set switching.tau=auto` or `=PATH` stands for.

    Parameters
    ----------
    text
        `auto`, the path of a tau.json, or its folder.
    facts
        What is sampled, and how; `auto` finds what was searched for this by the default criterion,
        on whatever prompts.

    Returns
    -------
    One point for two values; for more, the falling points of a cycle of switches.

    Raises
    ------
    UsageError
        If nothing was searched yet (with the command that does), or the record is another attribute's.
    """
    if text == AUTO and not facts.cached.exists():
        raise UsageError(
            f"no transition point of {facts.attribute.name} is known for {facts.generator} "
            f"with {facts.steps} steps; find it with: {_command(facts)}"
        )
    record = TauRecord.load(facts.cached if text == AUTO else Path(text))
    if record.values != facts.attribute.values:
        raise UsageError(
            f"{text} holds the transition point of {record.attribute}, not {facts.attribute.name}"
        )
    return record.tau


def _command(facts: Facts) -> str:
    names = ",".join(part.name for part in facts.attribute.parts or (facts.attribute,))
    return (
        f"fairaudit tau {facts.generator} --attribute {names} --scheduler {facts.scheduler} "
        f"--steps {facts.steps} --guidance-scale {facts.guidance_scale:g}"
    )
