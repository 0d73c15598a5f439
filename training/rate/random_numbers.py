"""Normal and uniform numbers inside compiled code: xoshiro256++ streams and the ziggurat of Doornik (2005), 256 layers.

Every stream is keyed by whole numbers (seed, chip, image, layer), so results depend neither on threads nor on image order.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

_R, _V = 3.6541528853610088, 0.00492867323399  # where the tail begins, and the area of a layer


def _tables() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Widths x of the layers and the ratios x[i+1] / x[i]."""
    x = np.zeros(257)
    x[0], x[1] = _V / math.exp(-0.5 * _R * _R), _R
    for i in range(2, 256):
        x[i] = math.sqrt(-2 * math.log(_V / x[i - 1] + math.exp(-0.5 * x[i - 1] ** 2)))
    return x, x[1:] / x[:-1]


_X, _RATIO = _tables()


@njit(cache=True, nogil=True)
def _mix(x):
    """splitmix64: a good hash of 64 bits."""
    x = np.uint64(x) + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@njit(cache=True, nogil=True)
def stream(key):
    """State of the stream of ``key`` (n,) int64."""
    h = np.uint64(0x6A09E667F3BCC908)
    for part in key:
        h = _mix(h ^ _mix(np.uint64(part)))
    state = np.empty(4, np.uint64)
    for k in range(4):
        h = _mix(h)
        state[k] = h
    return state


@njit(inline="always")
def _next(s0, s1, s2, s3):
    total = s0 + s3
    out = ((total << np.uint64(23)) | (total >> np.uint64(41))) + s0
    t = s1 << np.uint64(17)
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    s3 = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    return out, s0, s1, s2, s3


@njit(inline="always")
def _unit(bits):
    """A double in (0, 1)."""
    return (np.float64(bits >> np.uint64(11)) + 0.5) * (1.0 / 9007199254740992.0)


@njit(cache=True, nogil=True)
def fill_uniform(state, out, n):
    """Uniform numbers in (0, 1) into out[:n]."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    for k in range(n):
        bits, s0, s1, s2, s3 = _next(s0, s1, s2, s3)
        out[k] = _unit(bits)
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3


@njit(cache=True, nogil=True)
def fill_normal(state, out, n):
    """Standard normal numbers into out[:n]."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    spare, left = np.uint64(0), False
    for k in range(n):
        # 32 bits make a number: 8 for the layer, 24 for the place in it, as fine as single precision.
        if left:
            bits = spare
        else:
            bits, s0, s1, s2, s3 = _next(s0, s1, s2, s3)
            spare = bits << np.uint64(32)
        left = not left
        while True:
            i = np.int64((bits >> np.uint64(32)) & np.uint64(255))
            u = (np.float64(np.int64(bits) >> 40) + 0.5) * (1.0 / 8388608.0)
            if abs(u) < _RATIO[i]:
                out[k] = u * _X[i]
                break
            bits, s0, s1, s2, s3 = _next(s0, s1, s2, s3)
            v = _unit(bits)
            if i == 0:
                far = 0.0
                while True:
                    far = -math.log(v) / _R
                    bits, s0, s1, s2, s3 = _next(s0, s1, s2, s3)
                    if -2.0 * math.log(_unit(bits)) > far * far:
                        break
                    bits, s0, s1, s2, s3 = _next(s0, s1, s2, s3)
                    v = _unit(bits)
                out[k] = _R + far if u > 0 else -_R - far
                break
            x = u * _X[i]
            f0 = math.exp(-0.5 * (_X[i] * _X[i] - x * x))
            f1 = math.exp(-0.5 * (_X[i + 1] * _X[i + 1] - x * x))
            if f1 + v * (f0 - f1) < 1.0:
                out[k] = x
                break
            bits, s0, s1, s2, s3 = _next(s0, s1, s2, s3)
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3
