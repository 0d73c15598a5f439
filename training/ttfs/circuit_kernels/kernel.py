"""Event kernel of the neuron of a model card: second pole, threshold ramp, detector range (equations:
``neuronsim.artifacts.ttfs_card``).

With m = r - 1, b = 1 / (r (r - 2)), a = 1 + b (ideal kernel: a = 1, b = 0) and the sums over the events until t_k

    S = sum w,    A = sum w e^{-(t_k - t_i)},    B = sum w e^{-m (t_k - t_i)}

the membrane is v(t_k + u) / gain = S - a A e^{-u} + b B e^{-m u} and the phase error (m A e^{-u} - B e^{-m u}) / (m - 1) (ideal:
A e^{-u}). 16 neurons of a position go through its events together, in vectors, until all have fired. A bound

    S - a min(A, A e^{-gap}) + b max(B, 0) >= (1 + ramp t) / gain        (t: that end of the gap where the line is lower)

tells for each gap which of them may fire in it; only those are looked at one by one (``settling``): ``crossing`` finds the
exact first crossing, ``saturation`` follows those whose phase error is beyond the linear range of the detector.
"""

import numpy as np
from numba import njit

from neuronsim.training.compiled import vectors as simd
from neuronsim.training.compiled.vectors import LANES, OPTIONS

from .event_lists import decays, event_arrays, gather
from .settling import AWAY, LEFT, SLOPE, STATE, A, B, S, Z, begin, settle


@njit(inline="always")
def _may_fire(zero, s, a, b, d1, a1, a2, rising, falling, now, later):
    """Mask of the lanes that the bound lets fire between ``now`` and ``later``; ``a2`` in every lane."""
    late = simd.mul(a, simd.splat(d1))
    least = simd.select(simd.below(a, late), a, late)
    top = simd.fused(simd.splat(-a1), least, s)
    top = simd.fused(a2, simd.select(simd.below(zero, b), b, zero), top)
    return simd.bits(simd.at_least(top, simd.fused(rising, simd.splat(now), simd.mul(falling, simd.splat(later)))))


@njit(inline="always")
def _may_leave(zero, s, a, b, second, m, edge):
    """Mask of the waiting lanes whose phase error may leave the range; ``edge``: its limit times (m - 1)."""
    strain = simd.mul(m, simd.select(simd.below(zero, a), a, simd.sub(zero, a)))
    if second:
        strain = simd.add(strain, simd.select(simd.below(zero, b), b, simd.sub(zero, b)))
    return simd.bits(simd.at_least(simd.select(simd.at_least(s, simd.splat(0.5 * AWAY)), strain, zero), edge))


@njit(**OPTIONS)
def _race(
    zs, times, places, start, end, weight, base, neurons, level, rho, lanes, loop, limit, limits, state, slow, fast
):
    """Let 16 neurons race through the events ``start`` to ``end`` - 1 of one position; the results are left in ``state``.

    ``level`` = 1 / gain and ``rho`` = ramp / gain from ``lanes`` on: the threshold line seen from v / gain.
    """
    m, a1, a2 = loop
    second = a2 > 0.0
    alive, beyond = begin(state, times[start] if end > start else np.inf, neurons, level, rho, lanes, limits), 0
    if alive == 0 or end == start:
        return
    zero = simd.splat(0.0)
    waits = simd.at_least(simd.load(state, Z), simd.splat(np.inf))
    s = simd.select(waits, simd.sub(zero, simd.load(level, lanes)), simd.splat(AWAY))
    a, b = zero, zero
    lines = simd.load(rho, lanes)
    rising = simd.select(simd.at_least(lines, zero), lines, zero)
    falling = simd.sub(lines, rising)
    edge, m_, a2_ = simd.splat(limit * (m - 1.0 if second else 1.0)), simd.splat(m if second else 1.0), simd.splat(a2)
    d1 = d2 = 1.0
    first = start
    for k in range(start, end - 1):
        if (k - start) % LANES == 0:
            first = k
            decays(zs, times, first, m, second, slow, fast)
        place = base + simd.peek(places, k)
        w = simd.load(weight, place)
        s = simd.add(s, w)
        a = simd.fused(a, simd.splat(d1), w)
        b = simd.fused(b, simd.splat(d2), w)
        now, later = simd.peek(times, k), simd.peek(times, k + 1)
        gap = later - now
        d1, d2 = simd.peek(slow, k - first), simd.peek(fast, k - first)
        if gap == 0.0 and beyond == 0:
            continue
        mask = _may_fire(zero, s, a, b, d1, a1, a2_, rising, falling, now, later)
        if limit < np.inf:
            mask |= _may_leave(zero, s, a, b, second, m_, edge)
        if mask != 0 or beyond != 0:
            simd.store(state, S, s)
            simd.store(state, A, a)
            simd.store(state, B, b)
            fired, beyond = settle(
                state, mask, neurons, zs[k], zs[k + 1], now, gap, d2, weight, place,
                level, rho, lanes, loop, limit, limits,
            )  # fmt: skip
            alive -= fired
            if alive <= 0:
                return
            s, a, b = simd.load(state, S), simd.load(state, A), simd.load(state, B)
    place = base + simd.peek(places, end - 1)
    w = simd.load(weight, place)
    simd.store(state, S, simd.add(s, w))
    simd.store(state, A, simd.fused(a, simd.splat(d1), w))
    simd.store(state, B, simd.fused(b, simd.splat(d2), w))
    settle(
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
    zs, times, places, events, ends = event_arrays(positions, n_rows)
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
                    z_out[image, p, low + j] = state[Z + j]
                    slope[image, p, low + j] = state[SLOPE + j]
                    left[image, p, low + j] = state[LEFT + j] != 0.0
