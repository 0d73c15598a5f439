"""Least-squares fit of the kernel to noise-free runs: tau, gain, ramp, delay and, where resolved, the second pole.

The residual is the membrane's distance from the threshold at the measured time
(:mod:`neuronsim.calibration.kernel_problem`), the loss Huber's at three robust standard deviations.

The second pole enters through kappa = 1/(r (r - 2)), in which g is all but linear:

    g = 1 - e^{-t} - kappa (e^{-t} - e^{-(r-1)t})

Apart from its short transient kappa acts like a delay of kappa tau, so the data often do not separate the two.
Then the ideal kernel is kept, and every interval is widened to what it would be at the largest kappa the data allow.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array
from ..errors import DataError
from ..neuron.event_solver import first_crossing
from ..statistics.estimate import Estimate
from .kernel_problem import KernelProblem, ratio_of, start_of
from .kernel_solution import Solution, second_pole, solve_with_errors
from .stimuli import MIN_FIRED, StimulusRows

NAMES = ("tau_s", "gain", "ramp_per_tau", "delay_s")
#: widest useful half interval: a delay or ramp known no better than this is not fitted
WIDEST = {"delay_s": 0.05, "ramp_per_tau": 0.05}


@dataclass(frozen=True, kw_only=True)
class KernelFit:
    """Point values of the kernel, with intervals; ``ratio`` is None for the ideal kernel."""

    tau: float
    gain: float
    ramp: float
    delay: float
    ratio: float | None
    estimates: dict[str, Estimate] = field(default_factory=dict)
    not_fitted: dict[str, str] = field(default_factory=dict)

    @property
    def membrane(self) -> dict[str, Any]:
        """What the membrane depends on, as :mod:`neuronsim.neuron.kernel` takes it."""
        return {"tau": self.tau, "second_pole_ratio": self.ratio, "gain": self.gain}

    def predict(self, rows: StimulusRows, *, threshold: float = 1.0, xor_limit: ArrayLike | None = None) -> Array:
        """Spike times of ``rows`` in seconds, inf where silent or later than the row's window.

        ``xor_limit``: end of the detector's linear range in unit weights (None: linear), broadcast with the rows.
        """
        ramp = self.ramp / threshold
        options = {"delay": self.delay, "threshold": threshold, "xor_limit": xor_limit, **self.membrane}
        out = first_crossing(rows.times, rows.weights, ramp=ramp, **options)
        return np.where(out <= rows.window, out, np.inf)


def fit_kernel(rows: StimulusRows, *, tau_guess: float | None, seed: int, confidence: float = 0.95) -> KernelFit:
    """Fit the kernel to the fired ``rows`` (silent ones carry no time and are judged by the held-out quality).

    Raises DataError with numbers for fewer than 20 fired rows, stimuli without spread, or a tau or gain that the data
    leave open by more than 50 %.
    """
    fired = rows[rows.fired]
    _enough(fired)
    tau0, start = start_of(fired, tau_guess)
    problem = KernelProblem(fired, tau0)
    for _ in range(3):  # least trimmed squares: Huber's loss alone does not withstand runs that are plainly wrong
        kept = np.argsort(np.abs(problem.evaluate(start)[0]))[: math.ceil(0.8 * len(fired))]
        start, _ = KernelProblem(fired[kept], tau0).solve(start, [0, 1, 2])
    how = {"seed": seed + 1, "confidence": confidence}
    core, free, dropped, not_fitted = _core(problem, start, **how)
    best, ratio, bound = second_pole(problem, core, free, **how)
    alternatives = dropped
    if ratio is None:
        not_fitted["kernel.second_pole_ratio"] = "not resolved: the runs agree with the ideal kernel"
        if bound > 0:
            not_fitted["kernel.second_pole_ratio"] += f" and with any ratio above {ratio_of(bound):.3g}"
            start = core.x.copy()
            start[4] = bound
            x, _ = problem.solve(start, free)
            alternatives = [Solution(x, core.half, core.error), *dropped]
    estimates = {name: _estimate(i, best, alternatives, tau0) for i, name in enumerate(NAMES)}
    if ratio is not None:
        estimates["second_pole_ratio"] = ratio
    tau, gain, ramp, delay = (estimates[name].value for name in NAMES)
    r = None if ratio is None else ratio.value
    return KernelFit(tau=tau, gain=gain, ramp=ramp, delay=delay, ratio=r, estimates=estimates, not_fitted=not_fitted)


def _enough(fired: StimulusRows) -> None:
    if len(fired) < MIN_FIRED * 0.5:
        raise DataError(
            f"only {len(fired)} fired runs are left for the fit of the kernel: plan 'transfer' needs at least {MIN_FIRED} in "
            "all; run it with more trials, larger weights or a longer window"
        )
    if np.ptp(fired.out) <= 1e-6 * np.abs(fired.out).max():
        raise DataError(
            f"all {len(fired)} fired runs have the same spike time ({fired.out[0]:.4g} s): the stimulus has no spread, so "
            "neither tau nor gain can be fitted; vary input times and weights (plan 'transfer')"
        )


def _core(
    problem: KernelProblem, start: Array, *, seed: int, confidence: float
) -> tuple[Solution, list[int], list[Solution], dict[str, str]]:
    """(Solution without a second pole, its free entries, the solutions with a delay or ramp that is not resolved, why)."""
    free, dropped, not_fitted = [0, 1, 2, 3], [], {}
    core = solve_with_errors(problem, start, free, seed, confidence)
    while True:
        index = {name: NAMES.index(name) for name in WIDEST}
        excess = {name: core.half[i] / WIDEST[name] for name, i in index.items() if i in free}
        worst = max(excess, key=lambda name: excess[name], default=None)
        if worst is None or excess[worst] <= 1.0:
            break
        at, unit = index[worst], "tau" if worst == "delay_s" else "thresholds per tau"
        not_fitted[f"kernel.{worst}"] = (
            f"kept at 0: its interval is +-{core.half[at]:.2g} {unit}, wider than +-{WIDEST[worst]:g}; tau and gain assume "
            "0. More trials or a wider spread of spike times would resolve it"
        )
        dropped.append(core)
        free = [i for i in free if i != at]
        start = core.x.copy()
        start[at] = 0.0
        core = solve_with_errors(problem, start, free, seed, confidence)
    for i in (0, 1):
        relative = core.half[i] / (1.0 if i == 0 else abs(core.x[1]))
        if not relative <= 0.5:
            raise DataError(
                f"{NAMES[i]} cannot be fitted: {len(problem.rows)} fired runs leave it open by +-{100 * relative:.3g} %; "
                "vary input times over several tau and use different weights (plan 'transfer')"
            )
    return core, free, dropped, not_fitted


def _estimate(i: int, best: Solution, alternatives: list[Solution], tau0: float) -> Estimate:
    """Entry ``i`` of x in its own unit; its interval reaches over those of the ``alternatives``, too."""
    solutions = [best, *(other for other in alternatives if np.isfinite(other.half[i]))]
    low, high = min(s.x[i] - s.half[i] for s in solutions), max(s.x[i] + s.half[i] for s in solutions)
    if NAMES[i] == "tau_s":
        return Estimate(value=tau0 * math.exp(best.x[i]), low=tau0 * math.exp(low), high=tau0 * math.exp(high))
    scale = tau0 if NAMES[i] == "delay_s" else 1.0
    return Estimate(value=best.x[i] * scale, low=low * scale, high=high * scale)
