"""Do the data show the loop's second pole? It enters the kernel through kappa = 1/(r (r - 2))."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from ..errors import DataError
from ..statistics.bootstrap import RESOLUTION
from ..statistics.estimate import Estimate
from .kernel_problem import KAPPA_MAX, KernelProblem, ratio_of
from .kernel_solution import Solution, solve_with_errors


@dataclass(frozen=True)
class SecondPole:
    """``ratio`` with the ``solution`` that has it; where it is not resolved, ``bound``: the largest kappa the data allow."""

    solution: Solution
    ratio: Estimate | None
    bound: float


def second_pole(problem: KernelProblem, core: Solution, free: list[int], *, seed: int, confidence: float) -> SecondPole:
    """Fit kappa beside the ``free`` parameters of ``core``. Raises DataError for a ratio below 4."""
    wide = solve_with_errors(problem, _start(problem, core.x, free), [*free, 4], seed, confidence)
    kappa, error = wide.x[4], wide.error[4]
    low, high = kappa - wide.half[4], kappa + wide.half[4]
    if low > KAPPA_MAX:
        raise DataError(
            f"the runs ask for a second pole ratio of {ratio_of(kappa):.3g}, below 4: this is not the kernel of a "
            "pole-calibrated loop"
        )
    # Four standard errors: less, and selecting "resolved" results would itself bias the ratio.
    if not (np.isfinite(error) and kappa > 4.0 * max(error, RESOLUTION) and kappa <= KAPPA_MAX):
        bound = float(np.clip(high, 0.0, KAPPA_MAX)) if np.isfinite(high) else KAPPA_MAX
        return SecondPole(core, None, bound)
    ratio = ratio_of(kappa)
    lowest, highest = min(ratio_of(high), ratio), max(ratio_of(max(low, RESOLUTION)), ratio)
    return SecondPole(wide, Estimate(value=ratio, low=lowest, high=highest), 0.0)


def _start(problem: KernelProblem, x: Array, free: list[int]) -> Array:
    """Where to start with kappa: few runs have an input within the transient, and a local search can miss what they say."""
    best, at_best = math.inf, x
    for kappa in np.geomspace(1e-7, KAPPA_MAX, 40):
        at = x.copy()
        at[4] = kappa
        residual, jacobian = problem.evaluate(at)
        shift = np.linalg.lstsq(jacobian[:, free], residual)[0]
        cost = float(np.abs(residual - jacobian[:, free] @ shift).sum())
        if cost < best:
            best, at_best = cost, at
            at_best[free] -= shift
    return at_best
