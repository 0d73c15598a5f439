"""One circuit neuron beyond the linear range of its phase detector, region by region
(``neuronsim.neuron.saturated_solver``), and its adjoint.

In time units of tau, with the phase error e, y = de/dt, and v already divided by the gain:

    dy/dt = -r K d(e) - r y,        dv/dt = K d(e),        r = m + 1,  K = 1 - 1/r      (first order: de/dt = -d, dv/dt = d)

The detector d is a triangle of period 4 limit. In region n, |e - 2 n limit| <= limit, it is d = (-1)^n x, x = e - 2 n limit, so
that x is a sum of two exponentials and leaves the region at a zero of such a sum. d is continuous, so the sensitivity of
v(t_out) to the state is handed from region to region unchanged, and the gradient is exact through all of them.
"""

import math

import numpy as np
from numba import njit

from neuronsim.neuron.exponential_crossing import first_rise
from neuronsim.training.compiled.vectors import OPTIONS

_MOST_REGIONS = 100_000


@njit(**OPTIONS)
def detector(e, limit):
    """The triangle d(e)."""
    region = round(e / (2.0 * limit))
    x = e - 2.0 * region * limit
    return x if region % 2 == 0 else -x


@njit(**OPTIONS)
def modes(sign, m, second):
    """Exponents (la, lb) of the two modes of x where the detector has gain ``sign``, and K; lb is unused in first order."""
    if not second:
        return -sign, -2.0, 1.0
    if sign > 0.0:
        return -1.0, -m, m / (m + 1.0)
    lb = -0.5 * (m + 1.0 + math.sqrt((m + 1.0) ** 2 + 4.0 * m))
    return -m / lb, lb, m / (m + 1.0)


@njit(**OPTIONS)
def amplitudes(x, y, la, lb, second):
    """(a, b) of x(s) = a e^{la s} + b e^{lb s}."""
    if not second:
        return x, 0.0
    b = (y - la * x) / (lb - la)
    return x - b, b


@njit(**OPTIONS)
def leaves(a, la, b, lb, limit, length):
    """When |x| leaves ``limit`` within ``length``, and on which side (+1, -1); inf when it stays."""
    if la < 0.0 and abs(a) + abs(b) <= limit:
        return np.inf, 1
    up = first_rise(a + b - limit, 0.0, a, la, b, lb, length)
    down = first_rise(-a - b - limit, 0.0, -a, la, -b, lb, length)
    return (up, 1) if up <= down else (down, -1)


@njit(**OPTIONS)
def advance(v, e, y, now, gap, m, second, rho, limit):
    """Carry a neuron over ``gap`` (may be inf) without events; ``v`` counts from the threshold at t = 0, ``rho`` moves it.

    Returns (u, slope, v, e, y): time of the crossing after ``now`` (inf: none), dv/dt - rho there, the state after the gap.
    """
    region = round(e / (2.0 * limit))
    left, passed = gap, 0.0
    for _ in range(_MOST_REGIONS):
        sign = 1.0 if region % 2 == 0 else -1.0
        la, lb, k = modes(sign, m, second)
        x = e - 2.0 * region * limit
        a, b = amplitudes(x, y, la, lb, second)
        # Most gaps are too short to leave the region (|dx/dt| <= max(|y|, limit)) or to reach the threshold (|dv/dt| <= K |d|).
        reach = max(abs(y), limit) * left if second else limit * left
        if abs(x) + reach <= limit:
            line = rho * (now + passed) + min(rho * left, 0.0)
            if v + k * max(sign * x + reach, 0.0) * left < line:
                ea, eb = math.exp(la * left), math.exp(lb * left) if second else 0.0
                v += k * sign * (a / la * (ea - 1.0) + b / lb * (eb - 1.0))
                return np.inf, 0.0, v, a * ea + b * eb + 2.0 * region * limit, a * la * ea + b * lb * eb
        until, side = leaves(a, la, b, lb, limit, left)
        length = min(left, until)
        va, vb = k * sign * a / la, k * sign * b / lb
        u = first_rise(v - rho * (now + passed), -rho, va, la, vb, lb, length)
        if u < np.inf:
            slope = va * la * math.exp(la * u) + vb * lb * math.exp(lb * u) - rho
            return passed + u, slope, v, e, y
        if length == np.inf:
            break
        ea, eb = math.exp(la * length), math.exp(lb * length)
        v += va * math.expm1(la * length) + vb * math.expm1(lb * length)
        y = a * la * ea + b * lb * eb
        passed += length
        left -= length
        if until > length or left <= 0.0:
            e = a * ea + b * eb + 2.0 * region * limit if until > length else (2.0 * region + side) * limit
            break
        e = (2.0 * region + side) * limit
        region += side
    return np.inf, 0.0, v, e, y


