"""The loop beyond the linear range of its XOR detector, solved exactly region by region.

    e = phi_ref - phi_out,  phi_ref = sum_i w_i u(t - t_i)          phase error, in unit weights
    d = tri(e): triangle of period 4 limit, d = e for |e| <= limit, folding back beyond
    T_lf dlf/dt = d - lf,  dphi_out/dt = K lf,  dv/dt = gain K d,   K = (1 - 1/r)/tau,  T_lf = tau/r
    fires at the first t with v >= threshold (1 + ramp t/tau)

In region m, |e - 2 m limit| <= limit, the detector is linear with gain (-1)^m, so x = e - 2 m limit is a sum of two
exponentials: poles -1/tau and -(r-1)/tau where the gain is positive, a saddle where it is negative (the loop then runs
to the next lock point: a cycle slip). Region changes and threshold crossings are both solved by
:mod:`neuronsim.neuron.exponential_crossing`. The error and the limit count *programmed* weights, before ``gain``, which
belongs to the second integrator. For |e| <= limit throughout this equals the linear loop (derived independently).
:func:`neuronsim.neuron.event_solver.first_crossing` with ``xor_limit`` is the way in: it checks, sorts and adds the delay.
"""

import math

import numba
import numpy as np

from ..arrays import Array
from .exponential_crossing import first_rise

_MAX_SWITCHES = 100_000


@numba.njit(cache=True, nogil=True)
def _modes(x: float, rate: float, sign: float, r: float) -> tuple[float, float, float, float]:
    """x(s) = a e^{la s} + b e^{lb s} (s in tau) from x and its rate dx/ds, in a region of detector gain ``sign``."""
    if r == math.inf:
        return x, -sign, 0.0, -2.0
    # s^2 / r + s + sign K tau = 0
    root = math.sqrt(r * r - 4.0 * sign * (r - 1.0))
    lb = -0.5 * (r + root)
    la = sign * (r - 1.0) / lb
    b = (rate - la * x) / (lb - la)
    return x - b, la, b, lb


@numba.njit(cache=True, nogil=True)
def _exit(a: float, la: float, b: float, lb: float, limit: float, length: float) -> tuple[float, int]:
    """Time at which |x| leaves ``limit`` and on which side (+1, -1); inf when it stays."""
    up = first_rise(a + b - limit, 0.0, a, la, b, lb, length)
    down = first_rise(-a - b - limit, 0.0, -a, la, -b, lb, length)
    return (up, 1) if up <= down else (down, -1)


@numba.njit(cache=True, nogil=True)
def _crossing(t: Array, w: Array, parameters: Array) -> float:
    tau, r, ramp, gain, threshold = parameters[0], parameters[1], parameters[2], parameters[3], parameters[4]
    limit = parameters[6]
    loop_gain = 1.0 if r == math.inf else 1.0 - 1.0 / r
    n = t.size
    now = min(0.0, t[0]) if n else 0.0
    v, error, lf = 0.0, 0.0, 0.0
    region = 0
    for k in range(-1, n):
        if k >= 0:
            if t[k] == math.inf:
                break
            now = t[k]
            error += w[k]
            region = round(error / (2.0 * limit))
        left = (t[k + 1] - now) / tau if k + 1 < n else math.inf
        for _ in range(_MAX_SWITCHES):
            if left <= 0.0:
                break
            sign = 1.0 if region % 2 == 0 else -1.0
            x = error - 2.0 * region * limit
            a, la, b, lb = _modes(x, -loop_gain * lf, sign, r)
            leaves, side = _exit(a, la, b, lb, limit, left)
            length = min(left, leaves)
            # v rises by gain K sign * integral of x.
            va, vb = gain * loop_gain * sign * a / la, gain * loop_gain * sign * b / lb
            f0 = v - threshold * (1.0 + ramp * now / tau)
            s = first_rise(f0, -threshold * ramp, va, la, vb, lb, length)
            if s < math.inf:
                return now + tau * s
            if length == math.inf:
                return math.inf
            ea, eb = math.exp(la * length), math.exp(lb * length)
            v += va * math.expm1(la * length) + vb * math.expm1(lb * length)
            if r != math.inf:
                lf = -(a * la * ea + b * lb * eb) / loop_gain
            now += tau * length
            left -= length
            if leaves <= length:
                error = (2.0 * region + side) * limit
                region += side
            else:
                error = a * ea + b * eb + 2.0 * region * limit
                break
    return math.inf


@numba.njit(cache=True, nogil=True)
def saturated_crossings(t: Array, w: Array, parameters: Array) -> Array:
    """First crossings (rows,) without delay: times (rows, n) sorted, inf last; parameters (rows, 7) tau, r, ramp, gain,
    threshold, delay, limit."""
    out = np.empty(t.shape[0])
    for row in range(t.shape[0]):
        out[row] = _crossing(t[row], w[row], parameters[row])
    return out
