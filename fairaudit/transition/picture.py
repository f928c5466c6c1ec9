"""tau.png and profile.png: curves with their spread over the images."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from fairaudit.transition.mismatch import PARTS, Profile
from fairaudit.transition.record import CurveRecord, PairRecord, TauRecord

_INK, _MUTED, _LINE, _BLUE, _SOFT, _ORANGE = (
    "#1c2430", "#5b6675", "#d9dee5", "#0b62a8", "#c5dbee", "#b3470a",
)  # fmt: skip
_STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": _INK,
    "text.parse_math": False,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _MUTED,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.7,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.labelcolor": _MUTED,
}
_WIDTH, _HEIGHT = 4.4, 2.7
_ZERO = frozenset({"witness", "share"})
"""Criteria that cross zero at the transition point."""

SAYS = {
    "published": "D(tau)",
    "coefficients": "imbalance, ODE coefficients",
    "common": "imbalance at common points",
    "paired": "distance of the two orders",
    "law": "energy distance of the laws",
    "witness": "nearness to the first, order by order",
    "share": "difference of shares",
}


@contextmanager
def style() -> Iterator[None]:
    """The same look whatever the user's own matplotlib settings are."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


def draw_tau(record: TauRecord) -> bytes:
    """A row for every pair: the criterion, and the published one beside it. PNG."""
    wide = 2 if any(pair.published for pair in record.pairs) else 1
    tall = len(record.pairs)
    with style():
        figure = Figure(figsize=(_WIDTH * wide, _HEIGHT * tall), layout="constrained")
        panels = figure.subplots(tall, wide, squeeze=False)
        for row, pair in zip(panels, record.pairs, strict=True):
            _chosen(row[0], record, pair)
            if pair.published is not None and pair.published_tau is not None:
                _curve(row[1], pair.published, SAYS["published"])
                row[1].axvline(pair.published_tau, color=_ORANGE, lw=1.4, ls="--")
                row[1].set_title(f"published criterion, same noise: {pair.published_tau:.2f}")
        return _png(figure)


def draw_profiles(profiles: Mapping[str, Mapping[str, Profile]]) -> bytes:
    """A row for every pair, a panel for every condition that is measured against. PNG."""
    wide = max(len(some) for some in profiles.values())
    with style():
        figure = Figure(figsize=(_WIDTH * wide, _HEIGHT * len(profiles)), layout="constrained")
        panels = figure.subplots(len(profiles), wide, squeeze=False)
        for row, (pair, some) in zip(panels, profiles.items(), strict=True):
            for axes, (name, profile) in zip(row, some.items(), strict=False):
                draw_profile(axes, profile)
                axes.set_title(f"{pair}: own words against {name}")
        return _png(figure)


def draw_profile(axes: Axes, profile: Profile) -> None:
    """One accrued mismatch, from noise on the left to the image on the right."""
    axes.fill_between(profile.times, profile.low, profile.high, color=_SOFT, lw=0)
    axes.plot(profile.times, profile.accrued, color=_BLUE, lw=1.8)
    for part in PARTS:
        axes.axvline(profile.decided(part), color=_ORANGE, lw=1, ls=":")
        axes.annotate(
            f"{part:.0%}", (profile.decided(part), 1), (2, -9), ("data", "axes fraction"),
            "offset points", color=_ORANGE, fontsize=7.5,
        )  # fmt: skip
    axes.set_xlim(1, 0)
    axes.set_xlabel("time, from noise (1) to image (0)")
    axes.set_ylabel("nats accrued")


def _chosen(axes: Axes, record: TauRecord, pair: PairRecord) -> None:
    _curve(axes, pair.curve, SAYS.get(record.criterion, SAYS["published"]))
    if record.criterion in _ZERO:
        axes.axhline(0, color=_MUTED, lw=0.9)
    axes.axvspan(pair.low, pair.high, color=_ORANGE, alpha=0.15, lw=0)
    axes.axvline(pair.tau, color=_ORANGE, lw=1.6)
    axes.set_title(f"{pair.first}, {pair.second}: tau {pair.tau:.2f} [{pair.low:.2f}, {pair.high:.2f}]")


def _curve(axes: Axes, curve: CurveRecord, label: str) -> None:
    axes.fill_between(curve.tau, curve.low, curve.high, color=_SOFT, lw=0)
    marker = "o" if len(curve.tau) < 30 else ""
    axes.plot(curve.tau, curve.value, color=_BLUE, lw=1.8, marker=marker, ms=3.5)
    axes.set_xlim(0, 1)
    axes.set_xlabel("tau, from image (0) to noise (1)")
    axes.set_ylabel(label)


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(out, format="png", dpi=150, metadata={"Software": None})
    return out.getvalue()
