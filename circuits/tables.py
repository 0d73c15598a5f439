"""Tables of the dataset besides that of the runs: measurements of cells, and trims of chips."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .campaign.trimming import REASON, Trim, Trimming
from .cells.measurement import CellResult, Measurement
from .deck.resolved import resolve
from .neuron.manifest import Manifest

Variables = dict[str, tuple]


def _table(name: str, parts: Iterable[dict[str, list]]) -> Variables:
    """Variables ``<name>_<column>`` over the dimension ``name`` from parts of the same columns, one below the other."""
    table: dict[str, list] = {}
    for part in parts:
        for column, values in part.items():
            table.setdefault(column, []).extend(values)
    return {f"{name}_{column}": ((name,), np.array(values)) for column, values in table.items()}


def cell_tables(measurements: Sequence[Measurement], results: Sequence[CellResult]) -> Variables:
    """One table per plan: a row per point of a measurement, one row of NaN for a failed measurement."""
    variables: Variables = {}
    for plan in dict.fromkeys(measurement.plan for measurement in measurements):
        pairs = [(m, r) for m, r in zip(measurements, results, strict=True) if m.plan == plan]
        columns = list(dict.fromkeys(name for _, result in pairs for name in result.columns))
        labels = list(dict.fromkeys(name for measurement, _ in pairs for name in measurement.labels))
        variables |= _table(plan, (_points(i, m, r, labels, columns) for i, (m, r) in enumerate(pairs)))
    return variables


def _points(
    number: int, measurement: Measurement, result: CellResult, labels: list[str], columns: list[str]
) -> dict[str, list]:
    rows = len(next(iter(result.columns.values()))) if result.columns else 1
    at = measurement.condition
    same: dict[str, Any] = {
        "measurement": number,
        "status": "failed" if result.reason else "ok",
        "reason": result.reason,
        "message": result.message,
        "corner": at.corner,
        "temperature_c": at.temperature_c,
        "supply_v": at.supply_v,
        **{name: measurement.labels.get(name, math.nan) for name in labels},
    }
    own = {name: result.columns.get(name, [math.nan] * rows) for name in columns}
    return {**{name: [value] * rows for name, value in same.items()}, **own}


def trim_table(manifest: Manifest, trimmed: Sequence[Trimming]) -> Variables:
    """Table ``trim``: one row per chip, step and trim."""
    return _table("trim", (_trim(manifest, chip, trim) for chip in trimmed for trim in chip.trims))


def _trim(manifest: Manifest, chip: Trimming, trim: Trim) -> dict[str, list]:
    at, supply_v = chip.run.operating, resolve(manifest, chip.run).supply_v
    rounds = len(trim.errors)
    row = {
        "status": "failed" if chip.message else "ok",
        "reason": REASON if chip.message else "",
        "message": chip.message,
        "chip": at.chip.number if at.chip else -1,
        "chip_seed": at.chip.seed if at.chip else -1,
        "corner": at.corner or "",
        "temperature_c": at.temperature_c,
        "supply_v": math.nan if supply_v is None else supply_v,
        "fine": chip.run.fine,
        "step": trim.step,
        "name": trim.name,
        "value": trim.values[rounds - 1] if rounds else math.nan,
        "frequency_before_hz": trim.frequencies_hz[0] if rounds else math.nan,
        "frequency_after_hz": trim.frequencies_hz[-1] if rounds else math.nan,
        "error_before": trim.errors[0] if rounds else math.nan,
        "error_after": trim.errors[-1] if rounds else math.nan,
        "rounds": rounds,
    }
    return {name: [value] for name, value in row.items()}
