"""Spread of the inter-spike interval of a (leaky) integrate-and-fire neuron under white current noise.

    sigma_T^2 = (S/2) (Q / I^3) (1 - x/2) / (1 - x)^2,    x = I_rh / I;      x -> 0:  (S/2) T / I^2  with  T = Q / I

S: one-sided power spectral density of the current noise (A^2/Hz), Q = C V_th (coulomb), I_rh = V_th / R (ampere).

Derivation. The charge that the noise leaves on the capacitor has, at the end of the charging time T, the variance of an
Ornstein-Uhlenbeck process, (S/2) (tau/2) (1 - e^{-2 T/tau}) with tau = R C = Q / I_rh; the noise-free neuron arrives
with e^{-T/tau} = 1 - x, so this is (S/2) (Q/I) (1 - x/2). It crosses the threshold with the slope I - I_rh = I (1 - x)
(coulomb per second), and dividing by its square gives the spread in time to first order in the noise. Without leak it is
exact: T is then inverse Gaussian (Schroedinger 1915; Tuckwell, Introduction to theoretical neurobiology 2, 1988, ch. 9).
With leak it holds while the noise at the threshold is small against the distance (1 - x)/x, in thresholds, by which the
membrane would overshoot it (:func:`linearity`). The membrane is held during t_ref: that time adds no spread.
"""

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array
from ..errors import InputError
from . import array_checks


def interval_variance(
    current: ArrayLike, *, density: ArrayLike, charge_per_spike: ArrayLike, rheobase: ArrayLike = 0.0
) -> Array:
    """sigma_T^2 in s^2 at ``current`` (ampere, any shape) for the one-sided ``density`` S in A^2/Hz.

    +inf at and below the rheobase. Raises InputError for NaN, a negative density or rheobase, or a charge that is not positive.
    """
    q = array_checks.positive("charge_per_spike", charge_per_spike, "coulomb")
    i = array_checks.finite("current", current, "ampere")
    i_rh = array_checks.not_negative("rheobase", rheobase, "ampere")
    s = array_checks.not_negative("density", density, "A^2/Hz")
    above = (i > i_rh) & (i > 0)
    safe = np.where(above, i, 1.0)
    x = np.where(above, i_rh / safe, 0.0)
    return np.where(above, s / 2.0 * q / safe**3 * (1 - x / 2) / (1 - x) ** 2, np.inf)


def linearity(current: ArrayLike, sigma_s: ArrayLike, *, charge_per_spike: float, rheobase: float = 0.0) -> Array:
    """Noise at the threshold over the overshoot (1 - x)/x, from the spread ``sigma_s`` (second): the law needs it far below 1."""
    i = np.asarray(current, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = np.asarray(sigma_s, dtype=np.float64) * (i - rheobase) / charge_per_spike
        return np.where(i > rheobase, noise * rheobase / (i - rheobase), np.inf if rheobase > 0 else 0.0)


def membrane_diffusion(sigma_s: float, current: float, *, charge_per_spike: float, rheobase: float = 0.0) -> float:
    """Diffusion of the membrane, in thresholds per square root of a second, sqrt(S/2)/Q, that spreads the interval at
    ``current`` by ``sigma_s``. Raises InputError at and below the rheobase."""
    unit = float(interval_variance(current, density=2.0, charge_per_spike=charge_per_spike, rheobase=rheobase))
    if not np.isfinite(unit):
        raise InputError(f"current = {current:g} A is out of range: above the rheobase, {rheobase:g} A")
    return sigma_s / np.sqrt(unit) / charge_per_spike
