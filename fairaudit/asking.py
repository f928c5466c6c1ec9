"""Questions to the network: those of all samplers in one call, each distinct one once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from fairaudit.denoiser import Denoiser, Edit
from fairaudit.embedding import Condition, Embedding, Query, stack
from fairaudit.errors import ModelError

BACK_OFF = 0.9
"""What is left of the rows of a call when the memory did not do for it."""


@dataclass
class Room:
    """How many rows a network call has: as many as the plan says, fewer once memory has run out.

    Parameters
    ----------
    noted
        Told the new number of rows whenever it shrinks.
    """

    rows: int
    noted: Callable[[int], None] = lambda rows: None

    def shrink(self) -> None:
        """Back off by a tenth, and by one row at least.

        Raises
        ------
        ModelError
            If one row was too many already.
        """
        if self.rows == 1:
            raise ModelError(
                "the memory of the device does not hold one row of a network call; "
                "use --dtype float16, --saving offload, or a smaller --height and --width"
            )
        self.rows = max(1, min(self.rows - 1, int(self.rows * BACK_OFF)))
        self.noted(self.rows)


@dataclass(frozen=True)
class Asked:
    """What is asked about one batch of latents.

    Parameters
    ----------
    x
        (n, ...), scaled as the network wants it.
    conditions
        Distinct conditions of n queries each.
    edits
        What happens to the UNet's middle block under each condition, if anything does.
    """

    x: Tensor
    conditions: Sequence[Condition]
    edits: Mapping[Condition, Edit] | None = None


class Questions:
    """Asks the network, in calls of exactly `room.rows` rows, the last one padded.

    An image's numbers then do not depend on what happens to be computed beside it. Questions with an
    edit go alone, all their images in one call, because the edit may look at the images together.
    """

    def __init__(self, denoiser: Denoiser, room: Room) -> None:
        self.denoiser = denoiser
        self.room = room
        self.embeddings: dict[Query, Embedding] = {}

    def __call__(self, asked: Sequence[Asked], t: Tensor) -> list[dict[Condition, Tensor]]:
        """For each batch of latents its conditions with the model output (n, ...)."""
        plain = [one for one in asked if not one.edits]
        x = [one.x for one in plain for _ in one.conditions]
        queries = [query for one in plain for condition in one.conditions for query in condition]
        sizes = [len(part) for part in x]
        outputs = iter(torch.split(self._predict(torch.cat(x), t, queries), sizes)) if x else iter(())
        return [
            self._edited(one, t) if one.edits else {condition: next(outputs) for condition in one.conditions}
            for one in asked
        ]

    def _edited(self, asked: Asked, t: Tensor) -> dict[Condition, Tensor]:
        edits = asked.edits or {}
        return {
            condition: self.denoiser.predict(
                asked.x, t, stack([self._embedding(query) for query in condition]), edits.get(condition)
            )
            for condition in asked.conditions
        }

    def _predict(self, x: Tensor, t: Tensor, queries: Sequence[Query]) -> Tensor:
        embeddings = [self._embedding(query) for query in queries]
        kinds = list(dict.fromkeys(embedding.kind for embedding in embeddings))
        if len(kinds) == 1:
            return self._rows(x, t, stack(embeddings))
        outputs = torch.empty_like(x)
        for kind in kinds:
            mine = [row for row, embedding in enumerate(embeddings) if embedding.kind == kind]
            outputs[mine] = self._rows(x[mine], t, stack([embeddings[row] for row in mine]))
        return outputs

    def _rows(self, x: Tensor, t: Tensor, condition: Embedding) -> Tensor:
        """Outputs of all rows, in calls as large as the memory allows."""
        parts: list[Tensor] = []
        done = 0
        while done < len(x):
            stop = min(done + self.room.rows, len(x))
            padding = done + self.room.rows - stop
            try:
                output = self.denoiser.predict(
                    _padded(x[done:stop], padding), t, _padded_rows(condition, done, stop, padding)
                )
            except torch.OutOfMemoryError:
                if torch.cuda.is_available():
                    torch.cuda.empty_cache()
                self.room.shrink()
                continue
            parts.append(output[: stop - done])
            done = stop
        return torch.cat(parts)

    def _embedding(self, query: Query) -> Embedding:
        if query not in self.embeddings:
            if isinstance(query, str):
                self.embeddings[query] = self.denoiser.encode(query)
            else:
                self.embeddings[query] = query.embed(self._embedding)
        return self.embeddings[query]


def _padded(rows: Tensor, padding: int) -> Tensor:
    """Rows with the last one repeated."""
    return torch.cat([rows, rows[-1:].expand(padding, *rows.shape[1:])]) if padding else rows


def _padded_rows(condition: Embedding, start: int, stop: int, padding: int) -> Embedding:
    some = condition.rows(start, stop)
    return Embedding(**{name: _padded(getattr(some, name), padding) for name in some.kind})
