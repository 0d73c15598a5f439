"""Accuracy of analog and spiking networks: under noisy weights (figures 2, 3 of paper 000), frozen noise, and on a card."""

from functools import partial

import numpy as np
from matplotlib.figure import Figure

from neuronsim.analysis.noisy_weights import architectures, with_images
from neuronsim.artifacts.noisy_weights_study import (
    ANN_PAPER,
    ANN_SAMPLE,
    ANN_UNROLLED,
    CARD_CONDITIONS,
    NAMES,
    SNN_SHARED,
    ChipDifference,
    NoisyWeights,
    Row,
)
from neuronsim.papers.paper000 import CITATION
from neuronsim.report.page.columns import Column, table
from neuronsim.report.page.elements import Table
from neuronsim.report.page.figures import BLUE, GREEN, ORANGE, PURPLE, VERMILION, drawn, finish, panels
from neuronsim.units import percent_points, quantity

from .cells import LEVEL, NETWORK, accuracy_cell, by_level, draw_accuracies, few_images, steps

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
    drawing, every = panels(1, len(names), height=3.9)
    for axes, name in zip(np.atleast_1d(every), names, strict=True):
        for side, noise, label, color, line in _CURVES:
            rows = study.select(name, side, noise)
            if rows:
                draw_accuracies(axes, rows, label=label, color=color, linestyle=line)
            said = [(100 * r.level, 100 * r.paper.accuracy) for r in rows if r.paper and r.paper.accuracy is not None]
            if said:
                axes.plot(*zip(*said, strict=True), "D", markersize=5, color=color, markerfacecolor="none")
        axes.plot([], [], "D", color="0.4", markersize=5, markerfacecolor="none", label=f"{CITATION}, its text")
        finish(axes, f"noise over weight (%)   {NAMES[name]}", "accuracy (%)", columns=2)
    return drawing


def card_table(study: NoisyWeights) -> Table:
    """A row for each condition and network."""

    def both(row: Row) -> str:
        low, high = with_images(row.accuracy, row.n_images or study.n_images)
        return f"[{100 * low:.2f}, {100 * high:.2f}]"

    def until_within_1(row: Row) -> float | None:
        if row.static_energy_j is None or row.within_1 is None:
            return None
        return row.static_energy_j * row.within_1.mean / study.steps

    joules = partial(quantity, unit="J")
    columns: list[Column[Row]] = [
        NETWORK,
        Column("noise", lambda row: row.noise.removeprefix("card, ").replace("card", "frozen and temporal")),
        Column("accuracy (%)", accuracy_cell),
        Column("with the images' error", both),
        Column("worst", "accuracy.least", lambda least: f"{100 * least:.2f}"),
        Column("within 1 %", "within_1", steps),
        Column("spikes", "spikes", "{:.0f}".format),
        Column("energy of spikes", "spike_energy_j", joules),
        Column("static energy", "static_energy_j", joules),
        Column("static energy until within 1 %", until_within_1, joules),
    ]
    rows = [row for name, _, _ in CARD_CONDITIONS for row in study.rows if row.noise == name]
    edited = ", edited by hand" if study.card_edited else ""
    step = "" if study.step_s is None else f", one step = {quantity(study.step_s, 's')}"
    caption = (
        f"On the neurons of {study.card}'s rate card{edited} ({(study.card_digest or '')[:12]}{step}), weights exact. "
        "Brackets beside the accuracy: over chips or draws, all asked about the same images; in the next column the images' own "
        "error is added (the root of the sum of both squares, never too narrow). The step is the shortest that the card allows: "
        "whole steps of refractory time, or a refractory time below a twentieth of a step, which is left out. "
        f"Static energy is proportional to the step and, like the spikes, taken for all {study.steps} steps; "
        "beside it what it is until within 1 % of the end."
    )
    if study.jitter == "interval":
        caption += " Jitter acts on every interval by the same fraction."
    return table(caption, columns, rows)
