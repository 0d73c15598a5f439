"""The look of every picture: one colorblind-safe palette, drawn with matplotlib's objects, saved as theme-aware SVG.

Colors are drawn as the hex values below and replaced in the SVG by CSS variables, so that one picture is readable on
light paper and on a dark screen. No dates, no random identifiers: equal data give equal bytes.
"""

import io
import math
import re
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from neuronsim.arrays import Array
from neuronsim.atomic_write import sha256_of, write_atomically
from neuronsim.units import trimmed

# Okabe and Ito's palette, the light-page values; style.css holds both themes.
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY = "#0072b2", "#d55e00", "#009e73", "#e69f00", "#cc79a7", "#56b4e9"
SERIES = (BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY)
INK, MUTED, GRID, PAPER = "#1b1b1f", "#6b6b76", "#d9d9de", "#fefefe"
_VARIABLES = {
    BLUE: "--c0", VERMILION: "--c1", GREEN: "--c2", ORANGE: "--c3", PURPLE: "--c4", SKY: "--c5",
    INK: "--ink", MUTED: "--muted", GRID: "--grid", PAPER: "--paper",
}  # fmt: skip

_RC: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "neuronsim",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9,
    "xtick.minor.size": 2,
    "ytick.minor.size": 2,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "figure.dpi": 200,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.linewidth": 0.7,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.4,
    "axes.prop_cycle": cycler(color=SERIES),
    "axes.unicode_minus": False,
    "axes.formatter.useoffset": False,
    "axes.formatter.limits": (-4, 5),
}

Parameters = ParamSpec("Parameters")


def drawn(function: Callable[Parameters, Figure]) -> Callable[Parameters, str]:
    """Make a function that builds a Figure return it as an inline SVG in the house style."""

    @wraps(function)
    def wrapper(*args: Parameters.args, **kwargs: Parameters.kwargs) -> str:
        with matplotlib.rc_context(_RC):
            return _svg(function(*args, **kwargs))

    return wrapper


def save_png(
    picture: Callable[Parameters, str], path: Path, *args: Parameters.args, **kwargs: Parameters.kwargs
) -> Path:
    """Save a ``picture`` made by :func:`drawn` as PNG on white paper, whole or not at all."""
    # The function under @drawn, which returns the figure itself.
    build: Callable[Parameters, Figure] = picture.__wrapped__  # type: ignore[attr-defined]
    with matplotlib.rc_context({**_RC, "figure.facecolor": "white"}):
        drawing = build(*args, **kwargs)
        return write_atomically(path, lambda temporary: FigureCanvasAgg(drawing).print_png(temporary))


def panels(rows: int = 1, columns: int = 1, *, height: float = 3.3, **shared: Any) -> tuple[Figure, Any]:
    """A figure of the house size, in inches, and its axes, one or an array of them, which do not overlap.

    ``shared``: further options of matplotlib's subplots.
    """
    drawing = Figure(figsize=(9.6, height), layout="constrained")
    return drawing, drawing.subplots(rows, columns, **shared)


def plain_ticks(axis: Axis) -> None:
    """Write ticks of a logarithmic axis as 0.01, 1, 100, without the math font; name minor ones on short axes."""

    def minor(value: float, _: int) -> str:
        low, high = sorted(axis.get_view_interval())
        decades = math.log10(high / low) if low > 0 else math.inf
        leading = round(value / 10 ** math.floor(math.log10(value) + 1e-9))
        named = range(10) if decades < 0.5 else (2, 3, 4, 6) if decades < 0.9 else (2, 5) if decades < 2 else ()
        return trimmed(value, 3) if leading in named else ""

    axis.set_major_formatter(FuncFormatter(lambda value, _: trimmed(value, 3)))
    axis.set_minor_formatter(FuncFormatter(minor))


def log_scale(axes: Axes, which: str, **options: Any) -> None:
    """Make the axes of ``which`` ("x", "y", "xy") logarithmic, with plain ticks."""
    for name in which:
        getattr(axes, f"set_{name}scale")("log", **options)
        plain_ticks(getattr(axes, f"{name}axis"))


def legend_above(axes: Axes, columns: int = 5) -> None:
    """A legend above the axes, where it cannot cover data."""
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=columns, borderaxespad=0.3, handlelength=1.6)


def finish(axes: Axes, xlabel: str, ylabel: str, *, log: str = "", columns: int = 5) -> None:
    """What a plot has after its data: labels, logarithmic axes where ``log`` names them, and a legend above."""
    log_scale(axes, log)
    legend_above(axes, columns)
    axes.set(xlabel=xlabel, ylabel=ylabel)


def error_bars(middle: Sequence[float], low: Sequence[float | None], high: Sequence[float | None]) -> Array:
    """Lengths (2, n) of the bars below and above ``middle``; NaN, which draws none, where there is no interval."""
    ends = np.array([low, high], dtype=np.float64)  # None becomes NaN
    return np.maximum([[-1.0], [1.0]] * (ends - np.asarray(middle)), 0.0)


def draw_percent(axes: Axes, x: Sequence[float], points: Sequence[Any], value: str = "mean", **style: Any) -> None:
    """Fractions ``value`` of ``points`` against ``x``, in percent, with their intervals ``low`` to ``high``.

    ``style``: of matplotlib's errorbar.
    """
    y, low, high = ([getattr(point, name) for point in points] for name in (value, "low", "high"))
    bars = 100 * error_bars(y, low, high)
    axes.errorbar(x, 100 * np.asarray(y), yerr=bars, **{"markersize": 4, "capsize": 2, "elinewidth": 0.8, **style})


def _svg(drawing: Figure) -> str:
    stream = io.StringIO()
    width, height = drawing.get_size_inches()
    # Not savefig, which draws everything twice to allow for a tight bounding box.
    FigureCanvasSVG(drawing).print_svg(stream, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = stream.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace("xlink:href", "href")
    text = re.sub(r"font-family: [^;\"]*", "font-family: inherit", text)
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1; font-family: inherit", text)
    text = re.sub(
        r"font: (bold|700) ([\d.]+px) [^;\"]*", r"font-weight: 700; font-size: \2; font-family: inherit", text
    )
    for color, variable in _VARIABLES.items():
        text = text.replace(color, f"var({variable})")
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))
    prefix = "f" + sha256_of(text)[:8]

    def identifier(match: re.Match[str]) -> str:
        return f' id="{prefix}{match[1]}"' if match[1] in used else ""

    text = re.sub(r' id="([^"]+)"', identifier, text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}\1)", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}\1"', text)
    opening = f'<svg viewBox="0 0 {width * 72:g} {height * 72:g}" style="max-width:{width * 96:g}px" role="img">'
    text = opening + text[text.index(">") + 1 :]
    text = re.sub(
        r"<style.*?</style>", "", text, flags=re.DOTALL
    )  # its rules would leak into the page; style.css has them
    text = re.sub(r' transform="rotate\(-0 [^)]*\)"', "", text)
    return re.sub(r"\s*\n\s*", " ", text).strip()
