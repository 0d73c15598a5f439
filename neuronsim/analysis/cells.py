"""Figures of merit of the cells of a neuron at each operating point: ring oscillator and digital synapse."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..arrays import Array
from ..artifacts.dataset import cells, measurements_of
from .operating_points import OperatingPoint
from .thermal import phase_noise_dbc_hz

OFFSET_HZ = 1e6
"""Distance from the carrier at which phase noise is told."""


class Oscillator(NamedTuple):
    """The ring VCO with frequency f(i) (n,) over control current i (n,), at rest current i0, within the reach d of the detector.

    Rest frequency f(i0), lock range B = f(i0 + d) - f(i0 - d), gain B / 2d in Hz/A, tau = 1 / 2B (NaN without a lock range).
    ``phase_noise_dbc_hz`` at ``OFFSET_HZ``: from the noise of the bias currents; ``runs``: oscillates at every current.
    """

    point: OperatingPoint
    current_a: Array
    frequency_hz: Array
    rest_a: float
    reach_a: float
    runs: bool
    rest_hz: float
    lock_range_hz: float
    gain_hz_a: float
    tau_s: float
    phase_noise_dbc_hz: float
    power_w: float


class Synapse(NamedTuple):
    """Currents of a digital synapse over its codes, all (n,), with integral and differential nonlinearity in steps, the largest
    idle current, and the mean step of the positive and of the negative codes."""

    point: OperatingPoint
    code: Array
    current_a: Array
    inl_steps: Array
    dnl_steps: Array
    idle_a: float
    step_up_a: float
    step_down_a: float


def point_of(measurement: xr.Dataset) -> OperatingPoint:
    """The operating point of one measurement of a cell plan."""
    first = measurement.isel(row=0)
    return OperatingPoint(*(first[name].item() for name in ("corner", "temperature_c", "supply_v")))


def measurements(dataset: xr.Dataset, plan: str, *, ok: bool = True) -> list[xr.Dataset]:
    """Every measurement of a cell plan, by default those that succeeded; empty where the plan was not run."""
    rows = cells(dataset, plan, ok=ok)
    return [*measurements_of(rows)] if rows else []


def typical(points: Sequence[OperatingPoint]) -> int:
    """Position of the typical point: corner tt, nearest to room temperature, then to the median supply."""
    volts = float(np.median([point.supply_v or 0.0 for point in points]))
    distance = [(p.corner != "tt", abs(p.temperature_c - 27), abs((p.supply_v or 0.0) - volts)) for p in points]
    return distance.index(min(distance))


def oscillators(dataset: xr.Dataset) -> list[Oscillator]:
    """The oscillator at each point of plan 'oscillator'; empty where it was not run."""
    return [_oscillator(one) for one in measurements(dataset, "oscillator")]


def _oscillator(one: xr.Dataset) -> Oscillator:
    current, frequency = one["current_a"].values, one["frequency_hz"].values
    rest, reach, kappa, volts = (float(one[n].values[0]) for n in ("rest_a", "reach_a", "kappa_theory", "supply_v"))
    low, f0, high = (float(f) for f in np.interp([rest - reach, rest, rest + reach], current, frequency))
    return Oscillator(
        point=point_of(one), current_a=current, frequency_hz=frequency, rest_a=rest, reach_a=reach,
        runs=bool((frequency > 0).all()), rest_hz=f0, lock_range_hz=high - low, gain_hz_a=(high - low) / (2 * reach),
        tau_s=1 / (2 * (high - low)) if high > low else float("nan"),
        phase_noise_dbc_hz=phase_noise_dbc_hz(kappa, f0, OFFSET_HZ) if f0 > 0 else float("nan"),
        power_w=float(np.interp(rest, current, one["supply_a"].values)) * volts,
    )  # fmt: skip


def synapses(dataset: xr.Dataset) -> list[Synapse]:
    """The synapse at each point of plan 'synapse'; empty where it was not run."""
    return [_synapse(one) for one in measurements(dataset, "synapse")]


def _synapse(one: xr.Dataset) -> Synapse:
    code, current, inl, dnl = (one[name].values for name in ("code", "current_a", "inl_steps", "dnl_steps"))
    top, idle = np.abs(code).max(), float(np.abs(one["idle_a"].values).max())
    up, down = (float(current[code == end][0]) / top for end in (top, -top))
    return Synapse(point_of(one), code, current, inl, dnl, idle, up, down)
