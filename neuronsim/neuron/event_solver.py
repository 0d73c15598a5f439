"""The exact event solver: first threshold crossing of the second-order loop with ramp, gain and delay.

    v(t)  = gain sum_{i: t_i < t} w_i g((t - t_i)/tau)           g: see neuronsim.neuron.kernel; r = second_pole_ratio
    fires at the first t with v(t) >= threshold (1 + ramp t/tau);   t_out = t + delay

Between two events v - threshold is a constant plus a ramp plus two exponentials, so the first crossing is found exactly
(:mod:`neuronsim.neuron.exponential_crossing`), also where v rises and falls again between events. This is the oracle
that calibration and
training are checked against. ``t`` is counted from the release of reset (paper 004, equations 1 to 4).
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from . import array_checks as checks
from .exponential_crossing import first_rise
from .kernel import coefficients, kernel, kernel_slope


@numba.njit(cache=True, nogil=True)
def crossing_of_sorted(
    t: NDArray[np.float64],
    w: NDArray[np.float64],
    tau: float,
    r: float,
    ramp: float,
    gain: float,
    threshold: float,
) -> float:
    """First crossing of one neuron; ``t`` sorted (inf last), ``r`` = inf for the ideal kernel. No checks, no delay."""
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
def _crossings(
    t: NDArray[np.float64],
    w: NDArray[np.float64],
    tau: NDArray[np.float64],
    r: NDArray[np.float64],
    ramp: NDArray[np.float64],
    gain: NDArray[np.float64],
    threshold: NDArray[np.float64],
) -> NDArray[np.float64]:
    out = np.empty(t.shape[0])
    for row in range(t.shape[0]):
        out[row] = crossing_of_sorted(t[row], w[row], tau[row], r[row], ramp[row], gain[row], threshold[row])
    return out


def sorted_rows(
    times: ArrayLike, weights: ArrayLike, **parameters: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[NDArray[np.float64]], tuple[int, ...]]:
    """Check and flatten to rows: sorted times and weights (rows, n), each parameter (rows,), and the batch shape."""
    t, w = checks.spikes(times, weights)
    values = [np.asarray(value, dtype=np.float64) for value in parameters.values()]
    try:
        shape = np.broadcast_shapes(t.shape[:-1], *(value.shape for value in values))
    except ValueError:
        shapes = {name: np.shape(value) for name, value in parameters.items()}
        raise InputError(f"parameters {shapes} do not broadcast to the batch shape {t.shape[:-1]} of times") from None
    full = (*shape, t.shape[-1])
    t, w = np.broadcast_to(t, full).reshape(-1, full[-1]), np.broadcast_to(w, full).reshape(-1, full[-1])
    order = np.argsort(t, axis=-1, kind="stable")
    rows = [np.ascontiguousarray(np.broadcast_to(value, shape).reshape(-1)) for value in values]
    return np.take_along_axis(t, order, axis=-1), np.take_along_axis(w, order, axis=-1), rows, shape


def threshold_at_first_input(t: NDArray[np.float64], tau: NDArray[np.float64], ramp: NDArray[np.float64]) -> None:
    """Raises InputError for rows of :func:`sorted_rows` whose threshold is not positive yet where their inputs begin."""
    first = np.minimum(t[:, 0], 0.0) if t.shape[1] else np.zeros(len(t))
    if np.any(1.0 + ramp * first / tau <= 0.0):
        raise InputError(
            f"ramp = {ramp.max():g} per tau puts the threshold below zero at the first input, {first.min():g}: "
            "times count from the release of reset"
        )


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
) -> NDArray[np.float64]:
    """First output spike time of the second-order loop with threshold ramp (equations at the top of this module).

    ``times``, ``weights``: shape (..., n), time in the unit of ``tau``, inf = silent input. Every parameter is a
    scalar or an array that broadcasts with the batch shape (...): ``second_pole_ratio`` r > 2 (None or inf: ideal),
    ``ramp`` in thresholds per tau, ``delay`` in the unit of ``tau``. Returns shape (...), inf = silent. Relative
    accuracy about 1e-14 away from grazing.

    Raises InputError for NaN, shapes that do not broadcast, tau or threshold <= 0, r <= 2, or a threshold that the ramp
    has already made negative at the first input (only possible for times before the release of reset).

    >>> first_crossing([0.3, 0.6], [0.9, 0.8]).round(4)  # ideal kernel: equation 4
    np.float64(1.3397)
    >>> first_crossing([0.3, 0.6], [0.9, 0.8], ramp=[0.01, 0.03], second_pole_ratio=200).round(4)
    array([1.3594, 1.4017])
    """
    checks.positive("tau", tau, "time constant")
    checks.positive("threshold", threshold, "level")
    checks.finite("ramp", ramp, "thresholds per tau")
    checks.finite("gain", gain, "effective weight per weight")
    checks.finite("delay", delay, "time")
    r = coefficients(second_pole_ratio)[0]
    t, w, rows, shape = sorted_rows(
        times, weights, tau=tau, second_pole_ratio=r, ramp=ramp, gain=gain, threshold=threshold, delay=delay
    )
    tau_, r_, ramp_, gain_, threshold_, delay_ = rows
    threshold_at_first_input(t, tau_, ramp_)
    return (_crossings(t, w, tau_, r_, ramp_, gain_, threshold_) + delay_).reshape(shape)


def _ages(times: ArrayLike, weights: ArrayLike, at: ArrayLike, tau: ArrayLike) -> tuple[Any, Any, NDArray[np.float64]]:
    t, w = checks.spikes(times, weights)
    at, tau = np.asarray(at, dtype=np.float64), checks.positive("tau", tau, "time constant")
    with np.errstate(invalid="ignore"):
        age = (at[..., None] - t) / tau[..., None]
    return t, w, np.where(np.isnan(age), -np.inf, age)  # inf - inf: a silent input never acts


def membrane(
    times: ArrayLike,
    weights: ArrayLike,
    at: ArrayLike,
    *,
    tau: ArrayLike = 1.0,
    second_pole_ratio: ArrayLike | None = None,
    gain: ArrayLike = 1.0,
) -> NDArray[np.float64]:
    """Membrane potential v at the times ``at`` (broadcast with the batch shape); no ramp, no delay.

    For a waveform of one neuron give ``times`` and ``weights`` of shape (n,) and ``at`` of shape (m,).
    """
    _, w, age = _ages(times, weights, at, tau)
    r = coefficients(second_pole_ratio)[0]
    return np.asarray(gain) * (w * kernel(age, r[..., None])).sum(axis=-1)


def slope(
    times: ArrayLike,
    weights: ArrayLike,
    at: ArrayLike,
    *,
    tau: ArrayLike = 1.0,
    second_pole_ratio: ArrayLike | None = None,
    ramp: ArrayLike = 0.0,
    gain: ArrayLike = 1.0,
    threshold: ArrayLike = 1.0,
) -> NDArray[np.float64]:
    """Slope of v *relative to the threshold*, dv/dt - threshold ramp/tau, at the times ``at``.

    In thresholds per unit of time. This is the v' that turns noise in v into noise in time (sigma_t = sigma_v / v');
    it equals dv/dt where there is no ramp.
    """
    _, w, age = _ages(times, weights, at, tau)
    r = coefficients(second_pole_ratio)[0]
    rise = np.asarray(gain) * (w * kernel_slope(age, r[..., None])).sum(axis=-1)
    return (rise - np.asarray(threshold) * np.asarray(ramp)) / np.asarray(tau)


def sensitivity(
    times: ArrayLike,
    weights: ArrayLike,
    at: ArrayLike,
    *,
    tau: ArrayLike = 1.0,
    second_pole_ratio: ArrayLike | None = None,
    ramp: ArrayLike = 0.0,
    gain: ArrayLike = 1.0,
    threshold: ArrayLike = 1.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(dt_out/dt_i, dt_out/dw_i), shape (..., n), of a crossing at ``at`` (:func:`first_crossing` less the delay).

    dt_out/dt_i = gain w_i g'(t_out - t_i) / v',  dt_out/dw_i = -gain g(t_out - t_i) / v', with v' of :func:`slope`;
    zero for inputs after the crossing and for silent rows.
    """
    t, w, age = _ages(times, weights, at, tau)
    at = np.asarray(at, dtype=np.float64)
    r = coefficients(second_pole_ratio)[0][..., None]
    g, tau_ = np.asarray(gain)[..., None], np.asarray(tau)[..., None]
    rate = slope(t, w, at, tau=tau, second_pole_ratio=second_pole_ratio, ramp=ramp, gain=gain, threshold=threshold)[
        ..., None
    ]
    causal = (age > 0) & np.isfinite(at)[..., None]
    with np.errstate(divide="ignore", invalid="ignore"):
        by_time = np.where(causal, g * w * kernel_slope(age, r) / tau_ / rate, 0.0)
        by_weight = np.where(causal, -g * kernel(age, r) / rate, 0.0)
    return by_time, by_weight
