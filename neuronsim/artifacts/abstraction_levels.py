"""The levels file: one neuron at several levels of abstraction, on the same stimuli (netCDF; written by ``circuits.comparison``).

Dimensions ``level`` (from the most abstract down), ``run`` and ``input``; all times in tau, each level's own.

    level (level): name;  abstraction (level): closed form | event solver | averaged | switching | transistor | behavioral
    tau_s (level): NaN for the equations;  netlist_sha256 (level): "" for the equations
    spike_time_tau, reason (level, run): inf = silent in the window, NaN = failed, with the reason
    input_time_tau, weight (run, input): padded with inf and 0;  window_tau (run)

The first level is equation 4 of paper 004, the second the exact solution of the loop of second order
(:mod:`neuronsim.neuron.event_solver`) with the loop ratio, threshold and ramp of the first netlist.
"""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from ..errors import DataError, InputError
from .netcdf import read_netcdf, write_netcdf

SCHEMA_VERSION = 1
KIND = "levels"
RANK = ("closed form", "event solver", "averaged", "behavioral", "switching", "transistor")
_VARIABLES = (
    "abstraction",
    "tau_s",
    "netlist_sha256",
    "spike_time_tau",
    "reason",
    "input_time_tau",
    "weight",
    "window_tau",
)


def check(data: xr.Dataset, where: str = "levels file") -> xr.Dataset:
    """Return ``data`` if it follows this module's schema. Raises DataError naming what is missing."""
    if data.attrs.get("kind") != KIND or data.attrs.get("schema_version") != SCHEMA_VERSION:
        raise DataError(f"{where} is not a levels file of schema {SCHEMA_VERSION}: make it with 'neuronsim compare'")
    for name in _VARIABLES:
        if name not in data:
            raise DataError(f"{where}: variable '{name}' is missing: compare again")
    return data


def save(data: xr.Dataset, path: Path | str) -> Path:
    """Write as netCDF, whole or not at all; equal data give equal bytes."""
    return write_netcdf(check(data), path)


def load(path: Path | str) -> xr.Dataset:
    """Read and check. Raises InputError when there is no such file, DataError when it is corrupt or something else."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"no levels file at {path}: make one with 'neuronsim compare NEURON --out {path}'")
    return check(read_netcdf(path, "compare again"), str(path))
