"""Accumulated jitter of free-running oscillators: sigma(m) of the time over m periods, its law kappa t^p, and plan thermal.

White frequency noise gives sigma = kappa sqrt(t), so p = 1/2 and a single-sideband phase noise of
L(f) = kappa^2 f0^2/f^2 (Demir, Mehrotra and Roychowdhury, Phase noise in oscillators, TCAS-I 2000; Abidi, JSSC 2006).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..arrays import Array
from ..artifacts.dataset import cells, measurements_of
from ..errors import DataError
from ..statistics.bootstrap import percentile_ends
from ..statistics.estimate import Estimate

_RESAMPLES = 400


@dataclass(frozen=True, kw_only=True)
class JitterLaw:
    """sigma(t) = kappa sqrt(t) with kappa in s^0.5, and the exponent of a free power law, both over one decade of lags.

    ``lag``: periods; ``sigma_s``: of the time over so many, shape (n,). Intervals: bootstrap over oscillators.
    """

    period_s: float
    lag: NDArray[np.int64]
    sigma_s: Array
    kappa: Estimate
    exponent: Estimate


def lags_of(edges: int, lowest: int = 2) -> NDArray[np.int64]:
    """Lags of the decade from ``lowest`` periods up, fewer where a series of ``edges`` edges is too short for it."""
    top = min(10 * lowest, (edges - 1) // 3)
    return np.unique(np.geomspace(lowest, max(top, lowest + 1), 8).astype(np.int64))


def accumulated(series: Sequence[Array], lag: NDArray[np.int64], period_s: float) -> Array:
    """sigma (series, lags) in seconds of the time over each lag, in every series of rising edges alone."""
    return np.array([[np.sqrt(np.mean((e[m:] - e[:-m] - m * period_s) ** 2)) for m in lag] for e in series])


def mean_period(series: Sequence[Array]) -> float:
    """Mean period in seconds over all series together."""
    return float(sum(e[-1] - e[0] for e in series) / sum(e.size - 1 for e in series))


def jitter_law(series: Sequence[Array], *, seed: int = 0, confidence: float = 0.95) -> JitterLaw:
    """The law through the accumulated jitter of equal oscillators, one series of rising edges (s) each.

    Raises DataError when there are fewer than 2 series or one has fewer than 10 edges.
    """
    if len(series) < 2 or min(e.size for e in series) < 10:
        raise DataError(
            f"accumulated jitter needs at least 2 oscillators of 10 edges; there are {len(series)}, the shortest of "
            f"{min((e.size for e in series), default=0)}"
        )
    period = mean_period(series)
    lag = lags_of(min(e.size for e in series))
    square = accumulated(series, lag, period) ** 2
    time, weight = lag * period, 1.0 / np.sqrt(lag)  # long lags have fewer independent windows

    def fit(rows: NDArray[np.int64]) -> tuple[float, float]:
        mean = square[rows].mean(axis=0)
        kappa = np.sqrt(np.average(mean / time, weights=weight**2))
        slope = np.polyfit(np.log(time), 0.5 * np.log(mean), 1, w=weight)[0]
        return float(kappa), float(slope)

    best = fit(np.arange(len(series)))
    rng = np.random.default_rng(seed)
    drawn = [fit(rng.integers(0, len(series), len(series))) for _ in range(_RESAMPLES)]
    low, high = percentile_ends(drawn, confidence)
    kappa, exponent = (
        Estimate(value=b, low=min(float(lo), b), high=max(float(hi), b))
        for b, lo, hi in zip(best, low, high, strict=True)
    )
    return JitterLaw(period_s=period, lag=lag, sigma_s=np.sqrt(square.mean(axis=0)), kappa=kappa, exponent=exponent)


def phase_noise_dbc_hz(kappa: float, frequency_hz: float, offset_hz: float) -> float:
    """L(offset) in dBc/Hz of white frequency noise, far enough from the carrier that it is not yet flat."""
    return float(10 * np.log10((kappa * frequency_hz / offset_hz) ** 2))


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
