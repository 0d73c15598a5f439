"""Compiled steps of integrate-and-fire layers, one image at a time, event by event.

A layer is finished for all steps before the next begins (links lead forward only), so the weights of 64 outputs stay in
the cache while the whole train passes. Every event adds its row of weights to the sums of the outputs it reaches; the same pass
adds the variances, since given the events the noise of the sum is one normal number (``noise.WeightNoise.per_neuron``).

``events``: (start, index, amplitude) of ``event_trains``; ``wires``: (runs, target, origin, length) of ``wiring.Runs``.
"""

import math

import numpy as np
from numba import njit

from ..compiled.random_numbers import fill_normal, one_normal
from ..compiled.vectors import OPTIONS, add, fused, load, peek, store

TILE = 64  # outputs of a dense layer whose weights are held
_BLOCK = 32  # steps whose sums are held: a tile's means and variances fill half of the first cache
PLAIN, SQUARED, LISTED = 0, 1, 2  # no noise; variance = scale w^2; variance from an array like the weights


@njit(**OPTIONS)
def _rows(weight, at, index, first, last, mean, m):
    """Add the rows ``index[first:last]`` of a tile that begins at weight[at] to mean[m : m + TILE], in registers."""
    a, b, c, d = load(mean, m), load(mean, m + 16), load(mean, m + 32), load(mean, m + 48)
    for k in range(first, last):
        row = at + peek(index, k) * TILE
        a = add(a, load(weight, row))
        b = add(b, load(weight, row + 16))
        c = add(c, load(weight, row + 32))
        d = add(d, load(weight, row + 48))
    store(mean, m, a)
    store(mean, m + 16, b)
    store(mean, m + 32, c)
    store(mean, m + 48, d)


@njit(**OPTIONS)
def _noisy_rows(weight, at, index, first, last, mean, spread, m):
    """The same, and the sum of squares to spread."""
    a, b, c, d = load(mean, m), load(mean, m + 16), load(mean, m + 32), load(mean, m + 48)
    p, q, r, s = load(spread, m), load(spread, m + 16), load(spread, m + 32), load(spread, m + 48)
    for k in range(first, last):
        row = at + peek(index, k) * TILE
        w, x, y, z = load(weight, row), load(weight, row + 16), load(weight, row + 32), load(weight, row + 48)
        a, b, c, d = add(a, w), add(b, x), add(c, y), add(d, z)
        p, q, r, s = fused(w, w, p), fused(x, x, q), fused(y, y, r), fused(z, z, s)
    store(mean, m, a)
    store(mean, m + 16, b)
    store(mean, m + 32, c)
    store(mean, m + 48, d)
    store(spread, m, p)
    store(spread, m + 16, q)
    store(spread, m + 32, r)
    store(spread, m + 48, s)


@njit(**OPTIONS)
def _graded_rows(weight, variance, mode, at, index, amplitude, first, last, mean, spread, m):
    """The same for events of any amplitude and for variances from an array."""
    for k in range(first, last):
        row, x = at + index[k] * TILE, amplitude[k]
        for j in range(TILE):
            y = x * weight[row + j]
            mean[m + j] += y
            if mode == SQUARED:
                spread[m + j] += y * y
            elif mode == LISTED:
                spread[m + j] += x * x * variance[row + j]


@njit(fastmath={"contract", "reassoc", "nsz"}, **OPTIONS)
def scatter(weight, variance, mode, wires, events, first, last, mean, spread):
    """Add the events ``first``..``last`` through runs of synapses: input i has runs[i]:runs[i+1], each from ``origin`` in the
    weights to ``target`` in the sums, ``length`` long."""
    (runs, target, origin, length), (_, index, amplitude) = wires, events
    for k in range(first, last):
        i, x = index[k], amplitude[k]
        for run in range(runs[i], runs[i + 1]):
            n, o, d = length[run], origin[run], target[run]
            if mode == PLAIN:
                for j in range(n):
                    mean[d + j] += x * weight[o + j]
            elif mode == SQUARED:
                for j in range(n):
                    y = x * weight[o + j]
                    mean[d + j] += y
                    spread[d + j] += y * y
            else:
                for j in range(n):
                    mean[d + j] += x * weight[o + j]
                    spread[d + j] += x * x * variance[o + j]


