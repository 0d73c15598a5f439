"""Chapter on spike times of random stimuli: transfer against equation 4."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuronsim.analysis.sweeps import transfer
from neuronsim.arrays import Array
from neuronsim.statistics.summary import Summary
from neuronsim.units import mean_with_interval, percent

from ..page.columns import Column, table
from ..page.elements import Block, Note, Picture, Table, chapter
from ..page.figures import BLUE, INK, MUTED, VERMILION, drawn, log_scale, panels

_ERRORS: list[Column[tuple[str, Summary]]] = [
    Column("against", lambda row: row[0]),
    Column("n", lambda row: row[1].n),
    Column("mean [95 %]", lambda row: mean_with_interval(row[1].mean, row[1].low, row[1].high)),
    Column("median", lambda row: row[1].median, percent),
    Column("p95", lambda row: row[1].p95, percent),
    Column("max", lambda row: row[1].worst, percent),
]


#: stands in a chapter that needs equation 4 where the netlist does not say its time constant
WITHOUT_TAU = Note(
    text="The netlist has no parameter tau, so equation 4 cannot be compared with these runs.", warning=True
)


@chapter(
    "Transfer: spike time against equation 4", short="Transfer", anchor="transfer", plan="transfer",
    intro="Random input times and signed weights. Equation 4 of paper 004 is the exact answer of the ideal neuron.",
)  # fmt: skip
def transfer_section(rows: xr.Dataset) -> Iterator[Block]:
    """Measured spike times against equation 4, and whether both agree on silence."""
    result = transfer(rows)
    if result is None:
        yield WITHOUT_TAU
        return
    if result.measured_tau.size:
        caption = (
            f"{result.measured_tau.size} runs in which both fire. Left: line of identity. Middle: signed relative error. "
            "Right: its distribution."
        )
        yield Picture(svg=transfer_plot(result.measured_tau, result.theory_tau), caption=caption)
        caption = "|Relative error| of the measured spike time. Interval: bootstrap of the mean."
        yield table(caption, _ERRORS, result.errors.items())
    caption = (
        "Spike or silence within the window: the circuit agrees with equation 4 in "
        f"{percent(result.share, 4)} of {rows.sizes['run']} runs."
    )
    named = zip(("equation 4: spike", "equation 4: silent"), result.agreement.tolist(), strict=True)
    counts = [(name, *map(str, row)) for name, row in named]
    yield Table(caption=caption, header=("", "circuit: spike", "circuit: silent"), rows=counts)


@drawn
def transfer_plot(measured_tau: Array, theory_tau: Array) -> Figure:
    """Spike times (n,) in tau: measured over computed, and the relative error over the computed time and cumulated."""
    drawing, (left, middle, right) = panels(1, 3, height=3.1)
    error = (measured_tau - theory_tau) / theory_tau
    dots = {"color": BLUE, "markersize": 3, "alpha": 0.6, "rasterized": measured_tau.size > 1500}
    ends = np.array([theory_tau.min(), theory_tau.max()])
    left.plot(ends, ends, color=MUTED, linewidth=0.9)
    left.plot(theory_tau, measured_tau, ".", **dots)
    left.set(xlabel="equation 4 (τ)", ylabel="measured (τ)", title="spike time")
    middle.axhline(0, color=MUTED, linewidth=0.9)
    middle.plot(theory_tau, 100 * error, ".", **dots)
    middle.set(xlabel="equation 4 (τ)", ylabel="measured − computed (%)", title="signed relative error")
    _cumulated(right, error)
    return drawing


def _cumulated(axes: Axes, error: Array) -> None:
    """Empirical distribution of |error| on a logarithmic percent axis, with median and 95th percentile marked."""
    size = np.sort(np.abs(error))
    floor = size[size > 0].min() if (size > 0).any() else 1e-12
    axes.step(100 * np.maximum(size, floor), np.arange(1, size.size + 1) / size.size, where="post", color=BLUE)
    for level, color in ((50, INK), (95, VERMILION)):
        value = max(float(np.percentile(size, level)), floor)
        axes.plot([100 * value] * 2, [0, level / 100], color=color, linewidth=0.9, linestyle=(0, (4, 2)))
        label = {"color": color, "fontsize": 8, "ha": "right", "xytext": (-4, 3), "textcoords": "offset points"}
        axes.annotate(f"p{level} {percent(value)}", (100 * value, level / 100), **label)
    log_scale(axes, "x")
    axes.set_ylim(0, 1.03)
    axes.set(xlabel="|relative error| (%)", ylabel="fraction of runs", title="distribution")
