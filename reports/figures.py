"""The drawings, as SVG whose colours are tokens: screen and paper fill them in differently."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import matplotlib.style
from fairaudit.reports.model import Figure
from fairaudit.reports.numbers import known, percent, share_text, shorten
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Drawing
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import MaxNLocator, PercentFormatter

from fairaudit.results import AttributeResult, Share

# A colour that no drawing would choose by itself, to (CSS variable, colour on paper).
_COLOURS = {
    "#010101": ("ink", "#1c2430"),
    "#020202": ("muted", "#5b6675"),
    "#030303": ("line", "#d9dee5"),
    "#040404": ("mark", "#0b62a8"),
    "#050505": ("mark-soft", "#c5dbee"),
    "#060606": ("target", "#b3470a"),
    "#070707": ("planted", "#7a3e8e"),
    "#080808": ("band", "#e3e9ee"),
}
INK, MUTED, LINE, MARK, SOFT, TARGET, PLANTED, BAND = _COLOURS

_STYLE = {
    "svg.hashsalt": "fairaudit",
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 8.5,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
}
_WIDTH, _ROW, _FOOT = 3.5, 0.27, 0.28


@contextmanager
def style() -> Iterator[None]:
    """The same look whatever the user's own matplotlib settings are."""
    with matplotlib.style.context(["default", _STYLE]):
        yield


def coloured(svg: str, paper: bool) -> str:
    """The SVG with its tokens filled in: fixed colours on paper, variables on a screen."""
    for token, (name, colour) in _COLOURS.items():
        svg = svg.replace(token, colour if paper else f"var(--{name})")
    return svg


def drawable(text: str, length: int = 22) -> str:
    """One short line of characters that the drawing font has; without it a glyph would be a warning."""
    return "".join(c if has_glyph(c) else "□" for c in shorten(text, length))


def has_glyph(character: str) -> bool:
    """Whether the font that comes with matplotlib can draw it."""
    return bool(get_font(findfont(FontProperties(family="DejaVu Sans"))).get_char_index(ord(character)))


def hint(artist: Artist, text: str) -> None:
    """Have a mark say its numbers where a pointer or the keyboard is on it."""
    artist.set_gid(_HINT + text)


_HINT = "hint "


def to_svg(drawing: Drawing, key: str) -> str:
    """The bare `<svg>` element with ids that no other figure of the page has."""
    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    FigureCanvasSVG(drawing)
    drawing.savefig(out, format="svg", metadata=nothing)
    svg = out.getvalue()
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], flags=re.S)
    svg = re.sub(rf' id="{_HINT}([^"]*)">', r' class="hinted"><title>\1</title>', svg)
    svg = re.sub(r"[ \n]+", " ", svg).replace("> <", "><")
    # Hundredths of a point are enough, and the digits after them are half of the file.
    svg = re.sub(r"<[^>]*>", lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", tag[0]), svg)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", svg))
    svg = re.sub(r' id="([^"]*)"', lambda m: f' id="{key}-{m[1]}"' if m[1] in used else "", svg)
    return re.sub(r"(url\(#|href=\"#)", rf"\g<1>{key}-", svg)


def share_panel(name: str, attribute: str, result: AttributeResult, key: str, end: float) -> Figure:
    """Bars of one sampler's shares with intervals, the raw shares, the target and the planted shares."""
    height = _ROW * max(1, len(result.shares)) + _FOOT
    labels = [drawable(value) for value in result.shares]
    left = min(1.5, 0.15 + 0.075 * max((len(label) for label in labels), default=0))
    with style():
        drawing = Drawing(figsize=(_WIDTH, height))
        box = (left / _WIDTH, _FOOT / height, (_WIDTH - left - 0.6) / _WIDTH, 1 - _FOOT / height)
        axes = drawing.add_axes(box)
        for y, (value, share) in enumerate(result.shares.items()):
            _bar(axes, y, share, result, value)
            text = percent(share.value)
            axes.annotate(text, (1, y), (5, 0), ("axes fraction", "data"), "offset points", va="center")
        _share_axis(axes, labels, end)
        svg = to_svg(drawing, key)
    said = [
        f"{value} {share_text(share)}, target {percent(result.target.get(value))}"
        for value, share in result.shares.items()
    ]
    return Figure(svg, f"Shares of perceived {attribute} for {name}: {'; '.join(said)}", name)


