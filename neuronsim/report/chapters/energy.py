"""Chapters on energy: per spike and by block at each operating point, and of the runs of each plan."""

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuronsim.analysis.energy import SpikeEnergy, energy_by_plan, energy_per_spike, fires_without_input
from neuronsim.papers.paper004 import SPIKE_J
from neuronsim.statistics.summary import Summary
from neuronsim.units import prefix_for, quantity

from ..page.columns import Column, in_unit, plain, table
from ..page.elements import Block, Note, Picture, chapter
from ..page.figures import INK, MUTED, SERIES, drawn, legend_above, panels

_PER_SPIKE: list[Column[SpikeEnergy]] = [
    *plain("point", "stimulus"),
    Column("active", "active_j", in_unit("J")),
    Column("always on", "always_on_j", in_unit("J")),
    Column("window", "window_s", in_unit("s")),
    Column("static power", "static_w", in_unit("W")),
]
_BY_PLAN: list[Column[tuple[str, Summary]]] = [
    Column("plan", lambda row: row[0]),
    Column("runs", lambda row: row[1].n),
    Column("median", lambda row: row[1].median, in_unit("J")),
    Column("10–90 %", lambda row: f"{quantity(row[1].p10, 'J')} … {quantity(row[1].p90, 'J')}"),
]


@chapter("Energy", anchor="energy", plan="energy")
def energy_plan_section(rows: xr.Dataset) -> Iterator[Block]:
    """Energy per spike in the active window and always on, static power, and the split by block (plan 'energy')."""
    every = energy_per_spike(rows)
    if not every:
        return
    bars = _bars(every)
    if bars:
        caption = "Energy per spike by supply (and, for synapses with a supply of their own, theirs)."
        yield Picture(svg=energy_split(bars), caption=caption)
    ttfs = "spike_time_s" in rows
    active = "first input to spike" if ttfs else "between spikes"
    caption = f"Energy per spike: active window ({active}) and always on (the whole window). Static: without input."
    yield table(caption, _PER_SPIKE, every)
    spontaneous = "; ".join(map(str, fires_without_input(rows)))
    if spontaneous:
        text = f"It fires (or fails) without any input at {spontaneous}: the static power holds a spike there."
        yield Note(text=text, warning=True)
    if ttfs:
        yield Note(text=f"Paper 004 claims less than {quantity(SPIKE_J, 'J')} per spike.")


def _bars(every: Sequence[SpikeEnergy]) -> list[tuple[str, dict[str, float]]]:
    """(name, energy by block) of each bar that is known in full."""
    several = max(one.stimulus for one in every) > 0
    bars = []
    for one in every:
        for kind, blocks in (("active", one.active_by_block_j), ("always on", one.always_on_by_block_j)):
            if blocks and np.isfinite(list(blocks.values())).all():
                bars.append((f"{one.point}, {kind}" + (f", stimulus {one.stimulus}" if several else ""), blocks))
    return bars


@chapter("Energy of the runs", short="Energy of runs", anchor="energy_runs")
def energy_section(dataset: xr.Dataset) -> Iterator[Block]:
    """Energy of the successful runs by plan; nothing when the netlist draws none."""
    rows = energy_by_plan(dataset)
    if rows:
        yield table("Energy from the supplies over the whole window of a run.", _BY_PLAN, rows.items())


@drawn
def energy_split(bars: Sequence[tuple[str, dict[str, float]]]) -> Figure:
    """Stacked bars (name, energy in joules by block)."""
    drawing, axes = panels(height=0.9 + 0.42 * len(bars))
    blocks = {name: np.array([values[name] for _, values in bars]) for name in bars[0][1]}
    y, start = np.arange(len(bars))[::-1], np.zeros(len(bars))
    scale, unit = prefix_for(np.concatenate(list(blocks.values())), "J")
    for i, (name, values) in enumerate(blocks.items()):
        axes.barh(y, values / scale, left=start, height=0.6, color=SERIES[i % len(SERIES)], label=name)
        start = start + values / scale
    for at, total in zip(y, start, strict=True):
        axes.text(total, at, f" {total:.3g}", va="center", color=INK, fontsize=8)
    axes.set_yticks(y, [name for name, _ in bars])
    axes.axvline(0, color=MUTED, linewidth=0.7)
    legend_above(axes)
    axes.set(xlabel=f"energy per spike ({unit})")
    return drawing
