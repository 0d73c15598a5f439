"""Rate of the (leaky) integrate-and-fire neuron under constant current.

    T(I) = t_ref + (Q / I_rh) ln(I / (I - I_rh)),   f = 1/T for I > I_rh, else 0;      I_rh -> 0:  T = t_ref + Q / I

Q = C V_th the charge per spike (coulomb), I_rh = V_th / R the rheobase (ampere), t_ref the refractory time (second):
the capacitor charges towards I R and is reset at V_th. Written as T = t_ref + (Q/I) L(I_rh/I) with
L(x) = -ln(1 - x)/x, which is smooth through x = 0 and evaluated without cancellation.
"""

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array
from ..errors import InputError
from . import array_checks


def leak_factor(x: ArrayLike) -> Array:
    """L(x) = -ln(1 - x)/x for x < 1 (1 at 0), +inf for x >= 1: how much the leak lengthens the charging."""
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        exact = -np.log1p(-np.where(x < 1, x, 0.5)) / np.where(x == 0, 1.0, x)
    near = 1.0 + x / 2.0 + x * x / 3.0
    return np.where(x >= 1, np.inf, np.where(np.abs(x) < 1e-8, near, exact))


def interval(
    current: ArrayLike, *, charge_per_spike: ArrayLike, rheobase: ArrayLike = 0.0, refractory: ArrayLike = 0.0
) -> Array:
    """Inter-spike interval in seconds for ``current`` in amperes (any shape); +inf at and below the rheobase.

    Raises InputError for NaN, a charge that is not positive, or a negative rheobase or refractory time.
    """
    q = array_checks.positive("charge_per_spike", charge_per_spike, "coulomb")
    i_rh = array_checks.not_negative("rheobase", rheobase, "ampere")
    t_ref = array_checks.not_negative("refractory", refractory, "second")
    i = np.asarray(current, dtype=np.float64)
    if np.isnan(i).any():
        raise InputError("current contains NaN")
    positive = i > 0
    safe = np.where(positive, i, 1.0)
    with np.errstate(invalid="ignore"):
        charging = q / safe * leak_factor(i_rh / safe)
    return np.where(positive, t_ref + charging, np.inf)


def rate(
    current: ArrayLike, *, charge_per_spike: ArrayLike, rheobase: ArrayLike = 0.0, refractory: ArrayLike = 0.0
) -> Array:
    """Firing rate in hertz for ``current`` in amperes: 1 / :func:`interval`, 0 at and below the rheobase.

    >>> rate([0.5e-9, 2e-9], charge_per_spike=1e-15, rheobase=1e-9).round(-3)
    array([      0., 1443000.])
    """
    return 1.0 / interval(current, charge_per_spike=charge_per_spike, rheobase=rheobase, refractory=refractory)
