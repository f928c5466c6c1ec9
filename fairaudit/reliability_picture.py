"""reliability.png: how often labels are right, by how sure they are."""

from __future__ import annotations

import io
from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fairaudit.labelling import Calibration, ReliabilityCurve
from fairaudit.transition.picture import style

_MUTED, _BLUE, _SOFT, _ORANGE = "#5b6675", "#0b62a8", "#c5dbee", "#b3470a"
_SIDE = 3.4


def draw_reliability(calibrations: Mapping[str, Calibration]) -> bytes:
    """A panel for every attribute: accuracy over confidence, before and after tempering. PNG."""
    shown = {name: one for name, one in calibrations.items() if one.reliability is not None}
    with style():
        figure = Figure(figsize=(_SIDE * len(shown), _SIDE), layout="constrained")
        for axes, (name, one) in zip(
            figure.subplots(1, len(shown), squeeze=False)[0], shown.items(), strict=True
        ):
            assert one.reliability is not None
            _panel(axes, one.reliability.before, one.reliability.after)
            axes.set_title(f"perceived {name}, temperature {one.temperature:.2f}")
        out = io.BytesIO()
        FigureCanvasAgg(figure)
        figure.savefig(out, format="png", dpi=150, metadata={"Software": None})
    return out.getvalue()


def _panel(axes: Axes, before: ReliabilityCurve, after: ReliabilityCurve) -> None:
    bins = len(after.faces)
    axes.bar(
        (np.arange(bins) + 0.5) / bins, np.array(after.faces) / max(1, sum(after.faces)), 1 / bins,
        color=_SOFT, label="part of the labels",
    )  # fmt: skip
    axes.plot([0, 1], [0, 1], color=_MUTED, lw=0.9, ls=":")
    for curve, colour, mark, label in ((before, _ORANGE, "--", "as given"), (after, _BLUE, "-", "tempered")):
        faces, right = np.array(curve.faces), np.array(curve.right)
        there = faces > 0
        axes.plot(
            np.array(curve.confidence)[there], right[there] / faces[there], color=colour, ls=mark, lw=1.6,
            marker="o", ms=3, label=f"{label}, ECE {curve.ece:.3f}",
        )  # fmt: skip
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence of the label", ylabel="part that is right")
    axes.legend(loc="upper left", fontsize=7.5)
