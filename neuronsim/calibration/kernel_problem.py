"""The least-squares problem of the kernel: residual, Jacobian, robust solution and starting point.

    e = gain sum_i w_i g((t - delay - t_i)/tau) - 1 - ramp (t - delay)/tau,   t the measured spike time, e in thresholds

over x = (ln tau/tau0, gain, ramp, delay/tau0, kappa), kappa = 1/(r (r - 2)). It needs no root finding, is smooth in every
parameter, and stays small where the membrane only grazes the threshold and a tiny error in v moves the spike by a lot.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from ..arrays import Array
from ..errors import DataError
from ..neuron.event_solver import first_crossing
from ..statistics.bootstrap import RESOLUTION
from .stimuli import StimulusRows

#: second pole ratio 4, below which a card is not valid
KAPPA_MAX = 0.125
#: limits of (ln tau/tau0, gain, ramp, delay/tau0, kappa): without them noise could stretch the kernel into a straight line
_LOWEST = np.array([-5.0, 1e-3, -1.0, -5.0, -0.5])
_HIGHEST = np.array([5.0, 1e3, 10.0, 5.0, 0.5])


def ratio_of(kappa: float) -> float:
    """r from kappa = 1/(r (r - 2))."""
    return 1.0 + math.sqrt(1.0 + 1.0 / kappa)


@dataclass(frozen=True)
class KernelProblem:
    """Residual and Jacobian over x = (ln tau/tau0, gain, ramp, delay/tau0, kappa), of which ``free`` are fitted."""

    rows: StimulusRows
    tau0: float

    def evaluate(self, x: Array, out: Array | None = None) -> tuple[Array, Array]:
        """Residual and Jacobian at the measured times, or at the times ``out``."""
        tau, gain, ramp, kappa = self.tau0 * math.exp(x[0]), x[1], x[2], x[4]
        t = (self.rows.out if out is None else out) - x[3] * self.tau0
        age = (t[:, None] - self.rows.times) / tau
        on = age > 0
        age = np.where(on, age, 0.0)
        slow = np.exp(-age)
        # For kappa <= 0 (no such loop, but the fit needs both sides of 0 to be unbiased) the transient is left out.
        fast_rate = math.sqrt(1.0 + 1.0 / kappa) if kappa > 0 else 0.0
        fast = np.exp(-fast_rate * age) if kappa > 0 else np.zeros_like(age)
        w = np.where(on, self.rows.weights, 0.0)
        g = -np.expm1(-age) - kappa * (slow - fast)
        dg = slow * (1.0 + kappa) - kappa * fast_rate * fast
        by_kappa = -(slow - fast) + (age * fast / (2.0 * kappa * fast_rate) if kappa > 0 else 0.0)
        v, current = (w * g).sum(axis=1), gain * (w * dg).sum(axis=1)
        late = t / tau
        residual = gain * v - 1.0 - ramp * late
        jacobian = np.stack(
            [
                -gain * (w * dg * age).sum(axis=1) + ramp * late,
                v,
                -late,
                -(current - ramp) * self.tau0 / tau,
                gain * (w * by_kappa).sum(axis=1),
            ],
            axis=1,
        )
        return residual, jacobian

    def predicted(self, x: Array) -> Array:
        """Spike times by the model, inf where it is silent."""
        return first_crossing(
            self.rows.times,
            self.rows.weights,
            tau=self.tau0 * math.exp(x[0]),
            second_pole_ratio=ratio_of(x[4]) if x[4] > 0 else None,
            ramp=x[2],
            gain=x[1],
            delay=x[3] * self.tau0,
        )

    def solve(self, start: Array, free: list[int]) -> tuple[Array, float]:
        """Robust least squares over the ``free`` entries; returns x and the Huber limit."""

        def full(z: Array) -> Array:
            x = start.copy()
            x[free] = z
            return x

        def residual(z: Array) -> Array:
            return self.evaluate(full(z))[0]

        def jacobian(z: Array) -> Any:
            return self.evaluate(full(z))[1][:, free]

        z = start[free]
        # The scale only ever shrinks: growing with a bad fit it would let outliers pull the solution away. Where the
        # second pole is fitted it starts wide: the few runs that show it look like outliers at first.
        limit = _huber_limit(residual(z))
        if 4 in free:
            limit = max(limit, 2.0 * float(np.quantile(np.abs(residual(z)), 0.9)))
        bounds = _LOWEST[free], _HIGHEST[free]
        z = np.clip(z, bounds[0] + 1e-6, bounds[1] - 1e-6)
        for _ in range(12):
            fit = least_squares(
                residual,
                z,
                jac=jacobian,  # pyright: ignore[reportArgumentType]
                bounds=bounds,
                x_scale="jac",
                loss="huber",
                f_scale=limit,
                xtol=1e-13,
                ftol=1e-13,
                gtol=1e-13,
            )
            z, previous = fit.x, limit
            limit = min(_huber_limit(residual(z)), limit)
            if limit > 0.95 * previous:
                break
        return full(z), limit


def _huber_limit(residual: Array) -> float:
    return max(3.0 * 1.4826 * float(np.median(np.abs(residual - np.median(residual)))), 10 * RESOLUTION)


def start_of(rows: StimulusRows, guess: float | None) -> tuple[float, Array]:
    """tau0 and a starting x: the best of a grid over tau and delay, gain and ramp by linear least squares."""
    span = float(np.median(rows.out - np.where(np.isfinite(rows.times), rows.times, np.inf).min(axis=1)))
    taus = list(span * np.geomspace(0.03, 30, 17))
    if guess is not None and guess > 0:
        taus.append(guess)
    best = (math.inf, 1.0, np.zeros(5))
    for tau in taus:
        for delay in (0.0, 0.2, 1.0):
            late = (rows.out - delay * tau) / tau
            age = np.maximum(late[:, None] - rows.times / tau, 0.0)
            design = np.stack([(rows.weights * -np.expm1(-age)).sum(axis=1), -late], axis=1)
            kept = np.arange(late.size)
            for _ in range(3):  # the fifth of the runs that fits worst does not decide where to start
                (gain, ramp), *_ = np.linalg.lstsq(design[kept], np.ones(kept.size), rcond=None)
                misfit = np.abs(design @ (gain, ramp) - 1.0)
                kept = np.argsort(misfit)[: math.ceil(0.8 * late.size)]
            cost = float(misfit[kept].mean())
            if cost < best[0] and gain > 0:
                best = (cost, tau, np.array([0.0, gain, ramp, delay, 0.0]))
    if not math.isfinite(best[0]):
        raise DataError("no time constant makes the input weights raise the membrane: are the weights' signs inverted?")
    return best[1], best[2]
