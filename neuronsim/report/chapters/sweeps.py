"""Chapters on sweeps: spike times against the weight sum (saturation of the detector) and against a threshold ramp."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuronsim.analysis.expected_spikes import tau_s
from neuronsim.analysis.sweeps import Shift, SweepLevel, detector_range, ramp, saturation
from neuronsim.arrays import Array
from neuronsim.units import percent, trimmed

from ..page.columns import Column, table
from ..page.elements import Block, Note, Picture, chapter
from ..page.figures import BLUE, INK, MUTED, SKY, VERMILION, drawn, finish, panels
from .transfer import WITHOUT_TAU

_SATURATION: list[Column[SweepLevel]] = [
    Column("peak (unit weights)", "level", lambda level: trimmed(level, 3)),
    Column("runs", "shift.n"),
    Column("median", "shift.median", percent),
    Column("p95", "shift.p95", percent),
    Column("lost", "lost"),
    Column("median against the folding detector", "against_law", percent),
]
_RAMP: list[Column[SweepLevel]] = [
    Column("ramp per τ", "level", percent),
    Column("runs", "shift.n"),
    Column("median shift", "shift.median", percent),
    Column("mean shift", "shift.mean", percent),
    Column("median |error| against Lambert W", "against_law", percent),
]


@chapter("Detector saturation", anchor="saturation", plan="saturation")
def saturation_section(rows: xr.Dataset) -> Iterator[Block]:
    """Shift of the spike time as the summed phase error leaves the linear range of the XOR detector."""
    if tau_s(rows) is None:
        yield WITHOUT_TAU
        return
    (shift, levels), span = saturation(rows), detector_range(rows)
    if shift.level.size:
        caption = (
            "Spike time against equation 4 over the peak summed phase error. Right of the mark the triangular "
            "characteristic of the XOR detector folds back."
        )
        yield Picture(svg=saturation_plot(shift, span[0] if span else None), caption=caption)
    caption = "|Relative error| against equation 4 by peak phase error. Lost: only one of the two fires."
    yield table(caption, _SATURATION, levels)
    if span is not None:
        limit, step = (trimmed(value, 4) for value in span)
        yield Note(text=f"Linear range of the detector: {limit} unit weights of {step} rad each.")


@chapter("Threshold ramp", anchor="ramp", plan="ramp")
def ramp_section(rows: xr.Dataset) -> Iterator[Block]:
    """Shift of the spike time under a threshold ramp (rest frequencies of VCO3 and VCO4 differ)."""
    shift, levels = ramp(rows)
    if shift.level.size:
        caption = (
            "Spike-time shift against the run of the same trial without ramp. A ramp is what "
            "different rest frequencies of VCO3 and VCO4 look like to the neuron."
        )
        yield Picture(svg=ramp_plot(shift), caption=caption)
    yield table("Spike-time shift by ramp.", _RAMP, levels)


@drawn
def saturation_plot(shift: Shift, limit: float | None) -> Figure:
    """Relative spike-time shift against equation 4, over the peak summed phase error in unit weights, with that of the folding
    detector and the end of the linear range."""
    drawing, axes = panels()
    _banded(axes, shift.level, 100 * shift.measured, "median")
    _law(axes, shift.level, 100 * shift.law, "exact solution with folding detector, median")
    if limit is not None:
        axes.axvline(limit, color=INK, linewidth=1.0, linestyle=(0, (1, 2)), label="end of the linear range")
    axes.axhline(0, color=MUTED, linewidth=0.7)
    finish(axes, "peak summed phase error (unit weights)", "spike time − equation 4 (%)")
    return drawing


@drawn
def ramp_plot(shift: Shift) -> Figure:
    """Relative shift of the spike time over the ramp, with that of the crossing by Lambert's W."""
    drawing, axes = panels()
    _banded(axes, 100 * shift.level, 100 * shift.measured, "measured, median")
    _law(axes, 100 * shift.level, 100 * shift.law, "Lambert-W crossing, median")
    finish(axes, "threshold ramp (% of the threshold per τ)", "spike-time shift (%)")
    return drawing


def _banded(axes: Axes, level: Array, values: Array, label: str) -> None:
    """Median line and 10-90 % band of ``values`` (n,) at each distinct ``level`` (n,), over the single runs."""
    x = np.unique(level)
    p10, p50, p90 = np.array([np.percentile(values[level == at], [10, 50, 90]) for at in x]).T
    axes.plot(level, values, ".", color=SKY, markersize=2.5, alpha=0.55, rasterized=level.size > 1500)
    if level.size > x.size:
        axes.fill_between(x, p10, p90, facecolor=BLUE, alpha=0.2, linewidth=0, label="10–90 % of runs")
    axes.plot(x, p50, "o-", color=BLUE, markersize=3.5, label=label)


def _law(axes: Axes, level: Array, values: Array, label: str) -> None:
    """Median of the finite ``values`` (n,) of a law at each ``level`` (n,), as a dashed line."""
    known = np.isfinite(values)
    x = np.unique(level[known])
    if x.size:
        median = [np.median(values[known & (level == at)]) for at in x]
        axes.plot(x, median, "--", color=VERMILION, linewidth=1.5, label=label)
