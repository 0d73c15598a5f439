"""Section about frozen mismatch: spread from chip to chip, and how many chips of a lot are good."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..bootstrap import proportion
from ..dataset import plans, select, verdict
from .blocks import Block, Note, Picture, Section, Table
from .plots_sweeps import mismatch
from .statistics import Array
from .units import mean_with_interval, percent

TOLERANCE = 0.1


def chip_shifts(rows: xr.Dataset) -> tuple[NDArray[np.int64], Array, NDArray[np.str_], str]:
    """Rows of drawn chips: chip, relative shift against nominal (NaN where unknown), verdict; and what nominal is.

    The shift is that of the spike time, or of the rate for a rate neuron. All of shape (rows,).
    """
    value = rows["spike_time_s" if "spike_time_s" in rows else "rate_hz"].values.astype(np.float64)
    came_to = verdict(rows)
    value = np.where(came_to == "fired", value, np.nan)
    chip, trial = rows["chip"].values.astype(np.int64), rows["trial"].values
    nominal = {int(t): float(v) for t, v, c in zip(trial, value, chip, strict=True) if c < 0 and np.isfinite(v)}
    against = "the chip without mismatch"
    if not nominal:
        against = "the mean over chips"
        nominal = {int(t): float(np.nanmean(v)) for t in np.unique(trial) if np.isfinite(v := value[trial == t]).any()}
    drawn = chip >= 0
    reference = np.array([nominal.get(int(t), np.nan) for t in trial])
    return chip[drawn], (value / reference - 1)[drawn], came_to[drawn], against


def mismatch_section(dataset: xr.Dataset, source: str) -> Section | None:
    """Spread of the spike time (or rate) from chip to chip, and the yield with its Wilson interval."""
    rows = select(dataset, "mismatch", ok=False)
    if not (rows["chip"].values >= 0).any():
        return None
    what = "spike-time" if "spike_time_s" in rows else "rate"
    chip, shift, came_to, against = chip_shifts(rows)
    chips = np.unique(chip[came_to != "failed"])
    known = np.isfinite(shift)
    means = np.array([shift[known & (chip == c)].mean() for c in np.unique(chip[known])])
    tolerance = float(plans(dataset).get("mismatch", {}).get("tolerance", TOLERANCE))
    blocks: list[Block] = []
    if means.size:
        row = (
            str(means.size),
            percent(float(means.mean())),
            percent(float(means.std(ddof=1))) if means.size > 1 else "–",
            percent(float(means[np.argmax(np.abs(means))])),
            str(int(np.sum(came_to != "fired"))),
        )
        blocks += [
            Picture(
                svg=mismatch(means, what, tolerance),
                caption=f"Mean relative {what} shift of each chip against {against}. "
                f"Dotted: ±{percent(tolerance)}, the tolerance of a good chip.",
                source=source,
            ),
            Table(
                caption="Chip-to-chip spread.",
                header=("chips", "mean shift", "σ", "worst chip", "silent or early runs"),
                rows=[row],
                source=source,
            ),
        ]
    else:
        blocks.append(Note(text="No chip has a spike to compare.", warning=True))
    fires = np.array([bool((came_to[chip == c] == "fired").all()) for c in chips], dtype=bool)
    good = np.array(
        [f and bool((np.abs(shift[chip == c]) <= tolerance).all()) for c, f in zip(chips, fires, strict=True)]
    )
    yields = []
    for name, passed in (("fires at every stimulus", fires), (f"and within ±{percent(tolerance)} at each", good)):
        share = proportion(float(passed.sum()), float(passed.size), 0.95)
        yields.append(
            (name, f"{int(passed.sum())} of {passed.size}", mean_with_interval(share.value, share.low, share.high))
        )
    blocks.append(
        Table(
            caption="Yield with its 95 % Wilson interval. A chip whose run failed in the simulator is not counted.",
            header=("a chip that", "chips", "yield"),
            rows=yields,
            source=source,
        )
    )
    seeds = np.unique(rows["chip_seed"].values) if "chip_seed" in rows else np.array([-1])
    drawn_by = (
        "Each transistor's threshold is drawn from its width and length (Pelgrom's law) and frozen by its name."
        if (seeds >= 0).any()
        else "Drawn from the sigmas of the manifest's parameters."
    )
    blocks.append(Note(text=drawn_by))
    return Section(title="Mismatch", anchor="mismatch", blocks=blocks)
