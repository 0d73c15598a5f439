"""First upward zero of a constant plus a ramp plus two exponentials, exactly.

    F(s) = f0 + d s + a (e^{la s} - 1) + b (e^{lb s} - 1),   0 <= s <= length

F'' has at most one zero, so F' has at most two and F at most three monotone pieces: the pieces are determined first, then
the first one on which F rises through zero is solved by Newton's method inside a bracket. Nothing between two samples
can be missed. Every neuron of this package reduces to this between two input events.
"""

import math

import numba

#: beyond this many time constants a decaying exponential is zero in double precision
_HORIZON = 800.0
#: a growing exponential e^{la s} is followed up to this exponent, where it exceeds anything it could compete with
_GROWTH = 300.0


@numba.njit(cache=True, nogil=True, inline="never")
def _value(s: float, f0: float, d: float, a: float, la: float, b: float, lb: float) -> float:
    return f0 + d * s + a * math.expm1(la * s) + b * math.expm1(lb * s)


@numba.njit(cache=True, nogil=True, inline="never")
def _slope(s: float, d: float, a: float, la: float, b: float, lb: float) -> float:
    return d + a * la * math.exp(la * s) + b * lb * math.exp(lb * s)


@numba.njit(cache=True, nogil=True)
def _slope_zero(lo: float, hi: float, d: float, a: float, la: float, b: float, lb: float) -> float:
    """Zero of F' in [lo, hi], where F' is monotone and changes sign."""
    rising = _slope(hi, d, a, la, b, lb) > 0
    x = 0.5 * (lo + hi)
    for _ in range(200):
        g = _slope(x, d, a, la, b, lb)
        if (g > 0) == rising:
            hi = x
        else:
            lo = x
        curvature = a * la * la * math.exp(la * x) + b * lb * lb * math.exp(lb * x)
        step = x - g / curvature if curvature != 0.0 else 0.5 * (lo + hi)
        if not (lo < step < hi):
            step = 0.5 * (lo + hi)
        if abs(step - x) <= 1e-15 * abs(x) or g == 0.0:
            return step
        x = step
    return x


@numba.njit(cache=True, nogil=True)
def _zero(lo: float, hi: float, f0: float, d: float, a: float, la: float, b: float, lb: float) -> float:
    """Zero of F in [lo, hi], where F rises monotonically from below zero to zero or above."""
    x = lo
    for _ in range(200):
        f = _value(x, f0, d, a, la, b, lb)
        if f == 0.0:
            return x
        if f > 0:
            hi = x
        else:
            lo = x
        g = _slope(x, d, a, la, b, lb)
        step = x - f / g if g > 0 else 0.5 * (lo + hi)
        # A step below one rounding of x is convergence, even where it leaves the bracket by that rounding.
        if g > 0 and abs(step - x) <= 2e-16 * abs(x):
            return x
        if not (lo < step < hi):
            step = 0.5 * (lo + hi)
        if step <= lo or step >= hi:
            return hi
        x = step
    return x


@numba.njit(cache=True, nogil=True)
def _rise(lo: float, hi: float, f0: float, d: float, a: float, la: float, b: float, lb: float) -> float:
    """First zero on a monotone piece [lo, hi]; inf when F falls on it or stays below zero."""
    at_lo = _value(lo, f0, d, a, la, b, lb)
    at_hi = _value(hi, f0, d, a, la, b, lb)
    if at_hi <= at_lo or at_hi < 0.0:
        return math.inf
    if at_lo >= 0.0:
        return lo
    return _zero(lo, hi, f0, d, a, la, b, lb)


@numba.njit(cache=True, nogil=True)
def first_rise(f0: float, d: float, a: float, la: float, b: float, lb: float, length: float) -> float:
    """First s in [0, length] at which F rises to zero; inf when it does not. ``length`` may be inf.

    A start at F = 0 counts only when F rises from there. A limit reached only asymptotically (s -> inf) does not count.
    """
    end = min(length, _HORIZON / max(min(abs(la), abs(lb)), 1e-3))
    if la > 0.0 and a != 0.0:
        end = min(end, _GROWTH / la)
    if lb > 0.0 and b != 0.0:
        end = min(end, _GROWTH / lb)
    bend = end
    if a != 0.0 and b != 0.0 and la != lb:
        ratio = -(a * la * la) / (b * lb * lb)
        if ratio > 0.0:
            bend = math.log(ratio) / (lb - la)
            if not 0.0 < bend < end:
                bend = end
    lo = 0.0
    for part in range(2):
        hi = bend if part == 0 else end
        if hi <= lo:
            continue
        left, right = _slope(lo, d, a, la, b, lb), _slope(hi, d, a, la, b, lb)
        if left * right < 0.0:
            middle = _slope_zero(lo, hi, d, a, la, b, lb)
            zero = _rise(lo, middle, f0, d, a, la, b, lb)
            if zero < math.inf:
                return zero
            lo = middle
        zero = _rise(lo, hi, f0, d, a, la, b, lb)
        if zero < math.inf:
            # With no ramp the last piece ends on the asymptote: touching it is not crossing it.
            if length == math.inf and d == 0.0 and hi == end and _value(end, f0, d, a, la, b, lb) <= 0.0:
                return math.inf
            return zero
        lo = hi
    if length > end and d > 0.0:
        rest = -_value(end, f0, d, a, la, b, lb) / d
        if 0.0 <= rest <= length - end:
            return end + rest
    return math.inf
