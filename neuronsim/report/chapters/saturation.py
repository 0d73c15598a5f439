"""Chapter on detector saturation: spike times against the weight sum."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from neuronsim.analysis.expected_spikes import tau_s
from neuronsim.analysis.sweeps import Shift, SweepLevel, detector_range, saturation
from neuronsim.artifacts.dataset import select
from neuronsim.units import percent, trimmed

from ..page.columns import Column, table
from ..page.elements import Block, Note, Picture, Section
from ..page.figures import INK, MUTED, drawn, figure, legend_above
from ..page.sweep import banded, law
from .transfer import without_tau

_COLUMNS: list[Column[SweepLevel]] = [
    Column("peak (unit weights)", "level", lambda level: trimmed(level, 3)),
    Column("runs", "shift.n"),
    Column("median", "shift.median", percent),
    Column("p95", "shift.p95", percent),
    Column("lost", "lost"),
    Column("median against the folding detector", "against_law", percent),
]


def saturation_section(dataset: xr.Dataset, source: str) -> Section | None:
    """Shift of the spike time as the summed phase error leaves the linear range of the XOR detector."""
    rows = select(dataset, "saturation")
    if rows.sizes["run"] == 0:
        return None
    blocks = without_tau() if tau_s(rows) is None else _blocks(rows)
    return Section(title="Detector saturation", anchor="saturation", blocks=blocks).from_file(source)


def _blocks(rows: xr.Dataset) -> list[Block]:
    (shift, levels), span = saturation(rows), detector_range(rows)
    blocks: list[Block] = []
    if shift.level.size:
        caption = (
            "Spike time against equation 4 over the peak summed phase error. Right of the mark the triangular "
            "characteristic of the XOR detector folds back."
        )
        blocks.append(Picture(svg=saturation_plot(shift, span[0] if span else None), caption=caption))
    caption = "|Relative error| against equation 4 by peak phase error. Lost: only one of the two fires."
    blocks.append(table(caption, _COLUMNS, levels))
    if span is not None:
        limit, step = (trimmed(value, 4) for value in span)
        blocks.append(Note(text=f"Linear range of the detector: {limit} unit weights of {step} rad each."))
    return blocks


@drawn
def saturation_plot(shift: Shift, limit: float | None) -> Figure:
    """Relative spike-time shift against equation 4, over the peak summed phase error in unit weights, with that of the folding
    detector and the end of the linear range."""
    drawing = figure()
    axes = drawing.subplots()
    banded(axes, shift.level, 100 * shift.measured, "median")
    law(axes, shift.level, 100 * shift.law, "exact solution with folding detector, median")
    if limit is not None:
        axes.axvline(limit, color=INK, linewidth=1.0, linestyle=(0, (1, 2)), label="end of the linear range")
    axes.axhline(0, color=MUTED, linewidth=0.7)
    legend_above(axes)
    axes.set(xlabel="peak summed phase error (unit weights)", ylabel="spike time − equation 4 (%)")
    return drawing
