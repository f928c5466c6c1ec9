"""Does the built-in model amplify the bias of its training data, and what does guidance do to that?

    python benchmarks/phantom.py --scales 1,1.75,4,8 --prompts occupations --images 32

Audits builtin:faces64 once for every guidance scale, on the same noise. Prints for every occupation the
planted share of women beside the measured ones, and for every scale bias amplification with its
interval (Zhao et al. 2017), the slope of measured on planted shares, and the part of the intervals that hold
the planted share. That part is coverage only if the model repeats its training data; where it amplifies,
it falls, and says how far model and data are apart.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from fairaudit.auditing import audit
from fairaudit.plan import make_plan
from fairaudit.progress import progress_bars
from fairaudit.prompts import resolve_prompts
from fairaudit.results import AttributeResult, Results, SamplerResult


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--scales", default="1,1.75,4,8", help="guidance scales, separated by commas")
    parser.add_argument("--prompts", default="occupations", help="prompt set or file")
    parser.add_argument("--images", type=int, default=32, help="images of every prompt")
    parser.add_argument("--work", type=Path, default=Path("build/phantom"), help="folder for the runs")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    scales = [float(scale) for scale in options.scales.split(",")]
    prompts = list(resolve_prompts([options.prompts]))
    found = {
        scale: _audit(prompts, scale, options.images, options.work / f"scale-{scale:g}", options.device)
        for scale in scales
    }
    _print_prompts(found)
    print()
    _print_scales(found)


def _audit(prompts: list[str], scale: float, images: int, out: Path, device: str) -> SamplerResult:
    sampling = {"images_per_prompt": images, "guidance_scale": scale}
    plan = make_plan({"generator": "builtin:faces64", "prompts": prompts, "sampling": sampling})
    with progress_bars() as bars:
        results: Results = audit(plan, out, device, bars).results
    return results.samplers["baseline"]


def _print_prompts(found: dict[float, SamplerResult]) -> None:
    width = max(len(prompt) for prompt in next(iter(found.values())).prompts)
    print(f"{'share of women':<{width}} planted " + "".join(f"{f'scale {s:g}':>19}" for s in found))
    for prompt in next(iter(found.values())).prompts:
        results = [sampler.prompts[prompt].attributes["gender"] for sampler in found.values()]
        planted = _planted(results[0])
        print(f"{prompt:<{width}} {planted:7.2f} " + "".join(f"{_interval(r):>19}" for r in results))


def _print_scales(found: dict[float, SamplerResult]) -> None:
    print("scale   amplification          slope   intervals that hold the planted share")
    for scale, sampler in found.items():
        results = [prompt.attributes["gender"] for prompt in sampler.prompts.values()]
        planted = np.array([_planted(result) for result in results])
        shares = [result.shares["female"] for result in results]
        measured = np.array([np.nan if share.value is None else share.value for share in shares])
        held = [
            share.low is not None and share.high is not None and share.low <= truth <= share.high
            for share, truth in zip(shares, planted, strict=True)
        ]
        change = sampler.attributes["gender"].bias_amplification
        text = "n/a"
        if change is not None and change.value is not None:
            text = f"{change.value:+.3f} [{change.low:+.3f}, {change.high:+.3f}]"
        slope = np.polyfit(planted, measured, 1)[0]
        print(f"{scale:<7g} {text:<22} {slope:5.2f}   {sum(held)} of {len(held)}")


def _planted(result: AttributeResult) -> float:
    if result.planted is None:
        raise SystemExit("a prompt has no planted share: name occupations of recipes/planted.yaml")
    return result.planted["female"]


def _interval(result: AttributeResult) -> str:
    share = result.shares["female"]
    if share.value is None:
        return "n/a"
    return f"{share.value:.2f} [{share.low:.2f}, {share.high:.2f}]"


if __name__ == "__main__":
    main()
