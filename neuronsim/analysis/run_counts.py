"""How the runs of a dataset ended, plan by plan."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from ..arrays import Array, Mask


class RunCounts(NamedTuple):
    """Runs of one plan: all, valid, valid only with safer simulator options, failed, and valid without an output spike.

    ``windows_s``: the different windows that were watched.
    """

    plan: str
    runs: int
    ok: int
    retried: int
    failed: int
    silent: int
    windows_s: Array


def run_counts(dataset: xr.Dataset) -> list[RunCounts]:
    """Counts of each plan in the order of the dataset, and of all plans together where there are several."""
    plan, ok, retried = dataset["plan"].values, dataset["status"].values == "ok", dataset["attempts"].values > 1
    ttfs, window = dataset.attrs["code"] == "ttfs", dataset["window_s"].values
    silent = np.isinf(dataset["spike_time_s"].values) if ttfs else dataset["rate_hz"].values == 0

    def counts(name: str, at: Mask) -> RunCounts:
        runs, good, again, failed, quiet = (int((at & w).sum()) for w in (at, ok, ok & retried, ~ok, ok & silent))
        return RunCounts(name, runs, good, again, failed, quiet, np.unique(window[at & np.isfinite(window)]))

    plans = [counts(name, plan == name) for name in dict.fromkeys(str(name) for name in plan)]
    every = counts("all", np.ones(plan.size, dtype=bool))._replace(windows_s=np.array([]))
    return [*plans, every] if len(plans) > 1 else plans
