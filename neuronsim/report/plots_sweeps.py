"""The remaining plans of the bench: detector saturation, threshold ramp, phase noise, mismatch, f-I curve, interval jitter."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..units import percent, prefix_for, trimmed
from .style import BLUE, INK, MUTED, SERIES, SKY, VERMILION, drawn, figure, legend_above, plain_ticks

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
def saturation(level: Array, shift: Array, theory: Array, limit: float | None) -> Figure:
    """Relative spike-time shift (n,) against equation 4, over the peak summed phase error in unit weights.

    ``theory`` (n,): the shift that the folding detector characteristic predicts; not drawn where it is unknown (NaN).
    ``limit``: end of the detector's linear range, in unit weights.
    """
    drawing = figure()
    place = drawing.subplots()
    _banded(place, level, 100 * shift, "median")
    _theory(place, level, 100 * theory, "exact solution with folding detector, median")
    if limit is not None:
        place.axvline(limit, color=INK, linewidth=1.0, linestyle=(0, (1, 2)), label="end of the linear range")
    place.axhline(0, color=MUTED, linewidth=0.7)
    legend_above(place)
    place.set(xlabel="peak summed phase error (unit weights)", ylabel="spike time − equation 4 (%)")
    return drawing


@drawn
def ramp(level: Array, shift: Array, theory: Array) -> Figure:
    """Relative shift (n,) of the spike time over the ramp, with that of the Lambert-W crossing (NaN: unknown)."""
    drawing = figure()
    place = drawing.subplots()
    _banded(place, 100 * level, 100 * shift, "measured, median")
    _theory(place, 100 * level, 100 * theory, "Lambert-W crossing, median")
    legend_above(place)
    place.set(xlabel="threshold ramp (% of the threshold per τ)", ylabel="spike-time shift (%)")
    return drawing


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


@drawn
def mismatch(shift: Array, what: str = "spike-time", tolerance: float | None = None) -> Figure:
    """Histogram of the mean relative shift of each chip (n_chips,); ``tolerance``: limits of a good chip."""
    drawing = figure(height=2.9)
    place = drawing.subplots()
    place.hist(100 * shift, bins=min(max(int(np.sqrt(shift.size) * 1.5), 6), 40), color=BLUE, alpha=0.75)
    place.plot(
        100 * shift,
        np.full(shift.size, -0.03),
        "|",
        color=INK,
        markersize=7,
        transform=place.get_xaxis_transform(),
        clip_on=False,
    )
    mean, sigma = shift.mean(), shift.std(ddof=1) if shift.size > 1 else 0.0
    place.axvline(100 * mean, color=VERMILION, linewidth=1.2, label=f"mean {percent(mean)}, σ {percent(sigma)}")
    for limit in (-tolerance, tolerance) if tolerance is not None else ():
        place.axvline(100 * limit, color=MUTED, linewidth=1.0, linestyle=(0, (1, 2)))
    place.tick_params(axis="x", pad=8)
    legend_above(place)
    place.set(xlabel=f"mean {what} shift of the chip (%)", ylabel="chips")
    return drawing


@drawn
def fi_curve(current_a: Array, rate_hz: Array, curves: dict[str, tuple[Array, Array]]) -> Figure:
    """Firing rate (n,) over input current (n,), both logarithmic, with named theory curves (current, rate)."""
    drawing = figure(height=3.5)
    place = drawing.subplots()
    positive = (current_a > 0) & (rate_hz > 0)
    x_scale, x_unit = prefix_for(current_a[positive], "A")
    y_scale, y_unit = prefix_for(rate_hz[positive], "Hz")
    for (name, (current, rate)), color, line in zip(curves.items(), (VERMILION, INK), ("-", "--"), strict=False):
        fires = rate > 0
        place.plot(current[fires] / x_scale, rate[fires] / y_scale, line, color=color, linewidth=1.2, label=name)
    place.plot(
        current_a[positive] / x_scale, rate_hz[positive] / y_scale, "o", color=BLUE, markersize=4, label="measured"
    )
    silent = np.unique(current_a[(current_a > 0) & (rate_hz == 0)])
    if silent.size:
        place.plot(
            silent / x_scale,
            np.full(silent.size, 0.02),
            "x",
            color=MUTED,
            markersize=5,
            label="silent",
            transform=place.get_xaxis_transform(),
        )
    place.set_xscale("log")
    place.set_yscale("log")
    plain_ticks(place.xaxis)
    plain_ticks(place.yaxis)
    legend_above(place)
    place.set(xlabel=f"input current ({x_unit})", ylabel=f"firing rate ({y_unit})")
    return drawing


@drawn
def interval_jitter(
    current_a: Array, variation: Array, low: Array, high: Array, floor: Array, law: tuple[Array, Array] | None
) -> Figure:
    """Coefficient of variation (n,) of the interval over input current (n,), both logarithmic, with its interval, the
    scatter without noise (n,; NaN: not measured), and the card's law (current, variation)."""
    drawing = figure(height=3.5)
    place = drawing.subplots()
    scale, unit = prefix_for(current_a, "A")
    if law is not None:
        place.plot(law[0] / scale, 100 * law[1], "-", color=VERMILION, linewidth=1.2, label="card")
    bars = 100 * np.array([variation - low, high - variation])
    place.errorbar(
        current_a / scale, 100 * variation, yerr=bars, fmt="o", color=BLUE, markersize=4, capsize=3, label="measured"
    )
    known = np.isfinite(floor) & (floor > 0)
    if known.any():
        place.plot(
            current_a[known] / scale, 100 * floor[known], "_", color=MUTED, markersize=9, label="without noise (floor)"
        )
    place.set_xscale("log")
    place.set_yscale("log")
    plain_ticks(place.xaxis)
    plain_ticks(place.yaxis)
    legend_above(place)
    place.set(xlabel=f"input current ({unit})", ylabel="CV of the interval (%)")
    return drawing
