"""The benchmark that takes a GPU runs, small, on a CPU too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


def test_the_real_architectures_run_when_they_are_small(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import architectures

    monkeypatch.setattr("sys.argv", ["architectures.py", "--tiny", "--device", "cpu"])
    architectures.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines if ":" in line] == ["sd15", "sdxl"]
    speeds = [float(found[1]) for line in lines if (found := re.search(r"([\d.]+) images/s", line))]
    assert len(speeds) == 2 * 4
    assert min(speeds) > 0


@pytest.mark.parametrize(("name", "millions"), [("unet_15", 859.5), ("unet_xl", 2567.5)])
def test_the_architectures_have_the_published_sizes(
    monkeypatch: pytest.MonkeyPatch, name: str, millions: float
) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import architectures
    import torch

    with torch.device("meta"):
        unet = getattr(architectures, name)()
    assert sum(weight.numel() for weight in unet.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)
