"""What the outputs of a network mean: which of them is which value of which attribute.

A YAML file, for ``--outputs``::

    activation: softmax          # or sigmoid: each output is a yes or no of its own
    attributes:
      gender:
        female: [0, woman]       # outputs by number or label; several add up
        male: [1]
    abstain_above: 0.5           # no label where more than this is on outputs of no value

With `softmax`, outputs that belong to no value are "none of these": their probability is left out, and
the others are scaled to sum to 1. A network with several heads side by side says how many outputs each
has (``heads: [7, 2, 9]``); each head has a softmax of its own.

With `sigmoid`, outputs are taken as independent. A value is the case that its outputs say yes and those
of the other values say no; all other cases are left out. The values of a single output are
``{no: rest, yes: [31]}``: ``rest`` is the value where no other one is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from torch import Tensor

from fairaudit.errors import UsageError, reason_of, unknown

REST = "rest"


def _number_or_label(entry: Any) -> Any:
    return int(entry) if isinstance(entry, str) and entry.isdecimal() else entry


Entry = Annotated[int | str, BeforeValidator(_number_or_label)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Part = Annotated[float, Field(ge=0, le=1)]


class Described(BaseModel):
    """A file that a user writes about a classifier."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    def sha256(self) -> str:
        """Of what it says: other words are another classifier."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


AnyDescribed = TypeVar("AnyDescribed", bound=Described)


def load_described(path: Path, kind: type[AnyDescribed]) -> AnyDescribed:
    """Read such a file; every scalar is taken as it is written, so `no` is a word and not a truth value.

    Raises
    ------
    UsageError
        With the first thing that is wrong and its place.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)
    except OSError as error:
        raise UsageError(f"cannot read the outputs {path}: {reason_of(error)}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    return make_described(content, kind, str(path))


def make_described(content: Any, kind: type[AnyDescribed], where: str) -> AnyDescribed:
    """Validate such a content; `UsageError` names the first wrong field."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        message = f"{place}: {first['msg']}" if place else first["msg"]
        raise UsageError(f"{where}: {message.replace('Value error, ', '')}") from error


class Outputs(Described):
    """What the outputs of a network mean.

    Attributes
    ----------
    attributes
        By attribute and value: the outputs that mean it, or `rest`.
    heads
        Number of outputs of each head, in their order; None is one head.
    abstain_above
        The largest probability outside all values with which there still is a label.
    temperature
        By attribute: what its logits are divided by; 1 where it is not given.
    """

    attributes: dict[str, dict[str, tuple[Entry, ...] | Literal["rest"]]] = Field(min_length=1)
    activation: Literal["softmax", "sigmoid"] = "softmax"
    heads: tuple[Annotated[int, Field(ge=1)], ...] | None = None
    abstain_above: Part = 0.5
    temperature: dict[str, Positive] = {}

    @model_validator(mode="after")
    def _several_values(self) -> Outputs:
        for name, values in self.attributes.items():
            if len(values) < 2:
                raise ValueError(f"attributes.{name} needs at least two values")
            if sum(entries == REST for entries in values.values()) > 1:
                raise ValueError(f"attributes.{name}: only one value can be the rest")
            for value, entries in values.items():
                if not entries:
                    raise ValueError(f"attributes.{name}.{value} names no output")
        if self.heads and self.activation == "sigmoid":
            raise ValueError("heads are for softmax: with sigmoid, each output stands alone")
        return self


@dataclass(frozen=True)
class _Attribute:
    """Where the values of an attribute are: columns of each value; None is the rest."""

    columns: Sequence[Sequence[int] | None]
    head: range
    temperature: float


class OutputReader:
    """Logits of a network to probabilities of values.

    Parameters
    ----------
    count
        Outputs of the network.
    labels
        Their names, where the network has some.

    Raises
    ------
    UsageError
        If an output does not exist or has two meanings.
    """

    def __init__(self, outputs: Outputs, count: int, labels: Sequence[str] = ()) -> None:
        self.outputs, self.count, self.labels = outputs, count, list(labels)
        self.values = {name: tuple(values) for name, values in outputs.attributes.items()}
        heads = outputs.heads or (count,)
        if sum(heads) != count:
            raise UsageError(f"heads of {sum(heads)} outputs together, but the network has {count}")
        ends = np.cumsum(heads).tolist()
        self._heads = [range(end - size, end) for size, end in zip(heads, ends, strict=True)]
        self._attributes = {name: self._place(name) for name in self.values}

    def __call__(self, logits: Tensor) -> dict[str, NDArray[np.float32]]:
        """Per attribute (n, K), rows sum to 1; a row of NaN where the classifier abstains."""
        read = self._softmax if self.outputs.activation == "softmax" else self._sigmoid
        found = {}
        for name, attribute in self._attributes.items():
            masses = read(logits.double() / attribute.temperature, attribute)
            found[name] = scale(masses.numpy(), self.outputs.abstain_above)
        return found

    def _place(self, name: str) -> _Attribute:
        columns: list[Sequence[int] | None] = []
        for value, entries in self.outputs.attributes[name].items():
            where = f"{name}.{value}"
            columns.append(None if entries == REST else [self._index(entry, where) for entry in entries])
        used = [column for value in columns if value is not None for column in value]
        if len(set(used)) < len(used):
            twice = next(column for column in used if used.count(column) > 1)
            raise UsageError(f"output {twice} has two meanings in {name}")
        heads = [head for head in self._heads if not {*used}.isdisjoint(head)]
        if len(heads) != 1:
            raise UsageError(f"the outputs of {name} belong to several heads")
        return _Attribute(columns, heads[0], self.outputs.temperature.get(name, 1.0))

    def _index(self, entry: int | str, where: str) -> int:
        if isinstance(entry, str):
            if self.labels.count(entry) != 1:
                raise unknown(f"output of {where}", entry, self.labels or ["numbers only"])
            return self.labels.index(entry)
        if entry >= self.count:
            raise UsageError(f"{where} is output {entry}, but the network's are 0 to {self.count - 1}")
        return entry

    def _softmax(self, logits: Tensor, attribute: _Attribute) -> Tensor:
        probabilities = torch.zeros_like(logits)
        inside = slice(attribute.head.start, attribute.head.stop)
        probabilities[:, inside] = logits[:, inside].softmax(1)
        used = {column for value in attribute.columns for column in value or ()}
        rest = [column for column in attribute.head if column not in used]
        columns = [list(rest if value is None else value) for value in attribute.columns]
        return torch.stack([probabilities[:, some].sum(1) for some in columns], 1)

    def _sigmoid(self, logits: Tensor, attribute: _Attribute) -> Tensor:
        no = (-logits).sigmoid()
        nothing = [no[:, list(value)].prod(1) for value in attribute.columns if value is not None]
        masses, others = [], iter(range(len(nothing)))
        for value in attribute.columns:
            own = None if value is None else next(others)
            silent = [part for place, part in enumerate(nothing) if place != own]
            alone = torch.stack([*silent, torch.ones_like(no[:, 0])]).prod(0)
            masses.append(alone if own is None else alone * (1 - nothing[own]))
        return torch.stack(masses, 1)


def scale(masses: NDArray[np.float64], abstain_above: float) -> NDArray[np.float32]:
    """Probabilities (n, K) that leave something out, scaled to sum to 1.

    Rows of NaN are where more than `abstain_above` is left out, or everything is.
    """
    total = masses.sum(1, keepdims=True)
    # Rounding must not decide where nothing is left out.
    usable = (total > 0) & (1 - total <= abstain_above + 1e-9)
    scaled: NDArray[np.float64] = np.divide(masses, total, out=np.full_like(masses, np.nan), where=usable)
    return scaled.astype(np.float32)
