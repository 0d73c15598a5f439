"""What noisy repeats of a stimulus show at the comparator.

Each trial has a noise-free reference that fires at t_0. A noisy repeat that fires at t shows the deviation

    n = v(t) - v(t_0) - ramp (t - t_0)/tau        (v' (t - t_0) to first order)

with v the calibrated membrane: working in v keeps runs in which the membrane grazes the threshold from dominating. A repeat
that stays silent says that n was larger than c, all that the membrane rises above the threshold within the window. An output
that is sampled every ``resolution`` adds s = (v' resolution)^2/6 to n^2: the error of t and of t_0.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from ..arrays import Array, Mask
from ..neuron.kernel import Membrane
from .kernel_fit import KernelFit
from .stimuli import Rows, StimulusRows

#: a spike is due when it comes even with the threshold raised by this many sigma, within the window
MARGIN = 5.0


@dataclass(frozen=True, kw_only=True)
class NoisyRuns(Rows):
    """Noisy repeats whose stimulus fires without noise, all (runs,).

    ``late``: t_0/tau; ``n`` (NaN where silent), ``c``, ``sampled`` (s) as in the module's equations, in thresholds.
    """

    rows: StimulusRows
    late: Array
    n: Array
    c: Array
    sampled: Array

    @property
    def trials(self) -> int:
        """Number of different stimuli."""
        return np.unique(self.rows.trial).size

    def due(self, kernel: KernelFit, sigma: float) -> Mask:
        """Runs that would fire in the window even with the threshold raised by 5 ``sigma``."""
        return np.isfinite(kernel.predict(self.rows, threshold=1.0 + MARGIN * sigma))

    def squares(self, variance: Array | float) -> Array:
        """n^2; of a silent run its expectation given n > c for a Gaussian of ``variance``."""
        sigma = np.sqrt(np.maximum(variance, 1e-300))
        x = self.c / sigma
        # E[n^2 | n > c] = s^2 (1 + x phi(x)/Q(x)), Q the upper tail
        expected = sigma**2 * (1.0 + x * np.exp(norm.logpdf(x) - norm.logsf(x)))
        return np.where(np.isfinite(self.n), self.n**2, expected)


def noisy_runs(rows: StimulusRows, kernel: KernelFit, resolution_s: float) -> NoisyRuns:
    """The noisy of ``rows`` with what they show against the noise-free run of the same trial and chip."""
    rows, reference = _with_references(rows)
    start = reference - kernel.delay
    steepness = Membrane(rows.times, rows.weights, start, ramp=kernel.ramp, **kernel.membrane).slope
    return NoisyRuns(
        rows=rows,
        late=start / kernel.tau,
        n=_deviations(rows, start, kernel),
        c=_highest(rows, start, kernel),
        sampled=(steepness * resolution_s) ** 2 / 6.0,
    )


def _with_references(rows: StimulusRows) -> tuple[StimulusRows, Array]:
    """The noisy rows whose trial and chip fire without noise, and when."""
    quiet, noisy = rows[rows.noise_seed == -1], rows[rows.noise_seed >= 0]

    def key(part: StimulusRows) -> list[tuple[int, int]]:
        return list(zip(part.trial.tolist(), part.chip.tolist(), strict=True))

    time_of = dict(zip(key(quiet), quiet.out, strict=True))
    reference = np.array([time_of.get(at, np.nan) for at in key(noisy)], dtype=np.float64)
    known = np.isfinite(reference)
    return noisy[known], reference[known]


def _above(times: Array, weights: Array, at: Array, kernel: KernelFit) -> Array:
    """v - ramp t/tau at ``at``, which broadcasts against all but the last axis of ``times`` and ``weights``."""
    return Membrane(times, weights, at, **kernel.membrane).v - kernel.ramp * at / kernel.tau


def _deviations(rows: StimulusRows, start: Array, kernel: KernelFit) -> Array:
    n, part = np.full(len(rows), np.nan), rows[rows.fired]
    spike, quiet = (_above(part.times, part.weights, at, kernel) for at in (part.out - kernel.delay, start[rows.fired]))
    n[rows.fired] = spike - quiet
    return n


def _highest(rows: StimulusRows, start: Array, kernel: KernelFit) -> Array:
    """The highest that each membrane, without noise, rises above the threshold from ``start`` on; at least 0."""
    at = start[:, None] + np.linspace(0, 1, 65) * np.maximum(rows.window - kernel.delay - start, 0.0)[:, None]
    above = _above(rows.times[:, None, :], rows.weights[:, None, :], at, kernel)
    return (above - above[:, :1]).max(axis=1)
