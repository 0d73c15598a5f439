"""Energy, power and spike times of a neuron over corners, temperatures and supplies."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr

from ..statistics.summary import Array
from ..units import quantity, trimmed


def supply_of(rows: xr.Dataset) -> tuple[str, Array]:
    """Name and values (run,) of the swept supply: the first parameter in volts that varies, else the first in volts."""
    volts = [str(n) for n in rows.data_vars if str(n).startswith("parameter_") and rows[n].attrs.get("units") == "V"]
    varied = [name for name in volts if np.ptp(rows[name].values) > 0] or volts
    if not varied:
        return "", np.full(rows.sizes["run"], np.nan)
    return varied[0].removeprefix("parameter_"), rows[varied[0]].values.astype(np.float64)


def point_names(rows: xr.Dataset) -> tuple[list[str], list[str]]:
    """("ss -40 °C", ...), ("0.9 V", ...) of the rows."""
    temperature = rows["temperature_c"].values
    names = [f"{c or 'as drawn'} {trimmed(t)} °C" for c, t in zip(rows["corner"].values, temperature, strict=True)]
    return names, [f"{trimmed(v)} V" for v in supply_of(rows)[1]]


def always_on(rows: xr.Dataset) -> Array:
    """Energy of the whole window per spike (run,), NaN without a spike."""
    if "spike_time_s" in rows:
        spikes = np.isfinite(rows["spike_time_s"].values).astype(float)
    else:
        spikes = np.isfinite(rows["spike_times_s"].values).sum(axis=1).astype(float)
    return np.where(spikes > 0, rows["energy_j"].values / np.maximum(spikes, 1), np.nan)


def _quantities(rows: xr.Dataset) -> list[tuple[str, str, Array]]:
    ttfs = "spike_time_s" in rows
    first = ("spike time", "s", "spike_time_s") if ttfs else ("rate", "Hz", "rate_hz")
    found = [(first[0], first[1], rows[first[2]].values.astype(np.float64))]
    if "active_energy_j" in rows:
        found.append(("energy per spike, active window", "J", rows["active_energy_j"].values))
    if np.isfinite(rows["energy_j"].values).any():
        windows = np.unique(rows["window_s"].values)
        long = f" for {quantity(float(windows[0]), 's')}" if windows.size == 1 else ""
        found.append((f"energy per spike, always on{long}", "J", always_on(rows)))
    return found


def _typical(rows: xr.Dataset) -> np.ndarray:
    """Rows at the typical corner (tt, or the first), room temperature and the nominal supply (or the nearest to them)."""
    corner, temperature = rows["corner"].values, rows["temperature_c"].values
    name, volts = supply_of(rows)
    nominal = json.loads(rows.attrs["defaults"]).get(name, np.nan)
    typical = corner == ("tt" if (corner == "tt").any() else corner[0])
    typical &= np.abs(temperature - 27) == np.abs(temperature - 27).min()
    if np.isfinite(volts).all():
        typical &= np.abs(volts - nominal) <= np.abs(volts - nominal).min() + 1e-12
    return typical
