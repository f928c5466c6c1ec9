"""The pictures of docs/explanation/switching.md, of what transition.py and transition_faces64.py have found.

python benchmarks/transition_pictures.py --out build/transition --docs docs/explanation
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from fairaudit.sources import open_model
from fairaudit.transition.picture import style

MARKS = {
    "law": ("#0b62a8", "o"), "paired": ("#1b8a5a", "s"), "witness": ("#7a3e8e", "^"),
    "share": ("#c99700", "v"), "common": ("#5b6675", "P"), "coefficients": ("#8b8f96", "X"),
    "published": ("#b3470a", "D"),
}  # fmt: skip


def pictures(out: Path, docs: Path) -> None:
    """What docs/explanation/switching.md shows, from what the other parts have found."""
    with style():
        _draw_mixtures(json.loads((out / "mixtures.json").read_text()), docs / "switching-mixtures.png")
        _draw_faces(out, docs / "switching-faces64.png")
    (docs / "switching-profile.png").write_bytes((out / "profile.png").read_bytes())


def _draw_mixtures(found: dict[str, Any], path: Path) -> None:
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    for axes, entry in zip(figure.subplots(2, 2).flat, found.values(), strict=True):
        axes.plot(entry["taus"], entry["distances"], color="#1c2430", lw=1.6)
        axes.axhline(entry["unswitched"], color="#5b6675", lw=1, ls=":")
        for name, (colour, mark) in MARKS.items():
            row = entry["criteria"]["published, exact" if name == "published" else f"{name}, 20 steps"]
            axes.plot(row["tau"], row["distance"], mark, color=colour, ms=7, label=name, ls="")
        axes.set(
            title=entry["about"], xlim=(0, 1), ylim=(0, None), xlabel="tau", ylabel="distance of the laws"
        )
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(MARKS))
    figure.savefig(path, dpi=130, metadata={"Software": None})


def _draw_faces(out: Path, path: Path) -> None:
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for file in sorted(out.glob("exact-person-*.json")):
        batch = json.loads(file.read_text())
        left.plot(batch["taus"], np.array(batch["value"]) / max(batch["value"]), color="#b3470a", lw=1)
        left.axvline(batch["tau"], color="#b3470a", lw=0.8, ls=":")
    left.set(title="published search, every batch of noise", xlabel="tau", ylabel="D(tau) / max", xlim=(0, 1))
    guidance = open_model("builtin:faces64").defaults().guidance_scale
    looks = json.loads((out / f"faces64-person-{guidance:g}.json").read_text())
    taus = [cut["tau"] for cut in looks["cuts"]]
    right.plot(
        taus, [cut["first"] for cut in looks["cuts"]], "o-", color="#0b62a8", label="female, then male"
    )
    right.plot(
        taus, [cut["second"] for cut in looks["cuts"]], "o-", color="#7a3e8e", label="male, then female"
    )
    for name, (colour, mark) in MARKS.items():
        right.plot(looks["criteria"][name]["tau"], 0.5, mark, color=colour, ms=6)
    right.set(title="share of women, by when is switched", xlabel="tau", ylim=(-0.03, 1.03), xlim=(0, 1))
    right.legend(loc="center left")
    figure.savefig(path, dpi=130, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/transition"))
    parser.add_argument("--docs", type=Path, default=Path("docs/explanation"))
    options = parser.parse_args()
    pictures(options.out, options.docs)


if __name__ == "__main__":
    main()
