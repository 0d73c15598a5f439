"""Picture of a conversion study: accuracy against the number of steps, and what the adaptor bought."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuronsim.artifacts.conversion_study import ConversionStudy, Mean
from neuronsim.papers import paper003
from neuronsim.report.page.figures import (
    INK,
    MUTED,
    SERIES,
    VERMILION,
    drawn,
    error_bars,
    figure,
    legend_above,
    plain_ticks,
)

_DASHED: Any = (0, (4, 2))


@drawn
def conversion_plot(study: ConversionStudy) -> Figure:
    """Left: accuracy against T, solid with the adaptor, dashed without. Right: the paired difference, the paper's beside it."""
    drawing = figure(height=4.0)
    left, right = drawing.subplots(1, 2)
    for number, levels in enumerate(sorted({c.levels for c in study.converted})):
        color = SERIES[number % len(SERIES)]
        for adaptor, line, marker in ((True, "-", "o"), (False, _DASHED, "s")):
            curve = study.curve(levels, adaptor)
            label = f"p = {levels}, {'with' if adaptor else 'without'} adaptor"
            _errorbar(left, curve, color, line, marker, label)
        _gain(right, study, levels, color, number)
    for place in (left, right):
        place.set_xscale("log", base=2)
        plain_ticks(place.xaxis)
        place.set_xlabel("steps T")
    _window(left, study)
    left.set_ylabel("accuracy (%)")
    right.axhline(0.0, color=INK, linewidth=0.8)
    right.set_ylabel("with minus without adaptor (points)")
    legend_above(left, columns=2)
    legend_above(right, columns=2)
    return drawing


def _errorbar(place: Axes, curve: list[Mean], color: str, line: Any, marker: str, label: str) -> None:
    if curve:
        y = np.array([m.mean for m in curve])
        bars = 100 * error_bars(list(y), [m.low for m in curve], [m.high for m in curve])
        place.errorbar(
            [m.time or 0 for m in curve], 100 * y, yerr=bars, color=color, linestyle=line, marker=marker,
            markersize=4, capsize=2, elinewidth=0.8, label=label,
        )  # fmt: skip


def _gain(place: Axes, study: ConversionStudy, levels: int, color: str, number: int) -> None:
    chosen = (levels, "none")
    found = sorted(
        (d for d in study.differences if (d.levels, d.correction) == chosen and d.time is not None),
        key=lambda d: d.time or 0,
    )
    if not found:
        return
    shift = 1 + 0.06 * number  # bars of several p beside each other
    y = np.array([d.mean for d in found])
    bars = 100 * error_bars(list(y), [d.low for d in found], [d.high for d in found])
    times = [shift * (d.time or 0) for d in found]
    place.errorbar(times, 100 * y, yerr=bars, color=color, marker="o", markersize=4, capsize=2, elinewidth=0.8,
                   label=f"p = {levels}")  # fmt: skip
    paper = [(d.time or 0, paper003.gain(levels, d.time)) for d in found]
    known = [(time, gain) for time, gain in paper if gain is not None]
    if known:
        place.plot([t for t, _ in known], [100 * g for _, g in known], "D", color=VERMILION, markersize=5.5,
                   label=paper003.CITATION, zorder=5)  # fmt: skip


def _window(place: Axes, study: ConversionStudy) -> None:
    """The quantized ANN as a level, and limits that do not hide the late differences behind a bad start at T = 1."""
    for m in study.means:
        if m.time is None and m.correction == "none":
            line = "-" if m.adaptor else _DASHED
            place.axhline(100 * m.mean, color=MUTED, linewidth=0.8, linestyle=line)
    place.annotate("gray: quantized ANN", (0.98, 0.03), xycoords="axes fraction", color=MUTED, fontsize=8.5, ha="right")
