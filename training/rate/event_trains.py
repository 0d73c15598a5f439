"""Trains of events, made and read by compiled code: spikes as lists, pixels as spikes, output spikes as decisions.

Events of a layer: ``start`` (steps + 1), ``index`` and ``amplitude`` (events), those of step t at start[t]:start[t+1].
"""

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..compiled.random_numbers import fill_uniform, stream
from ..compiled.vectors import OPTIONS, peek


class Events(NamedTuple):
    """What a layer delivers in a run."""

    start: NDArray[np.int64]
    index: NDArray[np.int64]
    amplitude: NDArray[np.float32]


def unit_events(start: NDArray[np.int64], index: NDArray[np.int64]) -> Events:
    """Spikes: events of amplitude 1."""
    return Events(start, index, np.ones(len(index), np.float32))


@njit(**OPTIONS)
def events_of_spikes(spikes, n):
    """(start, index) of the spikes (steps, >= n; a multiple of 8 wide) of the first ``n`` neurons."""
    steps, width = spikes.shape
    flat = spikes.reshape(-1)
    words = flat.view(np.uint64)
    start = np.zeros(steps + 1, np.int64)
    total = 0
    for t in range(steps):
        spikes_now = 0
        for j in range(n):
            spikes_now += flat[t * width + j]
        total += spikes_now
        start[t + 1] = total
    index = np.empty(total, np.int64)
    n_events = 0
    for t in range(steps):
        if start[t + 1] == start[t]:
            continue
        for word in range(t * (width // 8), (t + 1) * (width // 8)):
            if peek(words, word) != 0:
                low = 8 * word - t * width
                for j in range(low, min(low + 8, n)):
                    if flat[t * width + j]:
                        index[n_events] = j
                        n_events += 1
    return start, index


@njit(**OPTIONS)
def events_of_values(values):
    """(start, index, amplitude) of the nonzero ``values`` (steps, neurons)."""
    steps = values.shape[0]
    start = np.zeros(steps + 1, np.int64)
    for t in range(steps):
        start[t + 1] = start[t] + np.count_nonzero(values[t])
    index, amplitude = np.empty(start[-1], np.int64), np.empty(start[-1], np.float32)
    n_events = 0
    for t in range(steps):
        for j in range(values.shape[1]):
            if values[t, j] != 0:
                index[n_events], amplitude[n_events] = j, values[t, j]
                n_events += 1
    return start, index, amplitude


@njit(**OPTIONS)
def encode_events(pixels, steps, bernoulli, key):
    """(start, index) of the input spikes of one image, ``pixels`` (inputs,) in [0, 1]; see ``encoding.encode``."""
    lit = np.flatnonzero(pixels > 0)
    start = np.zeros(steps + 1, np.int64)
    index = np.empty(lit.size * steps, np.int64)
    draws = np.empty(lit.size)
    state = stream(key)
    n_events = 0
    for t in range(steps):
        if bernoulli:
            fill_uniform(state, draws, lit.size)
        for k in range(lit.size):
            p = np.float64(pixels[lit[k]])
            regular = math.floor(p * (t + 1) + 1e-6) > math.floor(p * t + 1e-6)
            fires = draws[k] < p if bernoulli else regular
            if fires:
                index[n_events] = lit[k]
                n_events += 1
        start[t + 1] = n_events
    return start, index[:n_events].copy()


@njit(**OPTIONS)
def read_out(spikes, potential, n, prediction, counts):
    """Class after each step into ``prediction`` (steps,): highest count, ties by potential; final ``counts`` (n,)."""
    counts[:] = 0
    for t in range(spikes.shape[0]):
        best = 0
        for j in range(n):
            counts[j] += spikes[t, j]
            if counts[j] > counts[best] or (counts[j] == counts[best] and potential[t, j] > potential[t, best]):
                best = j
        # A neuron counted before ``best`` grew is compared again.
        for j in range(n):
            if counts[j] > counts[best] or (counts[j] == counts[best] and potential[t, j] > potential[t, best]):
                best = j
        prediction[t] = best