@njit(**OPTIONS)
def scatter_by_synapse(weight, sigma, wires, events, first, last, mean, state):
    """The same with a draw for every synapse that passes an event: what the sums are measured against."""
    (runs, target, origin, length), (_, index, amplitude) = wires, events
    for k in range(first, last):
        i, x = index[k], amplitude[k]
        for run in range(runs[i], runs[i + 1]):
            for j in range(length[run]):
                w = weight[origin[run] + j] + sigma[origin[run] + j] * one_normal(state)
                mean[target[run] + j] += x * w


@njit(fastmath={"contract", "nsz"}, **OPTIONS)
def _move(u, mean, spread, noise, decay, bias, scale, floor, theta, noisy):
    for j in range(u.shape[0]):
        u[j] = decay * u[j] + (mean[j] + bias[j])
    if noisy:
        for j in range(u.shape[0]):
            extra = floor * theta[j]
            u[j] += noise[j] * math.sqrt(scale * spread[j] + extra * extra)


@njit(fastmath={"contract", "nsz"}, **OPTIONS)
def _fire(u, theta, subtract, strict, spikes):
    """Threshold and reset without refractory time."""
    if strict:
        for j in range(u.shape[0]):
            spikes[j] = u[j] > theta[j]
    else:
        for j in range(u.shape[0]):
            spikes[j] = u[j] >= theta[j]
    total = 0
    for j in range(u.shape[0]):
        total += spikes[j]
    if total:
        for j in range(u.shape[0]):
            if spikes[j]:
                u[j] = u[j] - theta[j] if subtract else np.float32(0)


@njit(**OPTIONS)
def _step(u, held, rest, limit, theta, mean, spread, noise, settings, flags, bias, state, spikes):
    """One step of ``u.shape[0]`` neurons. settings: decay, variance scale, membrane noise, threshold jitter;
    flags: subtract, strict, refractory, noisy; noise: standard normal numbers, read where noisy."""
    decay, scale, floor, jitter = settings[0], settings[1], settings[2], settings[3]
    subtract, strict, refractory, noisy = flags[0] != 0, flags[1] != 0, flags[2], flags[3] != 0
    n = u.shape[0]
    if refractory == 0:
        _move(u, mean, spread, noise, decay, bias, scale, floor, theta, noisy)
    else:
        for j in range(n):
            held[j] = u[j]
        _move(u, mean, spread, noise, decay, bias, scale, floor, theta, noisy)
        for j in range(n):
            if rest[j] > 0:
                u[j] = held[j]
    if refractory == 0 and jitter == 0:
        _fire(u, theta, subtract, strict, spikes)
        return
    for j in range(n):
        spikes[j] = 0
        if rest[j] > 0:
            rest[j] -= 1
        elif u[j] > limit[j] or (not strict and u[j] == limit[j]):
            spikes[j] = 1
            u[j] = u[j] - limit[j] if subtract else np.float32(0)
            rest[j] = refractory
            if jitter > 0:
                limit[j] = theta[j] * np.float32(1 + jitter * one_normal(state))


@njit(**OPTIONS)
def start_limits(theta, jitter, state):
    """Thresholds before the first spike."""
    limit = theta.copy()
    if jitter > 0:
        for j in range(theta.shape[0]):
            limit[j] = theta[j] * np.float32(1 + jitter * one_normal(state))
    return limit


