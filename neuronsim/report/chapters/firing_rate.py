"""Sections of a rate-coded neuron: firing rate and interval jitter against input current."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuronsim.analysis.expected_spikes import row_parameter
from neuronsim.artifacts.dataset import select
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.calibration.isi_jitter_fit import interval_spreads
from neuronsim.calibration.rate_noise import card_noise
from neuronsim.neuron.firing_rate import interval
from neuronsim.neuron.firing_rate import rate as rate_of
from neuronsim.neuron.interval_noise import interval_variance
from neuronsim.statistics.bootstrap import deviation_ends
from neuronsim.statistics.summary import Array
from neuronsim.units import percent, prefix_for, quantity

from ..page.elements import Block, Picture, Section, Table
from ..page.figures import BLUE, INK, MUTED, VERMILION, drawn, figure, legend_above, plain_ticks


def card_rate(card: RateCard, current_a: Array) -> Array:
    """Firing rate in hertz that the card predicts at ``current_a`` (see :class:`.RateCard`)."""
    return rate_of(
        current_a,
        charge_per_spike=card.charge_per_spike_c.value,
        rheobase=card.rheobase_a.value,
        refractory=card.refractory_s.value,
    )


def netlist_rate(rows: xr.Dataset, current_a: Array) -> Array | None:
    """Firing rate (n,) in hertz that the netlist's own parameters imply; None where it does not have them.

    Charge per spike cmem * vth, rheobase vth / rleak (0 without leak), refractory time t_ref
    (:mod:`neuronsim.neuron.firing_rate`).
    """
    capacitance, threshold = row_parameter(rows, "cmem"), row_parameter(rows, "vth")
    if capacitance is None or threshold is None or rows.sizes["run"] == 0:
        return None
    leak, refractory = row_parameter(rows, "rleak"), row_parameter(rows, "t_ref")
    return rate_of(
        current_a,
        charge_per_spike=capacitance[0] * threshold[0],
        rheobase=0.0 if leak is None else threshold[0] / leak[0],
        refractory=0.0 if refractory is None else refractory[0],
    )


def fi_section(dataset: xr.Dataset, source: str, card: RateCard | None) -> Section | None:
    """The f-I curve, its table, and the card's curve over it. None when the plan was not run."""
    rows = select(dataset, "fi")
    if rows.sizes["run"] == 0:
        return None
    current, rate = rows["input_current_a"].values, rows["rate_hz"].values
    known = np.isfinite(current) & np.isfinite(rate)
    current, rate = current[known], rate[known]
    positive = current[current > 0]
    blocks: list[Block] = []
    curves = {}
    if positive.size:
        grid = np.geomspace(positive.min(), positive.max(), 300)
        theory = netlist_rate(rows, grid)
        if theory is not None:
            curves["theory from the netlist parameters"] = (grid, theory)
        if card is not None:
            curves["card"] = (grid, card_rate(card, grid))
    if (rate > 0).any():
        blocks.append(
            Picture(
                svg=fi_curve(current, rate, curves), caption="Firing rate over constant input current.", source=source
            )
        )
    spikes = rows["spike_times_s"].values[known]
    models = {} if card is None else {"card": card_rate(card, np.unique(current))}
    theory = netlist_rate(rows, np.unique(current))
    if theory is not None:
        models = {"theory": theory, **models}
    listed = []
    for index, at in enumerate(np.unique(current)):
        here = current == at
        mean, jitter = float(rate[here].mean()), _interval_variation(spikes[here])
        row = [quantity(at, "A"), str(int(here.sum())), quantity(mean, "Hz"), str(int(np.isfinite(spikes[here]).sum()))]
        row.append(percent(jitter) if np.isfinite(jitter) else "–")
        for values in models.values():
            model = float(values[index])
            row += [quantity(model, "Hz"), percent(mean / model - 1) if model > 0 else "–"]
        listed.append(tuple(row))
    header = ["current", "runs", "rate", "spikes", "CV of the interval"]
    for name in models:
        header += [name, f"measured / {name} − 1"]
    caption = "Firing rate from the mean inter-spike interval."
    blocks.append(Table(caption=caption, header=header, rows=listed, source=source, folded=len(listed) > 60))
    return Section(title="f-I curve", anchor="fi", blocks=blocks)


def _interval_variation(spikes: Array) -> float:
    """Coefficient of variation of the inter-spike intervals, pooled over runs (n, spike); NaN below three intervals."""
    intervals = np.diff(spikes, axis=1)
    intervals = intervals[np.isfinite(intervals)]
    return float(intervals.std(ddof=1) / intervals.mean()) if intervals.size >= 3 else float("nan")


def card_interval_variation(card: RateCard, current_a: Array) -> Array:
    """Coefficient of variation of the interval that the card predicts at ``current_a`` (n,), NaN at and below the rheobase."""
    charge, rheobase = card.charge_per_spike_c.value, card.rheobase_a.value
    refractory = card.refractory_s.value
    neuron = {"charge_per_spike": charge, "rheobase": rheobase}
    density = 2 * (card_noise(card).diffusion * charge) ** 2
    found = np.full(current_a.shape, np.nan)
    fires = current_a > rheobase
    spread = np.sqrt(interval_variance(current_a[fires], density=density, **neuron))
    found[fires] = spread / interval(current_a[fires], refractory=refractory, **neuron)
    return found


