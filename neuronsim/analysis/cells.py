"""Figures of merit of the cells of a neuron at each operating point: ring oscillator and digital synapse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..artifacts.dataset import cells, measurements_of
from ..statistics.summary import Array
from .accumulated_jitter import phase_noise_dbc_hz
from .operating_points import OperatingPoint

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
    rest_hz: float
    lock_range_hz: float
    phase_noise_dbc_hz: float
    power_w: float

    @property
    def gain_hz_a(self) -> float:
        """Mean slope of the frequency within the lock range."""
        return self.lock_range_hz / (2 * self.reach_a)

    @property
    def tau_s(self) -> float:
        """Time constant of a loop whose detector spans the lock range."""
        return 1 / (2 * self.lock_range_hz) if self.lock_range_hz > 0 else float("nan")

    @property
    def runs(self) -> bool:
        """Whether it oscillates at every current."""
        return bool((self.frequency_hz > 0).all())


class Synapse(NamedTuple):
    """Currents of a digital synapse over its codes, all (n,), with integral and differential nonlinearity in steps."""

    point: OperatingPoint
    code: Array
    current_a: Array
    inl_steps: Array
    dnl_steps: Array
    idle_a: float

    def step_a(self, sign: int) -> float:
        """Mean step of the codes of that ``sign``: current of the last one by its number."""
        top = np.abs(self.code).max()
        return float(self.current_a[self.code == sign * top][0]) / top

    @property
    def worst_inl(self) -> float:
        """Largest integral nonlinearity in steps."""
        return float(np.abs(self.inl_steps).max())

    @property
    def worst_dnl(self) -> float:
        """Largest differential nonlinearity in steps."""
        return float(np.nanmax(np.abs(self.dnl_steps)))


class FailedMeasurement(NamedTuple):
    """A measurement of a cell that gave nothing."""

    point: OperatingPoint
    reason: str
    message: str


def point_of(measurement: xr.Dataset) -> OperatingPoint:
    """The operating point of one measurement of a cell plan."""
    first = measurement.isel(row=0)
    return OperatingPoint(*(first[name].item() for name in ("corner", "temperature_c", "supply_v")))


def typical(points: Sequence[OperatingPoint]) -> int:
    """Position of the typical point: corner tt, nearest to room temperature, then to the median supply."""
    volts = float(np.median([point.supply_v for point in points]))
    distance = [(p.corner != "tt", abs(p.temperature_c - 27), abs((p.supply_v or 0.0) - volts)) for p in points]
    return distance.index(min(distance))


def failed_measurements(dataset: xr.Dataset, plan: str) -> list[FailedMeasurement]:
    """Every measurement of a cell plan that failed, with its reason."""
    table = cells(dataset, plan, ok=False)
    if not table:
        return []
    bad = table.isel(row=np.flatnonzero(table["status"].values != "ok"))
    return [
        FailedMeasurement(point_of(m), *(str(m[n].values[0]) for n in ("reason", "message")))
        for m in measurements_of(bad)
    ]


def oscillators(dataset: xr.Dataset) -> list[Oscillator]:
    """The oscillator at each point of plan 'oscillator'; empty where it was not run."""
    table = cells(dataset, "oscillator")
    return [_oscillator(one) for one in measurements_of(table)] if table else []


def _oscillator(one: xr.Dataset) -> Oscillator:
    current, frequency = one["current_a"].values, one["frequency_hz"].values
    rest, reach, kappa, volts = (float(one[n].values[0]) for n in ("rest_a", "reach_a", "kappa_theory", "supply_v"))
    low, f0, high = (float(f) for f in np.interp([rest - reach, rest, rest + reach], current, frequency))
    noise = phase_noise_dbc_hz(kappa, f0, OFFSET_HZ) if f0 > 0 else float("nan")
    power = float(np.interp(rest, current, one["supply_a"].values)) * volts
    return Oscillator(point_of(one), current, frequency, rest, reach, f0, high - low, noise, power)


def synapses(dataset: xr.Dataset) -> list[Synapse]:
    """The synapse at each point of plan 'synapse'; empty where it was not run."""
    table = cells(dataset, "synapse")
    columns = "code", "current_a", "inl_steps", "dnl_steps"
    return [
        Synapse(point_of(one), *(one[name].values for name in columns), float(np.abs(one["idle_a"].values).max()))
        for one in (measurements_of(table) if table else ())
    ]
