"""Accuracy and energy of the networks on the neurons of a rate card."""

from __future__ import annotations

from functools import partial

from neuronsim.analysis.noisy_weights import with_images
from neuronsim.artifacts.noisy_weights_study import CARD_CONDITIONS, NoisyWeights, Row
from neuronsim.report.page.columns import Column, table
from neuronsim.report.page.elements import Table
from neuronsim.units import quantity

from .cells import NETWORK, accuracy_cell, steps


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
