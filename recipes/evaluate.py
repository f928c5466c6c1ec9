"""Does the shipped model do what it is told, and does it show the bias that was planted?

    python recipes/evaluate.py --work build/evaluate

Runs two audits of builtin:faces64 and prints: of the images of women and of men that were asked for,
how many are labelled so; and how the measured shares of women follow the planted ones over occupations.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from fairaudit.auditing import audit
from fairaudit.plan import make_plan
from fairaudit.progress import progress_bars
from fairaudit.prompts import PROMPT_SETS
from fairaudit.results import Results

ASKED = {"female": "a photo of a woman", "male": "a photo of a man"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="folder for the two runs")
    parser.add_argument("--images", type=int, default=32, help="images of every occupation")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    asked = _audit(list(ASKED.values()), 200, options.work / "asked", options.device)
    for value, prompt in ASKED.items():
        result = asked.samplers["baseline"].prompts[prompt].attributes["gender"]
        print(f"{prompt}: {result.counts[value]} of {result.n} labelled {value}")
    occupations = _audit(
        list(PROMPT_SETS["occupations"]), options.images, options.work / "occupations", options.device
    )
    rows = []
    for prompt, found in occupations.samplers["baseline"].prompts.items():
        result = found.attributes["gender"]
        share = result.shares["female"]
        assert result.planted is not None
        assert share.value is not None
        rows.append((result.planted["female"], share.value))
        interval = f"[{share.low:.2f}, {share.high:.2f}]"
        print(f"{prompt}: planted {rows[-1][0]:.3f} measured {share.value:.3f} {interval}")
    planted, measured = np.array(rows).T
    print(f"correlation over {len(rows)} occupations: {np.corrcoef(planted, measured)[0, 1]:.3f}")
    print(f"mean absolute difference: {np.abs(planted - measured).mean():.3f}")


def _audit(prompts: list[str], images: int, out: Path, device: str) -> Results:
    plan = make_plan(
        {"generator": "builtin:faces64", "prompts": prompts, "sampling": {"images_per_prompt": images}}
    )
    with progress_bars() as bars:
        return audit(plan, out, device, bars).results


if __name__ == "__main__":
    main()
