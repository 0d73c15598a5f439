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
event is then handed to each position whose patch holds it. 16 outputs race at a time, their sums in registers, until all of
them have fired. No sum is split between calls, so results do not depend on how many threads share the images.
"""

import numpy as np
from numba import njit

from neuronsim.training.compiled import vectors as simd
from neuronsim.training.compiled.vectors import LANES, OPTIONS

_FIRED = -1e30  # a sum that no later event lifts over the threshold again
FLATTEST = 1e-12  # smallest slope stored and divided by: what rounding may leave of it is no slope
_IMAGES = 32  # of a dense layer whose events are held while one column of weights serves them all


@njit(inline="always")
def _spikes(s, e, now, then, limits):
    """Spike times between ``now`` and ``then``, and s where it is not flat; s = 0: silent, inf and 0.

    Rounding alone could put the crossing before its last cause, or beyond what the output type holds.
    """
    zero, flattest = simd.splat(0.0), simd.splat(FLATTEST)
    fired = simd.below(zero, s)
    z = simd.sub(now, simd.div(e, s))
    earliest, last = simd.mul(now, simd.splat(1.0 + limits[0])), simd.splat(limits[1])
    z = simd.select(simd.at_least(z, earliest), z, earliest)
    z = simd.select(simd.at_least(z, then), then, z)
    z = simd.select(simd.at_least(z, last), last, z)
    s = simd.select(simd.at_least(s, flattest), s, flattest)
    return simd.select(fired, z, simd.splat(np.inf)), simd.select(fired, s, zero)


@njit(inline="always")
def _race(times, places, start, end, weight, base, alive, limits, results):
    """Let 16 neurons race through the events ``start`` to ``end`` - 1 of one position.

    ``times``: of the events, then inf; ``places``: of their 16 weights in ``weight`` behind ``base``. ``alive``: how many of the
    lanes are neurons. Leaves in ``results`` the 16 spike times (inf: silent), then s at the spikes (0: silent).
    """
    zero, gone = simd.splat(0.0), simd.splat(_FIRED)
    now = simd.peek(times, start)
    s, e = simd.splat(-1.0), simd.splat(-now)
    s_fired, e_fired, begin, until = zero, zero, zero, zero  # of the interval in which a neuron fires
    for k in range(start, end):
        then = simd.peek(times, k + 1)
        s = simd.add(s, simd.load_double(weight, base + simd.peek(places, k)))
        ahead = simd.fused(s, simd.splat(then - now), e)
        fires = simd.at_least(ahead, zero)
        if simd.bits(fires) != 0:
            s_fired = simd.select(fires, s, s_fired)
            e_fired = simd.select(fires, e, e_fired)
            begin = simd.select(fires, simd.splat(now), begin)
            until = simd.select(fires, simd.splat(then), until)
            alive -= simd.count(fires)
            if alive <= 0:
                break
            s = simd.select(fires, gone, s)
            ahead = simd.select(fires, gone, ahead)
        e = ahead
        now = then
    z, steepness = _spikes(s_fired, e_fired, begin, until, limits)
    simd.store(results, 0, z)
    simd.store(results, LANES, steepness)


@njit(inline="always")
def _copy(results, neurons, z_out, slope, at):
    """Copy the lanes that are neurons to the outputs from ``at`` on."""
    if neurons == LANES:
        simd.store(z_out, at, simd.load(results, 0))
        simd.store(slope, at, simd.load(results, LANES))
    else:
        for j in range(neurons):
            z_out[at + j] = results[j]
            slope[at + j] = results[LANES + j]


@njit(**OPTIONS)
def dense(z, order, weight, bias, z_out, slope, limits):
    """Fill ``z_out`` and ``slope`` (batch, n_out) from ``z`` (batch, n_in), whose rows ``order`` sorts.

    ``weight`` (tiles, rows, 16), filled up with zeros. ``bias`` True: its last row is an event at z = 1, which must not come
    after any other. ``limits``: spacing and largest value of the output type. Silent: z_out = inf, slope = 0.
    """
    batch, n = order.shape
    tiles, n_rows = weight.shape[0], weight.shape[1]
    n_out = z_out.shape[1]
    flat, z_flat, slope_flat = weight.reshape(-1), z_out.reshape(-1), slope.reshape(-1)
    results = np.empty(2 * LANES)
    width = n + 2
    times = np.empty(min(batch, _IMAGES) * width)
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
            times[at] = np.inf
            ends[b] = at
        for tile in range(tiles):
            low = tile * LANES
            neurons = min(LANES, n_out - low)
            for b in range(images):
                _race(times, places, b * width, ends[b], flat, low * n_rows, neurons, limits, results)
                _copy(results, neurons, z_flat, slope_flat, (chunk + b) * n_out + low)


@njit(**OPTIONS)
def convolution(z, order, weight, bias, pairs, channels, z_out, slope, limits):
    """:func:`dense` for images: ``z_out`` and ``slope`` (batch, positions, c_out); ``pairs``: the geometry.

    Every event is handed to the positions whose patch holds it, then the neurons of each position race.
    """
    positions, n_out = z_out.shape[1:]
    z_flat, slope_flat = z_out.reshape(-1), slope.reshape(-1)
    tiles, n_rows = weight.shape[0], weight.shape[1]
    flat = weight.reshape(-1)
    width = n_rows + 1
    times, places = np.empty(positions * width), np.empty(positions * width, np.int32)
    ends, results = np.empty(positions, np.int64), np.empty(2 * LANES)
    for b in range(order.shape[0]):
        _hand_out(z[b], order[b], bias, pairs, channels, n_rows, times, places, ends)
        for position in range(positions):
            start = position * width
            times[ends[position]] = np.inf
            for tile in range(tiles):
                low = tile * LANES
                neurons = min(LANES, n_out - low)
                _race(times, places, start, ends[position], flat, low * n_rows, neurons, limits, results)
                _copy(results, neurons, z_flat, slope_flat, (b * positions + position) * n_out + low)


@njit(**OPTIONS)
def _hand_out(z, order, bias, pairs, channels, n_rows, times, places, ends):
    """The events of one image to its positions: position p gets ``times`` and ``places`` from p (n_rows + 1) to ends[p] - 1."""
    start, position, row = pairs
    for p in range(len(ends)):
        at = p * (n_rows + 1)
        if bias:
            times[at] = 1.0
            places[at] = (n_rows - 1) * LANES
            at += 1
        ends[p] = at
    per_channel = 1.0 / channels
    for k in range(len(order)):
        event = simd.peek(order, k)
        now = np.float64(simd.peek(z, event))
        if not now < np.inf:
            break
        pixel = np.int64((event + 0.5) * per_channel)  # a whole division would take ten times as long
        channel = event - pixel * channels
        for pair in range(simd.peek(start, pixel), simd.peek(start, pixel + 1)):
            p = simd.peek(position, pair)
            at = simd.peek(ends, p)
            simd.poke(times, at, now)
            simd.poke(places, at, np.int32((simd.peek(row, pair) + channel) * LANES))
            simd.poke(ends, p, at + 1)
