"""Plans 'saturation' and 'ramp': shift of the spike time over the swept quantity, beside the law that predicts it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from ..statistics.summary import Array, Summary
from .expected_spikes import equation_4, loop_solution, reference_by_trial, relative_error, row_parameter


class Shift(NamedTuple):
    """Runs (n,) in which circuit and reference fire: swept level, t / t_reference - 1 of the circuit and of the law (NaN where
    that is unknown)."""

    level: Array
    measured: Array
    law: Array


class SaturationLevel(NamedTuple):
    """|Relative error| against equation 4 at one peak phase error in unit weights; ``lost``: runs in which only one of both
    fires; ``against_law``: median error against the exact loop with the folding detector, NaN unknown."""

    level: float
    error: Summary
    lost: int
    against_law: float


class DetectorRange(NamedTuple):
    """Linear range of the detector in unit weights, each a phase of ``step_rad``."""

    unit_weights: float
    step_rad: float


class RampLevel(NamedTuple):
    """Shift at one ramp, in thresholds per tau; ``against_law``: median error against the crossing by Lambert's W."""

    level: float
    runs: int
    median: float
    mean: float
    against_law: float


def saturation(rows: xr.Dataset) -> tuple[Shift, list[SaturationLevel]]:
    """Shift against equation 4 as the summed phase error leaves the linear range of the detector, run by run and by level."""
    measured, theory, level = rows["spike_time_s"].values, equation_4(rows), rows["level"].values
    folded = loop_solution(rows, saturated=True)
    levels = []
    for at in np.unique(level[np.isfinite(level)]):
        here = level == at
        lost = int(np.sum(np.isfinite(measured[here]) != np.isfinite(theory[here])))
        error = Summary.of(relative_error(measured[here], theory[here]))
        levels.append(SaturationLevel(float(at), error, lost, _median(relative_error(measured[here], folded[here]))))
    return _shift(level, measured, theory, folded), levels


def detector_range(rows: xr.Dataset) -> DetectorRange | None:
    """Linear range of the detector, xor_range / kphi; None where the netlist has no such parameters."""
    step, span = row_parameter(rows, "kphi"), row_parameter(rows, "xor_range")
    return None if step is None or span is None else DetectorRange(float(span[0] / step[0]), float(step[0]))


def ramp(rows: xr.Dataset) -> tuple[Shift, list[RampLevel]]:
    """Shift against the run of the same trial without ramp (equation 4 where it has none), run by run and by ramp."""
    measured, level = rows["spike_time_s"].values, rows["level"].values
    flat = reference_by_trial(rows, level == 0)
    reference = np.where(np.isnan(flat), equation_4(rows), flat)
    theory = loop_solution(rows, ramp=level, ideal=True)
    shift = _shift(level, measured, reference, theory)
    levels = []
    for at in np.unique(shift.level[np.isfinite(shift.level)]):
        moved, here = shift.measured[shift.level == at], (level == at) & np.isfinite(reference)
        against = _median(relative_error(measured[here], theory[here]))
        levels.append(RampLevel(float(at), moved.size, float(np.median(moved)), float(np.mean(moved)), against))
    return shift, levels


def _shift(level: Array, measured: Array, reference: Array, law: Array) -> Shift:
    both = np.isfinite(measured) & np.isfinite(reference)
    known = np.where(np.isfinite(law[both]), law[both], np.nan)
    return Shift(level[both], *((t - reference[both]) / reference[both] for t in (measured[both], known)))


def _median(error: Array) -> float:
    return float(np.median(error)) if error.size else float("nan")
