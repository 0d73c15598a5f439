"""Sections about operating points: corners with min/typ/max and the worst corner, and energy per spike by block."""

from __future__ import annotations

import numpy as np
import xarray as xr

from neuronsim.analysis.operating_points import _quantities, _typical, always_on, point_names
from neuronsim.analysis.reset import reset_rows
from neuronsim.artifacts.dataset import select, verdict
from neuronsim.statistics.summary import Array
from neuronsim.units import percent, quantity

from ..page.elements import Block, Note, Picture, Section, Table
from ..plots_points import corners, energy_split
from ..sections_reset import reset_blocks, reset_words

PAPER = "Paper 004 claims less than 10 pJ per spike."


def _why(rows: xr.Dataset, i: int, came_to: str) -> str:
    if came_to == "failed":
        return str(rows["reason"].values[i])
    if came_to == "early":
        return f"spike at {quantity(rows['spike_time_s'].values[i], 's')}, before the first input"
    return f"no spike within {quantity(rows['window_s'].values[i], 's')}"


def _by_point(
    rows: xr.Dataset,
    quantities: list[tuple[str, str, Array]],
    dataset: xr.Dataset,
    resets: list[tuple[str, str]],
    source: str,
) -> Table:
    """Every run of the plan as a row; with plan 'reset' (point of each of its rows in ``resets``) whether it fires again."""
    points, came_to = list(zip(*point_names(rows), strict=True)), verdict(rows)
    header = ["point", "supply", "stimulus", "came to", *(label for label, _, _ in quantities)]
    columns = [[quantity(v, unit) for v in values] for _, unit, values in quantities]
    if resets:
        header.append("fires again after reset")
        columns.append(reset_words(dataset, points, resets))
    return Table(
        caption="Every operating point.",
        header=header,
        rows=[
            (*points[i], str(int(rows["trial"].values[i])), str(came_to[i]), *(column[i] for column in columns))
            for i in range(rows.sizes["run"])
        ],
        source=source,
        folded=True,
    )


def corners_section(dataset: xr.Dataset, source: str) -> Section | None:
    """Min, typical and max over the operating points with the worst one, every point that did not fire, and a plot."""
    rows = select(dataset, "corners", ok=False)
    if rows.sizes["run"] == 0:
        return None
    came_to, trial = verdict(rows), rows["trial"].values
    names, supplies = point_names(rows)
    typical, fired = _typical(rows), came_to == "fired"
    table, blocks = [], []
    quantities = _quantities(rows)
    for stimulus in np.unique(trial):
        for label, unit, values in quantities:
            here = fired & (trial == stimulus) & np.isfinite(values)
            if not here.any():
                continue
            at = np.flatnonzero(here)
            typ = values[here & typical]
            typ = float(typ[0]) if typ.size else float("nan")
            distance = np.abs(values[at] - typ) if np.isfinite(typ) else values[at]
            worst = at[np.argmax(distance)]
            table.append(
                (
                    str(int(stimulus)),
                    label,
                    quantity(values[at].min(), unit),
                    quantity(typ, unit),
                    quantity(values[at].max(), unit),
                    f"{names[worst]}, {supplies[worst]}",
                    percent(float(values[worst]) / typ - 1) if np.isfinite(typ) else "–",
                )
            )
    counted = ", ".join(f"{int((came_to == word).sum())} {word}" for word in ("fired", "silent", "early", "failed"))
    n_points = len(set(zip(names, supplies, strict=True)))
    if table:
        blocks.append(
            Table(
                caption=f"Over {n_points} operating points ({counted}). Worst: farthest from typical.",
                header=("stimulus", "quantity", "min", "typ", "max", "worst at", "against typ"),
                rows=table,
                source=source,
            )
        )
    lost = [
        (
            names[i],
            supplies[i],
            str(int(trial[i])),
            str(came_to[i]),
            _why(rows, int(i), str(came_to[i])),
        )
        for i in np.flatnonzero(~fired)
    ]
    if lost:
        blocks.append(
            Table(
                caption=f"Missing spikes: all {len(lost)} runs that did not fire.",
                header=("point", "supply", "stimulus", "came to", "why"),
                rows=lost,
                source=source,
            )
        )
    else:
        blocks.append(Note(text=f"The neuron fires at every one of the {n_points} points."))
    if fired.any():
        first = trial == trial.min()
        panels = [(label, unit, values[first]) for label, unit, values in quantities[:2]]
        picked = np.flatnonzero(first)
        blocks.append(
            Picture(
                svg=corners([names[i] for i in picked], [supplies[i] for i in picked], panels, fired[first]),
                caption=f"Stimulus {int(trial.min())} at every point. Cross: no spike.",
                source=source,
            )
        )
    again = reset_rows(dataset)
    resets = list(zip(*point_names(again), strict=True)) if again.sizes["run"] else []
    blocks += [*reset_blocks(dataset, resets, source), _by_point(rows, quantities, dataset, resets, source)]
    return Section(title="Corners", anchor="corners", blocks=blocks)


