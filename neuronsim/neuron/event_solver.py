"""The exact event solver: first threshold crossing of the second-order loop with ramp, gain and delay.

    v(t)  = gain sum_{i: t_i < t} w_i g((t - t_i)/tau)           g: see neuronsim.neuron.kernel; r = second_pole_ratio
    fires at the first t with v(t) >= threshold (1 + ramp t/tau);   t_out = t + delay

Between two events v - threshold is a constant plus a ramp plus two exponentials, so the first crossing is solved exactly
(:mod:`neuronsim.neuron.exponential_crossing`), also where v rises and falls again between events. Where the phase error
leaves the linear range of the detector, :mod:`neuronsim.neuron.saturated_solver` takes over. This is the oracle that
calibration and training are checked against. ``t`` is counted from the release of reset (paper 004, equations 1 to 4).
"""

import math

import numba
import numpy as np
from numpy.typing import ArrayLike

from ..arrays import Array
from ..errors import InputError
from . import array_checks
from .exponential_crossing import first_rise
from .kernel import coefficients
from .saturated_solver import saturated_crossings


@numba.njit(cache=True, nogil=True)
def _crossing(t: Array, w: Array, parameters: Array) -> float:
    """First crossing of one neuron; ``t`` sorted (inf last), ``parameters`` as in :func:`_sorted_rows`. No delay."""
    tau, r, ramp, gain, threshold = parameters[0], parameters[1], parameters[2], parameters[3], parameters[4]
    ideal = r == math.inf
    q = 0.0 if ideal else 1.0 / (r * (r - 2.0))
    p = 1.0 + q
    fast = 1.0 if ideal else r - 1.0
    n = t.size
    now = min(0.0, t[0]) if n else 0.0
    v, slow_state, fast_state = 0.0, 0.0, 0.0
    for k in range(-1, n):
        if k >= 0:
            if t[k] == math.inf:
                break
            now = t[k]
            slow_state += gain * w[k]
            fast_state += gain * w[k]
        gap = (t[k + 1] - now) / tau if k + 1 < n else math.inf
        if gap == 0.0:
            continue
        a, b = -p * slow_state, q * fast_state
        f0 = v - threshold * (1.0 + ramp * now / tau)
        s = first_rise(f0, -threshold * ramp, a, -1.0, b, -fast, gap)
        if s < math.inf:
            return now + tau * s
        if gap == math.inf:
            break
        v += a * math.expm1(-gap) + b * math.expm1(-fast * gap)
        slow_state *= math.exp(-gap)
        fast_state *= math.exp(-fast * gap)
    return math.inf


@numba.njit(cache=True, nogil=True)
def _crossings(t: Array, w: Array, parameters: Array) -> Array:
    out = np.empty(t.shape[0])
    for row in range(t.shape[0]):
        out[row] = _crossing(t[row], w[row], parameters[row])
    return out


def _sorted_rows(
    times: ArrayLike, weights: ArrayLike, parameters: dict[str, ArrayLike]
) -> tuple[Array, Array, Array, tuple[int, ...]]:
    """Check and flatten to rows: sorted times and weights (rows, n), parameters (rows, p), and the batch shape."""
    t, w = array_checks.spikes(times, weights)
    values = [np.asarray(value, dtype=np.float64) for value in parameters.values()]
    try:
        shape = np.broadcast_shapes(t.shape[:-1], *(value.shape for value in values))
    except ValueError:
        shapes = {name: np.shape(value) for name, value in parameters.items()}
        raise InputError(f"parameters {shapes} do not broadcast to the batch shape {t.shape[:-1]} of times") from None
    full, flat = (*shape, t.shape[-1]), (math.prod(shape), t.shape[-1])
    t, w = np.broadcast_to(t, full).reshape(flat), np.broadcast_to(w, full).reshape(flat)
    order = np.argsort(t, axis=-1, kind="stable")
    rows = np.stack([np.broadcast_to(value, shape).reshape(-1) for value in values], axis=-1)
    return np.take_along_axis(t, order, axis=-1), np.take_along_axis(w, order, axis=-1), rows, shape


def first_crossing(
    times: ArrayLike,
    weights: ArrayLike,
    *,
    tau: ArrayLike = 1.0,
    second_pole_ratio: ArrayLike | None = None,
    ramp: ArrayLike = 0.0,
    gain: ArrayLike = 1.0,
    delay: ArrayLike = 0.0,
    threshold: ArrayLike = 1.0,
    xor_limit: ArrayLike | None = None,
) -> Array:
    """First output spike time of the second-order loop with threshold ramp (equations at the top of this module).

    ``times``, ``weights``: shape (..., n), time in the unit of ``tau``, inf = silent input. Every parameter is a
    scalar or an array that broadcasts with the batch shape (...): ``second_pole_ratio`` r > 2 (None or inf: ideal),
    ``ramp`` in thresholds per tau, ``delay`` in the unit of ``tau``, ``xor_limit`` the phase error in unit weights up to
    which the detector is linear (None: everywhere). Returns shape (...), inf = silent. Relative accuracy about 1e-14
    away from grazing.

    Raises InputError for NaN, shapes that do not broadcast, tau, threshold or xor_limit <= 0, r <= 2, or a threshold that
    the ramp has already made negative at the first input (only possible for times before the release of reset).

    >>> first_crossing([0.3, 0.6], [0.9, 0.8]).round(4)  # ideal kernel: equation 4
    np.float64(1.3397)
    >>> first_crossing([0.3, 0.6], [0.9, 0.8], ramp=[0.01, 0.03], second_pole_ratio=200).round(4)
    array([1.3594, 1.4017])
    """
    parameters: dict[str, ArrayLike] = {
        "tau": array_checks.positive("tau", tau, "time constant"),
        "second_pole_ratio": coefficients(second_pole_ratio)[0],
        "ramp": array_checks.finite("ramp", ramp, "thresholds per tau"),
        "gain": array_checks.finite("gain", gain, "effective weight per weight"),
        "threshold": array_checks.positive("threshold", threshold, "level"),
        "delay": array_checks.finite("delay", delay, "time"),
    }
    if xor_limit is not None:
        parameters["xor_limit"] = array_checks.positive("xor_limit", xor_limit, "phase error in unit weights")
    t, w, rows, shape = _sorted_rows(times, weights, parameters)
    first = np.minimum(t[:, 0], 0.0) if t.shape[1] else np.zeros(len(t))
    if np.any(1.0 + rows[:, 2] * first / rows[:, 0] <= 0.0):
        raise InputError(
            f"ramp = {rows[:, 2].max():g} per tau puts the threshold below zero at the first input, {first.min():g}: "
            "times count from the release of reset"
        )
    crossings = _crossings if xor_limit is None else saturated_crossings
    return (crossings(t, w, rows) + rows[:, 5]).reshape(shape)
