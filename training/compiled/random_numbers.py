"""Normal and uniform numbers inside compiled code.

Numbers one by one come from a xoshiro256++ generator, normal ones by the ziggurat of Doornik (2005), 256 layers. Many normal
numbers at once come from 16 xoshiro128++ generators side by side, by the transform of Box and Muller (1958) in single
precision, three times as fast.

Every stream is keyed by whole numbers (seed, chip, image, layer), so results depend neither on threads nor on image order.
"""

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from . import vectors as simd
from .vectors import LANES

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
    """State of the stream of ``key`` (n,) int64: 4 words for single numbers, 32 for numbers side by side."""
    h = np.uint64(0x6A09E667F3BCC908)
    for part in key:
        h = _mix(h ^ _mix(np.uint64(part)))
    state = np.empty(4 + 2 * LANES, np.uint64)
    for k in range(state.size):
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
def one_normal(state):
    """A standard normal number, as fine as single precision."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    result = 0.0
    while True:
        # 32 bits make a number: 8 for the layer, 24 for the place in it.
        bits, s0, s1, s2, s3 = _next(s0, s1, s2, s3)
        i = np.int64((bits >> np.uint64(32)) & np.uint64(255))
        u = (np.float64(np.int64(bits) >> 40) + 0.5) * (1.0 / 8388608.0)
        result = u * _X[i]
        if abs(u) < _RATIO[i]:
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
            result = _R + far if u > 0 else -_R - far
            break
        f0 = math.exp(-0.5 * (_X[i] * _X[i] - result * result))
        f1 = math.exp(-0.5 * (_X[i + 1] * _X[i + 1] - result * result))
        if f1 + v * (f0 - f1) < 1.0:
            break
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3
    return result


@njit(inline="always")
def _constant(x):
    return simd.splat(np.float32(x))


@njit(inline="always")
def _whole(x):
    return simd.splat(np.uint32(x))


@njit(inline="always")
def _words(s0, s1, s2, s3):
    """16 numbers of 32 bits: xoshiro128++ (Blackman and Vigna 2021)."""
    out = simd.plus(s0, s3)
    out = simd.plus(simd.either(simd.up(out, _whole(7)), simd.down(out, _whole(25))), s0)
    t = simd.up(s1, _whole(9))
    s2 = simd.xor(s2, s0)
    s3 = simd.xor(s3, s1)
    s1 = simd.xor(s1, s2)
    s0 = simd.xor(s0, s3)
    s2 = simd.xor(s2, t)
    s3 = simd.either(simd.up(s3, _whole(11)), simd.down(s3, _whole(21)))
    return out, s0, s1, s2, s3


@njit(inline="always")
def _radius(word):
    """sqrt(-2 ln u) of u = (word + 1/2) / 2^31: ln by the polynomial of Cephes, error below 2e-7."""
    u = simd.mul(simd.add(simd.to_float(simd.down(word, _whole(1))), _constant(0.5)), _constant(2.0**-31))
    pattern = simd.as_bits(u)
    # u = 2^exponent (1 + x), 1 + x from sqrt(1/2)
    exponent = simd.down_signed(simd.plus(pattern, _whole(2**32 - 0x3F3504F3)), _whole(23))
    x = simd.sub(
        simd.as_float(simd.plus(pattern, simd.xor(simd.up(exponent, _whole(23)), _whole(2**32 - 1)))), _constant(1.0)
    )
    p = _constant(7.0376836292e-2)
    p = simd.fused(p, x, _constant(-1.1514610310e-1))
    p = simd.fused(p, x, _constant(1.1676998740e-1))
    p = simd.fused(p, x, _constant(-1.2420140846e-1))
    p = simd.fused(p, x, _constant(1.4249322787e-1))
    p = simd.fused(p, x, _constant(-1.6668057665e-1))
    p = simd.fused(p, x, _constant(2.0000714765e-1))
    p = simd.fused(p, x, _constant(-2.4999993993e-1))
    p = simd.fused(p, x, _constant(3.3333331174e-1))
    square = simd.mul(x, x)
    log = simd.add(x, simd.mul(square, simd.fused(p, x, _constant(-0.5))))
    log = simd.fused(simd.to_float(exponent), _constant(math.log(2.0)), log)
    minus_twice = simd.mul(log, _constant(-2.0))
    return simd.root(simd.select(simd.at_least(minus_twice, _constant(0.0)), minus_twice, _constant(0.0)))


@njit(inline="always")
def _direction(word):
    """Cosine and sine of an angle uniform on the circle: 29 bits for its place within a quarter, 2 for the quarter."""
    a = simd.mul(simd.to_float(simd.down_signed(word, _whole(2))), _constant(math.pi / 4 * 2.0**-29))
    q = simd.mul(a, a)
    s = simd.fused(q, _constant(-1.9515295891e-4), _constant(8.3321608736e-3))
    s = simd.fused(q, s, _constant(-1.6666654611e-1))
    s = simd.fused(simd.mul(a, q), s, a)
    c = simd.fused(q, _constant(2.443315711809948e-5), _constant(-1.388731625493765e-3))
    c = simd.fused(q, c, _constant(4.166664568298827e-2))
    c = simd.fused(q, c, _constant(-0.5))
    c = simd.fused(q, c, _constant(1.0))
    c = simd.as_float(simd.xor(simd.as_bits(c), simd.up(word, _whole(31))))
    swapped = simd.odd(simd.down(word, _whole(1)))
    return simd.select(swapped, s, c), simd.select(swapped, c, s)


@njit(cache=True, nogil=True)
def fill_normal(state, out, n):
    """Standard normal numbers, float32, into out[:n]: |x| up to 6.6, 2 LANES of them at a time."""
    lanes = state[4:].view(np.uint32)
    s0, s1, s2, s3 = (
        simd.load(lanes, 0),
        simd.load(lanes, LANES),
        simd.load(lanes, 2 * LANES),
        simd.load(lanes, 3 * LANES),
    )
    rest = np.empty(2 * LANES, np.float32)
    for first in range(0, n, 2 * LANES):
        word, s0, s1, s2, s3 = _words(s0, s1, s2, s3)
        r = _radius(word)
        word, s0, s1, s2, s3 = _words(s0, s1, s2, s3)
        c, s = _direction(word)
        if first + 2 * LANES <= n:
            simd.store(out, first, simd.mul(r, c))
            simd.store(out, first + LANES, simd.mul(r, s))
        else:
            simd.store(rest, 0, simd.mul(r, c))
            simd.store(rest, LANES, simd.mul(r, s))
            out[first:n] = rest[: n - first]
    simd.store(lanes, 0, s0)
    simd.store(lanes, LANES, s1)
    simd.store(lanes, 2 * LANES, s2)
    simd.store(lanes, 3 * LANES, s3)
