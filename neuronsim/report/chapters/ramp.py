"""Chapter on the threshold ramp: spike times against the rate of the reference oscillator."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from neuronsim.analysis.sweeps import Shift, SweepLevel, ramp
from neuronsim.artifacts.dataset import select
from neuronsim.units import percent

from ..page.columns import Column, table
from ..page.elements import Block, Picture, Section
from ..page.figures import drawn, figure, legend_above
from ..page.sweep import banded, law

_COLUMNS: list[Column[SweepLevel]] = [
    Column("ramp per τ", "level", percent),
    Column("runs", "shift.n"),
    Column("median shift", "shift.median", percent),
    Column("mean shift", "shift.mean", percent),
    Column("median |error| against Lambert W", "against_law", percent),
]


def ramp_section(dataset: xr.Dataset, source: str) -> Section | None:
    """Shift of the spike time under a threshold ramp (rest frequencies of VCO3 and VCO4 differ)."""
    rows = select(dataset, "ramp")
    if rows.sizes["run"] == 0:
        return None
    shift, levels = ramp(rows)
    blocks: list[Block] = []
    if shift.level.size:
        caption = (
            "Spike-time shift against the run of the same trial without ramp. A ramp is what "
            "different rest frequencies of VCO3 and VCO4 look like to the neuron."
        )
        blocks.append(Picture(svg=ramp_plot(shift), caption=caption))
    blocks.append(table("Spike-time shift by ramp.", _COLUMNS, levels))
    return Section(title="Threshold ramp", anchor="ramp", blocks=blocks).from_file(source)


@drawn
def ramp_plot(shift: Shift) -> Figure:
    """Relative shift of the spike time over the ramp, with that of the crossing by Lambert's W."""
    drawing = figure()
    axes = drawing.subplots()
    banded(axes, 100 * shift.level, 100 * shift.measured, "measured, median")
    law(axes, 100 * shift.level, 100 * shift.law, "Lambert-W crossing, median")
    legend_above(axes)
    axes.set(xlabel="threshold ramp (% of the threshold per τ)", ylabel="spike-time shift (%)")
    return drawing
