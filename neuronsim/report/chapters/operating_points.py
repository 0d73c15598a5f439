"""Chapter on operating points: corners with min/typ/max and the worst corner, and the reset after a spike."""

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuronsim.analysis.corners import (
    Extremes,
    PointRun,
    Quantity,
    Reset,
    extremes,
    point_runs,
    quantities,
    reset_rows,
    resets,
    tolerance_s,
)
from neuronsim.artifacts.dataset import select
from neuronsim.units import percent, prefix_for, quantity

from ..page.columns import Column, in_unit, plain, table
from ..page.elements import Block, Note, Picture, Table, chapter
from ..page.figures import SERIES, VERMILION, drawn, legend_above, panels

_RESET_WORDS = {
    "again": "yes",
    "shifted": "yes, but shifted",
    "extra": "no: fires without input",
    "failed": "run failed",
}
_MARKS = ("v", "o", "^", "s", "D")
_POINT = [Column("point", "point.conditions"), Column("supply", "point.supply")]
_RUN: list[Column[PointRun]] = [*_POINT, *plain("stimulus", "outcome")]
_EXTREMES: list[Column[Extremes]] = [
    Column("stimulus", "stimulus"),
    Column("quantity", "quantity.label"),
    *(
        Column(header, lambda row, field=field: quantity(getattr(row, field), row.quantity.unit))
        for header, field in (("min", "low"), ("typ", "typical"), ("max", "high"))
    ),
    Column("worst at", "worst_at"),
    Column("against typ", "worst_change", percent),
]


@chapter("Corners", anchor="corners")
def corners_section(dataset: xr.Dataset) -> Iterator[Block]:
    """Min, typical and max over the operating points with the worst one, every point that did not fire, and a plot."""
    rows = select(dataset, "corners", ok=False)
    if rows.sizes["run"] == 0:
        return
    runs, again, measured = point_runs(rows), resets(dataset), quantities(rows)
    yield from _summary(runs, extremes(rows), measured)
    yield from _reset_blocks(dataset, again)
    yield _by_point(runs, measured, again)


def _summary(runs: Sequence[PointRun], spread: Sequence[Extremes], measured: Sequence[Quantity]) -> Iterator[Block]:
    points, outcomes = len({run.point for run in runs}), Counter(run.outcome for run in runs)
    if spread:
        counted = ", ".join(f"{outcomes[word]} {word}" for word in ("fired", "silent", "early", "failed"))
        caption = f"Over {points} operating points ({counted}). Worst: farthest from typical."
        yield table(caption, _EXTREMES, spread)
    lost = [run for run in runs if run.outcome != "fired"]
    if lost:
        caption = f"Missing spikes: all {len(lost)} runs that did not fire."
        yield table(caption, [*_RUN, Column("why", "why")], lost)
    else:
        yield Note(text=f"The neuron fires at every one of the {points} points.")
    if outcomes["fired"]:
        first = min(run.stimulus for run in runs)
        svg = corners([run for run in runs if run.stimulus == first], measured[:2])
        yield Picture(svg=svg, caption=f"Stimulus {first} at every point. Cross: no spike.")


def _reset_blocks(dataset: xr.Dataset, again: Sequence[Reset]) -> Iterator[Block]:
    """How many runs fire again after a reset, how much later, and every one that does not."""
    if not again:
        return
    good = [one.shift_s for one in again if one.verdict == "again"]
    text = (
        f"After a spike and a reset the same stimulus fires it again, within "
        f"{quantity(tolerance_s(reset_rows(dataset)), 's')} of the first spike time, in {len(good)} of {len(again)} runs"
    )
    text += f" (difference {_signed(min(good))} to {_signed(max(good))})" if good else ""
    yield Note(text=text + ".", warning=len(good) < len(again))
    lost = [one for one in again if one.verdict != "again"]
    if lost:
        columns = [*_POINT, Column("fires again after reset", _word)]
        yield table("Runs that do not start afresh.", columns, lost)


def _by_point(runs: Sequence[PointRun], measured: Sequence[Quantity], again: Sequence[Reset]) -> Table:
    """Every run of the plan as a row; with plan 'reset' whether the neuron fires again at its point."""
    columns: list[Column[PointRun]] = [
        Column(q.label, lambda run, k=k: run.values[k], in_unit(q.unit)) for k, q in enumerate(measured)
    ]
    if again:
        words = {
            point: "; ".join(_word(one) for one in again if one.point == point)
            for point in {one.point for one in again}
        }
        columns.append(Column("fires again after reset", lambda run: words.get(run.point)))
    return table("Every operating point.", [*_RUN, *columns], runs, folded=True)


def _signed(seconds: float) -> str:
    return ("+" if seconds > 0 else "") + quantity(seconds, "s", 3)


def _word(one: Reset) -> str:
    word = _RESET_WORDS.get(one.verdict, f"no: {one.verdict}")
    return f"{word} ({_signed(one.shift_s)})" if np.isfinite(one.shift_s) else word


@drawn
def corners(runs: Sequence[PointRun], measured: Sequence[Quantity]) -> Figure:
    """One panel per quantity over corner and temperature of ``runs`` (one stimulus), one mark per supply.

    A point that did not fire is a cross at the bottom.
    """
    order = list(dict.fromkeys(run.point.conditions for run in runs))
    supplies = list(dict.fromkeys(run.point.supply for run in runs))
    x = np.array([order.index(run.point.conditions) for run in runs], dtype=float)
    supply, fired = np.array([run.point.supply for run in runs]), np.array([run.outcome == "fired" for run in runs])
    drawing, every = panels(len(measured), height=1.0 + 1.9 * len(measured), sharex=True)
    all_axes = np.atleast_1d(every)
    for k, (axes, panel) in enumerate(zip(all_axes, measured, strict=True)):
        values = np.array([run.values[k] for run in runs])
        scale, unit = prefix_for(values, panel.unit)
        for i, level in enumerate(supplies):
            here, lost = (supply == level) & fired, (supply == level) & ~fired
            shift = 0.14 * (i - (len(supplies) - 1) / 2)
            style = {"marker": _MARKS[i % len(_MARKS)], "linestyle": "none", "color": SERIES[i % len(SERIES)]}
            axes.plot(x[here] + shift, values[here] / scale, **style, markersize=4.5, label=level)
            if lost.any():
                bottom, cross = np.full(int(lost.sum()), 0.03), {"color": VERMILION, "markersize": 6}
                axes.plot(x[lost] + shift, bottom, "x", **cross, transform=axes.get_xaxis_transform())
        axes.set(ylabel="\n".join(f"{panel.label} ({unit})".split(", ")))
    legend_above(all_axes[0])
    all_axes[-1].set_xticks(range(len(order)), order, rotation=45, ha="right", fontsize=7.5)
    return drawing
