"""Accuracy of networks on chips: each chip a dot, their mean with its interval, and the worst."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..page.figures import INK, MUTED, SERIES, SKY, VERMILION, error_bars, panels

_COLORS = tuple(color for color in SERIES if color not in (VERMILION, SKY))
_GOLDEN = 0.6180339887  # its multiples spread the dots of a row evenly


class OnChips(NamedTuple):
    """Accuracy of one network under one condition, its 95 % interval, its worst repeat, and that of every repeat."""

    condition: str
    network: str
    accuracy: float
    low: float | None
    high: float | None
    worst: float
    repeats: Sequence[float]


def series_color(number: int) -> str:
    """Color of the network of that number in every plot of a study; the paper's and the worst chip's are kept free."""
    return _COLORS[number % len(_COLORS)]


def legend_height(entries: int, columns: int) -> float:
    """Height in inches that a legend above the axes takes."""
    return 0.17 * -(-entries // columns)


def draw_on_chips(results: Sequence[OnChips], labels: dict[str, str]) -> Figure:
    """A row for each condition and in it for each network; ``labels``: of the conditions, where not their names."""
    conditions = list(dict.fromkeys(r.condition for r in results))
    networks = list(dict.fromkeys(r.network for r in results))
    rows = len(conditions) * len(networks)
    drawing, axes = panels(height=1.1 + 0.3 * max(rows, 5) + legend_height(len(networks), 3))
    step = 0.8 / len(networks)
    for r in results:
        which = networks.index(r.network)
        row = conditions.index(r.condition) + (which - (len(networks) - 1) / 2) * step
        color = series_color(which)
        repeats = 100 * np.array(r.repeats)
        if repeats.size > 1:
            spread = ((np.arange(repeats.size) * _GOLDEN) % 1 - 0.5) * step * 0.6
            axes.plot(repeats, row + spread, ".", color=color, markersize=4.5, alpha=0.4)
            axes.plot([100 * r.worst], [row], "v", color=VERMILION, markersize=5.5, zorder=4)
        axes.errorbar(
            [100 * r.accuracy], [row], xerr=100 * error_bars([r.accuracy], [r.low], [r.high]), fmt="o", color=color,
            markersize=5, capsize=3, elinewidth=1.4, zorder=5, markeredgecolor=INK, markeredgewidth=0.6,
        )  # fmt: skip
    axes.set_yticks(range(len(conditions)), [labels.get(name, name) for name in conditions])
    axes.set_ylim(len(conditions) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    mean = {"marker": "o", "markeredgecolor": INK, "markersize": 5}
    handles = [
        Line2D([], [], color=series_color(i), label=f"{name}: mean, 95 % interval".removeprefix(": "), **mean)
        for i, name in enumerate(networks)
    ]
    if any(len(r.repeats) > 1 for r in results):
        handles.append(Line2D([], [], marker=".", linestyle="none", color=MUTED, label="one chip or draw"))
        handles.append(Line2D([], [], marker="v", linestyle="none", color=VERMILION, label="worst of them"))
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, borderaxespad=0.3)
    axes.set_xlabel("accuracy (%)")
    return drawing
