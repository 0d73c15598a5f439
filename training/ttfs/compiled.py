"""The numba backend: arrays laid out for the kernels, and the work shared out among threads."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from . import gradient, kernel
from .geometry import Geometry
from .lanes import LANES, padded
from .parallel import run_blocks

SORT_BYTES = 8 * 2**20  # sorted keys held by one thread; bounds the extra memory of a layer
_SUM_BYTES = 16 * 2**20  # partial sums of a weight gradient held at a time
_PARTS = 16  # of a batch, whatever the number of threads: the order of every sum is the same with any


def sort_events(z: NDArray) -> NDArray[np.int32]:
    """Indices that sort each row of ``z`` (batch, n), positive or inf; equal times keep their order."""
    if z.dtype != np.float32:
        return np.argsort(z, axis=1, kind="stable").astype(np.int32)
    # Positive floats sort like their bit patterns, so that one integer key holds time and index.
    keys = z.view(np.uint32).astype(np.uint64) << np.uint64(32)
    keys |= np.arange(z.shape[1], dtype=np.uint64)
    keys.sort(axis=1)
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int32)


def forward(z: Tensor, weight: Tensor, *, bias: bool, geometry: Geometry) -> tuple[Tensor, Tensor]:
    """z_out and S - 1 at the spike, (batch, positions, c_out); silent: inf and 0. See ``kernel``."""
    z_np, w_np = _array(z), _array(weight)
    shape = len(z_np), geometry.positions, w_np.shape[1]
    z_out, slope = np.empty(shape, z_np.dtype), np.empty(shape, z_np.dtype)
    # A far spike must not turn into silence, nor a spike just after its last cause precede it, when it is rounded.
    limits = float(np.finfo(z_np.dtype).eps), float(np.finfo(z_np.dtype).max)
    tiles = _tiled(w_np, w_np.dtype)  # a neuron of zeros never fires
    images = max(1, SORT_BYTES // (12 * max(1, z_np.shape[1])))

    def block(first: int, last: int) -> None:
        for start in range(first, last, images):
            part = slice(start, min(start + images, last))
            order = sort_events(z_np[part])
            if geometry.is_dense:
                kernel.dense(z_np[part], order, tiles, bias, z_out[part, 0], slope[part, 0], limits)
            else:
                pairs, channels = tuple(geometry.pairs()), geometry.channels
                kernel.convolution(z_np[part], order, tiles, bias, pairs, channels, z_out[part], slope[part], limits)

    run_blocks(block, len(z_np), work=z_out.size * w_np.shape[0])
    return torch.from_numpy(z_out), torch.from_numpy(slope)


def backward(
    z: Tensor,
    weight: Tensor,
    z_out: Tensor,
    slope: Tensor,
    incoming: Tensor,
    *,
    slope_floor: float,
    bias: bool,
    geometry: Geometry,
    need_z: bool,
    need_w: bool,
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients by ``z`` and ``weight``; see ``backends.Backend`` and ``gradient``."""
    outputs = _array(z_out), _array(slope), _array(incoming), slope_floor
    backward = _dense_backward if geometry.is_dense else _convolution_backward
    grad_z, grad_w = backward(_array(z), _array(weight), outputs, bias, geometry, need_z, need_w)
    return (
        None if grad_z is None else torch.from_numpy(grad_z),
        None if grad_w is None else torch.from_numpy(grad_w),
    )


