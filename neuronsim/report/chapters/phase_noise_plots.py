"""The remaining plans of the bench: detector saturation, threshold ramp, phase noise, mismatch, f-I curve, interval jitter."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from neuronsim.units import trimmed

from ..page.figures import BLUE, INK, SERIES, SKY, VERMILION, drawn, figure, legend_above, plain_ticks

Array = NDArray[np.float64]


def _banded(place, level: Array, values: Array, label: str) -> None:
    """Median line and 10-90 % band of ``values`` at each distinct ``level``, over the single runs."""
    x = np.unique(level)
    p10, p50, p90 = np.array([np.percentile(values[level == at], [10, 50, 90]) for at in x]).T
    place.plot(level, values, ".", color=SKY, markersize=2.5, alpha=0.55, rasterized=level.size > 1500)
    if level.size > x.size:
        place.fill_between(x, p10, p90, facecolor=BLUE, alpha=0.2, linewidth=0, label="10–90 % of runs")
    place.plot(x, p50, "o-", color=BLUE, markersize=3.5, label=label)


def _theory(place, level: Array, values: Array, label: str) -> None:
    """Median of the finite ``values`` at each level, as a dashed line."""
    known = np.isfinite(values)
    x = np.unique(level[known])
    if x.size:
        median = [np.median(values[known & (level == at)]) for at in x]
        place.plot(x, median, "--", color=VERMILION, linewidth=1.5, label=label)


@drawn
def phase_noise(
    sigma_tau: Array,
    slope: Array,
    when_tau: Array,
    level: Array,
    predicted: Array | None,
    law: tuple[Array, Array] | None = None,
) -> Figure:
    """Spread (n,) of the spike time of repeated runs over 1/slope, and referred to the threshold over the time.

    ``law``: times in tau and the variance in thresholds squared that the card gives there.
    """
    drawing = figure(height=3.2)
    left, right = drawing.subplots(1, 2)
    for index, at in enumerate(np.unique(level)):
        here = level == at
        color, name = SERIES[index % len(SERIES)], f"noise {trimmed(at, 3)}"
        left.plot(1 / slope[here], 100 * sigma_tau[here], "o", color=color, markersize=3.5, alpha=0.8, label=name)
        right.plot(when_tau[here], (100 * sigma_tau * slope)[here] ** 2, "o", color=color, markersize=3.5, alpha=0.8)
    if predicted is not None:
        order = np.argsort(1 / slope)
        left.plot((1 / slope)[order], 100 * predicted[order], "+", color=INK, markersize=5, label="card")
    left.set_xscale("log")
    left.set_yscale("log")
    for axis in (left.xaxis, left.yaxis):
        plain_ticks(axis)
    legend_above(left)
    left.set(xlabel="1 / membrane slope at the spike (τ per threshold)", ylabel="σ of the spike time (% of τ)")
    right.set(xlabel="spike time (τ)", ylabel="(σ · slope)²  (% of threshold)²")
    if law is not None:
        right.plot(law[0], 1e4 * law[1], color=INK, linewidth=1.0, label="card")
        legend_above(right)
    right.set_ylim(bottom=0)
    right.set_xlim(left=0)
    return drawing
