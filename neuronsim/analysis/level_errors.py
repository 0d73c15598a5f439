"""Errors of one abstraction level of a neuron against another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..arrays import Array
from ..statistics.proportions import proportion
from ..statistics.sampling_grid import fit_resolution


@dataclass(frozen=True, kw_only=True)
class Step:
    """One level against another, over the runs in which both fire; errors are |t / t_other - 1|.

    ``agreement``: runs with the same spike/no-spike outcome, of those that did not fail at either, with its 95 % Wilson
    interval. ``sampling_tau``: period of the grid on which the level's spike times lie; NaN: none.
    """

    level: str
    against: str
    n: int
    median: float
    p95: float
    worst: float
    bias: float
    failed: int
    agreement: float
    agreement_low: float
    agreement_high: float
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
    size = np.abs(error)
    failed = np.isnan(times[level])
    judged = ~failed & ~np.isnan(times[against])
    same = (np.isfinite(times[level]) == np.isfinite(times[against]))[judged]
    agreement = proportion(int(same.sum()), int(judged.sum()), 0.95)
    sampling = fit_resolution(times[level], 1.0)
    return Step(
        level=names[level],
        against=names[against],
        n=size.size,
        median=float(np.median(size)) if size.size else np.nan,
        p95=float(np.quantile(size, 0.95)) if size.size else np.nan,
        worst=float(size.max()) if size.size else np.nan,
        bias=float(error.mean()) if size.size else np.nan,
        failed=int(failed.sum()),
        agreement=agreement.value,
        agreement_low=agreement.low,
        agreement_high=agreement.high,
        sampling_tau=np.nan if sampling is None else sampling.value,
    )


def steps(data: xr.Dataset) -> list[Step]:
    """Each level against the one above it."""
    return [step(data, level, level - 1) for level in range(1, data.sizes["level"])]


def against_first(data: xr.Dataset) -> list[Step]:
    """Each level against the first, equation 4."""
    return [step(data, level, 0) for level in range(1, data.sizes["level"])]