def energy_plan_section(dataset: xr.Dataset, source: str) -> Section | None:
    """Energy per spike in the active window and always on, static power, and the split by block (plan 'energy')."""
    rows = select(dataset, "energy")
    if rows.sizes["run"] == 0:
        return None
    names = [
        str(n)[6:-9] for n in rows.data_vars if str(n).startswith("block_") and not str(n).endswith("_active_energy_j")
    ]
    points, supplies = point_names(rows)
    level, per_spike = rows["level"].values, always_on(rows)
    table, groups, untold = [], [], []
    split: dict[str, list[float]] = {name: [] for name in names}
    for at in dict.fromkeys(zip(points, supplies, strict=True)):
        here = np.array([pair == at for pair in zip(points, supplies, strict=True)])
        idle = np.flatnonzero(here & (level < 0))
        static = rows["energy_j"].values[idle[0]] / rows["window_s"].values[idle[0]] if idle.size else np.nan
        spontaneous = idle[verdict(rows)[idle] != "silent"]
        untold += [f"{at[0]}, {at[1]}"] if spontaneous.size else []
        for i in np.flatnonzero(here & (level >= 0)):
            active = rows["active_energy_j"].values[i] if "active_energy_j" in rows else np.nan
            where = f"{at[0]}, {at[1]}"
            table.append(
                (
                    where,
                    str(int(level[i])),
                    quantity(float(active), "J"),
                    quantity(float(per_spike[i]), "J"),
                    quantity(rows["window_s"].values[i], "s"),
                    quantity(float(static), "W") if np.isfinite(static) else "–",
                )
            )
            ratio = per_spike[i] / rows["energy_j"].values[i]
            for kind, suffix, factor in (("active", "_active", 1.0), ("always on", "", ratio)):
                values = {name: float(rows[f"block_{name}{suffix}_energy_j"].values[i]) * factor for name in names}
                if all(np.isfinite(list(values.values()))):
                    groups.append(f"{where}, {kind}" + (f", stimulus {int(level[i])}" if level.max() > 0 else ""))
                    for name, value in values.items():
                        split[name].append(value)
    blocks: list[Block] = []
    if groups and names:
        blocks.append(
            Picture(
                svg=energy_split(groups, {name: np.array(values) for name, values in split.items()}),
                caption="Energy per spike by supply (and, for synapses with a supply of their own, theirs).",
                source=source,
            )
        )
    if table:
        ttfs = "spike_time_s" in rows
        active = "first input to spike" if ttfs else "between spikes"
        blocks.append(
            Table(
                caption=f"Energy per spike: active window ({active}) and always on (the whole window). Static: without input.",
                header=("point", "stimulus", "active", "always on", "window", "static power"),
                rows=table,
                source=source,
            )
        )
        if untold:
            text = (
                f"It fires (or fails) without any input at {'; '.join(untold)}: the static power holds a spike there."
            )
            blocks.append(Note(text=text, warning=True))
        if ttfs:
            blocks.append(Note(text=PAPER))
    return Section(title="Energy", anchor="energy", blocks=blocks) if blocks else None
