"""Accuracy of analog and spiking networks under noise of the weights (figures 2 and 3 of paper 000), and under frozen noise."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from neuronsim.analysis.noisy_weights import architectures
from neuronsim.artifacts.noisy_weights_study import (
    ANN_PAPER,
    ANN_SAMPLE,
    ANN_UNROLLED,
    NAMES,
    SNN_SHARED,
    ChipDifference,
    NoisyWeights,
    Row,
)
from neuronsim.papers.paper000 import CITATION
from neuronsim.report.page.columns import Column, table
from neuronsim.report.page.elements import Table
from neuronsim.report.page.figures import BLUE, GREEN, ORANGE, PURPLE, VERMILION, drawn, figure, legend_above
from neuronsim.units import percent_points

from .cells import LEVEL, NETWORK, accuracy_cell, by_level, draw_accuracies, few_images

# (header, side, noise, whether the paper's value stands beside it)
_COLUMNS = (
    ("ANN, one draw per trial, unrolled", "ann", ANN_UNROLLED, False),
    ("ANN, per inference", "ann", ANN_SAMPLE, False),
    ("ANN, frozen", "ann", "frozen", False),
    ("SNN, temporal", "snn", "temporal", True),
    ("SNN, temporal, shared kernel", "snn", SNN_SHARED, False),
    ("SNN, frozen", "snn", "frozen", False),
)
_CURVES = (
    ("ann", ANN_PAPER, "ANN, one draw per trial", VERMILION, "-"),
    ("ann", ANN_SAMPLE, "ANN, per inference", ORANGE, "-"),
    ("ann", "frozen", "ANN, frozen", PURPLE, (0, (4, 2))),
    ("snn", "temporal", "SNN, temporal", BLUE, "-"),
    ("snn", "frozen", "SNN, frozen", GREEN, (0, (4, 2))),
)


def accuracy_table(study: NoisyWeights, architecture: str) -> Table:
    """Every kind of noise on both sides, a row for each level."""
    conv = architecture == "cnn"
    kinds = (("ANN, one draw per trial" + (", shared kernel" if conv else ""), "ann", ANN_PAPER, True), *_COLUMNS)
    columns: list[Column[float]] = [Column("noise", float, "{:.0%}".format)]
    levels: set[float] = set()
    for name, side, noise, in_paper in kinds:
        rows = study.select(architecture, side, noise)
        if not (rows or in_paper):
            continue
        levels |= {row.level for row in rows}
        few = few_images(rows)
        at = by_level(rows)
        columns.append(Column(f"{name}{f', first {few} images' if few else ''} (%)", at.get, accuracy_cell))
        if in_paper:
            said = {level: _said(row) for level, row in at.items()}
            columns.append(Column(f"{CITATION} (%)", said.get))
    number = 2 if architecture == "fc" else 3
    caption = (
        f"{NAMES[architecture]}: accuracy under noisy weights ({CITATION}, fig. {number}; only what its text states)."
    )
    if conv:
        others = (
            "its synapses are shared too" if study.kernels == "shared" else "every position has synapses of its own"
        )
        caption += (
            " Shared kernel: all positions of a convolution use one physical kernel and its errors together, as a program that "
            f"adds noise to its weights has it; in a column that does not say so {others}."
        )
    return table(caption, columns, sorted(levels))


def _said(row: Row) -> str | None:
    """The paper's accuracy for a row."""
    if row.paper is None or row.paper.accuracy is None:
        return None
    note = f" ({row.paper.accuracy_note})" if row.paper.accuracy_note else ""
    return f"{100 * row.paper.accuracy:.2f}{note}"


def frozen_table(study: NoisyWeights) -> Table:
    """Both sides on the same chips."""

    def of(side: str) -> Column[ChipDifference]:
        def row(d: ChipDifference) -> Row | None:
            return by_level(study.select(d.architecture, side, "frozen")).get(d.level)

        return Column(f"{side.upper()} (%)", row, accuracy_cell)

    few = few_images([row for row in study.rows if row.noise == "frozen"])
    caption = (
        "Frozen noise: both networks on the same chips (the same draw of every synapse)"
        f"{f', first {few} test images' if few else ''}; difference paired by chip, "
        "95 % t interval over the chips, or over the networks where there are several."
    )
    difference: Column[ChipDifference] = Column(
        "SNN minus ANN (points)", lambda d: percent_points(d.mean, d.low, d.high)
    )
    columns = [NETWORK, LEVEL, Column("chips", "n"), of("ann"), of("snn"), difference]
    return table(caption, columns, study.frozen)


@drawn
def accuracy_plot(study: NoisyWeights) -> Figure:
    """Accuracy of both sides against the noise level (figures 2 and 3); diamonds: what the paper's text states."""
    names = architectures(study)
    drawing = figure(height=3.9)
    for axes, name in zip(np.atleast_1d(drawing.subplots(1, len(names))), names, strict=True):
        for side, noise, label, color, line in _CURVES:
            rows = study.select(name, side, noise)
            if rows:
                draw_accuracies(axes, rows, label=label, color=color, linestyle=line)
            said = [(100 * r.level, 100 * r.paper.accuracy) for r in rows if r.paper and r.paper.accuracy is not None]
            if said:
                axes.plot(*zip(*said, strict=True), "D", markersize=5, color=color, markerfacecolor="none")
        axes.plot([], [], "D", color="0.4", markersize=5, markerfacecolor="none", label=f"{CITATION}, its text")
        axes.set(xlabel=f"noise over weight (%)   {NAMES[name]}", ylabel="accuracy (%)")
        legend_above(axes, columns=2)
    return drawing
