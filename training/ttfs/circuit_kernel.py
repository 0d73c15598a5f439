"""Event kernel of the neuron of a model card: second pole, threshold ramp, detector limit (equations: ``neuronsim.card``).

With m = r - 1, c = (1 - 1/r)/(r - 2), a = c m, b = c / m (ideal kernel: a = 1, b = 0) and the decayed sums after event k

    S = sum w,    E1 = sum w e^{-(t_k - t_i)},    E2 = sum w e^{-m (t_k - t_i)}

the membrane is v(t_k + u) / gain = S - a E1 e^{-u} + b E2 e^{-m u}, the phase error X = (m E1 - E2) / (r - 2) (ideal: E1).
The distance to the threshold line, f(u) = f(0) + a E1 (1 - e^{-u}) - b E2 (1 - e^{-m u}) - rho u, has at most two extrema: its
slope is a sum of three exponentials whose own slope vanishes at most once. Between its extrema f is monotone, which makes the
first crossing exact. A cheap upper bound of f over the gap, vectorized over neurons, tells which neurons need that search.

The phase detector: the part of X beyond +-limit waits in a queue Q and enters at the rate K limit, K = 1 - 1/r, while X
stays at the limit (a clipping detector; exact for the first-order loop). The fold-back of the triangular XOR
characteristic beyond its range is not modeled; the neurons that left the range are counted instead.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

_FIRED = -1e300
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(inline="always")
def _f(u, f0, p, q, m, rho):
    """f(u) with p = a E1 and q = b E2."""
    return f0 - p * math.expm1(-u) + (q * math.expm1(-m * u) if q != 0.0 else 0.0) - rho * u


@njit(inline="always")
def _slope(u, p, q, m, rho):
    """f'(u)."""
    return p * math.exp(-u) - (m * q * math.exp(-m * u) if q != 0.0 else 0.0) - rho


@njit(**_OPTIONS)
def _slope_zero(low, high, p, q, m, rho):
    """The zero of f' in (low, high), where it is monotone; NaN when there is none."""
    rising = _slope(low, p, q, m, rho) > 0.0
    if high == np.inf:
        if rho == 0.0 or rising == (rho < 0.0):
            return np.nan
        high = 2.0 * low + 1.0
        while (_slope(high, p, q, m, rho) > 0.0) == rising:
            high *= 2.0
    elif (_slope(high, p, q, m, rho) > 0.0) == rising:
        return np.nan
    if q == 0.0:
        return math.log(p / rho)
    u = low
    for _ in range(200):
        value = _slope(u, p, q, m, rho)
        if (value > 0.0) == rising:
            low = u
        else:
            high = u
        change = m * m * q * math.exp(-m * u) - p * math.exp(-u)
        step = u - value / change if change != 0.0 else np.inf
        if not low < step < high:
            step = 0.5 * (low + high)
        if abs(step - u) <= 1e-9 * (1.0 + u):
            return step
        u = step
    return u


@njit(**_OPTIONS)
def _rising_zero(low, high, f0, p, q, m, rho):
    """The zero of f in (low, high], where f rises from below: Newton's method inside a bracket that bisection shrinks."""
    settled = f0 + p - rho * low  # without the second pole and with the ramp held, the zero is at log(p / settled)
    u = math.log(p / settled) if p > 0.0 and settled > 0.0 else low
    if not low < u < high:
        u = 0.5 * (low + high)
    for _ in range(200):
        first = p * math.exp(-u)
        second = q * math.exp(-m * u) if q != 0.0 and m * u < 700.0 else 0.0
        value = (f0 + p - q) - first + second - rho * u
        if value >= 0.0:
            high = u
        else:
            low = u
        slope = first - m * second - rho
        step = u - value / slope if slope > 0.0 else np.inf
        if not low <= step <= high:
            step = 0.5 * (low + high)
        if abs(step - u) <= 1e-9 * (1.0 + u):
            return step  # the next step would be the square of this one
        u = step
    return u


