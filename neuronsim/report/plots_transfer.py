"""Measured spike time against equation 4."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..units import percent
from .page.figures import BLUE, INK, MUTED, VERMILION, drawn, figure, plain_ticks

Array = NDArray[np.float64]


@drawn
def transfer(measured_tau: Array, theory_tau: Array) -> Figure:
    """Spike times (n,) in tau: measured over computed, and the relative error over the computed time and cumulated."""
    drawing = figure(height=3.1)
    left, middle, right = drawing.subplots(1, 3)
    error = (measured_tau - theory_tau) / theory_tau
    many = measured_tau.size > 1500
    ends = np.array([theory_tau.min(), theory_tau.max()])
    left.plot(ends, ends, color=MUTED, linewidth=0.9)
    left.plot(theory_tau, measured_tau, ".", color=BLUE, markersize=3, alpha=0.6, rasterized=many)
    left.set(xlabel="equation 4 (τ)", ylabel="measured (τ)", title="spike time")
    middle.axhline(0, color=MUTED, linewidth=0.9)
    middle.plot(theory_tau, 100 * error, ".", color=BLUE, markersize=3, alpha=0.6, rasterized=many)
    middle.set(xlabel="equation 4 (τ)", ylabel="measured − computed (%)", title="signed relative error")
    cumulated(right, error)
    return drawing


def cumulated(place, error: Array) -> None:
    """Empirical distribution of |error| on a logarithmic percent axis, with median and 95th percentile marked."""
    size = np.sort(np.abs(error))
    floor = size[size > 0].min() if (size > 0).any() else 1e-12
    place.step(100 * np.maximum(size, floor), np.arange(1, size.size + 1) / size.size, where="post", color=BLUE)
    for level, color in ((50, INK), (95, VERMILION)):
        value = max(float(np.percentile(size, level)), floor)
        place.plot([100 * value] * 2, [0, level / 100], color=color, linewidth=0.9, linestyle=(0, (4, 2)))
        place.annotate(
            f"p{level} {percent(value)}",
            (100 * value, level / 100),
            xytext=(-4, 3),
            color=color,
            textcoords="offset points",
            fontsize=8,
            ha="right",
        )
    place.set_xscale("log")
    place.set_ylim(0, 1.03)
    plain_ticks(place.xaxis)
    place.set(xlabel="|relative error| (%)", ylabel="fraction of runs", title="distribution")
