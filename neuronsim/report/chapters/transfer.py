"""Sections about spike times: transfer against equation 4, and table 3 of paper 004."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neuronsim.analysis.expected_spikes import equation_4, loop_solution, relative_error, tau_s
from neuronsim.analysis.table3 import OutputJitter, output_jitter
from neuronsim.artifacts.dataset import select
from neuronsim.statistics.summary import Summary
from neuronsim.units import mean_with_interval, percent, percents

from ..page.elements import Block, Note, Picture, Section, Table
from ..plots_table3 import output_jitter_plot
from ..plots_transfer import transfer

_MEASURES = ("n", "mean [95 %]", "median", "p95", "max")


def _measures(s: Summary) -> tuple[str, ...]:
    return (str(s.n), mean_with_interval(s.mean, s.low, s.high), percent(s.median), percent(s.p95), percent(s.worst))


def transfer_section(dataset: xr.Dataset, source: str) -> Section | None:
    """Measured spike times against equation 4, and whether both agree on silence. None when the plan was not run."""
    rows = select(dataset, "transfer")
    title, anchor = "Transfer: spike time against equation 4", "transfer"
    if rows.sizes["run"] == 0:
        return None
    tau = tau_s(rows)
    if tau is None:
        text = "The netlist has no parameter tau, so equation 4 cannot be compared with these runs."
        return Section(title=title, short="Transfer", anchor=anchor, blocks=[Note(text=text, warning=True)])
    measured, theory = rows["spike_time_s"].values, equation_4(rows)
    fired, due = np.isfinite(measured), np.isfinite(theory)
    both = fired & due
    blocks: list[Block] = []
    if both.any():
        caption = (
            f"{both.sum()} runs in which both fire. Left: line of identity. Middle: signed relative error. "
            "Right: its distribution."
        )
        svg = transfer((measured / tau)[both], (theory / tau)[both])
        blocks.append(Picture(svg=svg, caption=caption, source=source))
        compared = [("equation 4 (ideal loop)", *_measures(Summary.of(relative_error(measured, theory))))]
        second = relative_error(measured, loop_solution(rows))
        if second.size:
            compared.append(("second-order loop, exact", *_measures(Summary.of(second))))
        blocks.append(
            Table(
                caption="|Relative error| of the measured spike time. Interval: bootstrap of the mean.",
                header=("against", *_MEASURES),
                rows=compared,
                source=source,
            )
        )
    agreement = float(np.mean(fired == due))
    rows_agree = [
        ("equation 4: spike", str(int(both.sum())), str(int((~fired & due).sum()))),
        ("equation 4: silent", str(int((fired & ~due).sum())), str(int((~fired & ~due).sum()))),
    ]
    blocks.append(
        Table(
            caption="Spike or silence within the window: the circuit agrees with equation 4 in "
            f"{percent(agreement, 4)} "
            f"of {fired.size} runs.",
            header=("", "circuit: spike", "circuit: silent"),
            rows=rows_agree,
            source=source,
        )
    )
    intro = "Random input times and signed weights. Equation 4 of paper 004 is the exact answer of the ideal neuron."
    return Section(title=title, short="Transfer", anchor=anchor, intro=intro, blocks=blocks)


def table3_section(dataset: xr.Dataset, plan: str, source: str) -> Section | None:
    """Output jitter of plan ``jitter`` or ``quantization`` beside table 3 of paper 004. None: the plan was not run."""
    rows = select(dataset, plan)
    if rows.sizes["run"] == 0:
        return None
    result = output_jitter(rows, plan)
    what = "input jitter" if plan == "jitter" else "weight quantization"
    title = f"Output jitter against {what} (paper 004, table 3)"
    blocks: list[Block] = []
    if any(level.errors.size for level in result.levels):
        blocks.append(
            Picture(
                svg=output_jitter_plot(result),
                source=source,
                caption=(
                    f"Output jitter |t_measured − t_desired| / t_desired of single trials against {what}. "
                    "The desired time is that of " + result.reference + "."
                ),
            )
        )
        blocks.append(_table3(result, source))
    else:
        blocks.append(Note(text=f"Plan {plan} has no level with a spike to compare.", warning=True))
    blocks.append(Note(text=_floor_text(result)))
    blocks.append(
        Note(
            text=(
                "The paper states neither the number of trials, nor the stimuli, nor the range of the quantizer or the "
                "distribution of the input jitter. Its values are therefore drawn over our distributions, with the "
                "percentile of our single trials at which each lies; nothing was tuned to meet them."
            )
        )
    )
    return Section(title=title, short=f"Table 3: {what}", anchor=plan, blocks=blocks)


def _table3(result: OutputJitter, source: str) -> Table:
    rows = []
    for level in result.levels:
        s = level.summary
        rows.append(
            (
                level.label,
                str(s.n),
                mean_with_interval(s.mean, s.low, s.high),
                percent(s.median),
                percents(s.p10, s.p90),
                str(level.lost),
                percent(level.paper) if level.paper is not None else "–",
                f"{level.paper_percentile:.0f}" if np.isfinite(level.paper_percentile) else "–",
            )
        )
    first, what = ("input jitter",) * 2 if result.plan == "jitter" else ("weights", "weight quantization")
    header = (first, "trials", "mean [95 %]", "median", "10–90 %", "lost", "paper 004", "its percentile")
    caption = (
        f"Output jitter against {what}. Interval: bootstrap of the mean. Lost: trials in which one of both is silent. "
        "Its percentile: "
        "where the paper's value lies among our single trials."
    )
    return Table(caption=caption, header=header, rows=rows, source=source)


def _floor_text(result: OutputJitter) -> str:
    f = result.floor
    if f.n == 0:
        return "The dataset has no unperturbed runs, so the numerical floor of this deck is unknown."
    exact = ""
    if result.numerical_floor.n:
        mean = percent(result.numerical_floor.mean)
        exact = f", and by {mean} in the mean from the exact solution of the second-order loop"
    return (
        f"Numerical floor of the deck: {f.n} unperturbed runs differ from equation 4 by {percent(f.mean)} in the mean "
        f"(median {percent(f.median)}, max {percent(f.worst)}){exact}. The finite loop filter is part of the former; "
        "it is common to measured and desired times wherever the desired time is that of the same deck."
    )