@njit(**_OPTIONS)
def first_crossing(f0, p, q, m, rho, gap):
    """Smallest u in (0, gap] with f(u) >= 0; inf when there is none. ``gap`` may be inf (then f must exceed 0)."""
    if f0 >= 0.0:
        return 0.0
    if rho >= 0.0 and f0 + max(p, 0.0) + max(-q, 0.0) < 0.0:
        return np.inf
    if q == 0.0 and rho == 0.0:
        u = -math.log1p(f0 / p) if p > -f0 else np.inf
        return u if u <= gap else np.inf
    if q * p <= 0.0 and gap < np.inf and _f(gap, f0, p, q, m, rho) >= 0.0:
        return _rising_zero(0.0, gap, f0, p, q, m, rho)  # f' is monotone, so f has one extremum at most
    turn = math.log(m * m * q / p) / (m - 1.0) if q * p > 0.0 else np.inf
    start = 0.0  # of the monotone piece
    low = 0.0
    while low < gap:
        high = turn if low < turn < gap else gap
        zero = _slope_zero(low, high, p, q, m, rho)
        if zero == zero:
            if _f(zero, f0, p, q, m, rho) >= 0.0:
                return _rising_zero(start, zero, f0, p, q, m, rho)
            start = zero
        low = high
    if gap < np.inf:
        return _rising_zero(start, gap, f0, p, q, m, rho) if _f(gap, f0, p, q, m, rho) >= 0.0 else np.inf
    if rho > 0.0 or (rho == 0.0 and f0 + p - q <= 0.0):
        return np.inf
    high = start + 1.0
    if rho < 0.0:
        high = max(
            high, 1.01 * (f0 + max(p, 0.0) + max(-q, 0.0)) / rho
        )  # nothing but the falling threshold brings f to 0
    while _f(high, f0, p, q, m, rho) < 0.0:
        if high > 1e300:
            return np.inf
        high = 2.0 * high
    return _rising_zero(start, high, f0, p, q, m, rho)


@njit(inline="always", error_model="numpy")
def _candidates(p, start, gap, loop, limit, d1, total, e1, e2, queue, level, rho):
    """How many neurons of position ``p`` may fire, or are beyond the detector limit, before ``start + gap``."""
    m, a, b, _ = loop
    end = start + gap
    need = 0
    if b > 0.0:
        scaled = limit * (m - 1.0)
        for j in range(total.shape[1]):
            x = m * e1[p, j] - e2[p, j]
            line = level[p, j] + rho[p, j] * (start if rho[p, j] > 0.0 else end)
            bound = total[p, j] - a * (e1[p, j] * d1 if e1[p, j] > 0.0 else e1[p, j])
            bound += b * (e2[p, j] if e2[p, j] > 0.0 else 0.0)
            waiting = total[p, j] > _FIRED
            need += (bound >= line) | ((abs(x) > scaled) & waiting) | (queue[p, j] != 0.0)
    else:
        for j in range(total.shape[1]):
            x = e1[p, j]
            line = level[p, j] + rho[p, j] * (start if rho[p, j] > 0.0 else end)
            bound = total[p, j] - (x * d1 if x > 0.0 else x)
            waiting = total[p, j] > _FIRED
            need += (bound >= line) | ((abs(x) > limit) & waiting) | (queue[p, j] != 0.0)
    return need


@njit(**_OPTIONS)
def _advance(b, site, start, gap, loop, limit, total, e1, e2, queue, over, level, rho, time, slope):
    """Carry the neurons of position ``site`` from ``start`` over ``gap`` without an event. Returns how many fired.

    ``loop`` = (m, a, b, K); ``level`` = 1 / gain and ``rho`` = ramp / gain: the threshold line seen from v / gain.
    """
    m, a1, a2, k_loop = loop
    n = total.shape[1]
    second = a2 > 0.0
    d1 = math.exp(-gap)
    d2 = math.exp(-m * gap) if second and m * gap < 700.0 else 0.0
    span = 1.0 / (m - 1.0) if second else 0.0
    fired = 0
    for j in range(n):
        if total[site, j] == _FIRED:
            e1[site, j] = 0.0
            e2[site, j] = 0.0
            continue
        x = (m * e1[site, j] - e2[site, j]) * span if second else e1[site, j]
        if gap < np.inf and abs(x) <= limit and queue[site, j] == 0.0:
            # The bound of _candidates: most neurons of a position are far from firing when one of them is not.
            bound = total[site, j] - a1 * (e1[site, j] * d1 if e1[site, j] > 0.0 else e1[site, j])
            bound += a2 * e2[site, j] if e2[site, j] > 0.0 else 0.0
            if bound < level[site, j] + rho[site, j] * (start if rho[site, j] > 0.0 else start + gap):
                e1[site, j] *= d1
                e2[site, j] *= d2
                continue
        if limit < np.inf:
            wanted = x + queue[site, j]
            admitted = min(max(wanted, -limit), limit) - x
            if abs(wanted) > limit:
                over[site, j] = 1
            else:
                admitted = queue[site, j]
            if admitted != 0.0:
                queue[site, j] -= admitted
                total[site, j] += admitted
                e1[site, j] += admitted
                e2[site, j] += admitted
        p = a1 * e1[site, j]
        q = a2 * e2[site, j]
        f0 = total[site, j] - p + q - level[site, j] - rho[site, j] * start
        held = 0.0
        if queue[site, j] != 0.0:
            drive = math.copysign(k_loop * limit, queue[site, j])
            held = min(gap, queue[site, j] / drive)
            climb = drive - rho[site, j]
            if f0 < 0.0 and climb > 0.0 and -f0 <= climb * held:
                time[b, site, j] = start - f0 / climb
                slope[b, site, j] = climb / level[site, j]
                total[site, j] = _FIRED
                queue[site, j] = 0.0
                fired += 1
                continue
            f0 += climb * held
            total[site, j] += drive * held
            queue[site, j] = queue[site, j] - drive * held if held == gap else 0.0
        u = np.inf
        if gap == np.inf:
            u = first_crossing(f0, p, q, m, rho[site, j], gap)
        elif gap > held:
            fall1 = math.exp(held - gap) if held > 0.0 else d1
            fall2 = d2 if held == 0.0 or q == 0.0 else math.exp(m * (held - gap))
            if f0 + p - q - min(p, p * fall1) + max(q, q * fall2) + max(0.0, -rho[site, j] * (gap - held)) >= 0.0:
                u = first_crossing(f0, p, q, m, rho[site, j], gap - held)
        if u < np.inf:
            time[b, site, j] = start + held + u
            slope[b, site, j] = _slope(u, p, q, m, rho[site, j]) / level[site, j]
            total[site, j] = _FIRED
            queue[site, j] = 0.0
            fired += 1
        elif held == 0.0:
            e1[site, j] *= d1
            e2[site, j] *= d2
        elif gap > held:
            e1[site, j] *= math.exp(held - gap)
            e2[site, j] *= math.exp(m * (held - gap)) if second else 0.0
    return fired