@njit(**OPTIONS)
def _grown(array):
    longer = np.empty(2 * len(array))
    longer[: len(array)] = array
    return longer


@njit(**OPTIONS)
def sensitivities(times, weight, places, start, end, lane, last, m, second, limit, by_weight, by_time):
    """How v at the time ``last`` answers to every event of one neuron before it, exactly through all regions.

    Events ``start`` to ``end`` - 1 at ``times`` with weights ``weight[places + lane]``, all before ``last``. Fills
    ``by_weight[k - start]`` = dv/dw_k and ``by_time[k - start]`` = dv/dt_k.
    """
    lengths, signs = np.empty(2 * (end - start) + 16), np.empty(2 * (end - start) + 16)
    first = np.empty(end - start, np.int64)  # piece with which each event's gap begins
    jumps = np.empty(end - start)  # of the detector's output at each event
    e = y = 0.0
    pieces = 0
    for k in range(start, end):
        before = detector(e, limit)
        e += weight[places[k] + lane]
        jumps[k - start] = detector(e, limit) - before
        first[k - start] = pieces
        region = round(e / (2.0 * limit))
        left = (times[k + 1] if k + 1 < end else last) - times[k]
        for _ in range(_MOST_REGIONS):
            if left <= 0.0:
                break
            sign = 1.0 if region % 2 == 0 else -1.0
            la, lb, _k = modes(sign, m, second)
            a, b = amplitudes(e - 2.0 * region * limit, y, la, lb, second)
            until, side = leaves(a, la, b, lb, limit, left)
            length = min(left, until)
            if pieces == len(lengths):
                lengths, signs = _grown(lengths), _grown(signs)
            lengths[pieces], signs[pieces] = length, sign
            pieces += 1
            left -= length
            ea, eb = math.exp(la * length), math.exp(lb * length)
            y = a * la * ea + b * lb * eb
            if until > length:
                e = a * ea + b * eb + 2.0 * region * limit
                break
            e = (2.0 * region + side) * limit
            region += side
    by_e = by_y = 0.0  # dv(last) / de and / dy, carried backwards from the crossing
    for k in range(end - 1, start - 1, -1):
        for piece in range(pieces - 1, first[k - start] - 1, -1):
            sign, length = signs[piece], lengths[piece]
            la, lb, gain = modes(sign, m, second)
            ea, eb = math.exp(la * length), math.exp(lb * length)
            va, vb = gain * sign * math.expm1(la * length) / la, gain * sign * math.expm1(lb * length) / lb
            # What a unit of the modes a and b is worth, then what a unit of x and y makes of them.
            worth_a = va + by_e * ea + by_y * la * ea
            worth_b = vb + by_e * eb + by_y * lb * eb
            if second:
                by_e = (lb * worth_a - la * worth_b) / (lb - la)
                by_y = (worth_b - worth_a) / (lb - la)
            else:
                by_e = worth_a
        pieces = first[k - start]
        by_weight[k - start] = by_e
        by_time[k - start] = jumps[k - start] * (m * by_y - m / (m + 1.0) if second else by_e - 1.0)
