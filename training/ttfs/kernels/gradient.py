"""Gradients of the exact first-spike kernel (paper 004, equation 4), over the causal set z_i < z_out of every neuron:

    dz_out / dw_i = (z_i - z_out) / (S - 1),        dz_out / dz_i = w_i / (S - 1).

``z_fire`` is z_out with silent neurons at 0, ``scaled`` the incoming gradient over S - 1, 0 for silent neurons; both are filled
up with zeros to whole vectors of 16 outputs, which makes silence and padding part of the comparison. Sums have one fixed order.
"""

import numpy as np
from numba import njit

from neuronsim.training.compiled import vectors as simd
from neuronsim.training.compiled.vectors import LANES, OPTIONS

_NEGLIGIBLE = 1e-30  # gradient that counts as none


@njit(inline="always")
def _add_weight_term(sums, now, fire, g):
    return simd.select(simd.below(simd.splat(now), fire), simd.fused(simd.sub(simd.splat(now), fire), g, sums), sums)


@njit(inline="always")
def _add_input_term(sums, now, fire, g, w):
    return simd.select(simd.below(simd.splat(now), fire), simd.fused(w, g, sums), sums)


@njit(**OPTIONS)
def scale(first, last, z_out, slope, incoming, floor, z_fire, scaled):
    """Fill ``z_fire`` and ``scaled`` (batch, positions, n_out filled up) of images ``first`` to ``last`` - 1.

    ``incoming``: gradient by z_out, of silent outputs not read; S - 1 counts as ``floor`` where ``slope`` is less.

    Softmax gradients far below rounding count as none: subnormal products would cost a hundred times what others do.
    """
    n_out, width = z_out.shape[2], z_fire.shape[2]
    spikes, slopes, gradients = z_out.reshape(-1), slope.reshape(-1), incoming.reshape(-1)
    fires, gs = z_fire.reshape(-1), scaled.reshape(-1)
    number = z_out.dtype.type
    none, silent, flattest = simd.splat(number(0.0)), simd.splat(number(np.inf)), simd.splat(number(floor))
    least, most = simd.splat(number(-_NEGLIGIBLE)), simd.splat(number(_NEGLIGIBLE))
    whole = n_out - n_out % LANES
    for site in range(first * z_out.shape[1], last * z_out.shape[1]):
        source, to = site * n_out, site * width
        for low in range(0, whole, LANES):
            z, s = simd.load(spikes, source + low), simd.load(slopes, source + low)
            g = simd.div(simd.load(gradients, source + low), simd.select(simd.below(s, flattest), flattest, s))
            g = simd.select(simd.below(g, most), simd.select(simd.below(least, g), none, g), g)
            fired = simd.below(z, silent)
            simd.store(fires, to + low, simd.select(fired, z, none))
            simd.store(gs, to + low, simd.select(fired, g, none))
        for j in range(whole, n_out):
            fired = spikes[source + j] < np.inf
            g = gradients[source + j] / max(slopes[source + j], number(floor))
            fires[to + j] = spikes[source + j] if fired else number(0.0)
            gs[to + j] = g if fired and abs(g) > _NEGLIGIBLE else number(0.0)


@njit(**OPTIONS)
def dense_weights(first, last, z, z_fire, scaled, result):
    """Fill ``result[first:last]`` (rows, n_out padded) with the sum over images of (z_i - z_out) * scaled.

    ``z`` (rows, batch); ``z_fire``, ``scaled`` (tiles, batch, 16). Four rows at a time share what is read of the outputs.
    """
    rows, batch = z.shape
    fires, gs, out = z_fire.reshape(-1), scaled.reshape(-1), result.reshape(-1)
    width = result.shape[1]
    zero = simd.splat(z.dtype.type(0.0))
    for top in range(first, last, 4):
        r1, r2, r3 = min(top + 1, rows - 1), min(top + 2, rows - 1), min(top + 3, rows - 1)
        z0, z1, z2, z3 = z[top], z[r1], z[r2], z[r3]
        for tile in range(z_fire.shape[0]):
            a0 = a1 = a2 = a3 = zero
            at = tile * batch * LANES
            for b in range(batch):
                fire = simd.load(fires, at)
                g = simd.load(gs, at)
                a0 = _add_weight_term(a0, z0[b], fire, g)
                a1 = _add_weight_term(a1, z1[b], fire, g)
                a2 = _add_weight_term(a2, z2[b], fire, g)
                a3 = _add_weight_term(a3, z3[b], fire, g)
                at += LANES
            low = tile * LANES
            simd.store(out, top * width + low, a0)
            if top + 1 < last:
                simd.store(out, r1 * width + low, a1)
            if top + 2 < last:
                simd.store(out, r2 * width + low, a2)
            if top + 3 < last:
                simd.store(out, r3 * width + low, a3)


