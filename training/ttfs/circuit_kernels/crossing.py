"""First threshold crossing of one circuit neuron between two events: cheap where the shape of the membrane tells enough.

    f(u) = f0 + p (1 - e^{-u}) - q (1 - e^{-m u}) - rho u,        0 <= u <= gap,        f0 < 0

is v - threshold of ``circuit_kernel``. For q > 0 its slope rises and then falls or only falls (p > 0), or only
rises (p <= 0); for q <= 0 <= p it only falls. In all these cases f crosses zero upwards once at most, and the signs of f and f'
at the end of the gap say whether it does. What they leave open goes to
:func:`neuronsim.neuron.exponential_crossing.first_rise`, which is exact for
every shape and the one the event solvers use.
"""

import math

import numpy as np
from numba import njit

from neuronsim.neuron.exponential_crossing import first_rise
from neuronsim.training.compiled.vectors import OPTIONS

_CONVERGED = 1e-4  # of the faster time constant, and of the bend: Halley's method cubes the error of a step that small


@njit(**OPTIONS)
def _root(low, high, guess, f0, p, q, m, rho):
    """The zero of f in [low, high], where f < 0 before it and f >= 0 after it: Halley's steps inside a bracket."""
    u = guess if low < guess < high else 0.5 * (low + high)
    slope, bend = 0.0, 1.0
    settled = f0 + p - q
    for _ in range(200):
        first = p * math.exp(-u)
        second = q * math.exp(-m * u) if q != 0.0 else 0.0
        value = settled - first + second - rho * u
        if value >= 0.0:
            high = u
        else:
            low = u
        slope = first - m * second - rho
        change = value / slope if slope > 0.0 else np.inf
        bend = 1.0 - 0.5 * change * (m * m * second - first) / slope if slope > 0.0 else 1.0
        if 0.5 < bend < 2.0:
            change /= bend
        step = u - change
        if slope > 0.0 and abs(change) * m <= _CONVERGED and abs(bend - 1.0) <= _CONVERGED:
            return min(max(step, low), high)
        if not low < step < high:
            step = 0.5 * (low + high)
            if step <= low or step >= high:
                return high
        u = step
    return u


@njit(**OPTIONS)
def _any_shape(f0, p, q, m, rho, gap):
    return first_rise(f0, -rho, -p, -1.0, q, -m if q != 0.0 else -2.0, gap)


@njit(**OPTIONS)
def within(f0, p, q, m, rho, gap, d1, d2):
    """Smallest u in [0, gap] with f(u) = 0 rising, gap finite; inf when there is none. ``d1`` = e^{-gap}, ``d2`` = e^{-m gap}."""
    if f0 >= 0.0 or (p < 0.0 and q < 0.0):
        return _any_shape(f0, p, q, m, rho, gap)
    end = f0 + p * (1.0 - d1) - q * (1.0 - d2) - rho * gap
    if end >= 0.0:
        if q == 0.0 and rho == 0.0:
            return min(-math.log1p(f0 / p), gap) if p > -f0 else gap
        guess = gap * f0 / (f0 - end)
        if gap > 0.25 and p > 0.0 and f0 + p - q - rho * guess > 0.0:
            guess = math.log(p / (f0 + p - q - rho * guess))
        return _root(0.0, gap, guess, f0, p, q, m, rho)
    falls = p * d1 - m * q * d2 - rho
    # Below zero at the end: only a membrane that falls there has been higher, by no more than its tangent tells.
    if p <= 0.0 or falls >= 0.0 or end - falls * gap < 0.0:
        return np.inf
    return _any_shape(f0, p, q, m, rho, gap)


@njit(**OPTIONS)
def after_last(f0, p, q, m, rho):
    """:func:`within` for an endless gap; approaching zero for ever is not a crossing."""
    settled = f0 + p - q
    if rho >= 0.0 and f0 < 0.0:
        if f0 + max(p, 0.0) + max(-q, 0.0) < 0.0:
            return np.inf
        if rho == 0.0 and p > 0.0 and q >= 0.0:
            if settled <= 0.0:
                return np.inf
            # Without the fast part the crossing is here; with it (q > 0) just before.
            guess = math.log(p / settled)
            return guess if q == 0.0 else _root(0.0, guess, guess * (1.0 - 1e-9), f0, p, q, m, rho)
        if p > rho > 0.0 and q >= 0.0:
            top = math.log(p / rho)  # where f is highest, but for the fast part
            highest = settled - rho * (1.0 + top)
            if highest + q < 0.0:
                return np.inf
            if settled > 0.0 and highest + q * math.exp(-m * top) >= 0.0:
                guess = math.log(p / settled)
                guess = math.log(p / max(settled - rho * guess, rho))
                return _root(0.0, top, guess, f0, p, q, m, rho)
    return _any_shape(f0, p, q, m, rho, np.inf)
