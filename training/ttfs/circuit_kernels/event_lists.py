"""The events of one image as the positions of a layer receive them, and the decays between them."""

import math

import numpy as np
from numba import njit

from neuronsim.training.compiled.vectors import LANES, OPTIONS, below, div, fused, load, mul, select, splat, store, sub


@njit(**OPTIONS)
def event_arrays(positions, n_rows):
    """What ``gather`` fills, with room for the vectors that :func:`decays` reads beyond the last event."""
    n = positions * n_rows
    places, events = np.empty(n, np.int32), np.empty(n, np.int32)
    return np.ones(n + LANES + 1), np.zeros(n + LANES + 1), places, events, np.empty(positions, np.int64)


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
