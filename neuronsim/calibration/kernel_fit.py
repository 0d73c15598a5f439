"""Least-squares fit of the kernel to noise-free runs: tau, gain, ramp, delay and, where resolved, the second pole.

The residual is the membrane's distance from the threshold at the measured time
(:mod:`neuronsim.calibration.kernel_problem`), the loss
Huber's at three robust standard deviations.

The second pole enters through kappa = 1/(r (r - 2)), in which g is all but linear:

    g = 1 - e^{-t} - kappa (e^{-t} - e^{-(r-1)t})

Apart from its short transient kappa acts like a delay of kappa tau, so the data often cannot tell the two apart.
Then the ideal kernel is kept, and every interval is widened to what it would be at the largest kappa the data allow.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..neuron.event_solver import first_crossing
from ..statistics.bootstrap import RESOLUTION, half_width, newton_replicates, spread
from ..statistics.estimate import Estimate
from .kernel_problem import KAPPA_MAX, KernelProblem, ratio_of, start_of
from .stimuli import StimulusRows

NAMES = ("tau_s", "gain", "ramp_per_tau", "delay_s", "kappa")
#: widest useful half interval: a delay or ramp known no better than this is not fitted
WIDEST = {"delay_s": 0.05, "ramp_per_tau": 0.05}
MIN_FIRED = 20


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
    n_fit: int = 0

    def predict(self, rows: StimulusRows, *, threshold: float | NDArray = 1.0) -> NDArray[np.float64]:
        """Spike times of ``rows`` in seconds, inf where silent or later than the row's window."""
        out = first_crossing(
            rows.times,
            rows.weights,
            tau=self.tau,
            second_pole_ratio=self.ratio,
            ramp=self.ramp / np.asarray(threshold),
            gain=self.gain,
            delay=self.delay,
            threshold=threshold,
        )
        return np.where(out <= rows.window, out, np.inf)


@dataclass(frozen=True)
class _Solution:
    x: NDArray[np.float64]
    half: NDArray[np.float64]  # half widths, inf where not resolved, 0 where not free
    error: NDArray[np.float64]  # standard errors, likewise


def _fit(
    problem: KernelProblem, start: NDArray[np.float64], free: list[int], seed: int, confidence: float
) -> _Solution:
    x, limit = problem.solve(start, free)
    for _ in range(10):
        residual, jacobian = problem.evaluate(x)
        measured = jacobian[:, free]
        # The measured time is in the regressors too, so its error biases plain least squares, and can even make a singular
        # design look well posed. The Jacobian at the *predicted* time is free of it and serves as the instrument.
        predicted = problem.predicted(x)
        there = np.isfinite(predicted)
        instrument = problem.evaluate(x, np.where(there, predicted, problem.rows.out))[1][:, free] * there[:, None]
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
    # pole, is smaller than the error there.
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
    return _Solution(x, half, error)


def _interval(name: str, x: float, low: float, high: float, tau0: float) -> tuple[float, float, float]:
    if name == "tau_s":
        return tau0 * math.exp(x), tau0 * math.exp(low), tau0 * math.exp(high)
    scale = tau0 if name == "delay_s" else 1.0
    return x * scale, low * scale, high * scale