def _dense_backward(
    z: NDArray, weight: NDArray, outputs: tuple, bias: bool, geometry: Geometry, need_z: bool, need_w: bool
) -> tuple[NDArray | None, NDArray | None]:
    batch, rows, work = len(z), len(weight), z.shape[0] * weight.size
    shape = batch, 1, padded(weight.shape[1])
    fires, g = _aligned(shape, z.dtype), _aligned(shape, z.dtype)
    run_blocks(gradient.scale, batch, *outputs, fires, g, work=fires.size)
    fires, g = fires[:, 0], g[:, 0]
    columns = np.ones((rows, batch), z.dtype)
    columns[: z.shape[1]] = z.T
    grad_z = grad_w = None
    if need_w:
        sums = _aligned((rows, g.shape[1]), z.dtype)
        arguments = columns, _tiled(fires, z.dtype), _tiled(g, z.dtype), sums
        run_blocks(gradient.dense_weights, rows, *arguments, work=work)
        grad_w = np.ascontiguousarray(sums[:, : weight.shape[1]])
    if need_z:
        sums = np.empty((z.shape[1], batch), z.dtype)
        inputs, filled = columns[: z.shape[1]], _filled_up(weight)
        run_blocks(lambda a, b: gradient.dense_inputs(a, b, inputs, fires, g, filled, sums), len(sums), work=work)
        grad_z = np.ascontiguousarray(sums.T)
    return grad_z, grad_w


def _convolution_backward(
    z: NDArray, weight: NDArray, outputs: tuple, bias: bool, geometry: Geometry, need_z: bool, need_w: bool
) -> tuple[NDArray | None, NDArray | None]:
    batch, (rows, n_out), positions = len(z), weight.shape, geometry.positions
    width = padded(n_out)
    shape, pairs, filled = geometry.shape_arguments(), tuple(geometry.pairs()), _filled_up(weight)
    parts = max(1, min(_PARTS, batch, _SUM_BYTES // (z.itemsize * rows * width)))
    sums = _aligned((parts if need_w else 0, width // LANES, rows, LANES), z.dtype)
    edges = [batch * k // parts for k in range(parts + 1)]
    grad_z = np.empty_like(z) if need_z else None
    *arrays, floor = outputs

    def block(first: int, last: int) -> None:
        # Part by part: what all outputs of a batch need is large enough that touching its memory takes longer than the sums.
        room = -(-batch // parts), positions, width
        fires, g = _aligned(room, z.dtype), _aligned(room, z.dtype)
        for part in range(first, last):
            images = slice(edges[part], edges[part + 1])
            n = images.stop - images.start
            gradient.scale(0, n, *(array[images] for array in arrays), floor, fires[:n], g[:n])
            if need_w:
                gradient.convolution_weights(z[images], fires[:n], g[:n], bias, shape, sums[part])
            if grad_z is not None:
                gradient.convolution_inputs(
                    z[images], fires[:n], g[:n], filled, pairs, geometry.channels, grad_z[images]
                )

    run_blocks(block, parts, work=batch * positions * width * rows)
    if not need_w:
        return grad_z, None
    by_row = sums.sum(axis=0).transpose(1, 0, 2).reshape(rows, -1)
    return grad_z, np.ascontiguousarray(by_row[:, :n_out])


def _array(tensor: Tensor) -> NDArray:
    return tensor.detach().contiguous().numpy()


def _aligned(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray:
    """Zeros whose vectors of 16 begin at cache lines: one that straddles two costs twice the time."""
    size = math.prod(shape)
    room = np.zeros(size + 64 // np.dtype(dtype).itemsize, dtype)
    start = -room.ctypes.data % 64 // room.itemsize
    return room[start : start + size].reshape(shape)


def _filled_up(array: NDArray) -> NDArray:
    """``array`` with its last axis filled up with zeros to whole vectors."""
    filled = _aligned((*array.shape[:-1], padded(array.shape[-1])), array.dtype)
    filled[..., : array.shape[-1]] = array
    return filled


def _tiled(array: NDArray, dtype: DTypeLike) -> NDArray:
    """``array`` (n, n_out) as (tiles, n, 16), filled up with zeros."""
    tiles = _aligned((padded(array.shape[1]) // LANES, len(array), LANES), dtype)

    def block(first: int, last: int) -> None:
        for tile in range(first, last):
            columns = array[:, tile * LANES : (tile + 1) * LANES]
            tiles[tile, :, : columns.shape[1]] = columns

    run_blocks(block, len(tiles), work=10 * array.size)
    return tiles
