"""Chapters on the cells of a neuron: oscillator, synapse, thermal jitter of the oscillator."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuronsim.analysis.cells import Oscillator, Synapse, measurements, oscillators, point_of, synapses, typical
from neuronsim.analysis.thermal import Thermal, ThermalCase, same_noise_difference, thermal_of
from neuronsim.artifacts.dataset import cells
from neuronsim.statistics.estimate import Estimate
from neuronsim.units import percent, prefix_for, quantity, significant, trimmed

from ..page.columns import Column, in_unit, table
from ..page.elements import Block, Note, Picture, Table, chapter
from ..page.figures import BLUE, INK, MUTED, SERIES, VERMILION, drawn, finish, panels

_three = partial(significant, digits=3)
_two = partial(significant, digits=2)
_FAILED: list[Column[xr.Dataset]] = [
    Column("point", point_of),
    Column("reason", lambda one: one["reason"].values[0]),
    Column("message", lambda one: one["message"].values[0]),
]
_OSCILLATOR: list[Column[Oscillator]] = [
    Column("point", "point"),
    Column("rest frequency", lambda o: quantity(o.rest_hz, "Hz") if o.runs else "stops"),
    Column("gain", lambda o: o.gain_hz_a * 1e-12, lambda mhz_per_ua: f"{_three(mhz_per_ua)} MHz/µA"),
    Column("lock range", "lock_range_hz", in_unit("Hz", 3)),
    Column("τ", "tau_s", in_unit("s", 3)),
    Column("phase noise at 1 MHz", "phase_noise_dbc_hz", lambda value: f"{significant(value, 4)} dBc/Hz"),
    Column("power", "power_w", lambda watt: f"{_three(watt * 1e6)} µW"),
]
_OVER_POINTS = (
    ("rest frequency", "rest_hz", "Hz"),
    ("lock range", "lock_range_hz", "Hz"),
    ("τ = 1/(2 · lock range)", "tau_s", "s"),
)
_SYNAPSE: list[Column[Synapse]] = [
    Column("point", "point"),
    Column("step +", "step_up_a", in_unit("A")),
    Column("step −", "step_down_a", in_unit("A")),
    Column("|INL|", lambda s: np.abs(s.inl_steps).max(), _two),
    Column("|DNL|", lambda s: np.nanmax(np.abs(s.dnl_steps)), _two),
    Column("idle", "idle_a", in_unit("A", 2)),
]


def _lost(dataset: xr.Dataset, plan: str) -> Iterator[Block]:
    failed = [one for one in measurements(dataset, plan, ok=False) if one["status"].values[0] != "ok"]
    if failed:
        yield table("Failed measurements.", _FAILED, failed)


@chapter("Oscillator", anchor="oscillator")
def oscillator_section(dataset: xr.Dataset) -> Iterator[Block]:
    """Tuning curves, and min/typ/max of rest frequency, gain, lock range and phase noise."""
    if not cells(dataset, "oscillator"):
        return
    yield from _lost(dataset, "oscillator")
    every = oscillators(dataset)
    room = [one for one in every if one.point.temperature_c == 27.0]
    if room:
        caption = "Tuning curve of the ring VCO at room temperature. Shaded: lock range, what the detector can set."
        yield Picture(svg=tuning(room, every[0].rest_a, every[0].reach_a), caption=caption)
    if len(every) > 1:
        yield _over_points(every)
    caption = "The oscillator at each point. Phase noise: estimate at 1 MHz offset from the noise of its bias currents."
    yield table(caption, _OSCILLATOR, every, folded=len(every) > 8)


def _over_points(every: Sequence[Oscillator]) -> Table:
    rows, middle = [], typical([one.point for one in every])
    for name, field, unit in _OVER_POINTS:
        values = np.array([getattr(one, field) for one in every])
        ends = (quantity(value, unit) for value in (values.min(), values[middle], values.max()))
        rows.append((name, *ends, str(every[int(np.nanargmax(np.abs(values - values[middle])))].point)))
    header = ("quantity", "min", "typ", "max", "worst at")
    return Table(caption=f"Over {len(every)} operating points.", header=header, rows=rows)


@chapter("Synapse", anchor="synapse")
def synapse_section(dataset: xr.Dataset) -> Iterator[Block]:
    """Levels with INL and DNL, typical as a plot, every point as a row."""
    if not cells(dataset, "synapse"):
        return
    yield from _lost(dataset, "synapse")
    every = synapses(dataset)
    if every:
        one = every[typical([synapse.point for synapse in every])]
        yield Picture(svg=levels(one), caption=f"Levels of the digital synapse, {one.point}.")
    caption = "Step of the positive and of the negative codes, worst nonlinearity in steps, largest idle current."
    yield table(caption, _SYNAPSE, every)


@chapter("Thermal jitter", anchor="thermal")
def thermal_section(dataset: xr.Dataset) -> Iterator[Block]:
    """Accumulated jitter with its law, against the theory, the numerical floor, and the run with half the time step."""
    thermal = thermal_of(dataset)
    if thermal is None:
        return
    yield from _lost(dataset, "thermal")
    usual = thermal.case()
    if usual:
        caption = (
            "Accumulated jitter of the ring VCO under its device noise, and what the same deck gives without noise."
        )
        yield Picture(svg=accumulated_jitter(thermal, usual), caption=caption)
    caption = "σ = κ√t over a decade of lags; exponent of a free power law; smallest σ of the decade over the floor."
    columns: list[Column[ThermalCase]] = [
        Column("case", partial(_case, thermal)),
        Column("oscillators", lambda case: len(case.edges_s)),
        Column("period jitter", "period_jitter_s", in_unit("s", 3)),
        Column("κ (√s) [95 %]", "law.kappa", _bracketed),
        Column("κ theory", "kappa_theory", _three),
        Column("ratio", lambda case: case.law.kappa.value / case.kappa_theory, _three),
        Column("exponent [95 %]", "law.exponent", _bracketed),
        Column("over the floor", lambda case: thermal.over_floor(case.law), _three),
    ]
    yield table(caption, columns, thermal.noisy)
    halved = thermal.case(step_s=thermal.step_s / 2)
    if halved and usual:
        difference, jitter = same_noise_difference(usual.measurements[0], halved.measurements[0])
        text = (
            f"Halved step, same noise: the periods differ by {quantity(difference, 's', 3)} rms, "
            f"{percent(difference / jitter)} of the period jitter."
        )
        yield Note(text=text, warning=difference > 0.3 * jitter)


def _case(thermal: Thermal, case: ThermalCase) -> str:
    halved = "" if case.step_s == thermal.step_s else ", half the step"
    return f"{trimmed(case.temperature_c)} °C, noise ×{trimmed(case.power)}{halved}"


def _bracketed(estimate: Estimate) -> str:
    return f"{_three(estimate.value)} [{_three(estimate.low)}, {_three(estimate.high)}]"


@drawn
def tuning(points: Sequence[Oscillator], rest_a: float, reach_a: float) -> Figure:
    """Frequency over control current at each of ``points``; the lock range rest +- reach is shaded."""
    drawing, axes = panels()
    x_scale, x_unit = prefix_for(np.concatenate([one.current_a for one in points]), "A")
    y_scale, y_unit = prefix_for(np.concatenate([one.frequency_hz for one in points]), "Hz")
    for i, one in enumerate(points):
        line, color = "o-" if i < len(SERIES) else "o--", SERIES[i % len(SERIES)]
        axes.plot(
            one.current_a / x_scale, one.frequency_hz / y_scale, line, color=color, markersize=3, label=str(one.point)
        )
    axes.axvspan((rest_a - reach_a) / x_scale, (rest_a + reach_a) / x_scale, facecolor=MUTED, alpha=0.2, linewidth=0)
    finish(axes, f"control current ({x_unit})", f"frequency ({y_unit})")
    return drawing


@drawn
def levels(synapse: Synapse) -> Figure:
    """Current over code, and its integral and differential nonlinearity in steps."""
    drawing, (left, right) = panels(1, 2)
    scale, unit = prefix_for(synapse.current_a, "A")
    left.plot(synapse.code, synapse.current_a / scale, "o-", color=BLUE, markersize=3)
    left.axhline(0, color=MUTED, linewidth=0.7)
    left.set(xlabel="code", ylabel=f"current ({unit})")
    right.plot(synapse.code, synapse.inl_steps, "o-", color=BLUE, markersize=3, label="INL")
    right.plot(synapse.code + 0.5, synapse.dnl_steps, "s-", color=VERMILION, markersize=3, label="DNL")
    right.axhline(0, color=MUTED, linewidth=0.7)
    finish(right, "code", "steps")
    return drawing


@drawn
def accumulated_jitter(thermal: Thermal, usual: ThermalCase) -> Figure:
    """sigma over time of every case with noise, of the deck without noise, and the line kappa sqrt(t) of the theory."""
    curves = [(_case(thermal, case), case.law.lag * case.law.period_s, case.law.sigma_s) for case in thermal.noisy]
    still, law = thermal.case(power=0.0), usual.law
    if still:
        floor = np.array([still.floor_s(int(lag)) for lag in law.lag])
        curves.append(("without noise (numerical floor)", law.lag * law.period_s, floor))
    drawing, axes = panels()
    times = np.concatenate([time for _, time, _ in curves])
    x_scale, x_unit = prefix_for(times, "s")
    y_scale, y_unit = prefix_for(np.concatenate([sigma for _, _, sigma in curves]), "s")
    for i, (name, time, sigma) in enumerate(curves):
        axes.plot(time / x_scale, sigma / y_scale, "o-", color=SERIES[i % len(SERIES)], markersize=3, label=name)
    span, kappa = np.geomspace(times.min(), times.max(), 50), usual.kappa_theory
    label = f"κ√t, κ = {_three(kappa)} √s from the bias currents"
    axes.plot(span / x_scale, kappa * np.sqrt(span) / y_scale, "--", color=INK, linewidth=1.2, label=label)
    finish(axes, f"time ({x_unit})", f"σ of the accumulated time ({y_unit})", log="xy", columns=3)
    return drawing
