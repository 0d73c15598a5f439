"""16 neurons, looked at one by one: their state, and what each of them does in the gap between two events."""

import math

import numpy as np
from numba import njit

from neuronsim.training.compiled.vectors import LANES, OPTIONS

from ..kernels.kernel import FLATTEST
from .crossing import after_last, within
from .saturation import advance, amplitudes, leaves

# S of a neuron that has fired or is beyond the detector's range: no later event lifts it over the threshold.
AWAY = -1e30
# Rows of the 16 numbers a group of neurons has: sums, results, and the state of those beyond the range.
S, A, B, Z, SLOPE, BEYOND, LEFT, V, E, Y = (LANES * row for row in range(10))
STATE = 10 * LANES


@njit(**OPTIONS)
def begin(state, until, neurons, level, rho, lanes, limits):
    """Empty ``state`` for a new race; returns how many of the neurons wait for the first event, at the time ``until``.

    Before it only a falling threshold can be met.
    """
    for j in range(STATE):
        state[j] = 0.0
    for j in range(LANES):
        state[Z + j] = np.inf
    alive = neurons
    if until > 0.0:
        for j in range(neurons):
            line, ramp = level[lanes + j], rho[lanes + j]
            if ramp < 0.0 and -line / ramp <= until:
                fire(state, j, -line / ramp, -ramp, 1.0, math.exp(until), line, limits)
                alive -= 1
    return alive


@njit(**OPTIONS)
def fire(state, j, u, slope, z_now, z_later, line, limits):
    """Note the spike of lane ``j``, ``u`` after its last cause, held between that and the next event.

    ``limits``: spacing and largest value of the output type; a far spike must not turn into silence.
    """
    state[Z + j] = min(max(z_now * math.exp(u), z_now * (1.0 + limits[0])), min(z_later, limits[1]))
    state[SLOPE + j] = max(slope / line, FLATTEST)
    state[S + j] = AWAY
    state[A + j] = state[B + j] = 0.0
    if state[BEYOND + j] != 0.0:
        state[BEYOND + j] = 0.0
        state[LEFT + j] = 1.0


@njit(inline="always")
def _returns(state, j, w, loop, limit):
    """Whether an event of weight ``w`` brings lane ``j`` back into the range for good: only another one drives it out again."""
    m, a1, a2 = loop
    second = a2 > 0.0
    state[E + j] += w
    e, y = state[E + j], state[Y + j]
    region = round(e / (2.0 * limit))
    x = e - 2.0 * region * limit
    a, b = amplitudes(x, y, -1.0, -m, second)
    if region % 2 != 0 or abs(a) + abs(b) > limit:
        return False
    state[BEYOND + j] = 0.0
    state[LEFT + j] = 1.0
    slow, fast = (((m - 1.0) * x + x + y) / m, x + y) if second else (x, 0.0)
    state[S + j] = state[V + j] + a1 * slow - a2 * fast
    state[A + j] = slow
    state[B + j] = fast
    return True


@njit(inline="always")
def _fires_beyond(state, j, v, e, y, z_now, z_later, now, gap, loop, level, ramp, limit, limits):
    """Carry lane ``j`` over the gap beyond the range; whether it fires."""
    u, slope, v, e, y = advance(v, e, y, now, gap, loop[0], loop[2] > 0.0, ramp, limit)
    if u < np.inf:
        fire(state, j, u, slope, z_now, z_later, level, limits)
        return True
    state[V + j], state[E + j], state[Y + j] = v, e, y
    return False


@njit(inline="always")
def _in_range(state, j, now, gap, d1, d2, loop, ramp, limit):
    """What lane ``j`` does in the linear range: (crossing u, slope there, when it leaves the range, v, e, de/dt); inf: never."""
    m, a1, a2 = loop
    second = a2 > 0.0
    p, q = a1 * state[A + j], a2 * state[B + j]
    v = state[S + j] - p + q
    x = y = slope = 0.0
    until = u = np.inf
    if limit < np.inf:
        x, y = p, -p
        if second:
            x = (m * p / a1 - state[B + j]) / (m - 1.0)
            y = m * (state[B + j] - p / a1) / (m - 1.0)
        until = 0.0
        # |dy/dt + r y| <= r K limit, so that |y| grows to K limit at most
        if abs(x) + max(abs(y), limit) * gap <= limit:
            until = np.inf
        elif abs(x) <= limit:
            a, b = amplitudes(x, y, -1.0, -m, second)
            until = leaves(a, -1.0, b, -m, limit, gap)[0]
    if until > 0.0:
        f0 = v - ramp * now
        u = within(f0, p, q, m, ramp, gap, d1, d2) if gap < np.inf else after_last(f0, p, q, m, ramp)
    if u <= until and u < np.inf:
        slope = p * math.exp(-u) - (m * q * math.exp(-m * u) if second else 0.0) - ramp
    return u, slope, until, v, x, y


@njit(**OPTIONS)
def settle(state, mask, neurons, z_now, z_later, now, gap, d2, weight, place, level, rho, lanes, loop, limit, limits):
    """Carry the neurons of ``mask`` over the gap one by one. Returns how many fired and how many are beyond the range after it.

    The linear ones are only looked at: their sums stay those of ``now``. ``place``: of the weights that have just acted.
    """
    fired = beyond = 0
    d1 = z_now / z_later
    for j in range(neurons):
        line, ramp = level[lanes + j], rho[lanes + j]
        if state[BEYOND + j] != 0.0:
            if not _returns(state, j, weight[place + j], loop, limit):
                v, e, y = state[V + j], state[E + j], state[Y + j]
                if gap > 0.0 and _fires_beyond(
                    state, j, v, e, y, z_now, z_later, now, gap, loop, line, ramp, limit, limits
                ):
                    fired += 1
                else:
                    beyond += 1
                continue
        elif (mask >> j) & 1 == 0 or state[S + j] <= 0.5 * AWAY:
            continue
        if gap == 0.0:
            continue
        u, slope, until, v, e, y = _in_range(state, j, now, gap, d1, d2, loop, ramp, limit)
        if u <= until and u < np.inf:
            fire(state, j, u, slope, z_now, z_later, line, limits)
            fired += 1
        elif until < np.inf:
            state[BEYOND + j] = 1.0
            if _fires_beyond(state, j, v, e, y, z_now, z_later, now, gap, loop, line, ramp, limit, limits):
                fired += 1
            else:
                state[S + j] = AWAY
                state[LEFT + j] = 1.0
                beyond += 1
    return fired, beyond
