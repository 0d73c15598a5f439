"""Event kernel of the neuron of a model card: second pole, threshold ramp, detector range (equations:
``neuronsim.artifacts.ttfs_card``).

With m = r - 1, b = 1 / (r (r - 2)), a = 1 + b (ideal kernel: a = 1, b = 0) and the sums over the events until t_k

    S = sum w,    A = sum w e^{-(t_k - t_i)},    B = sum w e^{-m (t_k - t_i)}

the membrane is v(t_k + u) / gain = S - a A e^{-u} + b B e^{-m u} and the phase error (m A e^{-u} - B e^{-m u}) / (m - 1) (ideal:
A e^{-u}). 16 neurons of a position go through its events together, in vectors, until all have fired. A bound

    S - a min(A, A e^{-gap}) + b max(B, 0) >= (1 + ramp t) / gain        (t: that end of the gap where the line is lower)

tells for each gap which of them may fire in it; only those are looked at one by one: ``crossing`` finds the exact first
crossing, ``saturation`` follows those whose phase error is beyond the linear range of the detector.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from neuronsim.training.compiled.vectors import (
    LANES,
    OPTIONS,
    add,
    at_least,
    below,
    bits,
    div,
    fused,
    load,
    mul,
    peek,
    select,
    splat,
    store,
    sub,
)

from ..kernels.kernel import FLATTEST
from .crossing import after_last, within
from .saturation import advance, amplitudes, leaves

# S of a neuron that has fired or is beyond the detector's range: no later event lifts it over the threshold.
_AWAY = -1e30
# Rows of the 16 numbers a group of neurons has: sums, results, and the state of those beyond the range.
_S, _A, _B, _Z, _SLOPE, _BEYOND, _LEFT, _V, _E, _Y = (LANES * row for row in range(10))
STATE = 10 * LANES


@njit(**OPTIONS)
def event_arrays(n):
    """``zs`` and ``times`` for ``gather``, with room for the vectors that :func:`decays` reads beyond the last event."""
    return np.ones(n + LANES + 1), np.zeros(n + LANES + 1)


@njit(inline="always")
def decays(zs, times, first, m, second, slow, fast):
    """e^{-gap} and e^{-m gap} of the 16 gaps that begin with the events ``first`` to ``first`` + 15, without a call of exp().

    e^x = (e^{x/256})^256, e^{x/256} by its Taylor series: x >= -60 leaves a relative error below 1e-12.
    """
    store(slow, 0, div(load(zs, first), load(zs, first + 1)))
    if second:
        lowest, zero, one = splat(-60.0), splat(0.0), splat(1.0)
        x = mul(sub(load(times, first + 1), load(times, first)), splat(-m))
        x = select(below(x, lowest), lowest, x)
        x = mul(select(below(x, zero), x, zero), splat(1.0 / 256.0))
        y = one
        for k in range(10, 0, -1):
            y = fused(mul(x, splat(1.0 / k)), y, one)
        for _ in range(8):
            y = mul(y, y)
        store(fast, 0, y)


@njit(**OPTIONS)
def gather(z, order, bias, reach, n_rows, zs, times, places, events, ends):
    """Hand the events of one image, sorted by ``order``, to the positions whose patch holds them.

    Position p gets ``zs``, ``times`` (t in tau), ``places`` (16 x weight row) and ``events`` (input; -1: bias) from p * n_rows to
    ends[p] - 1.
    """
    inputs, row_step, column_step, _, out_w = reach
    for p in range(len(ends)):
        ends[p] = p * n_rows
        if bias:
            zs[ends[p]], times[ends[p]] = 1.0, 0.0
            places[ends[p]] = (n_rows - 1) * LANES
            events[ends[p]] = -1
            ends[p] += 1
    for k in range(len(order)):
        event = order[k]
        here = np.float64(z[event])
        if not here < np.inf:
            break
        now = math.log(here)
        base = inputs[event, 4]
        for oy in range(inputs[event, 0], inputs[event, 1] + 1):
            for ox in range(inputs[event, 2], inputs[event, 3] + 1):
                p = oy * out_w + ox
                at = ends[p]
                zs[at], times[at] = here, now
                places[at] = (base - oy * row_step - ox * column_step) * LANES
                events[at] = event
                ends[p] = at + 1


@njit(**OPTIONS)
def _fire(state, j, u, slope, z_now, z_later, line, limits):
    """Note the spike of lane ``j``, ``u`` after its last cause, held between that and the next event.

    ``limits``: spacing and largest value of the output type; a far spike must not turn into silence.
    """
    state[_Z + j] = min(max(z_now * math.exp(u), z_now * (1.0 + limits[0])), min(z_later, limits[1]))
    state[_SLOPE + j] = max(slope / line, FLATTEST)
    state[_S + j] = _AWAY
    state[_A + j] = state[_B + j] = 0.0
    if state[_BEYOND + j] != 0.0:
        state[_BEYOND + j] = 0.0
        state[_LEFT + j] = 1.0


@njit(inline="always")
def _returns(state, j, w, loop, limit):
    """Whether an event of weight ``w`` brings lane ``j`` back into the range for good: only another one drives it out again."""
    m, a1, a2 = loop
    second = a2 > 0.0
    state[_E + j] += w
    e, y = state[_E + j], state[_Y + j]
    region = round(e / (2.0 * limit))
    x = e - 2.0 * region * limit
    a, b = amplitudes(x, y, -1.0, -m, second)
    if region % 2 != 0 or abs(a) + abs(b) > limit:
        return False
    state[_BEYOND + j] = 0.0
    state[_LEFT + j] = 1.0
    slow, fast = (((m - 1.0) * x + x + y) / m, x + y) if second else (x, 0.0)
    state[_S + j] = state[_V + j] + a1 * slow - a2 * fast
    state[_A + j] = slow
    state[_B + j] = fast
    return True


@njit(inline="always")
def _fires_beyond(state, j, v, e, y, z_now, z_later, now, gap, loop, level, ramp, limit, limits):
    """Carry lane ``j`` over the gap beyond the range; whether it fires."""
    u, slope, v, e, y = advance(v, e, y, now, gap, loop[0], loop[2] > 0.0, ramp, limit)
    if u < np.inf:
        _fire(state, j, u, slope, z_now, z_later, level, limits)
        return True
    state[_V + j], state[_E + j], state[_Y + j] = v, e, y
    return False


@njit(inline="always")
def _in_range(state, j, now, gap, d1, d2, loop, ramp, limit):
    """What lane ``j`` does in the linear range: (crossing u, slope there, when it leaves the range, v, e, de/dt); inf: never."""
    m, a1, a2 = loop
    second = a2 > 0.0
    p, q = a1 * state[_A + j], a2 * state[_B + j]
    v = state[_S + j] - p + q
    x = y = slope = 0.0
    until = u = np.inf
    if limit < np.inf:
        x, y = p, -p
        if second:
            x = (m * p / a1 - state[_B + j]) / (m - 1.0)
            y = m * (state[_B + j] - p / a1) / (m - 1.0)
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
def _settle(state, mask, neurons, z_now, z_later, now, gap, d2, weight, place, level, rho, lanes, loop, limit, limits):
    """Carry the neurons of ``mask`` over the gap one by one. Returns how many fired and how many are beyond the range after it.

    The linear ones are only looked at: their sums stay those of ``now``. ``place``: of the weights that have just acted.
    """
    fired = beyond = 0
    d1 = z_now / z_later
    for j in range(neurons):
        line, ramp = level[lanes + j], rho[lanes + j]
        if state[_BEYOND + j] != 0.0:
            if not _returns(state, j, weight[place + j], loop, limit):
                v, e, y = state[_V + j], state[_E + j], state[_Y + j]
                if gap > 0.0 and _fires_beyond(
                    state, j, v, e, y, z_now, z_later, now, gap, loop, line, ramp, limit, limits
                ):
                    fired += 1
                else:
                    beyond += 1
                continue
        elif (mask >> j) & 1 == 0 or state[_S + j] <= 0.5 * _AWAY:
            continue
        if gap == 0.0:
            continue
        u, slope, until, v, e, y = _in_range(state, j, now, gap, d1, d2, loop, ramp, limit)
        if u <= until and u < np.inf:
            _fire(state, j, u, slope, z_now, z_later, line, limits)
            fired += 1
        elif until < np.inf:
            state[_BEYOND + j] = 1.0
            if _fires_beyond(state, j, v, e, y, z_now, z_later, now, gap, loop, line, ramp, limit, limits):
                fired += 1
            else:
                state[_S + j] = _AWAY
                state[_LEFT + j] = 1.0
                beyond += 1
    return fired, beyond


@njit(**OPTIONS)
def _begin(state, until, neurons, level, rho, lanes, limits):
    """Empty ``state`` for a new race; returns how many of the neurons wait for the first event, at the time ``until``.

    Before it only a falling threshold can be met.
    """
    for j in range(STATE):
        state[j] = 0.0
    for j in range(LANES):
        state[_Z + j] = np.inf
    alive = neurons
    if until > 0.0:
        for j in range(neurons):
            line, ramp = level[lanes + j], rho[lanes + j]
            if ramp < 0.0 and -line / ramp <= until:
                _fire(state, j, -line / ramp, -ramp, 1.0, math.exp(until), line, limits)
                alive -= 1
    return alive


@njit(inline="always")
def _may_fire(zero, s, a, b, d1, a1, a2, rising, falling, now, later):
    """Mask of the lanes that the bound lets fire between ``now`` and ``later``; ``a2`` in every lane."""
    late = mul(a, splat(d1))
    least = select(below(a, late), a, late)
    top = fused(splat(-a1), least, s)
    top = fused(a2, select(below(zero, b), b, zero), top)
    return bits(at_least(top, fused(rising, splat(now), mul(falling, splat(later)))))


@njit(inline="always")
def _may_leave(zero, s, a, b, second, m, edge):
    """Mask of the waiting lanes whose phase error may leave the range; ``edge``: its limit times (m - 1)."""
    strain = mul(m, select(below(zero, a), a, sub(zero, a)))
    if second:
        strain = add(strain, select(below(zero, b), b, sub(zero, b)))
    return bits(at_least(select(at_least(s, splat(0.5 * _AWAY)), strain, zero), edge))


@njit(**OPTIONS)
def _race(
    zs, times, places, start, end, weight, base, neurons, level, rho, lanes, loop, limit, limits, state, slow, fast
):
    """Let 16 neurons race through the events ``start`` to ``end`` - 1 of one position; the results are left in ``state``.

    ``level`` = 1 / gain and ``rho`` = ramp / gain from ``lanes`` on: the threshold line seen from v / gain.
    """
    m, a1, a2 = loop
    second = a2 > 0.0
    alive, beyond = _begin(state, times[start] if end > start else np.inf, neurons, level, rho, lanes, limits), 0
    if alive == 0 or end == start:
        return
    zero = splat(0.0)
    s = select(at_least(load(state, _Z), splat(np.inf)), sub(zero, load(level, lanes)), splat(_AWAY))
    a, b = zero, zero
    lines = load(rho, lanes)
    rising = select(at_least(lines, zero), lines, zero)
    falling = sub(lines, rising)
    edge, m_, a2_ = splat(limit * (m - 1.0 if second else 1.0)), splat(m if second else 1.0), splat(a2)
    d1 = d2 = 1.0
    first = start
    for k in range(start, end - 1):
        if (k - start) % LANES == 0:
            first = k
            decays(zs, times, first, m, second, slow, fast)
        place = base + peek(places, k)
        w = load(weight, place)
        s = add(s, w)
        a = fused(a, splat(d1), w)
        b = fused(b, splat(d2), w)
        now, later = peek(times, k), peek(times, k + 1)
        gap = later - now
        d1, d2 = peek(slow, k - first), peek(fast, k - first)
        if gap == 0.0 and beyond == 0:
            continue
        mask = _may_fire(zero, s, a, b, d1, a1, a2_, rising, falling, now, later)
        if limit < np.inf:
            mask |= _may_leave(zero, s, a, b, second, m_, edge)
        if mask != 0 or beyond != 0:
            store(state, _S, s)
            store(state, _A, a)
            store(state, _B, b)
            fired, beyond = _settle(
                state, mask, neurons, zs[k], zs[k + 1], now, gap, d2, weight, place,
                level, rho, lanes, loop, limit, limits,
            )  # fmt: skip
            alive -= fired
            if alive <= 0:
                return
            s, a, b = load(state, _S), load(state, _A), load(state, _B)
    place = base + peek(places, end - 1)
    w = load(weight, place)
    store(state, _S, add(s, w))
    store(state, _A, fused(a, splat(d1), w))
    store(state, _B, fused(b, splat(d2), w))
    _settle(
        state, -1, neurons, zs[end - 1], np.inf, times[end - 1], np.inf, 0.0, weight, place,
        level, rho, lanes, loop, limit, limits,
    )  # fmt: skip


@njit(**OPTIONS)
def forward(z, order, weight, bias, level, rho, loop, limit, reach, z_out, slope, left, limits):
    """Fill ``z_out``, ``slope`` = dv/dt - ramp and ``left`` (all (batch, positions, c_out)); silent: inf and 0.

    ``z`` (batch, n_in), ``order`` sorts its rows; ``weight`` (1 or positions, tiles, rows, 16), double precision, filled up
    with zeros: shared by all positions, or one set of synapses per neuron; ``level``, ``rho`` (positions, c_out filled up).
    ``left``: neurons whose phase error left the detector's linear range before they fired.
    """
    positions, n_out = z_out.shape[1], z_out.shape[2]
    sets, tiles, n_rows = weight.shape[0], weight.shape[1], weight.shape[2]
    flat, levels, rhos = weight.reshape(-1), level.reshape(-1), rho.reshape(-1)
    zs, times = event_arrays(positions * n_rows)
    places, events = np.empty(positions * n_rows, np.int32), np.empty(positions * n_rows, np.int32)
    ends = np.empty(positions, np.int64)
    state, slow, fast = np.empty(STATE), np.ones(LANES), np.ones(LANES)
    for image in range(len(order)):
        gather(z[image], order[image], bias, reach, n_rows, zs, times, places, events, ends)
        for p in range(positions):
            for tile in range(tiles):
                low = tile * LANES
                base = ((p if sets > 1 else 0) * tiles + tile) * n_rows * LANES
                lanes = p * tiles * LANES + low
                neurons = min(LANES, n_out - low)
                _race(
                    zs, times, places, p * n_rows, ends[p], flat, base, neurons, levels, rhos, lanes,
                    loop, limit, limits, state, slow, fast,
                )  # fmt: skip
                for j in range(neurons):
                    z_out[image, p, low + j] = state[_Z + j]
                    slope[image, p, low + j] = state[_SLOPE + j]
                    left[image, p, low + j] = state[_LEFT + j] != 0.0
