"""The kernel's parameters with intervals that hold, by an instrumental estimate and the bootstrap; does it have a second pole?"""

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import Array
from ..errors import DataError
from ..statistics.bootstrap import RESOLUTION, half_width, newton_replicates, spread
from ..statistics.estimate import Estimate
from .kernel_problem import KAPPA_MAX, KernelProblem, ratio_of


@dataclass(frozen=True)
class Solution:
    """x = (ln tau/tau0, gain, ramp, delay/tau0, kappa); ``error``, ``half``: standard errors and half widths of the intervals,
    inf where not resolved, 0 where not free."""

    x: Array
    half: Array
    error: Array


def solve_with_errors(problem: KernelProblem, start: Array, free: list[int], seed: int, confidence: float) -> Solution:
    """Fit of the ``free`` entries of x from ``start``, with intervals; ``seed`` draws the bootstrap."""
    x, limit = problem.solve(start, free)
    for _ in range(10):
        residual, jacobian = problem.evaluate(x)
        measured = jacobian[:, free]
        # The measured time is in the regressors too, so its error biases plain least squares, and can even make a singular
        # design look well posed. The Jacobian at the *predicted* time is free of it and serves as the instrument.
        predicted = problem.predicted(x)
        fires = np.isfinite(predicted)
        instrument = problem.evaluate(x, np.where(fires, predicted, problem.rows.out))[1][:, free] * fires[:, None]
        inside = (np.abs(residual) <= limit).astype(np.float64)
        matrix = instrument.T @ (inside[:, None] * measured)
        score = instrument.T @ np.clip(residual, -limit, limit)
        unit = np.maximum(np.linalg.norm(instrument, axis=0), 1e-300)
        if not np.linalg.cond(matrix / np.outer(unit, unit)) < 1e10:
            break
        step = -np.linalg.solve(matrix, score)
        if np.abs(step).max() > 0.5:
            break
        x = x.copy()
        x[free] += step
        if np.all(np.abs(step) <= 1e-12):
            break
    # Leverage correction (HC3): a residual at a run that pulls the fit towards itself, such as the few that show the second
    # pole, is smaller than the run's error.
    influence = inside[:, None] * instrument @ np.linalg.pinv(matrix).T
    leverage = (influence * measured).sum(axis=1)
    # Few runs decide on the second pole: degrees of freedom as Bell and McCaffrey (2002) for independent errors.
    share = influence**2 / np.maximum((influence**2).sum(axis=0), 1e-300)
    freedom = np.minimum(1.0 / np.maximum((share**2).sum(axis=0), 1e-300), residual.size - len(free))
    psi = np.clip(residual, -limit, limit) / np.clip(1.0 - leverage, 0.1, 1.0)
    information = inside[:, None, None] * instrument[:, :, None] * measured[:, None, :]
    score = -psi[:, None] * instrument
    replicates = newton_replicates(information, score, np.random.default_rng(seed))
    error, half = np.zeros(5), np.zeros(5)
    error[free] = spread(replicates)
    half[free] = [half_width(e, n, confidence) for e, n in zip(error[free], freedom, strict=True)]
    return Solution(x, half, error)


def second_pole(
    problem: KernelProblem, core: Solution, free: list[int], *, seed: int, confidence: float
) -> tuple[Solution, Estimate | None, float]:
    """Fit kappa beside the ``free`` parameters of ``core``: (solution with the second pole, its ratio, 0), or where it is not
    resolved (``core``, None, the largest kappa the data allow). Raises DataError for a ratio below 4."""
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
        return core, None, bound
    ratio = ratio_of(kappa)
    lowest, highest = min(ratio_of(high), ratio), max(ratio_of(max(low, RESOLUTION)), ratio)
    return wide, Estimate(value=ratio, low=lowest, high=highest), 0.0


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
