"""The exact first-spike kernel, one event loop for dense and convolutional layers, forward and backward.

In z = e^{t/tau} the membrane of a neuron that has received the events of a set C is v(z) = S - A / z with S = sum_C w and
A = sum_C w z_i (paper 004, equation 3, at threshold 1). It is monotone between events, so the neuron fires in (z_k, z_{k+1}]
at the first k with

    S z_{k+1} - A >= z_{k+1},        at  z_out = A / (S - 1)     (equation 4),        after the last event iff S > 1,

one division-free test per event. S and A are kept in double precision whatever the type of the inputs: the running
sums of hundreds of signed weights lose enough digits in single precision to turn a spike into silence where S - 1 is small.

Arrays are channels-last. A dense layer is the convolution of a 1 x 1 image with a 1 x 1 kernel. Every image is sorted once; an
event is then handed to each position whose patch holds it. Each call does the images (weight gradient: the weight rows)
``first`` to ``last - 1``; no sum is split between calls, so results do not depend on how many threads share the work.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

TILE = 128  # outputs tested together; a tile whose neurons have all fired costs nothing more
_FIRED = -1e300  # a sum that no later event lifts over the threshold again


@njit(inline="always")
def _fire(excess, moment, low, high, limits):
    """A / (S - 1) held inside (low, high], where rounding alone could put it outside.

    ``limits``: spacing and largest value of the output type, so that the spike stays after its last cause and finite.
    """
    z = moment / excess if excess > 0.0 else high
    return min(max(z, low * (1.0 + limits[0])), min(high, limits[1]))


@njit(inline="always", error_model="numpy")
def _add(p, weight, row, before, now, excess, moment, alive, z_out, slope, b, limits):
    """Add the event at ``before`` to the sums of position ``p``, and let fire what reaches the threshold by ``now``."""
    for tile in range(weight.shape[1]):
        if alive[p, tile] == 0:
            continue
        if now > before:
            hits = 0
            for j in range(weight.shape[2]):
                w = weight[row, tile, j]
                s = excess[p, tile, j] + w
                a = moment[p, tile, j] + w * before
                excess[p, tile, j] = s
                moment[p, tile, j] = a
                hits += s * now >= a
            if hits > 0:
                alive[p, tile] -= hits
                low = tile * weight.shape[2]
                for j in range(weight.shape[2]):
                    s = excess[p, tile, j]
                    if s * now >= moment[p, tile, j]:
                        z_out[b, p, low + j] = _fire(s, moment[p, tile, j], before, now, limits)
                        slope[b, p, low + j] = max(s, 1e-12)
                        excess[p, tile, j] = _FIRED
        else:
            for j in range(weight.shape[2]):
                w = weight[row, tile, j]
                excess[p, tile, j] += w
                moment[p, tile, j] += w * before


def tiled(weight: NDArray) -> NDArray:
    """``weight`` (rows, c_out) as (rows, tiles, width), the last tile filled up with zeros (such a neuron never fires)."""
    rows, n_out = weight.shape
    tiles = -(-n_out // TILE)
    width = -(-n_out // tiles)
    if tiles * width == n_out:
        return np.ascontiguousarray(weight).reshape(rows, tiles, width)
    filled = np.zeros((rows, tiles * width), weight.dtype)
    filled[:, :n_out] = weight
    return filled.reshape(rows, tiles, width)


@njit(cache=True, nogil=True, error_model="numpy")
def forward(first, last, z, order, weight, bias, reach, z_out, slope, limits):
    """Fill ``z_out`` and ``slope`` = S - 1 (both (batch, positions, c_out)) from ``z`` (batch, n_in); ``reach``: the geometry.

    ``order`` sorts each row of z; ``weight``: :func:`tiled`, its rows over (kernel row, kernel column, channel). ``bias`` True:
    one more row, an event at z = 1, which must not come after any other event. Silent: z_out = inf, slope = 0.
    """
    n_out = z_out.shape[2]
    tiles, width_out = weight.shape[1], weight.shape[2]
    taps = weight.shape[0] - 1
    inputs, row_step, column_step, out_h, out_w = reach
    positions = out_h * out_w
    for b in range(first, last):
        excess = np.full((positions, tiles, width_out), -1.0)  # S - 1
        moment = np.zeros((positions, tiles, width_out))  # A
        alive = np.empty((positions, tiles), dtype=np.int64)  # neurons of each tile that have not fired
        before = np.zeros(positions)  # time of the last event at each position, not yet in the sums,
        pending = np.full(positions, -1)  # and its row: it is added when the next one tells how long it acts alone
        for p in range(positions):
            for tile in range(tiles):
                alive[p, tile] = min(width_out, n_out - tile * width_out)
            if bias:
                before[p] = 1.0
                pending[p] = taps
            for j in range(n_out):
                z_out[b, p, j] = np.inf
                slope[b, p, j] = 0.0
        for k in range(order.shape[1]):
            event = order[b, k]
            now = np.float64(z[b, event])
            if not now < np.inf:
                break
            base = inputs[event, 4]
            for oy in range(inputs[event, 0], inputs[event, 1] + 1):
                for ox in range(inputs[event, 2], inputs[event, 3] + 1):
                    p = oy * out_w + ox
                    if pending[p] >= 0:
                        _add(p, weight, pending[p], before[p], now, excess, moment, alive, z_out, slope, b, limits)
                    pending[p] = base - oy * row_step - ox * column_step
                    before[p] = now
        for p in range(positions):
            if pending[p] >= 0:
                _add(p, weight, pending[p], before[p], before[p], excess, moment, alive, z_out, slope, b, limits)
            for j in range(n_out):
                s = excess[p, j // width_out, j % width_out]
                if s > 0.0:
                    a = moment[p, j // width_out, j % width_out]
                    z_out[b, p, j] = _fire(s, a, before[p], np.inf, limits)
                    slope[b, p, j] = max(s, 1e-12)


@njit(cache=True, nogil=True, error_model="numpy")
def weight_gradient(
    first, last, z, z_fire, latest, scaled, bias, height, width, channels, kernel, stride, pad, out_h, out_w, result
):
    """Fill ``result`` (rows, c_out) with sum over events before the spike of (z_i - z_out) * scaled.

    ``z_fire`` is z_out with silent neurons at 0, ``latest`` (batch, positions) its largest value over the channels, ``scaled``
    the incoming gradient over S - 1. One row per thread at a time, images summed in order, in double precision.
    """
    n_out = z_fire.shape[2]
    taps = kernel[0] * kernel[1] * channels
    for row in range(first, last):
        sums = np.zeros(n_out)
        image = np.zeros(n_out, dtype=z.dtype)
        ky = row // (kernel[1] * channels)
        kx = (row // channels) % kernel[1]
        c = row % channels
        for b in range(z.shape[0]):
            image[:] = 0
            for oy in range(out_h):
                y = oy * stride + ky - pad[0]
                if row < taps and (y < 0 or y >= height):
                    continue
                for ox in range(out_w):
                    x = ox * stride + kx - pad[1]
                    if row < taps:
                        if x < 0 or x >= width:
                            continue
                        now = z[b, (y * width + x) * channels + c]
                    else:
                        now = z.dtype.type(1.0)
                    p = oy * out_w + ox
                    if not now < latest[b, p]:
                        continue
                    fire = z_fire[b, p]
                    g = scaled[b, p]
                    for j in range(n_out):
                        image[j] += (now - fire[j]) * g[j] if now < fire[j] else z.dtype.type(0.0)
            for j in range(n_out):
                sums[j] += image[j]
        for j in range(n_out):
            result[row, j] = sums[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _later_sum(now, z_fire, scaled, weight, b, p, row):
    """Sum of weight * scaled over the channels of one position that fire after ``now``, in any order: vectorized."""
    zero = scaled.dtype.type(0.0)
    total = zero
    for j in range(z_fire.shape[2]):
        total += weight[row, j] * scaled[b, p, j] if now < z_fire[b, p, j] else zero
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def input_gradient(first, last, z, z_fire, latest, scaled, weight, reach, result):
    """Fill ``result`` (batch, n_in) with the sum over later-firing outputs of weight * scaled."""
    inputs, row_step, column_step, _, out_w = reach
    for b in range(first, last):
        for event in range(z.shape[1]):
            now = z[b, event]
            base = inputs[event, 4]
            gradient = 0.0
            for oy in range(inputs[event, 0], inputs[event, 1] + 1):
                for ox in range(inputs[event, 2], inputs[event, 3] + 1):
                    p = oy * out_w + ox
                    if now < latest[b, p]:
                        row = base - oy * row_step - ox * column_step
                        gradient += _later_sum(now, z_fire, scaled, weight, b, p, row)
            result[b, event] = gradient
