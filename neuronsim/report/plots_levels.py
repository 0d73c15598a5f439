"""Errors between the levels of one neuron."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .page.figures import INK, MUTED, SERIES, drawn, figure, legend_above, plain_ticks

Array = NDArray[np.float64]


@drawn
def level_errors(names: Sequence[str], errors: Sequence[Array], times: Sequence[Array]) -> Figure:
    """For each step from a level to the next: signed relative ``errors`` (n,) over spike ``times`` (n,) in tau, and the
    distribution of their size on a logarithmic percent axis."""
    drawing = figure(height=3.5)
    left, right = drawing.subplots(1, 2)
    left.axhline(0, color=MUTED, linewidth=0.9)
    smallest = min((float(np.abs(e[e != 0]).min()) for e in errors if (e != 0).any()), default=1e-12)
    for index, (name, error, time) in enumerate(zip(names, errors, times, strict=True)):
        color = SERIES[index % len(SERIES)]
        left.plot(time, 100 * error, ".", color=color, markersize=4, alpha=0.75, label=name)
        size = np.sort(np.maximum(np.abs(error), smallest))
        right.step(100 * size, np.arange(1, size.size + 1) / max(size.size, 1), where="post", color=color, label=name)
    left.set(xlabel="spike time at the level above (τ)", ylabel="t / t above − 1 (%)")
    right.axhline(0.95, color=INK, linewidth=0.7, linestyle=(0, (4, 2)))
    right.set_xscale("log")
    right.set_ylim(0, 1.03)
    plain_ticks(right.xaxis)
    right.set(xlabel="|t / t above − 1| (%)", ylabel="fraction of runs")
    legend_above(left, columns=2)
    return drawing
