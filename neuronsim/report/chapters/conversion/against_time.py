"""Accuracy of converted networks against the number of steps, with and without the adaptor and with corrections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neuronsim.analysis.noise_adaptor import all_levels, differences, means, times
from neuronsim.artifacts.conversion_study import ConversionStudy, Difference, Mean
from neuronsim.papers import paper003
from neuronsim.report.page.columns import Column, table
from neuronsim.report.page.elements import Table
from neuronsim.report.page.figures import (
    INK,
    MUTED,
    SERIES,
    VERMILION,
    draw_percent,
    drawn,
    figure,
    legend_above,
    plain_ticks,
)
from neuronsim.units import percent_points

_LINES: dict[bool, Any] = {True: "-", False: (0, (4, 2))}
_CORRECTIONS = {"none": "no correction", "negative-spikes": "negative spikes", "offset-spikes": "offset spikes"}
_TIME: Column[int | None] = Column("T", lambda time: "quantized ANN" if time is None else time)


def with_words(adaptor: bool) -> str:
    """With or without the adaptor, in words."""
    return "with adaptor" if adaptor else "without"


def hundredths(value: float) -> str:
    """An accuracy in percent."""
    return f"{100 * value:.2f}"


def accuracy_table(study: ConversionStudy, levels: int) -> Table:
    """Both variants and their difference against T, the paper's accuracy beside them where it has any."""
    steps = times(study, levels, "none")
    columns = [
        _TIME,
        Column("without", means(study, levels, False).get, _mean),
        Column("with adaptor", means(study, levels, True).get, _mean),
        Column("difference [95 %]", differences(study, levels).get, lambda d: percent_points(d.mean, d.low, d.high)),
    ]
    caption = (
        f"p = {levels}: accuracy in percent ± half width of its 95 % interval after T steps; difference in points, paired by "
        "seed. The ANN is meant without noise (epsilon = 0)."
    )
    papers = [adaptor for adaptor in (False, True) if any(paper003.value(levels, adaptor, time) for time in steps)]
    for adaptor in papers:
        header = f"paper: {'with' if adaptor else 'without'}"
        columns.append(Column(header, lambda time, a=adaptor: paper003.value(levels, a, time), hundredths))
    if papers:
        same = study.data == "cifar10"
        other = "." if same else ", another network and other images: the course compares, not the level."
        caption += f" Beside it {paper003.CITATION}{other}"
    return table(caption, columns, [None, *steps])


def corrections_table(study: ConversionStudy, levels: int) -> Table:
    """Every correction with and without the adaptor against T, the paper's table 5 beside them."""
    columns = [_TIME]
    for adaptor in (False, True):
        for correction, words in _CORRECTIONS.items():
            curve = means(study, levels, adaptor, correction)
            columns.append(Column(f"{with_words(adaptor)}, {words}", curve.get, _mean))
    for correction, words in _CORRECTIONS.items():
        columns.append(Column(f"paper: {words}", paper003.TABLE_5[correction].get, hundredths))
    last = max(time for correction in list(_CORRECTIONS)[1:] for time in times(study, levels, correction))
    caption = (
        f"Corrections during inference, p = {levels} (the paper's tables 4 and 5). Negative spikes take back spikes fired too "
        "early; offset spikes: the start of each neuron is calibrated on 4 steps before the T that count. "
        f"Beside them {paper003.CITATION_5}, with adaptor: another network and other images; at T >= 256 "
        f"{', '.join(hundredths(paper003.TABLE_5[correction][256]) for correction in _CORRECTIONS)}."
    )
    return table(caption, columns, [None, *(time for time in times(study) if time <= last)])


def _mean(mean: Mean) -> str:
    if mean.low is None or mean.high is None:
        return hundredths(mean.mean)
    # An interval that is cut at 0 or 1 has its whole half width on the other side.
    return f"{hundredths(mean.mean)} ± {hundredths(max(mean.high - mean.mean, mean.mean - mean.low))}"


@drawn
def conversion_plot(study: ConversionStudy) -> Figure:
    """Left: accuracy against T, solid with the adaptor, dashed without. Right: the paired difference, the paper's beside it."""
    drawing = figure(height=4.0)
    left, right = drawing.subplots(1, 2)
    for number, levels in enumerate(all_levels(study)):
        color = SERIES[number % len(SERIES)]
        for adaptor, marker in ((True, "o"), (False, "s")):
            label = f"p = {levels}, {'with' if adaptor else 'without'} adaptor"
            _errorbar(left, study.curve(levels, adaptor), 1.0, color, label, linestyle=_LINES[adaptor], marker=marker)
        _draw_gain(right, study, levels, color, number)
    for axes in (left, right):
        axes.set_xscale("log", base=2)
        plain_ticks(axes.xaxis)
        axes.set_xlabel("steps T")
    for m in study.means:
        if m.time is None and m.correction == "none":
            left.axhline(100 * m.mean, color=MUTED, linewidth=0.8, linestyle=_LINES[m.adaptor])
    left.annotate("gray: quantized ANN", (0.98, 0.03), xycoords="axes fraction", color=MUTED, fontsize=8.5, ha="right")
    left.set_ylabel("accuracy (%)")
    right.axhline(0.0, color=INK, linewidth=0.8)
    right.set_ylabel("with minus without adaptor (points)")
    legend_above(left, columns=2)
    legend_above(right, columns=2)
    return drawing


def _errorbar(
    axes: Axes, points: Sequence[Mean] | Sequence[Difference], shift: float, color: str, label: str, **style: Any
) -> None:
    """Percent with 95 % intervals against time, the times multiplied by ``shift``."""
    if points:
        mean, low, high = ([getattr(p, name) for p in points] for name in ("mean", "low", "high"))
        draw_percent(axes, [shift * (p.time or 0) for p in points], mean, low, high, color=color, label=label, **style)


def _draw_gain(axes: Axes, study: ConversionStudy, levels: int, color: str, number: int) -> None:
    points = [d for d in differences(study, levels).values() if d.time is not None]
    shift = 1 + 0.06 * number  # bars of several p beside each other
    _errorbar(axes, points, shift, color, f"p = {levels}", marker="o")
    paper = [(d.time, paper003.gain(levels, d.time)) for d in points]
    known = [(time, 100 * gain) for time, gain in paper if gain is not None]
    if known:
        axes.plot(*zip(*known, strict=True), "D", color=VERMILION, markersize=5.5, label=paper003.CITATION, zorder=5)
