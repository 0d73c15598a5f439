"""The membrane of the second-order loop at given times: its potential, its slope, and what a crossing depends on.

v(t) = gain sum_{i: t_i < t} w_i g((t - t_i)/tau)           g: see neuronsim.neuron.kernel; r = second_pole_ratio
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array
from . import array_checks
from .kernel import coefficients, kernel, kernel_slope


class Membrane:
    """The membrane at the times ``at``, which broadcast with the batch shape (...) of ``times`` and ``weights`` (..., n).

    Parameters as in :func:`neuronsim.neuron.event_solver.first_crossing`, without its delay. For a waveform of one neuron
    give ``times`` and ``weights`` of shape (n,) and ``at`` of shape (m,). Raises InputError for NaN, shapes that do not
    broadcast, tau <= 0 or r <= 2.
    """

    def __init__(
        self,
        times: ArrayLike,
        weights: ArrayLike,
        at: ArrayLike,
        *,
        tau: ArrayLike = 1.0,
        second_pole_ratio: ArrayLike | None = None,
        ramp: ArrayLike = 0.0,
        gain: ArrayLike = 1.0,
        threshold: ArrayLike = 1.0,
    ) -> None:
        t, self._w = array_checks.spikes(times, weights)
        self._at = np.asarray(at, dtype=np.float64)
        self._tau, self._gain = array_checks.positive("tau", tau, "time constant"), np.asarray(gain)
        self._rise = np.asarray(threshold) * np.asarray(ramp)
        self._ratio = coefficients(second_pole_ratio)[0][..., None]
        with np.errstate(invalid="ignore"):
            age = (self._at[..., None] - t) / self._tau[..., None]
        self._age = np.where(np.isnan(age), -np.inf, age)  # inf - inf: a silent input never acts

    @property
    def v(self) -> Array:
        """Potential (...), without the ramp."""
        return self._gain * (self._w * kernel(self._age, self._ratio)).sum(axis=-1)

    @property
    def slope(self) -> Array:
        """Slope (...) of v *relative to the threshold*, dv/dt - threshold ramp/tau, in thresholds per unit of time.

        This is the v' that turns noise in v into noise in time (sigma_t = sigma_v / v').
        """
        rise = self._gain * (self._w * kernel_slope(self._age, self._ratio)).sum(axis=-1)
        return (rise - self._rise) / self._tau

    def sensitivity(self) -> tuple[Array, Array]:
        """(dt_out/dt_i, dt_out/dw_i), shape (..., n), where ``at`` are crossings (spike times less the delay).

        dt_out/dt_i = gain w_i g'(t_out - t_i) / v',  dt_out/dw_i = -gain g(t_out - t_i) / v';  zero for inputs after the
        crossing and for silent rows.
        """
        gain, tau, rate = self._gain[..., None], self._tau[..., None], self.slope[..., None]
        causal = (self._age > 0) & np.isfinite(self._at)[..., None]
        with np.errstate(divide="ignore", invalid="ignore"):
            by_time = np.where(causal, gain * self._w * kernel_slope(self._age, self._ratio) / tau / rate, 0.0)
            by_weight = np.where(causal, -gain * kernel(self._age, self._ratio) / rate, 0.0)
        return by_time, by_weight
