"""Plan 'transfer': spike times and silence of random stimuli against equation 4."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..arrays import Array
from ..statistics.summary import Summary
from .expected_spikes import equation_4, loop_solution, relative_error, tau_s


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
