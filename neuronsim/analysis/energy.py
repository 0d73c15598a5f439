"""Energy from the supplies: per spike at each operating point, by block, and per run of each plan."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from ..arrays import Array
from ..artifacts.dataset import select, verdict
from ..statistics.summary import Summary
from .operating_points import OperatingPoint, points_of


class SpikeEnergy(NamedTuple):
    """Energy per spike of one stimulus at one operating point, plan 'energy'.

    ``active_j``: in the active window; ``always_on_j``: over the whole window of ``window_s``; ``static_w``: power without
    input. The same by block, ``active_by_block_j`` and ``always_on_by_block_j``. NaN where unknown.
    """

    point: OperatingPoint
    stimulus: int
    active_j: float
    always_on_j: float
    window_s: float
    static_w: float
    active_by_block_j: dict[str, float]
    always_on_by_block_j: dict[str, float]


def always_on(rows: xr.Dataset) -> Array:
    """Energy of the whole window per spike (run,), NaN without a spike."""
    if "spike_time_s" in rows:
        spikes = np.isfinite(rows["spike_time_s"].values).astype(float)
    else:
        spikes = np.isfinite(rows["spike_times_s"].values).sum(axis=1).astype(float)
    return np.where(spikes > 0, rows["energy_j"].values / np.maximum(spikes, 1), np.nan)


def energy_per_spike(rows: xr.Dataset) -> list[SpikeEnergy]:
    """Every stimulus at every point of the valid ``rows`` of plan 'energy', point by point; level -1 is the run without input."""
    blocks = [
        str(n)[6:-9] for n in rows.data_vars if str(n).startswith("block_") and not str(n).endswith("_active_energy_j")
    ]
    points, level, whole, per_spike = points_of(rows), rows["level"].values, rows["energy_j"].values, always_on(rows)
    active = rows["active_energy_j"].values if "active_energy_j" in rows else np.full(level.size, np.nan)
    window = rows["window_s"].values
    static: dict[OperatingPoint, float] = {}
    for i in np.flatnonzero(level < 0):
        static.setdefault(points[i], whole[i] / window[i])

    def split(i: int, suffix: str, factor: float) -> dict[str, float]:
        return {name: float(rows[f"block_{name}{suffix}_energy_j"].values[i]) * factor for name in blocks}

    return [
        SpikeEnergy(
            point, int(level[i]), float(active[i]), float(per_spike[i]), float(window[i]),
            static_w=float(static.get(point, np.nan)), active_by_block_j=split(i, "_active", 1.0),
            always_on_by_block_j=split(i, "", per_spike[i] / whole[i]),
        )
        for point in dict.fromkeys(points)
        for i in range(len(points))
        if points[i] == point and level[i] >= 0
    ]  # fmt: skip


def fires_without_input(rows: xr.Dataset) -> list[OperatingPoint]:
    """Points of plan 'energy' at which the run without input is not silent, so that its power holds a spike."""
    spontaneous = (rows["level"].values < 0) & (verdict(rows) != "silent")
    return [*dict.fromkeys(point for point, said in zip(points_of(rows), spontaneous, strict=True) if said)]


def energy_by_plan(dataset: xr.Dataset) -> dict[str, Summary]:
    """Energy of the valid runs by plan, over their whole window; plans whose netlist draws none are left out."""
    plans = dict.fromkeys(str(name) for name in dataset["plan"].values)
    energy = {plan: select(dataset, plan)["energy_j"].values for plan in plans}
    return {plan: Summary.of(e[np.isfinite(e)]) for plan, e in energy.items() if np.isfinite(e).any()}
