"""Firing rate and spread of the inter-spike interval of a rate-coded neuron by input current."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..arrays import Array
from ..neuron.firing_rate import rate
from ..statistics.bootstrap import sigma_estimate
from ..statistics.estimate import Estimate
from .expected_spikes import row_parameter


class CurrentRate(NamedTuple):
    """Runs at one input current: mean rate, spikes over all of them, and coefficient of variation of their intervals, pooled
    (NaN below three)."""

    current_a: float
    runs: int
    rate_hz: float
    spikes: int
    variation: float


class CurrentVariation(NamedTuple):
    """Coefficient of variation of the interval at one input current, over ``intervals`` degrees of freedom, and without noise
    (NaN: not measured)."""

    current_a: float
    intervals: int
    measured: Estimate
    floor: float


def netlist_law(rows: xr.Dataset) -> Callable[[Array], Array] | None:
    """Firing rate (n,) in hertz over current (n,) in ampere that the netlist's own parameters imply; None without them.

    Charge per spike cmem * vth, rheobase vth / rleak (0 without leak), refractory time t_ref
    (:mod:`neuronsim.neuron.firing_rate`).
    """
    capacitance, threshold = row_parameter(rows, "cmem"), row_parameter(rows, "vth")
    if capacitance is None or threshold is None or rows.sizes["run"] == 0:
        return None
    leak, refractory = row_parameter(rows, "rleak"), row_parameter(rows, "t_ref")
    return partial(
        rate,
        charge_per_spike=capacitance[0] * threshold[0],
        rheobase=0.0 if leak is None else threshold[0] / leak[0],
        refractory=0.0 if refractory is None else refractory[0],
    )


def rates_by_current(rows: xr.Dataset) -> list[CurrentRate]:
    """The f-I curve: one row per current of the valid ``rows`` with a rate."""
    current, rate_hz, spikes = (rows[name].values for name in ("input_current_a", "rate_hz", "spike_times_s"))
    known = np.isfinite(current) & np.isfinite(rate_hz)
    result = []
    for at in np.unique(current[known]):
        here = known & (current == at)
        intervals = np.diff(spikes[here], axis=1)
        intervals = intervals[np.isfinite(intervals)]
        variation = float(intervals.std(ddof=1) / intervals.mean()) if intervals.size >= 3 else float("nan")
        fired = int(np.isfinite(spikes[here]).sum())
        result.append(CurrentRate(float(at), int(here.sum()), float(rate_hz[here].mean()), fired, variation))
    return result


def interval_variation(
    current_a: Array, mean_s: Array, variance_s2: Array, freedom: Array, floor_s2: Array
) -> list[CurrentVariation]:
    """Coefficient of variation with its chi-square interval for each current, from the mean of its intervals, their variance with
    its degrees of freedom, and their variance without noise, all (n,)."""
    square, floor = variance_s2 / mean_s**2, np.sqrt(floor_s2) / mean_s
    return [
        CurrentVariation(float(at), int(n), sigma_estimate(v, v * np.sqrt(2.0 / n), n, 0.95), float(f))
        for at, v, n, f in zip(current_a, square, freedom, floor, strict=True)
    ]