@njit(**_OPTIONS)
def forward(first, last, t, order, weight, bias, level, rho, loop, limit, reach, time, slope, left):
    """Fill ``time`` and ``slope`` (batch, positions, c_out) and ``left`` (batch,), the neurons that left the detector range.

    ``t`` (batch, n_in) in tau, ``order`` sorts its rows; ``weight`` (1 or positions, rows, c_out): shared by all positions, or
    one set of synapses per neuron; ``level``, ``rho`` (positions, c_out). ``slope``: dv/dt - ramp.
    Silent: time inf, slope 0.
    """
    n_out = weight.shape[2]
    taps = weight.shape[1] - 1
    inputs, row_step, column_step, out_h, out_w = reach
    positions = out_h * out_w
    unrolled = weight.shape[0] > 1
    m, second = loop[0], loop[2] > 0.0
    for b in range(first, last):
        total = np.zeros((positions, n_out))
        e1 = np.zeros((positions, n_out))
        e2 = np.zeros((positions, n_out))
        queue = np.zeros((positions, n_out))
        over = np.zeros((positions, n_out), dtype=np.uint8)
        alive = np.full(positions, n_out)
        before = np.zeros(positions)
        for p in range(positions):
            for j in range(n_out):
                time[b, p, j] = np.inf
                slope[b, p, j] = 0.0
                if bias:
                    w = weight[p if unrolled else 0, taps, j]
                    total[p, j] = w
                    e1[p, j] = w
                    e2[p, j] = w
        for k in range(order.shape[1]):
            event = order[b, k]
            now = np.float64(t[b, event])
            if not now < np.inf:
                break
            base = inputs[event, 4]
            for oy in range(inputs[event, 0], inputs[event, 1] + 1):
                for ox in range(inputs[event, 2], inputs[event, 3] + 1):
                    p = oy * out_w + ox
                    if alive[p] == 0:
                        continue
                    gap = now - before[p]
                    d1, d2 = 1.0, 1.0
                    if gap > 0.0:
                        d1 = math.exp(-gap)
                        d2 = math.exp(-m * gap) if second and m * gap < 700.0 else 0.0
                        if _candidates(p, before[p], gap, loop, limit, d1, total, e1, e2, queue, level, rho) > 0:
                            alive[p] -= _advance(
                                b, p, before[p], gap, loop, limit, total, e1, e2, queue, over, level, rho, time, slope
                            )
                            d1, d2 = 1.0, 1.0
                        before[p] = now
                    row = base - oy * row_step - ox * column_step
                    own = p if unrolled else 0
                    if second:
                        for j in range(n_out):
                            w = weight[own, row, j]
                            total[p, j] += w
                            e1[p, j] = e1[p, j] * d1 + w
                            e2[p, j] = e2[p, j] * d2 + w
                    else:
                        for j in range(n_out):
                            w = weight[own, row, j]
                            total[p, j] += w
                            e1[p, j] = e1[p, j] * d1 + w
        count = 0
        for p in range(positions):
            if alive[p] > 0:
                _advance(b, p, before[p], np.inf, loop, limit, total, e1, e2, queue, over, level, rho, time, slope)
            for j in range(n_out):
                count += over[p, j]
        left[b] = count
