"""Operating points: what the neuron does at each, how far from typical (plan 'corners'), and does it fire again after a reset."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..arrays import Array
from ..artifacts.dataset import plans, select, verdict
from ..units import quantity
from .energy import always_on
from .operating_points import OperatingPoint, points_of, typical_rows


class Quantity(NamedTuple):
    """``values`` (run,) of one measured quantity in ``unit``."""

    label: str
    unit: str
    values: Array


class Extremes(NamedTuple):
    """A quantity over the points where a stimulus fires. ``worst_at``: farthest from typical, or the largest where the typical
    point does not fire; ``worst_change``: worst / typical - 1 (NaN without typical)."""

    stimulus: int
    quantity: Quantity
    low: float
    typical: float
    high: float
    worst_at: OperatingPoint
    worst_change: float


class PointRun(NamedTuple):
    """One run of the plan; ``outcome``: see :func:`neuronsim.artifacts.dataset.verdict`, ``why`` it did not fire."""

    point: OperatingPoint
    stimulus: int
    outcome: str
    why: str
    values: tuple[float, ...]


def quantities(rows: xr.Dataset) -> list[Quantity]:
    """Spike time or rate of ``rows``, and energy per spike where the dataset has it."""
    first = ("spike time", "s", "spike_time_s") if "spike_time_s" in rows else ("rate", "Hz", "rate_hz")
    measured = [Quantity(*first[:2], rows[first[2]].values.astype(np.float64))]
    if "active_energy_j" in rows:
        measured.append(Quantity("energy per spike, active window", "J", rows["active_energy_j"].values))
    if np.isfinite(rows["energy_j"].values).any():
        windows = np.unique(rows["window_s"].values)
        long = f" for {quantity(float(windows[0]), 's')}" if windows.size == 1 else ""
        measured.append(Quantity(f"energy per spike, always on{long}", "J", always_on(rows)))
    return measured


def point_runs(rows: xr.Dataset) -> list[PointRun]:
    """Every run of the plan, with its value of each of :func:`quantities`."""
    columns = points_of(rows), rows["trial"].values, verdict(rows), np.array([q.values for q in quantities(rows)]).T
    return [
        PointRun(point, int(trial), str(outcome), _why(rows, i, str(outcome)), tuple(values))
        for i, (point, trial, outcome, values) in enumerate(zip(*columns, strict=True))
    ]


def _why(rows: xr.Dataset, i: int, outcome: str) -> str:
    if outcome == "failed":
        return str(rows["reason"].values[i])
    if outcome == "early":
        return f"spike at {quantity(rows['spike_time_s'].values[i], 's')}, before the first input"
    return "" if outcome == "fired" else f"no spike within {quantity(rows['window_s'].values[i], 's')}"


def extremes(rows: xr.Dataset) -> list[Extremes]:
    """Least, typical and largest value of each quantity, stimulus by stimulus; what no point has is left out."""
    points, trial, fired, typical = points_of(rows), rows["trial"].values, verdict(rows) == "fired", typical_rows(rows)
    every, result = quantities(rows), []
    for stimulus in np.unique(trial):
        for measured in every:
            values = measured.values
            here = fired & (trial == stimulus) & np.isfinite(values)
            if not here.any():
                continue
            at = np.flatnonzero(here)
            typ = float(values[here & typical][0]) if (here & typical).any() else np.nan
            worst = at[np.argmax(values[at] if np.isnan(typ) else np.abs(values[at] - typ))]
            ends = float(values[at].min()), typ, float(values[at].max())
            result.append(Extremes(int(stimulus), measured, *ends, points[worst], float(values[worst]) / typ - 1))
    return result


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
