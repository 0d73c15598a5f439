"""Operating points of a dataset's rows: process corner, temperature and supply."""

import json
from typing import NamedTuple

import numpy as np
import xarray as xr

from ..arrays import Array, Mask
from ..units import trimmed


class OperatingPoint(NamedTuple):
    """Process corner ("": models as they are), temperature in degree Celsius, supply in volts (None: the netlist has none)."""

    corner: str
    temperature_c: float
    supply_v: float | None

    @property
    def conditions(self) -> str:
        """Corner and temperature: "ss -40 °C"."""
        return f"{self.corner or 'as drawn'} {trimmed(self.temperature_c)} °C"

    @property
    def supply(self) -> str:
        """The supply: "0.9 V"."""
        return "–" if self.supply_v is None else f"{trimmed(self.supply_v)} V"

    def __str__(self) -> str:
        return f"{self.conditions}, {self.supply}"


def supply_of(rows: xr.Dataset) -> tuple[str, Array]:
    """Name and values (run,) of the swept supply: the first parameter in volts that varies, else the first in volts."""
    volts = [str(n) for n in rows.data_vars if str(n).startswith("parameter_") and rows[n].attrs.get("units") == "V"]
    varied = [name for name in volts if np.ptp(rows[name].values) > 0] or volts
    if not varied:
        return "", np.full(rows.sizes["run"], np.nan)
    return varied[0].removeprefix("parameter_"), rows[varied[0]].values.astype(np.float64)


def points_of(rows: xr.Dataset) -> list[OperatingPoint]:
    """The operating point of each of ``rows`` (run,)."""
    if rows.sizes["run"] == 0:
        return []
    columns = rows["corner"].values, rows["temperature_c"].values, supply_of(rows)[1]
    return [
        OperatingPoint(str(c), float(t), float(v) if np.isfinite(v) else None) for c, t, v in zip(*columns, strict=True)
    ]


def typical_rows(rows: xr.Dataset) -> Mask:
    """Rows (run,) at the typical corner (tt, or the first), nearest to room temperature and to the nominal supply."""
    corner, temperature = rows["corner"].values, rows["temperature_c"].values
    name, volts = supply_of(rows)
    nominal = json.loads(rows.attrs["defaults"]).get(name, np.nan)
    typical = corner == ("tt" if (corner == "tt").any() else corner[0])
    typical &= np.abs(temperature - 27) == np.abs(temperature - 27).min()
    if np.isfinite(volts).all():
        typical &= np.abs(volts - nominal) <= np.abs(volts - nominal).min() + 1e-12
    return typical
