"""Chapter on the levels of one neuron: closed form, event solver and netlists on the same stimuli."""

import json
from collections import Counter

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuronsim.analysis.level_errors import Step, against_first, signed_error, steps
from neuronsim.units import percent, percents, trimmed

from ..page.columns import MISSING, Column, in_unit, table
from ..page.elements import Block, Note, Picture, Section, Table
from ..page.figures import INK, MUTED, SERIES, drawn, legend_above, log_scale, panels

_STEP: list[Column[Step]] = [
    Column("level", "level"),
    Column("n", "size.n"),
    Column("median", "size.median", percent),
    Column("p95", "size.p95", percent),
    Column("max", "size.worst", percent),
    Column("mean (signed)", "bias", percent),
    Column("failed", "failed"),
    Column("sampled every", "sampling_tau", lambda tau: f"{trimmed(tau, 3)} τ"),
    Column("same outcome [95 %]", "agreement", lambda a: f"{percent(a.value)} [{percents(a.low, a.high)}]"),
]


def tables(data: xr.Dataset) -> list[Table]:
    """Each level against the one above, and against equation 4."""
    caption = (
        "Each level against the one above: |t / t_above − 1| where both fire; the same stimuli, in units of each τ."
    )
    listed = [table(caption, _STEP, steps(data))]
    if data.sizes["level"] > 2:
        listed.append(table("Each level against equation 4 of paper 004.", _STEP, against_first(data)))
    return listed


def levels_section(data: xr.Dataset, source: str, anchor: str = "levels") -> Section:
    """The comparison as a section of a datasheet or report."""
    settings: dict[str, dict[str, float]] = json.loads(data.attrs["parameters"])

    def of_level(level: xr.Dataset) -> str:
        values = settings.get(level["level"].item(), {})
        return ", ".join(f"{key} = {trimmed(value, 6)}" for key, value in values.items()) or MISSING

    columns: list[Column[xr.Dataset]] = [
        Column("level", lambda level: level["level"].item()),
        Column("kind", lambda level: level["abstraction"].item()),
        Column("τ", lambda level: level["tau_s"].item(), in_unit("s")),
        Column("set", of_level),
        Column("netlist sha256", lambda level: level["netlist_sha256"].item()[:12] or MISSING),
    ]
    caption = (
        "Each level against the one above. Left: signed error over the spike time. Right: distribution of its size."
    )
    listed = [data.isel(level=i) for i in range(data.sizes["level"])]
    blocks: list[Block] = [
        Picture(svg=level_errors(data), caption=caption),
        *tables(data),
        table("The levels. Dimensionless parameters that several have are set alike.", columns, listed),
    ]
    reasons = Counter(str(reason) for reason in data["reason"].values.ravel() if reason)
    if reasons:
        counted = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        blocks.append(Note(text=f"Failed runs: {counted}.", warning=True))
    intro = "Equation 4, the exact loop of second order and the netlists, on the same stimuli: what each level adds."
    title = "The same neuron at every level"
    return Section(title=title, short="Levels", anchor=anchor, intro=intro, blocks=blocks).from_file(source)


@drawn
def level_errors(data: xr.Dataset) -> Figure:
    """For each step from a level to the next: signed relative errors over spike times in tau, and the distribution of their
    size on a logarithmic percent axis."""
    drawing, (left, right) = panels(1, 2, height=3.5)
    left.axhline(0, color=MUTED, linewidth=0.9)
    errors = [signed_error(data, level, level - 1) for level in range(1, data.sizes["level"])]
    sizes = np.abs(np.concatenate(errors))
    smallest = float(sizes[sizes > 0].min()) if (sizes > 0).any() else 1e-12
    for level, error in enumerate(errors, start=1):
        both = np.isfinite(error)
        style = {"color": SERIES[(level - 1) % len(SERIES)], "label": str(data["level"].values[level])}
        time, error = data["spike_time_tau"].values[level - 1][both], error[both]
        left.plot(time, 100 * error, ".", markersize=4, alpha=0.75, **style)
        size = np.sort(np.maximum(np.abs(error), smallest))
        right.step(100 * size, np.arange(1, size.size + 1) / max(size.size, 1), where="post", **style)
    left.set(xlabel="spike time at the level above (τ)", ylabel="t / t above − 1 (%)")
    right.axhline(0.95, color=INK, linewidth=0.7, linestyle=(0, (4, 2)))
    log_scale(right, "x")
    right.set_ylim(0, 1.03)
    right.set(xlabel="|t / t above − 1| (%)", ylabel="fraction of runs")
    legend_above(left, columns=2)
    return drawing
