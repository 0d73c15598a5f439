"""Table 3 of paper 004: output spike-time jitter against input jitter and against weight quantization."""

from typing import NamedTuple

import numpy as np
import xarray as xr

from ..arrays import Array
from ..papers import paper004
from ..statistics.summary import Summary
from ..units import trimmed
from .expected_spikes import equation_4, loop_solution, reference_by_trial, relative_error

MOST_BITS = 32


class Level(NamedTuple):
    """Single-trial output jitter at one level. ``lost``: trials in which just one of measured and desired is silent."""

    level: float
    label: str
    errors: Array
    lost: int
    summary: Summary
    paper: float | None

    @property
    def paper_percentile(self) -> float:
        """Percentile of our single-trial distribution at which the paper's value lies; NaN without either."""
        if self.paper is None or self.errors.size == 0:
            return np.nan
        return 100.0 * float(np.mean(self.errors <= self.paper))


class OutputJitter(NamedTuple):
    """All levels of one plan. ``floor``, ``numerical_floor``: error of the unperturbed runs of the same deck against
    equation 4 and against the exact solution of the second-order loop (empty where its parameters are unknown)."""

    plan: str
    levels: tuple[Level, ...]
    floor: Summary
    numerical_floor: Summary
    reference: str


def output_jitter(rows: xr.Dataset, plan: str) -> OutputJitter:
    """Distributions of |t_measured - t_desired| / t_desired over the successful ``rows`` of ``plan``.

    t_desired is the spike time of the run of the same trial with the unperturbed stimulus (level 0; for quantization
    also more than 32 bits), and where a trial has none, equation 4 on the nominal stimulus.
    """
    level = rows["level"].values
    is_floor = (level == 0) | ((plan == "quantization") & (level > MOST_BITS))
    measured, theory = rows["spike_time_s"].values, equation_4(rows, nominal=True)
    paired = reference_by_trial(rows, is_floor)
    desired = np.where(np.isnan(paired), theory, paired)
    unpaired = int(np.sum(np.isnan(paired) & ~is_floor))
    levels = []
    for value in np.unique(level[~is_floor & np.isfinite(level)]):
        at = level == value
        errors = relative_error(measured[at], desired[at])
        label = f"{trimmed(100 * value, 3)} %" if plan == "jitter" else f"{value:g} bit"
        lost = int(np.sum(np.isfinite(measured[at]) != np.isfinite(desired[at])))
        paper = paper004.output_jitter(plan, float(value))
        levels.append(Level(float(value), label, errors, lost, Summary.of(errors), paper))
    if unpaired == 0:
        reference = "the same deck with the unperturbed stimulus of the same trial"
    elif unpaired == int(np.sum(~is_floor)):
        reference = "equation 4 on the nominal stimulus (the dataset has no unperturbed runs)"
    else:
        reference = f"the unperturbed run of the same trial, and equation 4 in {unpaired} runs whose trial has none"
    floor = Summary.of(relative_error(measured[is_floor], theory[is_floor]))
    calm = rows.isel(run=np.flatnonzero(is_floor))
    numerical = Summary.of(relative_error(calm["spike_time_s"].values, loop_solution(calm)))
    return OutputJitter(plan, tuple(levels), floor, numerical, reference)
