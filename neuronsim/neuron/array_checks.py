"""Checks of array arguments shared by the closed form and the solvers."""

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array
from ..errors import InputError


def spikes(times: ArrayLike, weights: ArrayLike) -> tuple[Array, Array]:
    """Return ``times`` and ``weights`` as float64 arrays broadcast to one shape (..., n).

    Raises InputError for scalars, shapes that do not broadcast, NaN, a time of -inf, or a weight that is not finite.
    """
    t, w = np.asarray(times, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if t.ndim == 0 or w.ndim == 0:
        raise InputError("times and weights need a last axis over the inputs, shape (..., n); got a scalar")
    try:
        t, w = np.broadcast_arrays(t, w)
    except ValueError:
        raise InputError(f"times {t.shape} and weights {w.shape} do not broadcast: both need shape (..., n)") from None
    if np.isnan(t).any() or np.isneginf(t).any():
        raise InputError("times contain NaN or -inf: an input spike time is finite, or +inf for a silent input")
    if not np.isfinite(w).all():
        raise InputError("weights contain NaN or inf: every weight must be finite (a silent input has time +inf)")
    return t, w


def positive(name: str, value: ArrayLike, unit: str) -> Array:
    """Return ``value`` as an array. Raises InputError naming the first entry that is not positive and finite."""
    array = np.asarray(value, dtype=np.float64)
    bad = ~(np.isfinite(array) & (array > 0))
    if bad.any():
        raise InputError(f"{name} = {array[bad].flat[0]:g} is out of range: must be positive and finite ({unit})")
    return array


def not_negative(name: str, value: ArrayLike, unit: str) -> Array:
    """Return ``value`` as an array. Raises InputError naming the first entry that is negative or not finite."""
    array = finite(name, value, unit)
    if (array < 0).any():
        raise InputError(f"{name} = {array[array < 0].flat[0]:g} is out of range: must be >= 0 ({unit})")
    return array


def finite(name: str, value: ArrayLike, unit: str) -> Array:
    """Return ``value`` as an array. Raises InputError naming the first entry that is not finite."""
    array = np.asarray(value, dtype=np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"{name} = {array[~np.isfinite(array)].flat[0]:g} is out of range: must be finite ({unit})")
    return array
