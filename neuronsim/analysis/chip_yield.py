"""Chips of plan 'mismatch': yield, the share whose spike times stay near the nominal circuit's, and what trimming them took."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..arrays import Array, Mask
from ..artifacts.dataset import cells, plans, select, verdict
from ..statistics.estimate import Estimate
from ..statistics.proportions import proportion

TOLERANCE = 0.1


class ChipLot(NamedTuple):
    """The chips of plan 'mismatch'. ``shift`` (chips with a spike,): mean relative shift of each, against what ``against`` says;
    ``lost``: silent, early and failed runs; ``fires``, ``good`` (chips,): as in :func:`chip_yield`, at ``tolerance``."""

    shift: Array
    against: str
    lost: int
    tolerance: float
    fires: Mask
    good: Mask

    @property
    def worst_shift(self) -> float:
        """The shift of largest size."""
        return float(self.shift[np.argmax(np.abs(self.shift))])


def share_of(passed: Mask) -> Estimate:
    """Fraction of the chips that ``passed`` (chips,), with its 95 % Wilson interval."""
    return proportion(float(passed.sum()), float(passed.size), 0.95)


def sigma(values: Array) -> float:
    """Standard deviation of a sample (n,), NaN of a single value."""
    return float(values.std(ddof=1)) if values.size > 1 else float("nan")


def chip_lot(dataset: xr.Dataset) -> ChipLot | None:
    """Spread and yield of the chips of plan 'mismatch'; None where it was not run."""
    rows = select(dataset, "mismatch", ok=False)
    if not (rows["chip"].values >= 0).any():
        return None
    chip, shift, outcome, against = chip_shifts(rows)
    tolerance = float(plans(dataset).get("mismatch", {}).get("tolerance", TOLERANCE))
    known = np.isfinite(shift)
    means = np.array([shift[known & (chip == c)].mean() for c in np.unique(chip[known])])
    yields = chip_yield(chip, shift, outcome, tolerance)
    return ChipLot(means, against, int(np.sum(outcome != "fired")), tolerance, *yields)


def chip_shifts(rows: xr.Dataset) -> tuple[NDArray[np.int64], Array, NDArray[np.str_], str]:
    """Rows of drawn chips: chip, relative shift against nominal (NaN where unknown), verdict; and what nominal is.

    The shift is that of the spike time, or of the rate for a rate neuron. All of shape (rows,). A chip that could not be
    trimmed is a bad chip, not a failure of the simulator: its rows say "not trimmed".
    """
    value = rows["spike_time_s" if "spike_time_s" in rows else "rate_hz"].values.astype(np.float64)
    outcome = np.where(rows["reason"].values == "not_trimmed", "not trimmed", verdict(rows))
    value = np.where(outcome == "fired", value, np.nan)
    chip, trial = rows["chip"].values.astype(np.int64), rows["trial"].values
    nominal = {int(t): float(v) for t, v, c in zip(trial, value, chip, strict=True) if c < 0 and np.isfinite(v)}
    against = "the chip without mismatch"
    if not nominal:
        against = "the mean over chips"
        nominal = {int(t): float(np.nanmean(v)) for t in np.unique(trial) if np.isfinite(v := value[trial == t]).any()}
    drawn = chip >= 0
    reference = np.array([nominal.get(int(t), np.nan) for t in trial])
    return chip[drawn], (value / reference - 1)[drawn], outcome[drawn], against


def chip_yield(chip: NDArray[np.int64], shift: Array, outcome: NDArray[np.str_], tolerance: float) -> tuple[Mask, Mask]:
    """Of rows as :func:`chip_shifts` gives them: which chips fire at every stimulus, and which besides within ``tolerance``.

    Both of shape (chips,). Rows whose run failed in the simulator make no chip of their own.
    """
    chips = np.unique(chip[outcome != "failed"])
    fires = np.array([bool((outcome[chip == c] == "fired").all()) for c in chips], dtype=bool)
    near = np.array([bool((np.abs(shift[chip == c]) <= tolerance).all()) for c in chips], dtype=bool)
    return fires, fires & near


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


def trimmed_chips(dataset: xr.Dataset) -> tuple[int, list[tuple[int, str]], list[Trim]] | None:
    """(Number of trimmed chips, number and message of each that could not be, what the trimming took); None: no chip."""
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
    return len(set(of_chip)), [(chip[0], said) for chip, said in failed.items()], trims
