"""Spike times against the law that predicts them: random stimuli (plan 'transfer'), and plans 'saturation' and 'ramp'."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..arrays import Array
from ..statistics.summary import Summary
from .expected_spikes import equation_4, loop_solution, reference_by_trial, relative_error, row_parameter, tau_s


class Transfer(NamedTuple):
    """``measured_tau``, ``theory_tau`` (n,): spike times in tau of the runs in which both fire; ``errors``: |relative error|
    against each reference by its name; ``agreement``: runs by what equation 4 says (rows: spike, silent) and by what the circuit
    does (columns: the same)."""

    measured_tau: Array
    theory_tau: Array
    errors: dict[str, Summary]
    agreement: NDArray[np.int64]

    @property
    def share(self) -> float:
        """Fraction of the runs in which circuit and equation 4 agree."""
        return float(self.agreement.trace() / self.agreement.sum())


def transfer(rows: xr.Dataset) -> Transfer | None:
    """Compare the valid ``rows`` of the plan with equation 4 and the exact loop; None where the netlist has no tau."""
    tau = tau_s(rows)
    if tau is None:
        return None
    measured, theory = rows["spike_time_s"].values, equation_4(rows)
    fired, due = np.isfinite(measured), np.isfinite(theory)
    both = fired & due
    against = {"equation 4 (ideal loop)": theory, "second-order loop, exact": loop_solution(rows)}
    errors = {name: relative_error(measured, times) for name, times in against.items()}
    return Transfer(
        measured_tau=(measured / tau)[both],
        theory_tau=(theory / tau)[both],
        errors={name: Summary.of(error) for name, error in errors.items() if error.size},
        agreement=np.array([[(a & b).sum() for a in (fired, ~fired)] for b in (due, ~due)]),
    )


class Shift(NamedTuple):
    """Runs (n,) in which circuit and reference fire: swept level, t / t_reference - 1 of the circuit and of the law (NaN where
    that is unknown)."""

    level: Array
    measured: Array
    law: Array


class SweepLevel(NamedTuple):
    """Runs at one level of a sweep: their errors or shifts against the reference; ``lost``: in how many only one of both fires;
    ``against_law``: median |relative error| against the law, NaN unknown."""

    level: float
    shift: Summary
    lost: int
    against_law: float


def saturation(rows: xr.Dataset) -> tuple[Shift, list[SweepLevel]]:
    """Shift against equation 4 over the peak phase error in unit weights, run by run, and |relative error| by level.

    The law is the exact loop with the folding detector.
    """
    measured, theory, level = rows["spike_time_s"].values, equation_4(rows), rows["level"].values
    folded = loop_solution(rows, saturated=True)
    levels = []
    for at in np.unique(level[np.isfinite(level)]):
        here = level == at
        lost = int(np.sum(np.isfinite(measured[here]) != np.isfinite(theory[here])))
        error = Summary.of(relative_error(measured[here], theory[here]))
        levels.append(SweepLevel(float(at), error, lost, _median(relative_error(measured[here], folded[here]))))
    return _shift(level, measured, theory, folded), levels


def detector_range(rows: xr.Dataset) -> tuple[float, float] | None:
    """Linear range of the detector in unit weights, xor_range / kphi, and the phase kphi of one in rad; None without them."""
    step, span = row_parameter(rows, "kphi"), row_parameter(rows, "xor_range")
    return None if step is None or span is None else (float(span[0] / step[0]), float(step[0]))


def ramp(rows: xr.Dataset) -> tuple[Shift, list[SweepLevel]]:
    """Shift against the run of the same trial without ramp (equation 4 where it has none), run by run and by ramp.

    Ramps in thresholds per tau. The law is the crossing of the ideal loop by Lambert's W.
    """
    measured, level = rows["spike_time_s"].values, rows["level"].values
    flat = reference_by_trial(rows, level == 0)
    reference = np.where(np.isnan(flat), equation_4(rows), flat)
    theory = loop_solution(rows, ramp=level, ideal=True)
    shift = _shift(level, measured, reference, theory)
    levels = []
    for at in np.unique(shift.level[np.isfinite(shift.level)]):
        here = level == at
        both = here & np.isfinite(reference)
        lost = int(np.sum(np.isfinite(measured[here]) != np.isfinite(reference[here])))
        against = _median(relative_error(measured[both], theory[both]))
        levels.append(SweepLevel(float(at), Summary.of(shift.measured[shift.level == at]), lost, against))
    return shift, levels


def _shift(level: Array, measured: Array, reference: Array, law: Array) -> Shift:
    both = np.isfinite(measured) & np.isfinite(reference)
    known = np.where(np.isfinite(law[both]), law[both], np.nan)
    return Shift(level[both], *((t - reference[both]) / reference[both] for t in (measured[both], known)))


def _median(error: Array) -> float:
    return float(np.median(error)) if error.size else float("nan")