@njit(**OPTIONS)
def dense_layer(
    weight, variance, mode, unit, events, delay, theta, bias, precharge, settings, flags, state, spikes, potential
):
    """A fully connected layer for all steps. weight, variance: (tiles, inputs, TILE); theta, bias: (tiles * TILE,);
    spikes (steps, tiles * TILE) and potential (steps, ...; zero steps: not wanted) are filled."""
    start, index, amplitude = events
    steps = spikes.shape[0]
    mean, spread = np.empty((_BLOCK, TILE), np.float32), np.zeros((_BLOCK, TILE), np.float32)
    means, spreads = mean.reshape(-1), spread.reshape(-1)
    inputs, flat, variances = weight.shape[1], weight.reshape(-1), variance.reshape(-1)
    noise, held = np.zeros((_BLOCK, TILE), np.float32), np.empty(TILE, np.float32)
    for tile in range(weight.shape[0]):
        low = tile * TILE
        limits, offset = theta[low : low + TILE], bias[low : low + TILE]
        u = precharge * limits
        rest = np.zeros(TILE, np.int32)
        limit = start_limits(limits, settings[3], state)
        base = tile * inputs * TILE
        for block in range(0, steps, _BLOCK):
            size = min(_BLOCK, steps - block)
            mean[:size] = 0
            if mode != PLAIN:
                spread[:size] = 0
            for t in range(size):
                at = block + t - delay
                if at < 0:
                    continue
                low_k, high_k, m = start[at], start[at + 1], t * TILE
                if not unit or mode == LISTED:
                    _graded_rows(flat, variances, mode, base, index, amplitude, low_k, high_k, means, spreads, m)
                elif mode == PLAIN:
                    _rows(flat, base, index, low_k, high_k, means, m)
                else:
                    _noisy_rows(flat, base, index, low_k, high_k, means, spreads, m)
            if flags[3]:
                fill_normal(state, noise.reshape(-1), size * TILE)
            for t in range(size):
                row = spikes[block + t, low : low + TILE]
                _step(u, held, rest, limit, limits, mean[t], spread[t], noise[t], settings, flags, offset, state, row)
                if potential.shape[0]:
                    potential[block + t, low : low + TILE] = u


@njit(**OPTIONS)
def advance(u, held, rest, limit, theta, mean, spread, noise, settings, flags, bias, state, spikes, potential, first):
    """The neurons of a layer through the steps whose sums are in ``mean`` and ``spread`` (steps, neurons); ``noise``: room
    for as many numbers."""
    if flags[3]:
        fill_normal(state, noise.reshape(-1), mean.size)
    for t in range(mean.shape[0]):
        row = spikes[first + t]
        _step(u, held, rest, limit, theta, mean[t], spread[t], noise[t], settings, flags, bias, state, row)
        if potential.shape[0]:
            potential[first + t] = u


@njit(**OPTIONS)
def block_scatter(weight, variance, mode, wires, events, lag, first, mean, spread):
    """``scatter`` for the steps ``first``... of a block, whose events are those ``lag`` steps earlier."""
    for t in range(mean.shape[0]):
        at = first + t - lag
        if at >= 0:
            scatter(weight, variance, mode, wires, events, events[0][at], events[0][at + 1], mean[t], spread[t])


@njit(**OPTIONS)
def block_scatter_by_synapse(weight, sigma, wires, events, lag, first, mean, state):
    """``scatter_by_synapse`` for the steps of a block."""
    for t in range(mean.shape[0]):
        at = first + t - lag
        if at >= 0:
            scatter_by_synapse(weight, sigma, wires, events, events[0][at], events[0][at + 1], mean[t], state)


@njit(**OPTIONS)
def perturb(weight, sigma, out, state):
    """weight + sigma N(0, 1), flat arrays, into ``out``."""
    block = np.empty(256, np.float32)
    for first in range(0, weight.size, 256):
        n = min(256, weight.size - first)
        fill_normal(state, block, n)
        for j in range(n):
            out[first + j] = weight[first + j] + sigma[first + j] * block[j]
