"""Plan 'reset': does a neuron that fired and was reset fire the same stimulus again, and as late as before."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..arrays import Array
from ..artifacts.dataset import plans, select, verdict
from .operating_points import OperatingPoint, points_of


class Reset(NamedTuple):
    """One run of the plan: its :func:`reset_verdict` and :func:`shift_s`."""

    point: OperatingPoint
    verdict: str
    shift_s: float


def reset_rows(dataset: xr.Dataset) -> xr.Dataset:
    """Rows of plan 'reset', failed ones too."""
    return select(dataset, "reset", ok=False)


def resets(dataset: xr.Dataset) -> list[Reset]:
    """Every run of plan 'reset'; empty where it was not run."""
    rows = reset_rows(dataset)
    if rows.sizes["run"] == 0:
        return []
    columns = points_of(rows), reset_verdict(rows), shift_s(rows)
    return [Reset(point, str(said), float(shift)) for point, said, shift in zip(*columns, strict=True)]


def shift_s(rows: xr.Dataset) -> Array:
    """Spike time after the reset minus the first one, each from its time zero, in seconds (run,); NaN without both."""
    with np.errstate(invalid="ignore"):
        shift = rows["spike_again_s"].values - rows["spike_time_s"].values
    return np.where(np.isfinite(shift), shift, np.nan)


def tolerance_s(rows: xr.Dataset) -> float:
    """The plan's tolerance of the shift, in seconds: ``tolerance`` times what ``rest`` is in seconds per tau."""
    plan = plans(rows)["reset"]
    last = np.where(np.isfinite(rows["input_time_s"].values), rows["input_time_s"].values, -np.inf).max(axis=1)
    return float(plan["tolerance"] * ((rows["again_s"].values - last) / plan["rest"])[0])


def reset_verdict(rows: xr.Dataset) -> NDArray[np.str_]:
    """Outcome of each run (run,) of plan 'reset': "again" (it fires again, as late as the first time, within the plan's
    tolerance), "shifted" (again, but earlier or later), "silent" (not again), "extra" (the output rises without a stimulus,
    or more than once in a round), or, where the first round is no spike, "silent first", "early first", "failed".
    """
    first = verdict(rows)
    arrives = rows["input_time_s"].values.min(axis=1)
    again, shift = rows["spike_again_s"].values, shift_s(rows)
    said = np.where(np.abs(shift) <= tolerance_s(rows), "again", "shifted").astype("<U12")
    said[~np.isfinite(again)] = "silent"
    # the output can rise a second time only if the reset has taken it back
    extra = np.isfinite(again) & ((rows["n_spikes"].values != 2) | (again < arrives))
    said[extra] = "extra"
    other = np.char.add(first.astype("<U6"), np.where(first == "failed", "", " first"))
    return np.where(first == "fired", said, other)
