"""Chapter on table 3 of paper 004: output jitter against input jitter and against weight quantization."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from neuronsim.analysis.table3 import Level, OutputJitter, output_jitter
from neuronsim.units import mean_with_interval, percent, percents

from ..page.columns import Column, table
from ..page.elements import Block, Note, Picture, Section, chapter
from ..page.figures import BLUE, INK, MUTED, SKY, VERMILION, drawn, panels, plain_ticks

_PERTURBED = {"jitter": "input jitter", "quantization": "weight quantization"}
_AXES = {"jitter": "input jitter", "quantization": "weight resolution"}
_HEADER = {"jitter": "input jitter", "quantization": "weights"}
_COLUMNS: list[Column[Level]] = [
    Column("trials", "summary.n"),
    Column("mean [95 %]", "summary", lambda s: mean_with_interval(s.mean, s.low, s.high)),
    Column("median", "summary.median", percent),
    Column("10–90 %", "summary", lambda s: percents(s.p10, s.p90)),
    Column("lost", "lost"),
    Column("paper 004", "paper", percent),
    Column("its percentile", "paper_percentile", "{:.0f}".format),
]
_UNTOLD = (
    "The paper states neither the number of trials, nor the stimuli, nor the range of the quantizer or the distribution of the "
    "input jitter. Its values are therefore drawn over our distributions, with the percentile of our single trials at which each "
    "lies; nothing was tuned to meet them."
)


def table3_section(dataset: xr.Dataset, plan: str, source: str) -> Section | None:
    """Output jitter of plan ``jitter`` or ``quantization`` beside table 3 of paper 004. None: the plan was not run."""
    what = _PERTURBED[plan]
    made = chapter(
        f"Output jitter against {what} (paper 004, table 3)", short=f"Table 3: {what}", anchor=plan, plan=plan
    )
    return made(_blocks)(dataset, source, plan)


def _blocks(rows: xr.Dataset, plan: str) -> Iterator[Block]:
    result, what = output_jitter(rows, plan), _PERTURBED[plan]
    if any(level.errors.size for level in result.levels):
        caption = (
            f"Output jitter |t_measured − t_desired| / t_desired of single trials against {what}. "
            f"The desired time is that of {result.reference}."
        )
        yield Picture(svg=output_jitter_plot(result), caption=caption)
        caption = (
            f"Output jitter against {what}. Interval: bootstrap of the mean. Lost: trials in which one of both is silent. "
            "Its percentile: where the paper's value lies among our single trials."
        )
        yield table(caption, [Column(_HEADER[plan], "label"), *_COLUMNS], result.levels)
    else:
        yield Note(text=f"Plan {plan} has no level with a spike to compare.", warning=True)
    yield Note(text=_floor_text(result))
    yield Note(text=_UNTOLD)


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


@drawn
def output_jitter_plot(result: OutputJitter) -> Figure:
    """Per level: trials (dots), quartile box, 10-90 % whisker, mean with its 95 % interval, and the paper's value."""
    drawing, axes = panels(height=4)
    axes.set_yscale("log")
    lowest = _lowest(result)
    for x, level in enumerate(result.levels):
        if level.errors.size:
            _draw_level(axes, x, level, lowest)
        if level.paper is not None:
            axes.plot([x - 0.32], [100 * level.paper], "D", color=VERMILION, markersize=6.5, zorder=5)
    handles: list[Line2D | Patch] = [
        Line2D([], [], marker=".", linestyle="none", color=SKY, label="single trials"),
        Patch(facecolor=BLUE, alpha=0.28, label="quartiles, median; whisker 10–90 %"),
        Line2D([], [], marker="o", color=INK, markersize=4.5, label="mean, 95 % interval"),
        Line2D([], [], marker="D", linestyle="none", color=VERMILION, label="paper 004, table 3"),
    ]
    if result.floor.n and result.floor.mean > 0:
        axes.axhline(max(100 * result.floor.mean, lowest), color=MUTED, linestyle=(0, (1, 2)), linewidth=1.2)
        handles.append(Line2D([], [], color=MUTED, linestyle=(0, (1, 2)), label="floor of the deck"))
    spacing = {"borderaxespad": 0.3, "columnspacing": 1.3, "handlelength": 1.4}
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=5, **spacing)
    axes.set_xticks(range(len(result.levels)), [level.label for level in result.levels])
    axes.set_xlim(-0.6, len(result.levels) - 0.4)
    axes.set_ylim(bottom=lowest * 0.8)
    axes.grid(axis="x", visible=False)
    axes.set(xlabel=_AXES[result.plan], ylabel="output jitter (%)")
    plain_ticks(axes.yaxis)
    return drawing


def _draw_level(axes: Axes, x: int, level: Level, lowest: float) -> None:
    """Our trials at one level; what lies below ``lowest`` (percent) is drawn there."""
    errors, s = np.maximum(100 * level.errors, lowest), level.summary
    # The golden ratio spreads the dots evenly without a random draw.
    spread = ((np.arange(errors.size) * 0.6180339887) % 1 - 0.5) * 0.56
    axes.plot(x + spread, errors, ".", color=SKY, markersize=2.2, alpha=0.55, zorder=1, rasterized=errors.size > 600)
    p10, p25, p50, p75, p90 = np.percentile(errors, [10, 25, 50, 75, 90])
    axes.vlines(x, p10, p90, color=BLUE, linewidth=1.2, zorder=2)
    axes.hlines([p10, p90], x - 0.12, x + 0.12, color=BLUE, linewidth=1.2, zorder=2)
    axes.fill_between([x - 0.22, x + 0.22], p25, p75, facecolor=BLUE, alpha=0.28, zorder=2, linewidth=0)
    axes.hlines(p50, x - 0.22, x + 0.22, color=BLUE, linewidth=1.6, zorder=3)
    bars = np.maximum(100 * np.array([[s.mean - s.low], [s.high - s.mean]]), 0)
    style = {"fmt": "o", "color": INK, "markersize": 4.5, "capsize": 2.5, "elinewidth": 1.2, "zorder": 4}
    axes.errorbar([x + 0.32], [max(100 * s.mean, lowest)], yerr=bars, **style)


def _lowest(result: OutputJitter) -> float:
    """Bottom of the axis, in percent: a decade below the smallest 10th percentile, mean, floor or paper's value."""
    marks = [mark for level in result.levels for mark in (level.paper or 0.0, level.summary.p10, level.summary.mean)]
    return 100 * 0.3 * min((m for m in (*marks, result.floor.mean) if np.isfinite(m) and m > 0), default=1e-6)
