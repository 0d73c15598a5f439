"""Plots of the cells: tuning curve of the oscillator, levels of the synapse, accumulated jitter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..units import prefix_for
from .page.figures import BLUE, INK, MUTED, SERIES, VERMILION, drawn, figure, legend_above, plain_ticks

Array = NDArray[np.float64]


@drawn
def tuning(curves: Sequence[tuple[str, Array, Array]], rest_a: float, reach_a: float) -> Figure:
    """Frequency over control current for named curves; the lock range rest +- reach is shaded."""
    drawing = figure()
    place = drawing.subplots()
    x_scale, x_unit = prefix_for(np.concatenate([c[1] for c in curves]), "A")
    y_scale, y_unit = prefix_for(np.concatenate([c[2] for c in curves]), "Hz")
    for i, (name, current, frequency) in enumerate(curves):
        line = "-" if i < len(SERIES) else "--"
        color = SERIES[i % len(SERIES)]
        place.plot(current / x_scale, frequency / y_scale, f"o{line}", color=color, markersize=3, label=name)
    place.axvspan((rest_a - reach_a) / x_scale, (rest_a + reach_a) / x_scale, facecolor=MUTED, alpha=0.2, linewidth=0)
    legend_above(place)
    place.set(xlabel=f"control current ({x_unit})", ylabel=f"frequency ({y_unit})")
    return drawing


@drawn
def levels(code: Array, current_a: Array, inl: Array, dnl: Array) -> Figure:
    """Current over code, and its integral and differential nonlinearity in steps, all (n,)."""
    drawing = figure()
    left, right = drawing.subplots(1, 2)
    scale, unit = prefix_for(current_a, "A")
    left.plot(code, current_a / scale, "o-", color=BLUE, markersize=3)
    left.axhline(0, color=MUTED, linewidth=0.7)
    left.set(xlabel="code", ylabel=f"current ({unit})")
    right.plot(code, inl, "o-", color=BLUE, markersize=3, label="INL")
    right.plot(code + 0.5, dnl, "s-", color=VERMILION, markersize=3, label="DNL")
    right.axhline(0, color=MUTED, linewidth=0.7)
    legend_above(right)
    right.set(xlabel="code", ylabel="steps")
    return drawing


@drawn
def accumulated_jitter(curves: Sequence[tuple[str, Array, Array]], kappa: float, label: str) -> Figure:
    """sigma (n,) over time (n,), named, with the line kappa sqrt(t)."""
    drawing = figure()
    place = drawing.subplots()
    times = np.concatenate([c[1] for c in curves])
    x_scale, x_unit = prefix_for(times, "s")
    y_scale, y_unit = prefix_for(np.concatenate([c[2] for c in curves]), "s")
    for i, (name, time, sigma) in enumerate(curves):
        place.plot(time / x_scale, sigma / y_scale, "o-", color=SERIES[i % len(SERIES)], markersize=3, label=name)
    span = np.geomspace(times.min(), times.max(), 50)
    place.plot(span / x_scale, kappa * np.sqrt(span) / y_scale, "--", color=INK, linewidth=1.2, label=label)
    place.set_xscale("log")
    place.set_yscale("log")
    plain_ticks(place.xaxis)
    plain_ticks(place.yaxis)
    legend_above(place, columns=3)
    place.set(xlabel=f"time ({x_unit})", ylabel=f"σ of the accumulated time ({y_unit})")
    return drawing
