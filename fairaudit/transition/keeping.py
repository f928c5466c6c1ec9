"""The state of a long search, so that the same command goes on where it was stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from fairaudit.store import write


@dataclass(frozen=True)
class Kept:
    """A file of tensors that belongs to one search.

    Parameters
    ----------
    belongs
        What the search depends on; a file of another search is passed over.
    """

    path: Path
    belongs: str

    def load(self) -> tuple[int, dict[str, Tensor]] | None:
        """How far the search came, and its tensors; None where nothing of it is kept."""
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "pt") as file:
                said = json.loads(file.metadata()["search"])
                if said["belongs"] != self.belongs:
                    return None
                return int(said["done"]), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, TypeError, ValueError):
            return None

    def save(self, done: int, tensors: dict[str, Tensor]) -> None:
        """Keep the tensors of a search that came so far."""
        said = json.dumps({"belongs": self.belongs, "done": done})
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        write(self.path, save(contiguous, {"search": said}))

    def forget(self) -> None:
        """The search is over."""
        self.path.unlink(missing_ok=True)
