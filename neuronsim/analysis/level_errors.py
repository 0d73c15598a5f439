"""Errors of one abstraction level of a neuron against another."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from ..arrays import Array
from ..statistics.estimate import Estimate
from ..statistics.proportions import proportion
from ..statistics.sampling_grid import fit_resolution
from ..statistics.summary import Summary


class Step(NamedTuple):
    """One level against another. ``size``: |t / t_other - 1| of the runs in which both fire, ``bias``: mean of t / t_other - 1.

    ``agreement``: runs with the same spike/no-spike outcome, of those that did not fail at either, with its 95 % Wilson
    interval. ``sampling_tau``: period of the grid on which the level's spike times lie; NaN: none.
    """

    level: str
    against: str
    size: Summary
    bias: float
    failed: int
    agreement: Estimate
    sampling_tau: float


def signed_error(data: xr.Dataset, level: int, against: int) -> Array:
    """t / t_against - 1 of every run (run,); NaN where not both fire."""
    times = data["spike_time_tau"].values
    both = np.isfinite(times[level]) & np.isfinite(times[against])
    with np.errstate(invalid="ignore"):
        return np.where(both, times[level] / times[against] - 1.0, np.nan)


def step(data: xr.Dataset, level: int, against: int) -> Step:
    """Compare two levels by their position."""
    names, times = [str(name) for name in data["level"].values], data["spike_time_tau"].values
    error = signed_error(data, level, against)
    error = error[np.isfinite(error)]
    failed = np.isnan(times[level])
    judged = ~failed & ~np.isnan(times[against])
    same = (np.isfinite(times[level]) == np.isfinite(times[against]))[judged]
    agreement = proportion(int(same.sum()), int(judged.sum()), 0.95)
    sampling = fit_resolution(times[level], 1.0)
    bias = float(error.mean()) if error.size else np.nan
    grid = np.nan if sampling is None else sampling.value
    return Step(names[level], names[against], Summary.of(np.abs(error)), bias, int(failed.sum()), agreement, grid)


def steps(data: xr.Dataset) -> list[Step]:
    """Each level against the one above it."""
    return [step(data, level, level - 1) for level in range(1, data.sizes["level"])]


def against_first(data: xr.Dataset) -> list[Step]:
    """Each level against the first, equation 4."""
    return [step(data, level, 0) for level in range(1, data.sizes["level"])]
