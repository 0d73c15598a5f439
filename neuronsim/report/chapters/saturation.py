"""Detector saturation: spike times against the weight sum."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuronsim.analysis.expected_spikes import equation_4, loop_solution, relative_error, row_parameter, tau_s
from neuronsim.artifacts.dataset import select
from neuronsim.statistics.summary import Array, Summary
from neuronsim.units import percent, trimmed

from ..page.elements import Block, Note, Picture, Section, Table
from ..page.figures import INK, MUTED, drawn, figure, legend_above
from .phase_noise import _NO_TAU
from .phase_noise_plots import _banded, _theory


def saturation_section(dataset: xr.Dataset, source: str) -> Section | None:
    """Shift of the spike time as the summed phase error leaves the linear range of the XOR detector."""
    rows = select(dataset, "saturation")
    if rows.sizes["run"] == 0:
        return None
    if tau_s(rows) is None:
        return Section(title="Detector saturation", anchor="saturation", blocks=[Note(text=_NO_TAU, warning=True)])
    measured, theory, level = rows["spike_time_s"].values, equation_4(rows), rows["level"].values
    both = np.isfinite(measured) & np.isfinite(theory)
    shift = (measured[both] - theory[both]) / theory[both]
    folded = loop_solution(rows, saturated=True)
    expected = (folded[both] - theory[both]) / theory[both]
    kphi, span = row_parameter(rows, "kphi"), row_parameter(rows, "xor_range")
    limit = None if kphi is None or span is None else float(span[0] / kphi[0])
    blocks: list[Block] = []
    if both.any():
        blocks.append(
            Picture(
                svg=saturation(level[both], shift, expected, limit),
                source=source,
                caption=(
                    "Spike time against equation 4 over the peak summed phase error. Right of the mark the triangular "
                    "characteristic of the XOR detector folds back."
                ),
            )
        )
    rows_out = []
    for at in np.unique(level[np.isfinite(level)]):
        here = level == at
        s = Summary.of(relative_error(measured[here], theory[here]))
        lost = int(np.sum(np.isfinite(measured[here]) != np.isfinite(theory[here])))
        exact = relative_error(measured[here], folded[here])
        rows_out.append(
            (
                trimmed(at, 3),
                str(s.n),
                percent(s.median),
                percent(s.p95),
                str(lost),
                percent(float(np.median(exact))) if exact.size else "–",
            )
        )
    blocks.append(
        Table(
            caption="|Relative error| against equation 4 by peak phase error. Lost: only one of the two fires.",
            header=("peak (unit weights)", "runs", "median", "p95", "lost", "median against the folding detector"),
            rows=rows_out,
            source=source,
        )
    )
    if limit is not None and kphi is not None:
        text = f"Linear range of the detector: {trimmed(limit, 4)} unit weights of {trimmed(kphi[0], 4)} rad each."
        blocks.append(Note(text=text))
    return Section(title="Detector saturation", anchor="saturation", blocks=blocks)


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
