"""Output jitter per level: our distributions, our mean, and the paper's value over them."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ..analysis.table3 import OutputJitter
from .page.figures import BLUE, INK, MUTED, SKY, VERMILION, drawn, figure, plain_ticks

_AXES = {"jitter": "input jitter", "quantization": "weight resolution"}


@drawn
def output_jitter_plot(result: OutputJitter) -> Figure:
    """Per level: trials (dots), quartile box, 10-90 % whisker, mean with its 95 % interval, and the paper's value."""
    drawing = figure(height=4)
    place = drawing.subplots()
    place.set_yscale("log")
    lowest = _lowest(result)
    for x, level in enumerate(result.levels):
        percent = np.maximum(100 * level.errors, lowest)
        if percent.size:
            # The golden ratio spreads the dots evenly without a random draw.
            spread = ((np.arange(percent.size) * 0.6180339887) % 1 - 0.5) * 0.56
            place.plot(
                x + spread, percent, ".", color=SKY, markersize=2.2, alpha=0.55, zorder=1, rasterized=percent.size > 600
            )
            p10, p25, p50, p75, p90 = np.percentile(percent, [10, 25, 50, 75, 90])
            place.vlines(x, p10, p90, color=BLUE, linewidth=1.2, zorder=2)
            place.hlines([p10, p90], x - 0.12, x + 0.12, color=BLUE, linewidth=1.2, zorder=2)
            place.fill_between([x - 0.22, x + 0.22], p25, p75, facecolor=BLUE, alpha=0.28, zorder=2, linewidth=0)
            place.hlines(p50, x - 0.22, x + 0.22, color=BLUE, linewidth=1.6, zorder=3)
            s = level.summary
            bars = np.maximum(100 * np.array([[s.mean - s.low], [s.high - s.mean]]), 0)
            place.errorbar(
                [x + 0.32],
                [max(100 * s.mean, lowest)],
                yerr=bars,
                fmt="o",
                color=INK,
                markersize=4.5,
                capsize=2.5,
                elinewidth=1.2,
                zorder=4,
            )
        if level.paper is not None:
            place.plot([x - 0.32], [100 * level.paper], "D", color=VERMILION, markersize=6.5, zorder=5)
    handles: list[Line2D | Patch] = [
        Line2D([], [], marker=".", linestyle="none", color=SKY, label="single trials"),
        Patch(facecolor=BLUE, alpha=0.28, label="quartiles, median; whisker 10–90 %"),
        Line2D([], [], marker="o", color=INK, markersize=4.5, label="mean, 95 % interval"),
        Line2D([], [], marker="D", linestyle="none", color=VERMILION, label="paper 004, table 3"),
    ]
    if result.floor.n and result.floor.mean > 0:
        place.axhline(max(100 * result.floor.mean, lowest), color=MUTED, linestyle=(0, (1, 2)), linewidth=1.2)
        handles.append(Line2D([], [], color=MUTED, linestyle=(0, (1, 2)), label="floor of the deck"))
    place.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=5,
        borderaxespad=0.3,
        columnspacing=1.3,
        handlelength=1.4,
    )
    place.set_xticks(range(len(result.levels)), [level.label for level in result.levels])
    place.set_xlim(-0.6, len(result.levels) - 0.4)
    place.set_ylim(bottom=lowest * 0.8)
    place.grid(axis="x", visible=False)
    place.set(xlabel=_AXES[result.plan], ylabel="output jitter (%)")
    plain_ticks(place.yaxis)
    return drawing


def _lowest(result: OutputJitter) -> float:
    """Bottom of the axis, in percent: a decade below the smallest 10th percentile, mean, floor or paper's value."""
    marks = [level.paper for level in result.levels if level.paper]
    for level in result.levels:
        marks += [level.summary.p10, level.summary.mean]
    marks = [mark for mark in (*marks, result.floor.mean) if np.isfinite(mark) and mark > 0]
    return 100 * 0.3 * min(marks, default=1e-6)
