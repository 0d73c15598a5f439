"""What the plots of every sweep draw: single runs with their median and band at each level, and a law's median over them."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from neuronsim.arrays import Array

from .figures import BLUE, SKY, VERMILION


def banded(axes: Axes, level: Array, values: Array, label: str) -> None:
    """Median line and 10-90 % band of ``values`` (n,) at each distinct ``level`` (n,), over the single runs."""
    x = np.unique(level)
    p10, p50, p90 = np.array([np.percentile(values[level == at], [10, 50, 90]) for at in x]).T
    axes.plot(level, values, ".", color=SKY, markersize=2.5, alpha=0.55, rasterized=level.size > 1500)
    if level.size > x.size:
        axes.fill_between(x, p10, p90, facecolor=BLUE, alpha=0.2, linewidth=0, label="10–90 % of runs")
    axes.plot(x, p50, "o-", color=BLUE, markersize=3.5, label=label)


def law(axes: Axes, level: Array, values: Array, label: str) -> None:
    """Median of the finite ``values`` (n,) of a law at each ``level`` (n,), as a dashed line."""
    known = np.isfinite(values)
    x = np.unique(level[known])
    if x.size:
        median = [np.median(values[known & (level == at)]) for at in x]
        axes.plot(x, median, "--", color=VERMILION, linewidth=1.5, label=label)
