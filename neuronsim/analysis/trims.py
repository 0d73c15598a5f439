"""Trims of drawn chips: what they took, and the frequency errors that they left."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from ..arrays import Array
from ..artifacts.dataset import cells

#: what a chip and its operating point are called in the table of trims
_POINT = ("chip", "chip_seed", "corner", "temperature_c", "supply_v")


class Trim(NamedTuple):
    """One trim of one step over the chips (chips,): its ``value``, relative error of the frequency ``before`` and ``after``, and
    the most ``rounds`` that it took."""

    step: int
    name: str
    value: Array
    before: Array
    after: Array
    rounds: int


class TrimmedChips(NamedTuple):
    """All chips that were trimmed; ``failed``: what is said of each that could not be, by its number."""

    chips: int
    failed: list[tuple[int, str]]
    trims: list[Trim]


def trimmed_chips(dataset: xr.Dataset) -> TrimmedChips | None:
    """What the trimming took; None where no chip was trimmed."""
    table = cells(dataset, "trim", ok=False)
    if "row" not in table.dims:
        return None
    of_chip = list(zip(*(table[name].values.tolist() for name in _POINT), strict=True))
    failed = {chip: str(said) for chip, said in zip(of_chip, table["message"].values, strict=True) if said}
    trims = []
    for step in np.unique(table["step"].values):
        of_step = (table["step"].values == step) & np.isfinite(table["error_after"].values)
        for name in np.unique(table["name"].values[of_step]):
            own = table.isel(row=np.flatnonzero(of_step & (table["name"].values == name)))
            value, before, after = (own[n].values.astype(float) for n in ("value", "error_before", "error_after"))
            trims.append(Trim(int(step), str(name), value, before, after, int(own["rounds"].values.max())))
    return TrimmedChips(len(set(of_chip)), [(chip[0], said) for chip, said in failed.items()], trims)
