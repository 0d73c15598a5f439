"""The membrane of the second-order loop at given times: its potential and its slope.

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
