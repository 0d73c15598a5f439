"""Datasets in netCDF files (format 4, which is HDF5): read whole, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from ..errors import DataError
from .atomic_write import write_atomically

_ENGINE = "h5netcdf"


def read_netcdf(path: Path, remedy: str) -> xr.Dataset:
    """The dataset in memory. Raises DataError, which ends with ``remedy``, when the file is corrupt or something else."""
    try:
        with xr.open_dataset(path, engine=_ENGINE) as stored:
            return stored.load()
    # damage anywhere in a file comes out of h5py, h5netcdf or xarray as whatever the place makes of it: OSError, KeyError,
    # RuntimeError, ValueError, UnicodeDecodeError ...; there is no list of them, and for a person they are one
    except Exception as error:
        raise DataError(f"{path} is corrupt or not netCDF ({type(error).__name__}: {error}): {remedy}") from error


def write_netcdf(data: xr.Dataset, path: Path | str) -> Path:
    """Write, whole or not at all; equal data give equal bytes. Raises OutputError."""
    content = data.to_netcdf(engine=_ENGINE)  # in memory: HDF5 itself crashes on a full disk
    return write_atomically(path, lambda temporary: temporary.write_bytes(content))