def reach(results: Sequence[AttributeResult]) -> float:
    """Where the axis of an attribute's panels ends, so that all share one scale."""
    ends = [1e-9]
    for result in results:
        ends += result.target.values()
        ends += (result.planted or {}).values()
        ends += [
            x for s in result.shares.values() for x in (s.value, s.high, s.raw) if x is not None and known(x)
        ]
    return min(1.0, 1.06 * max(ends))


def _bar(axes: Axes, y: int, share: Share, result: AttributeResult, value: str) -> None:
    if share.value is not None and known(share.value):
        (bar,) = axes.barh(y, share.value, 0.56, color=SOFT)
        hint(bar, _numbers(value, share, result))
        if share.low is not None and share.high is not None:
            axes.plot([share.low, share.high], [y, y], color=MARK, lw=2, solid_capstyle="butt")
        axes.plot(share.value, y, "o", color=MARK, ms=4.5)
        if result.estimator != "raw" and share.raw is not None:
            axes.plot(share.raw, y, "o", mfc="none", mec=MUTED, mew=0.9, ms=5.5)
    if value in result.target:
        axes.plot([result.target[value]] * 2, [y - 0.4, y + 0.4], color=TARGET, lw=1.6)
    if result.planted and value in result.planted:
        axes.plot(result.planted[value], y, "D", mfc="none", mec=PLANTED, mew=1.3, ms=5.5)


def _numbers(value: str, share: Share, result: AttributeResult) -> str:
    planted = (result.planted or {}).get(value)
    parts = [
        share_text(share),
        f"raw {percent(share.raw)}" if result.estimator != "raw" and known(share.raw) else "",
        f"target {percent(result.target.get(value))}",
        f"training data {percent(planted)}" if planted is not None else "",
    ]
    return f"{value}: {', '.join(filter(None, parts))}"


def _share_axis(axes: Axes, labels: list[str], end: float) -> None:
    axes.set_xlim(0, end)
    axes.set_ylim(len(labels) - 0.45, -0.55)
    axes.set_yticks(range(len(labels)), labels, color=INK)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0, symbol=" %"))
    axes.tick_params(axis="x", labelsize=7.5)
    axes.grid(axis="x", color=LINE, lw=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def legend(results: Sequence[AttributeResult], key: str) -> Figure:
    """What the marks of the panels mean; only the marks that occur."""
    entries = ["share with interval", "target"]
    entries += ["raw share"] if any(result.estimator != "raw" for result in results) else []
    entries += ["share in training data"] if any(result.planted for result in results) else []
    with style():
        drawing = Drawing(figsize=(_WIDTH, 0.24 * ((len(entries) + 1) // 2)))
        axes = drawing.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set(xlim=(0, 2), ylim=((len(entries) - 1) // 2 + 0.5, -0.5))
        for i, entry in enumerate(entries):
            _sample(axes, i % 2, i // 2, entry)
        svg = to_svg(drawing, key)
    return Figure(svg, f"Marks: {', '.join(entries)}")


def _sample(axes: Axes, x: int, y: int, entry: str) -> None:
    at = x + 0.1
    if entry == "target":
        axes.plot([at, at], [y - 0.3, y + 0.3], color=TARGET, lw=1.6)
    elif entry == "raw share":
        axes.plot(at, y, "o", mfc="none", mec=MUTED, mew=0.9, ms=5.5)
    elif entry == "share in training data":
        axes.plot(at, y, "D", mfc="none", mec=PLANTED, mew=1.3, ms=5.5)
    else:
        axes.plot([x + 0.03, x + 0.17], [y, y], color=MARK, lw=2)
        axes.plot(at, y, "o", color=MARK, ms=4.5)
    axes.text(x + 0.22, y, entry, va="center", color=MUTED, fontsize=8)