def interval_jitter_section(dataset: xr.Dataset, source: str, card: RateCard | None) -> Section | None:
    """Spread of the interval under membrane noise, its floor and the card's law over it. None when the plan was not run."""
    rows = select(dataset, "membrane_noise")
    if rows.sizes["run"] == 0:
        return None
    found = interval_spreads(rows)
    if found.current.size == 0:
        return None
    variation, floor = np.sqrt(found.variance) / found.mean, np.sqrt(found.floor) / found.mean
    low, high = deviation_ends(variation, found.freedom)
    law = None
    if card is not None and card.isi_jitter.value > 0:
        grid = np.geomspace(found.current.min(), found.current.max(), 200)
        law = grid, card_interval_variation(card, grid)
    header = ["current", "intervals", "CV of the interval", "95 % interval", "without noise"]
    listed = [
        [
            quantity(at, "A"),
            str(int(n)),
            percent(cv),
            f"{percent(a)} … {percent(b)}",
            percent(f) if np.isfinite(f) else "–",
        ]
        for at, n, cv, a, b, f in zip(found.current, found.freedom, variation, low, high, floor, strict=True)
    ]
    if law is not None and card is not None:
        header += ["card", "measured / card − 1"]
        for row, model, cv in zip(listed, card_interval_variation(card, found.current), variation, strict=True):
            row += [percent(model), percent(cv / model - 1)]
    blocks: list[Block] = [
        Picture(
            svg=interval_jitter(found.current, variation, low, high, floor, law),
            caption="Spread of the inter-spike interval under white membrane noise, with its 95 % interval.",
            source=source,
        ),
        Table(
            caption=(
                "Spread within runs, the first interval of each left out. Intervals: degrees of freedom. The card's law holds "
                "one noise density for all currents; the scatter without noise is taken off before it is fitted."
            ),
            header=header,
            rows=[tuple(row) for row in listed],
            source=source,
        ),
    ]
    return Section(title="Interval jitter", anchor="interval-jitter", blocks=blocks)


@drawn
def fi_curve(current_a: Array, rate_hz: Array, curves: dict[str, tuple[Array, Array]]) -> Figure:
    """Firing rate (n,) over input current (n,), both logarithmic, with named theory curves (current, rate)."""
    drawing = figure(height=3.5)
    place = drawing.subplots()
    positive = (current_a > 0) & (rate_hz > 0)
    x_scale, x_unit = prefix_for(current_a[positive], "A")
    y_scale, y_unit = prefix_for(rate_hz[positive], "Hz")
    for (name, (current, rate)), color, line in zip(curves.items(), (VERMILION, INK), ("-", "--"), strict=False):
        fires = rate > 0
        place.plot(current[fires] / x_scale, rate[fires] / y_scale, line, color=color, linewidth=1.2, label=name)
    place.plot(
        current_a[positive] / x_scale, rate_hz[positive] / y_scale, "o", color=BLUE, markersize=4, label="measured"
    )
    silent = np.unique(current_a[(current_a > 0) & (rate_hz == 0)])
    if silent.size:
        place.plot(
            silent / x_scale,
            np.full(silent.size, 0.02),
            "x",
            color=MUTED,
            markersize=5,
            label="silent",
            transform=place.get_xaxis_transform(),
        )
    place.set_xscale("log")
    place.set_yscale("log")
    plain_ticks(place.xaxis)
    plain_ticks(place.yaxis)
    legend_above(place)
    place.set(xlabel=f"input current ({x_unit})", ylabel=f"firing rate ({y_unit})")
    return drawing


@drawn
def interval_jitter(
    current_a: Array, variation: Array, low: Array, high: Array, floor: Array, law: tuple[Array, Array] | None
) -> Figure:
    """Coefficient of variation (n,) of the interval over input current (n,), both logarithmic, with its interval, the
    scatter without noise (n,; NaN: not measured), and the card's law (current, variation)."""
    drawing = figure(height=3.5)
    place = drawing.subplots()
    scale, unit = prefix_for(current_a, "A")
    if law is not None:
        place.plot(law[0] / scale, 100 * law[1], "-", color=VERMILION, linewidth=1.2, label="card")
    bars = 100 * np.array([variation - low, high - variation])
    place.errorbar(
        current_a / scale, 100 * variation, yerr=bars, fmt="o", color=BLUE, markersize=4, capsize=3, label="measured"
    )
    known = np.isfinite(floor) & (floor > 0)
    if known.any():
        place.plot(
            current_a[known] / scale, 100 * floor[known], "_", color=MUTED, markersize=9, label="without noise (floor)"
        )
    place.set_xscale("log")
    place.set_yscale("log")
    plain_ticks(place.xaxis)
    plain_ticks(place.yaxis)
    legend_above(place)
    place.set(xlabel=f"input current ({unit})", ylabel="CV of the interval (%)")
    return drawing
