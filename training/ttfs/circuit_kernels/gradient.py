"""Gradients of the circuit kernel by the implicit function theorem, over the causal inputs t_i < t_out of every neuron:

    dt_out / dw_i = -gain g(t_out - t_i) / v',        dt_out / dt_i = gain w_i g'(t_out - t_i) / v'

with v' = dv/dt - ramp, g(t) = 1 - a e^{-t} + b e^{-m t} and g'(t) = a e^{-t} - m b e^{-m t}. With
h = gain (dL/dz_out) z_out / v' and D = b e^{-m (t_out - t_i)} that is

    dL/dw_i = sum h (-1 + a z_i / z_out - D),        dL/dz_i = sum w_i h (a / z_out - m D / z_i).

The events of a position are gone through backwards, so that the fast exponential needs one factor per event for 16 neurons at
a time. Neurons that left the detector's range take the adjoint of ``saturation`` instead. Sums have one fixed order.
"""

import math

import numpy as np
from numba import njit

from neuronsim.training.compiled.vectors import LANES, OPTIONS, add, fused, load, mul, peek, splat, store, sub, total

from .event_lists import decays, event_arrays, gather
from .saturation import sensitivities

_H, _U, _D = 0, LANES, 2 * LANES


@njit(**OPTIONS)
def _wake(state, fire, h, beyond, at, lanes, z_now, now, m, a1, a2):
    """Let the neurons take part that fire after ``z_now``; returns the latest spike among those that do not yet."""
    latest = 0.0
    for j in range(lanes):
        if h[at + j] == 0.0 or beyond[at + j] or state[_H + j] != 0.0:
            continue
        if z_now < fire[at + j]:
            state[_H + j] = -h[at + j]
            state[_U + j] = a1 * h[at + j] / fire[at + j]
            if a2 > 0.0:
                state[_D + j] = a2 * h[at + j] * math.exp(-m * (math.log(np.float64(fire[at + j])) - now))
        else:
            latest = max(latest, fire[at + j])
    return latest


@njit(**OPTIONS)
def _linear(
    zs, times, places, events, start, end, weight, base, fire, h, beyond, at, lanes, loop, need_z, state, slow, fast,
    by_weight, by_z,
):  # fmt: skip
    """Add the terms of 16 neurons in the linear range to ``by_weight`` and ``by_z``."""
    m, a1, a2 = loop
    for j in range(3 * LANES):
        state[j] = 0.0
    latest = _wake(state, fire, h, beyond, at, lanes, np.inf, 0.0, m, a1, a2)
    k = end - 1
    while k >= start and zs[k] >= latest:
        k -= 1
    hs, us, ds = splat(0.0), splat(0.0), splat(0.0)
    first = end
    while k >= start:
        z_now = peek(zs, k)
        if a2 > 0.0:
            if k < first:
                first = k - k % LANES
                decays(zs, times, first, m, True, slow, fast)
            ds = mul(ds, splat(peek(fast, k - first)))
        if z_now < latest:
            store(state, _D, ds)
            latest = _wake(state, fire, h, beyond, at, lanes, z_now, times[k], m, a1, a2)
            hs, us, ds = load(state, _H), load(state, _U), load(state, _D)
        place = base + peek(places, k)
        store(by_weight, place, add(load(by_weight, place), sub(fused(splat(z_now), us, hs), ds)))
        if need_z and events[k] >= 0:
            by_z[events[k]] += total(mul(load(weight, place), fused(splat(-m / z_now), ds, us)))
        k -= 1


@njit(**OPTIONS)
def _beyond(zs, times, places, events, start, end, weight, base, fire, h, lane, loop, limit, by_weight, by_z):
    """Add the terms of one neuron that left the linear range; ``h`` per gain 1 of its membrane."""
    m, _, a2 = loop
    last = math.log(np.float64(fire))
    stop = start
    while stop < end and zs[stop] < fire:
        stop += 1
    of_weight, of_time = np.empty(stop - start), np.empty(stop - start)
    sensitivities(times, weight, places, start, stop, base + lane, last, m, a2 > 0.0, limit, of_weight, of_time)
    for k in range(start, stop):
        by_weight[base + places[k] + lane] -= h * of_weight[k - start]
        if events[k] >= 0:
            by_z[events[k]] -= h * of_time[k - start] / zs[k]


@njit(**OPTIONS)
def backward(z, order, weight, bias, fire, h, beyond, loop, limit, reach, need_z, by_weight, by_z):
    """Add to ``by_weight`` (sets, tiles, rows, 16) and fill ``by_z`` (batch, n_in; not where ``need_z`` is False).

    ``fire`` = z_out and ``h`` (batch, positions, c_out): h = 0 for silent neurons; ``beyond``: those that left the detector's
    range; the rest as in ``kernel.forward``.
    """
    positions, n_out = fire.shape[1], fire.shape[2]
    sets, tiles, n_rows = weight.shape[0], weight.shape[1], weight.shape[2]
    flat, sums = weight.reshape(-1), by_weight.reshape(-1)
    zs, times, places, events, ends = event_arrays(positions, n_rows)
    state, slow, fast = np.empty(3 * LANES), np.ones(LANES), np.ones(LANES)
    image_sums = np.empty(z.shape[1])
    for b in range(len(order)):
        gather(z[b], order[b], bias, reach, n_rows, zs, times, places, events, ends)
        image_sums[:] = 0.0
        for p in range(positions):
            start, end = p * n_rows, ends[p]
            for tile in range(tiles):
                low = tile * LANES
                base = ((p if sets > 1 else 0) * tiles + tile) * n_rows * LANES
                lanes = min(LANES, n_out - low)
                _linear(
                    zs, times, places, events, start, end, flat, base, fire[b, p], h[b, p], beyond[b, p], low, lanes, loop,
                    need_z, state, slow, fast, sums, image_sums,
                )  # fmt: skip
                if limit < np.inf:
                    for j in range(lanes):
                        if beyond[b, p, low + j] and h[b, p, low + j] != 0.0:
                            _beyond(
                                zs, times, places, events, start, end, flat, base, fire[b, p, low + j], h[b, p, low + j],
                                j, loop, limit, sums, image_sums,
                            )  # fmt: skip
        by_z[b] = image_sums
