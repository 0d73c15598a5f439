"""Sections about the cells of a neuron: oscillator, synapse, thermal noise of the oscillator."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neuronsim.analysis.accumulated_jitter import phase_noise_dbc_hz
from neuronsim.analysis.thermal import same_noise_difference, thermal_of
from neuronsim.artifacts.dataset import cells, measurements_of
from neuronsim.units import percent, quantity, significant, trimmed

from ..page.elements import Block, Note, Picture, Section, Table
from ..plots_cells import accumulated_jitter, levels, tuning

OFFSET_HZ = 1e6


def _condition(row: xr.Dataset) -> str:
    first = row.isel(row=0)
    return f"{first['corner'].item()} {trimmed(first['temperature_c'].item())} °C {trimmed(first['supply_v'].item())} V"


def _lost(dataset: xr.Dataset, plan: str, source: str) -> list[Block]:
    every = cells(dataset, plan, ok=False)
    bad = every.isel(row=np.flatnonzero(every["status"].values != "ok"))
    if not bad.sizes["row"]:
        return []
    rows = [(_condition(m), str(m["reason"].values[0]), str(m["message"].values[0])) for m in measurements_of(bad)]
    return [Table(caption="Failed measurements.", header=("point", "reason", "message"), rows=rows, source=source)]


def oscillator_section(dataset: xr.Dataset, source: str) -> Section | None:
    """Tuning curves, and min/typ/max of rest frequency, gain, lock range and phase noise."""
    table = cells(dataset, "oscillator")
    if not table:
        return None
    blocks = _lost(dataset, "oscillator", source)
    rows, curves, spread = [], [], []
    for one in measurements_of(table):
        current, frequency = one["current_a"].values, one["frequency_hz"].values
        rest, reach = float(one["rest_a"].values[0]), float(one["reach_a"].values[0])
        low, f0, high = np.interp([rest - reach, rest, rest + reach], current, frequency)
        power = float(np.interp(rest, current, one["supply_a"].values)) * float(one["supply_v"].values[0])
        tau = 1 / (2 * (high - low)) if high > low else float("nan")
        noise = (
            phase_noise_dbc_hz(float(one["kappa_theory"].values[0]), float(f0), OFFSET_HZ) if f0 > 0 else float("nan")
        )
        runs = bool((frequency > 0).all())
        spread.append((f0, high - low, tau, noise, power))
        rows.append(
            (
                _condition(one),
                quantity(f0, "Hz") if runs else "stops",
                f"{significant((high - low) / (2 * reach) * 1e-12, 3)} MHz/µA",
                quantity(high - low, "Hz", 3),
                quantity(tau, "s", 3),
                f"{significant(noise, 4)} dBc/Hz",
                f"{significant(power * 1e6, 3)} µW",
            )
        )
        if one["temperature_c"].values[0] == 27.0:
            curves.append((_condition(one), current, frequency))
    if curves:
        first = next(measurements_of(table))
        blocks.append(
            Picture(
                svg=tuning(curves, float(first["rest_a"].values[0]), float(first["reach_a"].values[0])),
                caption="Tuning curve of the ring VCO at room temperature. Shaded: lock range, what the detector can set.",
                source=source,
            )
        )
    values = np.array(spread)
    typical = _typical(table)
    names = (("rest frequency", "Hz"), ("lock range", "Hz"), ("τ = 1/(2 · lock range)", "s"))
    summary = []
    for column, (name, unit) in enumerate(names):
        v = values[:, column]
        worst = int(np.nanargmax(np.abs(v - v[typical])))
        summary.append(
            (name, quantity(v.min(), unit), quantity(v[typical], unit), quantity(v.max(), unit), rows[worst][0])
        )
    if len(rows) > 1:
        header = ("quantity", "min", "typ", "max", "worst at")
        blocks.append(Table(caption=f"Over {len(rows)} operating points.", header=header, rows=summary, source=source))
    blocks.append(
        Table(
            caption="The oscillator at each point. Phase noise: estimate at 1 MHz offset from the noise of its bias currents.",
            header=("point", "rest frequency", "gain", "lock range", "τ", "phase noise at 1 MHz", "power"),
            rows=rows,
            source=source,
            folded=len(rows) > 8,
        )
    )
    return Section(title="Oscillator", anchor="oscillator", blocks=blocks)


def _typical(table: xr.Dataset) -> int:
    firsts = [one.isel(row=0) for one in measurements_of(table)]
    volts = float(np.median([one["supply_v"].item() for one in firsts]))
    distance = [
        (one["corner"].item() != "tt", abs(one["temperature_c"].item() - 27), abs(one["supply_v"].item() - volts))
        for one in firsts
    ]
    return distance.index(min(distance))


def synapse_section(dataset: xr.Dataset, source: str) -> Section | None:
    """Levels with INL and DNL, typical as a plot, every point as a row."""
    table = cells(dataset, "synapse")
    if not table:
        return None
    every = list(measurements_of(table))
    shown = every[_typical(table)]
    columns = [shown[name].values for name in ("code", "current_a", "inl_steps", "dnl_steps")]
    rows = []
    for one in every:
        code, current = one["code"].values, one["current_a"].values
        top = np.abs(code).max()
        rows.append(
            (
                _condition(one),
                quantity(float(current[code == top][0]) / top, "A"),
                quantity(float(current[code == -top][0]) / top, "A"),
                significant(float(np.abs(one["inl_steps"].values).max()), 2),
                significant(float(np.nanmax(np.abs(one["dnl_steps"].values))), 2),
                quantity(float(np.abs(one["idle_a"].values).max()), "A", 2),
            )
        )
    blocks = [
        *_lost(dataset, "synapse", source),
        Picture(svg=levels(*columns), caption=f"Levels of the digital synapse, {_condition(shown)}.", source=source),
        Table(
            caption="Step of the positive and of the negative codes, worst nonlinearity in steps, largest idle current.",
            header=("point", "step +", "step −", "|INL|", "|DNL|", "idle"),
            rows=rows,
            source=source,
        ),
    ]
    return Section(title="Synapse", anchor="synapse", blocks=blocks)


def thermal_section(dataset: xr.Dataset, source: str) -> Section | None:
    """Accumulated jitter with its law, against the theory, the numerical floor, and the run with half the time step."""
    found = thermal_of(dataset)
    if found is None:
        return None
    blocks = _lost(dataset, "thermal", source)
    rows, curves = [], []
    usual, still = found.case(), found.case(power=0.0)
    for case in found.noisy:
        law = case.law
        over = found.over_floor(law)
        rows.append(
            (
                f"{trimmed(case.temperature_c)} °C, noise ×{trimmed(case.power)}"
                + ("" if case.step_s == found.step_s else ", half the step"),
                f"{len(case.edges_s)}",
                quantity(case.period_jitter_s, "s", 3),
                f"{_root(law.kappa.value)} [{_root(law.kappa.low)}, {_root(law.kappa.high)}]",
                _root(case.kappa_theory),
                significant(law.kappa.value / case.kappa_theory, 3),
                f"{significant(law.exponent.value, 3)} [{significant(law.exponent.low, 3)}, {significant(law.exponent.high, 3)}]",
                significant(over, 3) if over > 0 else "–",
            )
        )
        curves.append((rows[-1][0], law.lag * law.period_s, law.sigma_s))
    if usual:
        if still:
            law = usual.law
            floor = np.array([still.floor_s(int(m)) for m in law.lag])
            curves.append(("without noise (numerical floor)", law.lag * law.period_s, floor))
        theory = usual.kappa_theory
        blocks.append(
            Picture(
                svg=accumulated_jitter(curves, theory, f"κ√t, κ = {_root(theory)} √s from the bias currents"),
                caption="Accumulated jitter of the ring VCO under its device noise, and what the same deck shows without noise.",
                source=source,
            )
        )
    header = (
        "case",
        "oscillators",
        "period jitter",
        "κ (√s) [95 %]",
        "κ theory",
        "ratio",
        "exponent [95 %]",
        "over the floor",
    )
    blocks.append(
        Table(
            caption="σ = κ√t over a decade of lags; exponent of a free power law; smallest σ of the decade over the floor.",
            header=header,
            rows=rows,
            source=source,
        )
    )
    halved = found.case(step_s=found.step_s / 2)
    if halved and usual:
        difference, jitter = same_noise_difference(usual.measurements[0], halved.measurements[0])
        text = (
            f"Halved step, same noise: the periods differ by {quantity(difference, 's', 3)} rms, "
            f"{percent(difference / jitter)} of the period jitter."
        )
        blocks.append(Note(text=text, warning=difference > 0.3 * jitter))
    return Section(title="Thermal jitter", anchor="thermal", blocks=blocks)


def _root(kappa: float) -> str:
    return significant(kappa, 3)
