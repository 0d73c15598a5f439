"""The numba backend (``backends.Backend``): arrays laid out for the kernels, and the work shared out among threads."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuronsim.training.compiled.threads import run_blocks
from neuronsim.training.compiled.vectors import LANES, padded

from ..geometry import Geometry
from . import gradient, kernel
from .backends import Outputs
from .layout import aligned, as_array, filled_up, image_pieces, rounding_limits, sort_events, sum_parts, tiled


def forward(z: Tensor, weight: Tensor, *, bias: bool, geometry: Geometry) -> tuple[Tensor, Tensor]:
    z_np, w_np = as_array(z), as_array(weight)
    shape = len(z_np), geometry.positions, w_np.shape[1]
    z_out, slope = np.empty(shape, z_np.dtype), np.empty(shape, z_np.dtype)
    limits, tiles = rounding_limits(z_np.dtype), tiled(w_np, w_np.dtype)

    def block(first: int, last: int) -> None:
        for part in image_pieces(first, last, z_np.shape[1]):
            order = sort_events(z_np[part])
            if geometry.is_dense:
                kernel.dense(z_np[part], order, tiles, bias, z_out[part, 0], slope[part, 0], limits)
            else:
                pairs, channels = tuple(geometry.pairs()), geometry.channels
                kernel.convolution(z_np[part], order, tiles, bias, pairs, channels, z_out[part], slope[part], limits)

    run_blocks(block, len(z_np), work=z_out.size * w_np.shape[0])
    return torch.from_numpy(z_out), torch.from_numpy(slope)


def backward(
    z: Tensor, weight: Tensor, outputs: Outputs, *, bias: bool, geometry: Geometry, need_z: bool, need_w: bool
) -> tuple[Tensor | None, Tensor | None]:
    arrays = *(as_array(tensor) for tensor in outputs[:3]), outputs.slope_floor
    backward = _dense_backward if geometry.is_dense else _convolution_backward
    gradients = backward(as_array(z), as_array(weight), arrays, bias, geometry, need_z, need_w)
    grad_z, grad_w = (None if gradient is None else torch.from_numpy(gradient) for gradient in gradients)
    return grad_z, grad_w


def _dense_backward(
    z: NDArray, weight: NDArray, outputs: tuple, bias: bool, geometry: Geometry, need_z: bool, need_w: bool
) -> tuple[NDArray | None, NDArray | None]:
    batch, rows, work = len(z), len(weight), z.shape[0] * weight.size
    shape = batch, 1, padded(weight.shape[1])
    fires, g = aligned(shape, z.dtype), aligned(shape, z.dtype)
    run_blocks(gradient.scale, batch, *outputs, fires, g, work=fires.size)
    fires, g = fires[:, 0], g[:, 0]
    columns = np.ones((rows, batch), z.dtype)
    columns[: z.shape[1]] = z.T
    grad_z = grad_w = None
    if need_w:
        sums = aligned((rows, g.shape[1]), z.dtype)
        arguments = columns, tiled(fires, z.dtype), tiled(g, z.dtype), sums
        run_blocks(gradient.dense_weights, rows, *arguments, work=work)
        grad_w = np.ascontiguousarray(sums[:, : weight.shape[1]])
    if need_z:
        sums = np.empty((z.shape[1], batch), z.dtype)
        inputs, filled = columns[: z.shape[1]], filled_up(weight)
        run_blocks(lambda a, b: gradient.dense_inputs(a, b, inputs, fires, g, filled, sums), len(sums), work=work)
        grad_z = np.ascontiguousarray(sums.T)
    return grad_z, grad_w


def _convolution_backward(
    z: NDArray, weight: NDArray, outputs: tuple, bias: bool, geometry: Geometry, need_z: bool, need_w: bool
) -> tuple[NDArray | None, NDArray | None]:
    batch, (rows, n_out), positions = len(z), weight.shape, geometry.positions
    width = padded(n_out)
    shape, pairs, filled = geometry.shape_arguments(), tuple(geometry.pairs()), filled_up(weight)
    z_out, slope, incoming, floor = outputs
    parts = sum_parts(batch, z.itemsize * rows * width)
    sums = aligned((len(parts) if need_w else 0, width // LANES, rows, LANES), z.dtype)
    grad_z = np.empty_like(z) if need_z else None

    def block(first: int, last: int) -> None:
        # Part by part: what all outputs of a batch need is large enough that touching its memory takes longer than the sums.
        room = -(-batch // len(parts)), positions, width
        fires, g = aligned(room, z.dtype), aligned(room, z.dtype)
        for part in range(first, last):
            images = parts[part]
            n = images.stop - images.start
            gradient.scale(0, n, z_out[images], slope[images], incoming[images], floor, fires[:n], g[:n])
            if need_w:
                gradient.convolution_weights(z[images], fires[:n], g[:n], bias, shape, sums[part])
            if grad_z is not None:
                gradient.convolution_inputs(
                    z[images], fires[:n], g[:n], filled, pairs, geometry.channels, grad_z[images]
                )

    run_blocks(block, len(parts), work=batch * positions * width * rows)
    if not need_w:
        return grad_z, None
    by_row = sums.sum(axis=0).transpose(1, 0, 2).reshape(rows, -1)
    return grad_z, np.ascontiguousarray(by_row[:, :n_out])
