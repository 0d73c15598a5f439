"""Threshold ramp: spike times against the rate of the reference oscillator."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuronsim.analysis.expected_spikes import equation_4, loop_solution, reference_by_trial, relative_error
from neuronsim.artifacts.dataset import select
from neuronsim.statistics.summary import Array
from neuronsim.units import percent

from ..page.elements import Block, Picture, Section, Table
from ..page.figures import drawn, figure, legend_above
from .phase_noise_plots import _banded, _theory


def ramp_section(dataset: xr.Dataset, source: str) -> Section | None:
    """Shift of the spike time under a threshold ramp (rest frequencies of VCO3 and VCO4 differ)."""
    rows = select(dataset, "ramp")
    if rows.sizes["run"] == 0:
        return None
    measured, level = rows["spike_time_s"].values, rows["level"].values
    flat = reference_by_trial(rows, level == 0)
    reference = np.where(np.isnan(flat), equation_4(rows), flat)
    both = np.isfinite(measured) & np.isfinite(reference)
    shift = (measured[both] - reference[both]) / reference[both]
    theory = loop_solution(rows, ramp=level, ideal=True)
    blocks: list[Block] = []
    if both.any():
        expected = np.where(np.isfinite(theory[both]), (theory[both] - reference[both]) / reference[both], np.nan)
        blocks.append(
            Picture(
                svg=ramp(level[both], shift, expected),
                source=source,
                caption=(
                    "Spike-time shift against the run of the same trial without ramp. A ramp is what "
                    "different rest frequencies of VCO3 and VCO4 look like to the neuron."
                ),
            )
        )
    rows_out = []
    for at in np.unique(level[np.isfinite(level)]):
        here = both & (level == at)
        if not here.any():
            continue
        moved = (measured[here] - reference[here]) / reference[here]
        residual = relative_error(measured[here], theory[here])
        rows_out.append(
            (
                percent(at),
                str(int(here.sum())),
                percent(float(np.median(moved))),
                percent(float(np.mean(moved))),
                percent(float(np.median(residual))) if residual.size else "–",
            )
        )
    header = ("ramp per τ", "runs", "median shift", "mean shift", "median |error| against Lambert W")
    blocks.append(Table(caption="Spike-time shift by ramp.", header=header, rows=rows_out, source=source))
    return Section(title="Threshold ramp", anchor="ramp", blocks=blocks)


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
