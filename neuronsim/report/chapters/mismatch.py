"""Section about frozen mismatch: spread from chip to chip, and how many chips of a lot are good."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from neuronsim.analysis.chip_yield import TOLERANCE, chip_shifts, chip_yield
from neuronsim.artifacts.dataset import cells, plans, select
from neuronsim.statistics.proportions import proportion
from neuronsim.statistics.summary import Array
from neuronsim.units import mean_with_interval, percent

from ..page.elements import Block, Note, Picture, Section, Table
from ..page.figures import BLUE, INK, MUTED, VERMILION, drawn, figure, legend_above

#: what a chip and its operating point are called in the table of trims
_POINT = ("chip", "chip_seed", "corner", "temperature_c", "supply_v")


def mismatch_section(dataset: xr.Dataset, source: str) -> Section | None:
    """Spread of the spike time (or rate) from chip to chip, and the yield with its Wilson interval."""
    rows = select(dataset, "mismatch", ok=False)
    if not (rows["chip"].values >= 0).any():
        return None
    what = "spike-time" if "spike_time_s" in rows else "rate"
    chip, shift, came_to, against = chip_shifts(rows)
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
    fires, good = chip_yield(chip, shift, came_to, tolerance)
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
    blocks += _trims(dataset, source)
    return Section(title="Mismatch", anchor="mismatch", blocks=blocks)


def _trims(dataset: xr.Dataset, source: str) -> list[Block]:
    """Whether the chips were trimmed, and what that took and left; nothing where the neuron has no trims."""
    table = cells(dataset, "trim", ok=False)
    if "row" not in table.dims:
        known = plans(dataset).get("mismatch", {}).get("trim") is False
        return [Note(text="The chips are as they are made: they were not trimmed.")] if known else []
    of_chip = np.array(
        [f"{a} {b} {c} {d} {e}" for a, b, c, d, e in zip(*(table[n].values for n in _POINT), strict=True)]
    )
    bad = {str(chip): str(said) for chip, said in zip(of_chip, table["message"].values, strict=True) if said}
    rows = []
    for step in np.unique(table["step"].values):
        of_step = (table["step"].values == step) & np.isfinite(table["error_after"].values)
        for name in np.unique(table["name"].values[of_step]):
            own = table.isel(row=np.flatnonzero(of_step & (table["name"].values == name)))
            value, before, after = (own[n].values.astype(float) for n in ("value", "error_before", "error_after"))
            many = value.size > 1
            rows.append(
                (
                    str(int(step) + 1),
                    str(name),
                    str(value.size),
                    f"{value.min():.3f} … {value.max():.3f}",
                    f"{value.std(ddof=1):.3f}" if many else "–",
                    percent(float(before.std(ddof=1))) if many else "–",
                    f"{1e6 * np.abs(after).max():.0f}",
                    f"{own['rounds'].values.max():.0f}",
                )
            )
    blocks: list[Block] = [
        Note(
            text=f"Each chip was trimmed before its runs, {np.unique(of_chip).size - len(bad)} of {np.unique(of_chip).size} with "
            "success; all runs of a chip use its trims. Continuous values: a real chip has steps."
        )
    ]
    if rows:
        header = (
            "step",
            "trim",
            "chips",
            "values",
            "σ",
            "σ of the frequency before",
            "largest error after (ppm)",
            "rounds",
        )
        caption = "Trims, and the frequencies they set right, against the circuit without mismatch."
        blocks.append(Table(caption=caption, header=header, rows=rows, source=source))
    if bad:
        said = "; ".join(f"chip {chip.split()[0]}: {text}" for chip, text in bad.items())
        blocks.append(Note(text=f"Not trimmed: {said}.", warning=True))
    return blocks


@drawn
def mismatch(shift: Array, what: str = "spike-time", tolerance: float | None = None) -> Figure:
    """Histogram of the mean relative shift of each chip (n_chips,); ``tolerance``: limits of a good chip."""
    drawing = figure(height=2.9)
    place = drawing.subplots()
    place.hist(100 * shift, bins=min(max(int(np.sqrt(shift.size) * 1.5), 6), 40), color=BLUE, alpha=0.75)
    place.plot(
        100 * shift,
        np.full(shift.size, -0.03),
        "|",
        color=INK,
        markersize=7,
        transform=place.get_xaxis_transform(),
        clip_on=False,
    )
    mean, sigma = shift.mean(), shift.std(ddof=1) if shift.size > 1 else 0.0
    place.axvline(100 * mean, color=VERMILION, linewidth=1.2, label=f"mean {percent(mean)}, σ {percent(sigma)}")
    for limit in (-tolerance, tolerance) if tolerance is not None else ():
        place.axvline(100 * limit, color=MUTED, linewidth=1.0, linestyle=(0, (1, 2)))
    place.tick_params(axis="x", pad=8)
    legend_above(place)
    place.set(xlabel=f"mean {what} shift of the chip (%)", ylabel="chips")
    return drawing
