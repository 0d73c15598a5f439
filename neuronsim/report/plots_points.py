"""Plots over operating points: corners, temperatures and supplies; energy by block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..units import prefix_for
from .page.figures import INK, MUTED, SERIES, VERMILION, drawn, figure, legend_above

Array = NDArray[np.float64]
_MARKS = ("v", "o", "^", "s", "D")


@drawn
def corners(
    names: Sequence[str], supply: Sequence[str], panels: Sequence[tuple[str, str, Array]], fired: NDArray[np.bool_]
) -> Figure:
    """One panel per quantity (label, unit, values (n,)) over the points ``names`` (n,), one mark per ``supply`` (n,).

    A point that did not fire is a cross at the bottom.
    """
    order = list(dict.fromkeys(names))
    place_of = {name: i for i, name in enumerate(order)}
    x = np.array([place_of[name] for name in names], dtype=float)
    drawing = figure(height=1.0 + 1.9 * len(panels))
    axes = np.atleast_1d(drawing.subplots(len(panels), 1, sharex=True))
    levels = list(dict.fromkeys(supply))
    for place, (label, unit, values) in zip(axes, panels, strict=True):
        scale, shown = prefix_for(values, unit)
        for i, level in enumerate(levels):
            here = np.array([s == level for s in supply])
            there = here & fired
            shift = 0.14 * (i - (len(levels) - 1) / 2)
            mark, color = _MARKS[i % len(_MARKS)], SERIES[i % len(SERIES)]
            place.plot(x[there] + shift, values[there] / scale, mark, color=color, markersize=4.5, label=level)
            lost = here & ~fired
            if lost.any():
                place.plot(
                    x[lost] + shift,
                    np.full(int(lost.sum()), 0.03),
                    "x",
                    color=VERMILION,
                    markersize=6,
                    transform=place.get_xaxis_transform(),
                )
        place.set(ylabel="\n".join(f"{label} ({shown})".split(", ")))
    legend_above(axes[0])
    axes[-1].set_xticks(range(len(order)), order, rotation=45, ha="right", fontsize=7.5)
    return drawing


@drawn
def energy_split(groups: Sequence[str], blocks: dict[str, Array]) -> Figure:
    """Stacked bars: energy in joules of each block (n_groups,) for every one of ``groups`` (n_groups,)."""
    drawing = figure(height=0.9 + 0.42 * len(groups))
    place = drawing.subplots()
    y = np.arange(len(groups))[::-1]
    scale, unit = prefix_for(np.concatenate(list(blocks.values())), "J")
    start = np.zeros(len(groups))
    for i, (name, values) in enumerate(blocks.items()):
        place.barh(y, values / scale, left=start, height=0.6, color=SERIES[i % len(SERIES)], label=name)
        start = start + values / scale
    for at, total in zip(y, start, strict=True):
        place.text(total, at, f" {total:.3g}", va="center", color=INK, fontsize=8)
    place.set_yticks(y, list(groups))
    place.axvline(0, color=MUTED, linewidth=0.7)
    legend_above(place)
    place.set(xlabel=f"energy per spike ({unit})")
    return drawing