def fit_kernel(rows: StimulusRows, *, tau_guess: float | None, seed: int, confidence: float = 0.95) -> KernelFit:
    """Fit the kernel to the fired ``rows`` (silent ones carry no time and are judged by the held-out quality).

    Raises DataError with numbers for fewer than 20 fired rows, stimuli without spread, or a tau or gain that the data
    leave open by more than 50 %.
    """
    fired = rows[rows.fired]
    if len(fired) < MIN_FIRED * 0.5:
        raise DataError(
            f"only {len(fired)} fired runs are left for the fit of the kernel: plan 'transfer' needs at least "
            f"{MIN_FIRED} in "
            "all; run it with more trials, larger weights or a longer window"
        )
    if np.ptp(fired.out) <= 1e-6 * np.abs(fired.out).max():
        raise DataError(
            f"all {len(fired)} fired runs have the same spike time ({fired.out[0]:.4g} s): the stimulus has no "
            "spread, so "
            "neither tau nor gain can be fitted; vary input times and weights (plan 'transfer')"
        )
    tau0, start = start_of(fired, tau_guess)
    problem = KernelProblem(fired, tau0)
    seed_of_bootstrap = seed + 1
    not_fitted: dict[str, str] = {}
    free = [0, 1, 2, 3]
    dropped: list[tuple[str, _Solution]] = []
    for _ in range(3):  # least trimmed squares: Huber's loss alone holds no ground against runs that are plainly wrong
        kept = np.argsort(np.abs(problem.evaluate(start)[0]))[: math.ceil(0.8 * len(fired))]
        start, _ = KernelProblem(fired[kept], tau0).solve(start, [0, 1, 2])
    core = _fit(problem, start, free, seed_of_bootstrap, confidence)
    while True:
        excess = {
            name: core.half[NAMES.index(name)] / limit for name, limit in WIDEST.items() if NAMES.index(name) in free
        }
        worst = max(excess, key=lambda name: excess[name], default=None)
        if worst is None or excess[worst] <= 1.0:
            break
        unit = "tau" if worst == "delay_s" else "thresholds per tau"
        not_fitted[f"kernel.{worst}"] = (
            f"kept at 0: its interval is +-{core.half[NAMES.index(worst)]:.2g} {unit}, wider than "
            f"+-{WIDEST[worst]:g}; tau and gain assume "
            "0. More trials or a wider spread of spike times would resolve it"
        )
        dropped.append((worst, core))
        free = [i for i in free if i != NAMES.index(worst)]
        start = core.x.copy()
        start[NAMES.index(worst)] = 0.0
        core = _fit(problem, start, free, seed_of_bootstrap, confidence)
    for i in (0, 1):
        relative = core.half[i] / (1.0 if i == 0 else abs(core.x[1]))
        if not relative <= 0.5:
            raise DataError(
                f"{NAMES[i]} cannot be fitted: {len(fired)} fired runs leave it open by +-{100 * relative:.3g} %; "
                "vary input times over "
                "several tau and use different weights (plan 'transfer')"
            )
    return _with_second_pole(problem, core, free, dropped, not_fitted, seed_of_bootstrap, confidence)


def _near_second_pole(problem: KernelProblem, x: NDArray[np.float64], free: list[int]) -> NDArray[np.float64]:
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


def _with_second_pole(
    problem: KernelProblem,
    core: _Solution,
    free: list[int],
    dropped: list[tuple[str, _Solution]],
    not_fitted: dict[str, str],
    seed: int,
    confidence: float,
) -> KernelFit:
    """Decide on the second pole, and assemble values and intervals."""
    best, alternatives, ratio = core, [], None
    start = _near_second_pole(problem, core.x, free)
    wide = _fit(problem, start, [*free, 4], seed, confidence)
    low, high = wide.x[4] - wide.half[4], wide.x[4] + wide.half[4]
    if low > KAPPA_MAX:
        raise DataError(
            f"the runs ask for a second pole ratio of {ratio_of(wide.x[4]):.3g}, below 4: this is not the kernel "
            "of a pole-calibrated loop"
        )
    # Four standard errors: less, and selecting "resolved" results would itself bias the ratio.
    resolved = (
        np.isfinite(wide.error[4]) and wide.x[4] > 4.0 * max(wide.error[4], RESOLUTION) and wide.x[4] <= KAPPA_MAX
    )
    if resolved:
        best, ratio = wide, ratio_of(wide.x[4])
    else:
        bound = float(np.clip(high, 0.0, KAPPA_MAX)) if np.isfinite(high) else KAPPA_MAX
        not_fitted["kernel.second_pole_ratio"] = "not resolved: the runs agree with the ideal kernel" + (
            f" and with any ratio above {ratio_of(bound):.3g}" if bound > 0 else ""
        )
        if bound > 0:
            start = core.x.copy()
            start[4] = bound
            x, _ = problem.solve(start, free)
            alternatives.append(_Solution(x, core.half, core.error))
    alternatives += [solution for _, solution in dropped]

    estimates: dict[str, Estimate] = {}
    for i, name in enumerate(NAMES[:4]):
        lows, highs = [best.x[i] - best.half[i]], [best.x[i] + best.half[i]]
        for other in alternatives:
            if np.isfinite(other.half[i]):
                lows.append(other.x[i] - other.half[i])
                highs.append(other.x[i] + other.half[i])
        value, lowest, highest = _interval(name, best.x[i], min(lows), max(highs), problem.tau0)
        estimates[name] = Estimate(value=value, low=lowest, high=highest)
    if ratio is not None:
        kappa_low, kappa_high = max(low, RESOLUTION), high
        estimates["second_pole_ratio"] = Estimate(
            value=ratio, low=min(ratio_of(kappa_high), ratio), high=max(ratio_of(kappa_low), ratio)
        )
    return KernelFit(
        tau=estimates["tau_s"].value,
        gain=best.x[1],
        ramp=best.x[2],
        delay=estimates["delay_s"].value,
        ratio=ratio,
        estimates=estimates,
        not_fitted=not_fitted,
        n_fit=len(problem.rows),
    )
