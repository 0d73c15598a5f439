"""Chapters of a rate-coded neuron: firing rate and interval jitter against input current."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from operator import attrgetter
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuronsim.analysis.firing_rate import (
    CurrentRate,
    CurrentVariation,
    interval_variation,
    netlist_law,
    rates_by_current,
)
from neuronsim.arrays import Array
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.calibration.isi_jitter_fit import interval_spreads
from neuronsim.calibration.prediction import card_interval_variation, firing_rates
from neuronsim.units import percent, prefix_for

from ..page.columns import Column, in_unit, table
from ..page.elements import Block, Picture, chapter
from ..page.figures import BLUE, INK, MUTED, VERMILION, drawn, error_bars, finish, panels

Law = Callable[[Array], Array]
_RATE: list[Column[CurrentRate]] = [
    Column("current", "current_a", in_unit("A")),
    Column("runs", "runs"),
    Column("rate", "rate_hz", in_unit("Hz")),
    Column("spikes", "spikes"),
    Column("CV of the interval", "variation", percent),
]
_VARIATION: list[Column[CurrentVariation]] = [
    Column("current", "current_a", in_unit("A")),
    Column("intervals", "intervals"),
    Column("CV of the interval", "measured.value", percent),
    Column("95 % interval", "measured", lambda cv: f"{percent(cv.low)} … {percent(cv.high)}"),
    Column("without noise", "floor", percent),
]


@chapter("f-I curve", anchor="fi", plan="fi")
def fi_section(rows: xr.Dataset, card: RateCard | None) -> Iterator[Block]:
    """The f-I curve, its table, and the curves of card and netlist over it."""
    laws = {"theory": netlist_law(rows), "card": card and partial(firing_rates, card)}
    known: dict[str, Law] = {name: law for name, law in laws.items() if law is not None}
    columns = [*_RATE, *(c for name, law in known.items() for c in _against(name, law, "rate_hz", in_unit("Hz")))]
    by_current = rates_by_current(rows)
    if any(row.rate_hz > 0 and row.current_a > 0 for row in by_current):
        yield Picture(svg=fi_curve(rows, known), caption="Firing rate over constant input current.")
    caption = "Firing rate from the mean inter-spike interval."
    yield table(caption, columns, by_current, folded=len(by_current) > 60)


def _against(name: str, law: Law, measured: str, text: Callable[[float], str]) -> list[Column[Any]]:
    """Columns with what ``law`` predicts at the current of each row, and the attribute ``measured`` over it."""

    def predicted(row: Any) -> float:
        return float(law(np.array([row.current_a]))[0])

    def excess(row: Any) -> float | None:
        return attrgetter(measured)(row) / predicted(row) - 1 if predicted(row) > 0 else None

    return [Column(name, predicted, text), Column(f"measured / {name} − 1", excess, percent)]


@chapter("Interval jitter", anchor="interval-jitter", plan="membrane_noise")
def interval_jitter_section(rows: xr.Dataset, card: RateCard | None) -> Iterator[Block]:
    """Spread of the interval under membrane noise, its floor and the card's law over it."""
    spread = interval_spreads(rows)
    if spread.current.size == 0:
        return
    law = partial(card_interval_variation, card) if card is not None and card.isi_jitter.value > 0 else None
    every = interval_variation(spread.current, spread.mean, spread.variance, spread.freedom, spread.floor)
    caption = "Spread of the inter-spike interval under white membrane noise, with its 95 % interval."
    yield Picture(svg=interval_jitter(every, law), caption=caption)
    caption = (
        "Spread within runs, the first interval of each left out. Intervals: degrees of freedom. The card's law holds "
        "one noise density for all currents; the scatter without noise is taken off before it is fitted."
    )
    yield table(caption, [*_VARIATION, *(_against("card", law, "measured.value", percent) if law else ())], every)


@drawn
def fi_curve(rows: xr.Dataset, laws: dict[str, Law]) -> Figure:
    """Firing rate of ``rows`` over input current, both logarithmic, with the curves of ``laws``."""
    current, rate = rows["input_current_a"].values, rows["rate_hz"].values
    drawing, axes = panels(height=3.5)
    positive = (current > 0) & (rate > 0)
    x_scale, x_unit = prefix_for(current[positive], "A")
    y_scale, y_unit = prefix_for(rate[positive], "Hz")
    injected = current[(current > 0) & np.isfinite(rate)]
    grid = np.geomspace(injected.min(), injected.max(), 300)
    labels = {"theory": "theory from the netlist parameters"}
    for (name, law), color, line in zip(laws.items(), (VERMILION, INK), ("-", "--"), strict=False):
        fires = law(grid) > 0
        style = {"linestyle": line, "color": color, "linewidth": 1.2, "label": labels.get(name, name)}
        axes.plot(grid[fires] / x_scale, law(grid)[fires] / y_scale, **style)
    axes.plot(current[positive] / x_scale, rate[positive] / y_scale, "o", color=BLUE, markersize=4, label="measured")
    silent = np.unique(current[(current > 0) & (rate == 0)])
    if silent.size:
        cross = {"color": MUTED, "markersize": 5, "label": "silent", "transform": axes.get_xaxis_transform()}
        axes.plot(silent / x_scale, np.full(silent.size, 0.02), "x", **cross)
    finish(axes, f"input current ({x_unit})", f"firing rate ({y_unit})", log="xy")
    return drawing


@drawn
def interval_jitter(every: Sequence[CurrentVariation], law: Law | None) -> Figure:
    """Coefficient of variation of the interval over input current, both logarithmic, with its interval, the scatter without
    noise, and the card's law."""
    drawing, axes = panels(height=3.5)
    current, floor = np.array([row.current_a for row in every]), np.array([row.floor for row in every])
    variation = [row.measured.value for row in every]
    bars = error_bars(variation, [row.measured.low for row in every], [row.measured.high for row in every])
    scale, unit = prefix_for(current, "A")
    if law is not None:
        grid = np.geomspace(current.min(), current.max(), 200)
        axes.plot(grid / scale, 100 * law(grid), "-", color=VERMILION, linewidth=1.2, label="card")
    style = {"fmt": "o", "color": BLUE, "markersize": 4, "capsize": 3, "label": "measured"}
    axes.errorbar(current / scale, 100 * np.array(variation), yerr=100 * bars, **style)
    known = floor > 0
    if known.any():
        style = {"color": MUTED, "markersize": 9, "label": "without noise (floor)"}
        axes.plot(current[known] / scale, 100 * floor[known], "_", **style)
    finish(axes, f"input current ({unit})", "CV of the interval (%)", log="xy")
    return drawing
