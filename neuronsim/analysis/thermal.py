"""Plan thermal: accumulated jitter of the ring VCO at each temperature and noise power, and what the simulator adds to it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from ..arrays import Array
from ..artifacts.dataset import cells, measurements_of
from .accumulated_jitter import JitterLaw, accumulated, jitter_law, mean_period

ROOM_C = 27.0


@dataclass(frozen=True)
class ThermalCase:
    """Measurements of one temperature, noise power and time step; ``measurements``: rising edges (s) per oscillator of each."""

    temperature_c: float
    power: float
    step_s: float
    measurements: list[list[Array]]
    kappa_unit: float

    @property
    def edges_s(self) -> list[Array]:
        """Rising edges of every oscillator."""
        return [edges for one in self.measurements for edges in one]

    @property
    def kappa_theory(self) -> float:
        """kappa in s^0.5 from the bias currents at this noise power."""
        return self.kappa_unit * float(np.sqrt(self.power))

    @cached_property
    def law(self) -> JitterLaw:
        """The law through the accumulated jitter of all oscillators."""
        return jitter_law(self.edges_s)

    @property
    def period_jitter_s(self) -> float:
        """Rms deviation of one period."""
        every = self.edges_s
        return float(np.sqrt(np.mean(accumulated(every, np.array([1]), mean_period(every)) ** 2)))

    def floor_s(self, lag: int) -> float:
        """Sigma over ``lag`` periods, each oscillator against its own mean period: without noise, the simulator's part."""
        every = [e for e in self.edges_s if e.size > lag + 1]
        squares = [accumulated([e], np.array([lag]), mean_period([e]))[0, 0] ** 2 for e in every]
        return float(np.sqrt(np.mean(squares))) if squares else float("nan")


@dataclass(frozen=True)
class Thermal:
    """All cases of a dataset."""

    cases: list[ThermalCase]

    @property
    def step_s(self) -> float:
        """The time step of all but the check with half of it."""
        return max(case.step_s for case in self.cases)

    def case(
        self, temperature_c: float = ROOM_C, power: float = 1.0, step_s: float | None = None
    ) -> ThermalCase | None:
        """The case of these conditions, if it was measured; ``step_s`` None: the usual step."""
        wanted = temperature_c, power, self.step_s if step_s is None else step_s
        return next((c for c in self.cases if (c.temperature_c, c.power, c.step_s) == wanted), None)

    @property
    def noisy(self) -> list[ThermalCase]:
        """The cases with noise: the usual one first, then by temperature, power and step."""
        usual = self.case()
        return sorted(
            (case for case in self.cases if case.power > 0),
            key=lambda case: (case is not usual, case.temperature_c, case.power, case.step_s),
        )

    def over_floor(self, law: JitterLaw) -> float:
        """The smallest sigma of ``law`` over what the same deck shows without noise; NaN where that was not measured."""
        still = self.case(power=0.0)
        floor = still.floor_s(int(law.lag[0])) if still else float("nan")
        return float(law.sigma_s[0]) / floor if floor > 0 else float("nan")


def thermal_of(dataset: xr.Dataset) -> Thermal | None:
    """What plan thermal measured; None where it was not run."""
    table = cells(dataset, "thermal")
    if not table:
        return None
    cases: dict[tuple[float, float, float], ThermalCase] = {}
    for one in measurements_of(table):
        first = one.isel(row=0)
        key = first["temperature_c"].item(), first["power"].item(), first["step_s"].item()
        case = cases.setdefault(key, ThermalCase(*key, [], float(first["kappa_theory"].item())))
        case.measurements.append(_edges(one))
    return Thermal(list(cases.values()))


def same_noise_difference(one: list[Array], other: list[Array]) -> tuple[float, float]:
    """Rms difference in seconds of the periods of two measurements under the same noise, and the period jitter of the first."""
    pairs = list(zip(one, other, strict=True))
    n = min(e.size for pair in pairs for e in pair)
    first = np.array([np.diff(a[:n]) for a, _ in pairs])
    second = np.array([np.diff(b[:n]) for _, b in pairs])
    return float(np.std(first - second)), float(np.std(first))


def _edges(measurement: xr.Dataset) -> list[Array]:
    which = measurement["oscillator"].values
    return [measurement["edge_s"].values[which == i] for i in np.unique(which)]
