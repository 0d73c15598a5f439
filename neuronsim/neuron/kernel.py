"""The integrated synaptic kernel g of the phase-domain n-LIF neuron, in units of tau, and the membrane that it makes.

    g(t) = 1 - p e^{-t} + q e^{-(r-1) t},   p = (r-1)^2 / (r (r-2)),   q = p - 1 = 1 / (r (r-2)),   t > 0, else 0

r = w_lf tau is the ratio of the loop filter's corner to the dominant pole; r -> inf (None) gives the ideal kernel
1 - e^{-t} (paper 004, equation 3, normalized to g(inf) = 1). It is the same g as in
:mod:`neuronsim.artifacts.ttfs_card`, multiplied out; the second pole changes it only by q, about 1/r^2, which is why r = 200
is as good as ideal.
"""

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array
from ..errors import InputError
from . import array_checks


def coefficients(second_pole_ratio: ArrayLike | None) -> tuple[Array, Array, Array]:
    """Return (r, p, q) as arrays; None and inf mean the ideal kernel, (inf, 1, 0).

    Raises InputError for r <= 2, where the second pole is no longer the faster one, or NaN.
    """
    r = np.asarray(np.inf if second_pole_ratio is None else second_pole_ratio, dtype=np.float64)
    if not np.all(r > 2):
        value = r[~(r > 2)].flat[0]
        raise InputError(
            f"second_pole_ratio = {value:g} is out of range: r = w_lf * tau must be above 2 (None: ideal kernel)"
        )
    q = 1.0 / (r * (r - 2.0))
    return r, 1.0 + q, q


def kernel(t: ArrayLike, second_pole_ratio: ArrayLike | None = None) -> Array:
    """g at times ``t`` (any shape, in tau, +-inf allowed); broadcasts with ``second_pole_ratio``.

    >>> kernel([-1.0, 1.0, np.inf]).round(4)
    array([0.    , 0.6321, 1.    ])
    >>> kernel(1.0, second_pole_ratio=[20, 200]).round(4)  # the second pole delays the rise
    array([0.6311, 0.6321])
    """
    r, p, q = coefficients(second_pole_ratio)
    t = np.maximum(np.asarray(t, dtype=np.float64), 0.0)
    with np.errstate(invalid="ignore"):
        fast = np.where(q > 0, np.expm1(-(np.where(q > 0, r, 2.0) - 1.0) * t), 0.0)
    return -p * np.expm1(-t) + q * fast


def kernel_slope(t: ArrayLike, second_pole_ratio: ArrayLike | None = None) -> Array:
    """dg/dt at times ``t`` (in tau): the synaptic current of a unit weight; 0 for t <= 0."""
    r, p, q = coefficients(second_pole_ratio)
    t = np.asarray(t, dtype=np.float64)
    after = np.maximum(t, 0.0)
    finite_r = np.where(q > 0, r, 2.0)
    slope = p * np.exp(-after) - q * (finite_r - 1.0) * np.exp(-(finite_r - 1.0) * after)
    return np.where(t > 0, slope, 0.0)


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
