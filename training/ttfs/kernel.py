"""The exact first-spike kernel, one event loop for dense and convolutional layers.

In z = e^{t/tau} the membrane of a neuron that has received the events of a set C is v(z) = S - A / z with S = sum_C w and
A = sum_C w z_i (paper 004, equation 3, at threshold 1). Carried from event to event, the distance to the threshold
E = z (v - 1) needs one addition and one multiplication per event and no division:

    s = S - 1 <- s + w_k,        E <- E + s (z_{k+1} - z_k),        before the first event s = -1, E = -z_0.

v is monotone between events, so the neuron fires in (z_k, z_{k+1}] at the first k where E(z_{k+1}) >= 0, at z_k - E(z_k) / s,
which is equation 4; after the last event (z_{k+1} = inf) iff s > 0. Simultaneous events leave E as it is until the last of them.
s and E are kept in double precision whatever the type of the inputs: the running sums of hundreds of signed weights lose enough
digits in single precision to turn a spike into silence where s is small.

Arrays are channels-last. A dense layer is the convolution of a 1 x 1 image with a 1 x 1 kernel. Every image is sorted once; an
event is then handed to each position whose patch holds it. 16 outputs race at a time (``lanes``), until all of them
have fired. No sum is split between calls, so results do not depend on how many threads share the images.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .lanes import (
    LANES,
    add,
    at_least,
    below,
    bits,
    count,
    div,
    fused,
    load,
    mul,
    peek,
    poke,
    select,
    splat,
    store,
    store_single,
    sub,
)

_OPTIONS = {"nogil": True, "error_model": "numpy", "cache": True}
_FIRED = -1e30  # a sum that no later event lifts over the threshold again
_SITE = 2 * LANES + 8  # what 16 neurons of one position hold: s, E and the time of E, in whole cache lines
_FOUND = 4 * LANES  # and where they fired: s, E and both ends of the interval
_FLATTEST = 1e-12  # smallest s stored: what rounding may leave of it is no slope
_IMAGES = 32  # of a dense layer whose events are held while one column of weights serves them all


@njit(inline="always")
def _spikes(s, e, now, then, limits):
    """Spike times between ``now`` and ``then``, and s where it is not flat; s = 0: silent, inf and 0.

    Rounding alone could put the crossing before its last cause, or beyond what the output type holds.
    """
    zero, flattest = splat(0.0), splat(_FLATTEST)
    fired = below(zero, s)
    z = sub(now, div(e, s))
    earliest, last = mul(now, splat(1.0 + limits[0])), splat(limits[1])
    z = select(at_least(z, earliest), z, earliest)
    z = select(at_least(z, then), then, z)
    z = select(at_least(z, last), last, z)
    s = select(at_least(s, flattest), s, flattest)
    return select(fired, z, splat(np.inf)), select(fired, s, zero)


@njit(**_OPTIONS)
def _race(times, gaps, places, start, end, weight, base, alive, limits, scratch):
    """Let 16 neurons race through the events ``start`` to ``end`` - 1 of one position.

    ``times``: of the events, ``gaps``: to the next one (inf after the last), ``places``: of their 16 weights in ``weight`` behind
    ``base``. ``alive``: how many of the lanes are neurons. Leaves the spike times (inf: silent) in ``scratch[:16]`` and s at the
    spike (0: silent) in ``scratch[16:32]``.
    """
    zero, gone = splat(0.0), splat(_FIRED)
    s = splat(-1.0)
    e = splat(-times[start] if end > start else 0.0)
    s_fired, e_fired, begin, until = zero, zero, zero, zero  # of the interval in which a neuron fires
    for k in range(start, end):
        s = add(s, load(weight, base + peek(places, k)))
        ahead = fused(s, splat(peek(gaps, k)), e)
        fires = at_least(ahead, zero)
        if bits(fires) != 0:
            s_fired = select(fires, s, s_fired)
            e_fired = select(fires, e, e_fired)
            begin = select(fires, splat(times[k]), begin)
            until = select(fires, splat(times[k] + gaps[k]), until)
            alive -= count(fires)
            if alive <= 0:
                break
            s = select(fires, gone, s)
            ahead = select(fires, gone, ahead)
        e = ahead
    z, steepness = _spikes(s_fired, e_fired, begin, until, limits)
    store(scratch, 0, z)
    store(scratch, LANES, steepness)


@njit(**_OPTIONS)
def _close(times, gaps, start, end):
    """The gaps between the events ``start`` to ``end`` - 1, the last one endless."""
    for k in range(start, end - 1):
        gaps[k] = times[k + 1] - times[k]
    gaps[end - 1] = np.inf


@njit(**_OPTIONS)
def _copy(found, source, neurons, z_out, slope, at):
    """Copy the lanes that are neurons, 16 spike times and 16 slopes from ``found[source]``, to the outputs from ``at`` on."""
    if neurons == LANES:
        store_single(z_out, at, load(found, source))
        store_single(slope, at, load(found, source + LANES))
    else:
        for j in range(neurons):
            z_out[at + j] = found[source + j]
            slope[at + j] = found[source + LANES + j]


@njit(**_OPTIONS)
def dense(z, order, weight, bias, z_out, slope, limits):
    """Fill ``z_out`` and ``slope`` (batch, n_out) from ``z`` (batch, n_in), whose rows ``order`` sorts.

    ``weight`` (tiles, rows, 16), double precision, filled up with zeros. ``bias`` True: its last row is an event
    at z = 1, which must not come after any other. ``limits``: spacing and largest value of the output type.
    Silent: z_out = inf, slope = 0.
    """
    batch, n = order.shape
    tiles, n_rows = weight.shape[0], weight.shape[1]
    n_out = z_out.shape[1]
    flat, z_flat, slope_flat = weight.reshape(-1), z_out.reshape(-1), slope.reshape(-1)
    scratch = np.empty(2 * LANES)
    width = n + 1
    times = np.empty(min(batch, _IMAGES) * width)
    gaps = np.empty(len(times))
    places = np.empty(len(times), np.int32)
    ends = np.empty(_IMAGES, np.int64)
    for chunk in range(0, batch, _IMAGES):
        images = min(_IMAGES, batch - chunk)
        for b in range(images):
            at = b * width
            if bias:
                times[at] = 1.0
                places[at] = (n_rows - 1) * LANES
                at += 1
            for k in range(n):
                event = order[chunk + b, k]
                now = z[chunk + b, event]
                if not now < np.inf:
                    break
                times[at] = now
                places[at] = event * LANES
                at += 1
            ends[b] = at
            if at > b * width:
                _close(times, gaps, b * width, at)
        for tile in range(tiles):
            low = tile * LANES
            for b in range(images):
                neurons = min(LANES, n_out - low)
                _race(times, gaps, places, b * width, ends[b], flat, low * n_rows, neurons, limits, scratch)
                _copy(scratch, 0, neurons, z_flat, slope_flat, (chunk + b) * n_out + low)


@njit(**_OPTIONS)
def convolution(z, order, weight, bias, pairs, channels, z_out, slope, limits):
    """:func:`dense` for images: ``z_out`` and ``slope`` (batch, positions, c_out); ``pairs``: the geometry.

    Every event is handed to the neurons it reaches as it comes; what they hold fits the cache.
    """
    start, position, row = pairs
    positions, n_out = z_out.shape[1:]
    z_flat, slope_flat = z_out.reshape(-1), slope.reshape(-1)
    tiles, n_rows = weight.shape[0], weight.shape[1]
    weights = weight.reshape(-1)
    sites, places = position * (tiles * _SITE), row * LANES  # of each pair, in the state and in the weights
    room = np.empty(positions * tiles * (_SITE + _FOUND) + LANES)
    skip = -room.ctypes.data % 64 // 8  # vectors that straddle cache lines cost twice the time
    found = skip + positions * tiles * _SITE
    state, found = room[skip:found], room[found : found + positions * tiles * _FOUND]
    pixels, per_channel = np.empty(order.shape[1], np.int64), 1.0 / channels
    zero, gone = splat(0.0), splat(_FIRED)
    for b in range(order.shape[0]):
        _release(bias, weights, n_rows, tiles, state, found)
        for k in range(
            order.shape[1]
        ):  # whole divisions, which are slow one by one, as products in a loop of their own
            pixels[k] = np.int64((order[b, k] + 0.5) * per_channel)
        for k in range(order.shape[1]):
            event = peek(order[b], k)
            now = np.float64(peek(z[b], event))
            if not now < np.inf:
                break
            pixel = peek(pixels, k)
            channel = event - pixel * channels
            first, last = peek(start, pixel), peek(start, pixel + 1)
            for tile in range(tiles):
                drive = (tile * n_rows + channel) * LANES
                for pair in range(first, last):
                    at = peek(sites, pair) + tile * _SITE
                    s = load(state, at)
                    e = load(state, at + LANES)
                    before = peek(state, at + 2 * LANES)
                    ahead = fused(s, splat(now - before), e)
                    fires = at_least(ahead, zero)
                    if bits(fires) != 0:
                        _keep_interval(found, at // _SITE, fires, s, e, before, now)
                        s = select(fires, gone, s)
                        ahead = select(fires, gone, ahead)
                    store(state, at, add(s, load(weights, peek(places, pair) + drive)))
                    store(state, at + LANES, ahead)
                    poke(state, at + 2 * LANES, now)
        for site in range(positions * tiles):
            s, e, now = load(state, site * _SITE), load(state, site * _SITE + LANES), state[site * _SITE + 2 * LANES]
            _keep_interval(found, site, below(zero, s), s, e, now, np.inf)
            at = site * _FOUND
            s, e = load(found, at), load(found, at + LANES)
            spikes, steepness = _spikes(s, e, load(found, at + 2 * LANES), load(found, at + 3 * LANES), limits)
            store(found, at, spikes)
            store(found, at + LANES, steepness)
            low = site % tiles * LANES
            place = (b * positions + site // tiles) * n_out + low
            _copy(found, at, min(LANES, n_out - low), z_flat, slope_flat, place)


@njit(inline="always")
def _keep_interval(found, site, fires, s, e, now, then):
    """Note in which interval the lanes of ``fires`` fire, and what they hold there; the division comes once, at the end."""
    at = site * _FOUND
    store(found, at, select(fires, s, load(found, at)))
    store(found, at + LANES, select(fires, e, load(found, at + LANES)))
    store(found, at + 2 * LANES, select(fires, splat(now), load(found, at + 2 * LANES)))
    store(found, at + 3 * LANES, select(fires, splat(then), load(found, at + 3 * LANES)))


@njit(**_OPTIONS)
def _release(bias, weights, n_rows, tiles, state, found):
    """Reset every neuron: s = -1, E = -z, no spike. With a bias every position starts at that event, else at z = 0."""
    begin = 1.0 if bias else 0.0
    for site in range(len(state) // _SITE):
        s = splat(-1.0)
        if bias:
            s = add(s, load(weights, (site % tiles * n_rows + n_rows - 1) * LANES))
        store(state, site * _SITE, s)
        store(state, site * _SITE + LANES, splat(-begin))
        state[site * _SITE + 2 * LANES] = begin
        store(found, site * _FOUND, splat(0.0))
