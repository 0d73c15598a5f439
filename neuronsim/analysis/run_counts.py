"""How the runs of a dataset ended, plan by plan, and every one that failed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray


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
    windows_s: NDArray[np.float64]


class FailedRun(NamedTuple):
    """A run without a result; ``row``: its position in the dataset, ``level``: NaN where the plan sweeps nothing."""

    row: int
    plan: str
    trial: int
    level: float
    attempts: int
    reason: str
    message: str


def run_counts(dataset: xr.Dataset) -> list[RunCounts]:
    """Counts of each plan in the order of the dataset, and of all plans together where there are several."""
    plan, ok, retried = dataset["plan"].values, dataset["status"].values == "ok", dataset["attempts"].values > 1
    ttfs, window = dataset.attrs["code"] == "ttfs", dataset["window_s"].values
    silent = np.isinf(dataset["spike_time_s"].values) if ttfs else dataset["rate_hz"].values == 0

    def counts(name: str, at: NDArray[np.bool_]) -> RunCounts:
        numbers = (int((at & which).sum()) for which in (at, ok, ok & retried, ~ok, ok & silent))
        return RunCounts(name, *numbers, np.unique(window[at & np.isfinite(window)]))

    plans = [counts(name, plan == name) for name in dict.fromkeys(str(name) for name in plan)]
    every = counts("all", np.ones(plan.size, dtype=bool))._replace(windows_s=np.array([]))
    return [*plans, every] if len(plans) > 1 else plans


def failed_runs(dataset: xr.Dataset) -> list[FailedRun]:
    """Every failed run, in the order of the dataset."""
    kinds = {"plan": str, "trial": int, "level": float, "attempts": int, "reason": str, "message": str}
    columns = {name: dataset[name].values if name in dataset else np.full(dataset.sizes["run"], "") for name in kinds}
    return [
        FailedRun(int(row), *(kind(columns[name][row]) for name, kind in kinds.items()))
        for row in np.flatnonzero(dataset["status"].values != "ok")
    ]
