"""Chapter on frozen mismatch: spread from chip to chip, how many chips of a lot are good, and what trimming them took."""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuronsim.analysis.chip_yield import ChipLot, Trim, chip_lot, share_of, sigma, trimmed_chips
from neuronsim.arrays import Array, Mask
from neuronsim.artifacts.dataset import plans, select
from neuronsim.units import mean_with_interval, percent

from ..page.columns import Column, table
from ..page.elements import Block, Note, Picture, chapter
from ..page.figures import BLUE, INK, MUTED, VERMILION, drawn, finish, panels

_SPREAD: list[Column[ChipLot]] = [
    Column("chips", "shift.size"),
    Column("mean shift", lambda lot: float(lot.shift.mean()), percent),
    Column("σ", lambda lot: sigma(lot.shift), percent),
    Column("worst chip", "worst_shift", percent),
    Column("silent or early runs", "lost"),
]
_TRIM: list[Column[Trim]] = [
    Column("step", lambda trim: trim.step + 1),
    Column("trim", "name"),
    Column("chips", "value.size"),
    Column("values", lambda trim: f"{trim.value.min():.3f} … {trim.value.max():.3f}"),
    Column("σ", lambda trim: sigma(trim.value), "{:.3f}".format),
    Column("σ of the frequency before", lambda trim: sigma(trim.before), percent),
    Column("largest error after (ppm)", lambda trim: f"{1e6 * np.abs(trim.after).max():.0f}"),
    Column("rounds", "rounds"),
]

_YIELD: list[Column[tuple[str, Mask]]] = [
    Column("a chip that", lambda row: row[0]),
    Column("chips", lambda row: f"{int(row[1].sum())} of {row[1].size}"),
    Column("yield", lambda row: share_of(row[1]), lambda share: mean_with_interval(share.value, share.low, share.high)),
]


@chapter("Mismatch", anchor="mismatch")
def mismatch_section(dataset: xr.Dataset) -> Iterator[Block]:
    """Spread of the spike time (or rate) from chip to chip, and the yield with its Wilson interval."""
    lot = chip_lot(dataset)
    if lot is None:
        return
    what, limit = "spike-time" if "spike_time_s" in dataset else "rate", percent(lot.tolerance)
    if lot.shift.size:
        caption = (
            f"Mean relative {what} shift of each chip against {lot.against}. "
            f"Dotted: ±{limit}, the tolerance of a good chip."
        )
        yield Picture(svg=mismatch(lot.shift, what, lot.tolerance), caption=caption)
        yield table("Chip-to-chip spread.", _SPREAD, [lot])
    else:
        yield Note(text="No chip has a spike to compare.", warning=True)
    caption = "Yield with its 95 % Wilson interval. A chip whose run failed in the simulator is not counted."
    yields = (("fires at every stimulus", lot.fires), (f"and within ±{limit} at each", lot.good))
    yield table(caption, _YIELD, yields)
    rows = select(dataset, "mismatch", ok=False)
    by_transistor = "chip_seed" in rows and (rows["chip_seed"].values >= 0).any()
    yield Note(
        text="Each transistor's threshold is drawn from its width and length (Pelgrom's law) and frozen by its name."
        if by_transistor
        else "Drawn from the sigmas of the manifest's parameters."
    )
    yield from _trims(dataset)


def _trims(dataset: xr.Dataset) -> Iterator[Block]:
    """Whether the chips were trimmed, and what that took and left; nothing where the neuron has no trims."""
    trimmed = trimmed_chips(dataset)
    if trimmed is None:
        if plans(dataset).get("mismatch", {}).get("trim") is False:
            yield Note(text="The chips are as they are made: they were not trimmed.")
        return
    chips, failed, trims = trimmed
    text = (
        f"Each chip was trimmed before its runs, {chips - len(failed)} of {chips} with success; all "
        "runs of a chip use its trims. Continuous values: a real chip has steps."
    )
    yield Note(text=text)
    if trims:
        caption = "Trims, and the frequencies they set right, against the circuit without mismatch."
        yield table(caption, _TRIM, trims)
    if failed:
        said = "; ".join(f"chip {chip}: {text}" for chip, text in failed)
        yield Note(text=f"Not trimmed: {said}.", warning=True)


@drawn
def mismatch(shift: Array, what: str, tolerance: float) -> Figure:
    """Histogram of the mean relative shift of each chip (n_chips,); ``tolerance``: limits of a good chip."""
    drawing, axes = panels(height=2.9)
    axes.hist(100 * shift, bins=min(max(int(np.sqrt(shift.size) * 1.5), 6), 40), color=BLUE, alpha=0.75)
    marks = {"color": INK, "markersize": 7, "transform": axes.get_xaxis_transform(), "clip_on": False}
    axes.plot(100 * shift, np.full(shift.size, -0.03), "|", **marks)
    mean, spread = shift.mean(), sigma(shift) if shift.size > 1 else 0.0
    axes.axvline(100 * mean, color=VERMILION, linewidth=1.2, label=f"mean {percent(mean)}, σ {percent(spread)}")
    for limit in (-tolerance, tolerance):
        axes.axvline(100 * limit, color=MUTED, linewidth=1.0, linestyle=(0, (1, 2)))
    axes.tick_params(axis="x", pad=8)
    finish(axes, f"mean {what} shift of the chip (%)", "chips")
    return drawing