@njit(**OPTIONS)
def dense_inputs(first, last, z, z_fire, scaled, weight, result):
    """Fill ``result[first:last]`` (rows, batch) with the sum over later-firing outputs of w * scaled.

    ``z`` (rows, batch); ``z_fire``, ``scaled`` (batch, n_out padded); ``weight`` (rows, n_out padded).
    """
    rows, batch = z.shape
    fires, gs, ws = z_fire.reshape(-1), scaled.reshape(-1), weight.reshape(-1)
    width = weight.shape[1]
    zero = simd.splat(z.dtype.type(0.0))
    for top in range(first, last, 4):
        r1, r2, r3 = min(top + 1, rows - 1), min(top + 2, rows - 1), min(top + 3, rows - 1)
        for b in range(batch):
            z0, z1, z2, z3 = z[top, b], z[r1, b], z[r2, b], z[r3, b]
            a0 = a1 = a2 = a3 = zero
            for low in range(0, width, LANES):
                fire = simd.load(fires, b * width + low)
                g = simd.load(gs, b * width + low)
                a0 = _add_input_term(a0, z0, fire, g, simd.load(ws, top * width + low))
                a1 = _add_input_term(a1, z1, fire, g, simd.load(ws, r1 * width + low))
                a2 = _add_input_term(a2, z2, fire, g, simd.load(ws, r2 * width + low))
                a3 = _add_input_term(a3, z3, fire, g, simd.load(ws, r3 * width + low))
            result[top, b] = simd.total(a0)
            if top + 1 < last:
                result[r1, b] = simd.total(a1)
            if top + 2 < last:
                result[r2, b] = simd.total(a2)
            if top + 3 < last:
                result[r3, b] = simd.total(a3)


@njit(**OPTIONS)
def convolution_weights(z, z_fire, scaled, bias, shape, result):
    """Add to ``result`` (tiles, rows, 16) the sum over images and positions of (z_i - z_out) * scaled.

    ``z`` (batch, n_in); ``z_fire``, ``scaled`` (batch, positions, c_out padded); ``shape``: ``Geometry.shape_arguments``.
    """
    height, width, channels, kernel, stride, pad, out_h, out_w = shape
    fires, gs, sums = z_fire.reshape(-1), scaled.reshape(-1), result.reshape(-1)
    tiles, n_rows = result.shape[0], result.shape[1]
    one, none = z.dtype.type(1.0), simd.splat(z.dtype.type(0.0))
    for tile in range(tiles):
        base = tile * n_rows * LANES
        for b in range(z.shape[0]):
            image = z[b]
            for oy in range(out_h):
                for ox in range(out_w):
                    at = ((b * out_h + oy) * out_w + ox) * tiles * LANES + tile * LANES
                    fire = simd.load(fires, at)
                    g = simd.load(gs, at)
                    # Nothing before the last spike that passes a gradient on.
                    latest = simd.largest(simd.select(simd.differs(g, none), fire, none))
                    if latest == 0.0:
                        continue
                    if bias:
                        row = base + (n_rows - 1) * LANES
                        simd.store(sums, row, _add_weight_term(simd.load(sums, row), one, fire, g))
                    top, left = oy * stride - pad[0], ox * stride - pad[1]
                    first, last = max(0, -left) * channels, min(kernel[1], width - left) * channels
                    for ky in range(max(0, -top), min(kernel[0], height - top)):
                        source = ((top + ky) * width + left) * channels  # columns and channels lie one after the other
                        row = base + ky * kernel[1] * channels * LANES
                        for tap in range(first, last):
                            now = simd.peek(image, source + tap)
                            if now < latest:
                                place = row + tap * LANES
                                simd.store(sums, place, _add_weight_term(simd.load(sums, place), now, fire, g))


@njit(**OPTIONS)
def convolution_inputs(z, z_fire, scaled, weight, pairs, channels, result):
    """Fill ``result`` (batch, n_in) with the sum over positions and later-firing outputs of w * scaled.

    ``z_fire``, ``scaled`` (batch, positions, c_out padded); ``weight`` (rows, c_out padded); ``pairs``: the geometry.
    """
    start, position, row = pairs
    fires, gs, ws = z_fire.reshape(-1), scaled.reshape(-1), weight.reshape(-1)
    width = weight.shape[1]
    positions = z_fire.shape[1]
    for b in range(len(z)):
        for pixel in range(len(start) - 1):
            for channel in range(channels):
                event = pixel * channels + channel
                now = z[b, event]
                sums = simd.splat(z.dtype.type(0.0))
                if now < np.inf:
                    for pair in range(simd.peek(start, pixel), simd.peek(start, pixel + 1)):
                        at = (b * positions + simd.peek(position, pair)) * width
                        place = (simd.peek(row, pair) + channel) * width
                        for low in range(0, width, LANES):
                            fire = simd.load(fires, at + low)
                            sums = _add_input_term(sums, now, fire, simd.load(gs, at + low), simd.load(ws, place + low))
                result[b, event] = simd.total(sums)
