"""Arrays as the compiled kernels read them: sorted events, weights in columns of 16 outputs, batches in bounded pieces."""

import itertools
import math

import numpy as np
from numpy.typing import DTypeLike, NDArray
from torch import Tensor

from neuronsim.training.compiled.threads import run_blocks
from neuronsim.training.compiled.vectors import LANES, padded

_SORT_BYTES = 8 * 2**20  # sorted keys held by one thread; bounds the extra memory of a layer
_SUM_BYTES = 16 * 2**20  # partial sums of a weight gradient held at a time
_PARTS = 16  # of a batch, whatever the number of threads: the order of every sum is the same with any


def as_array(tensor: Tensor) -> NDArray:
    """The tensor's numbers as a contiguous array, shared where they lie on the CPU."""
    return tensor.detach().cpu().contiguous().numpy()


def sort_events(z: NDArray) -> NDArray[np.int32]:
    """Indices that sort each row of ``z`` (batch, n), positive or inf; equal times keep their order."""
    if z.dtype != np.float32:
        return np.argsort(z, axis=1, kind="stable").astype(np.int32)
    # Positive floats sort like their bit patterns, so that one integer key holds time and index.
    keys = z.view(np.uint32).astype(np.uint64) << np.uint64(32)
    keys |= np.arange(z.shape[1], dtype=np.uint64)
    keys.sort(axis=1)
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int32)


def image_pieces(first: int, last: int, n_in: int) -> list[slice]:
    """The images ``first`` to ``last`` - 1 in pieces whose sorted events take little memory."""
    step = max(1, _SORT_BYTES // (12 * max(1, n_in)))
    return [slice(start, min(start + step, last)) for start in range(first, last, step)]


def sum_parts(batch: int, nbytes: int) -> list[slice]:
    """The batch in parts with partial sums of ``nbytes`` each; they depend on nothing else."""
    parts = max(1, min(_PARTS, batch, _SUM_BYTES // nbytes))
    edges = [batch * k // parts for k in range(parts + 1)]
    return [slice(*pair) for pair in itertools.pairwise(edges)]


def rounding_limits(dtype: DTypeLike) -> tuple[float, float]:
    """Spacing and largest value: a far spike must not turn into silence, nor precede its last cause, when it is rounded."""
    return float(np.finfo(dtype).eps), float(np.finfo(dtype).max)


def aligned(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray:
    """Zeros whose vectors of 16 begin at cache lines: one that straddles two costs twice the time."""
    size = math.prod(shape)
    room = np.zeros(size + 64 // np.dtype(dtype).itemsize, dtype)
    start = -room.ctypes.data % 64 // room.itemsize
    return room[start : start + size].reshape(shape)


def filled_up(array: NDArray) -> NDArray:
    """``array`` with its last axis filled up with zeros to whole vectors."""
    filled = aligned((*array.shape[:-1], padded(array.shape[-1])), array.dtype)
    filled[..., : array.shape[-1]] = array
    return filled


def tiled(array: NDArray, dtype: DTypeLike) -> NDArray:
    """``array`` (..., rows, n_out) as (..., tiles, rows, 16) , filled up with zeros: a neuron of zeros never fires."""
    *sets, rows, n_out = array.shape
    tiles = aligned((*sets, padded(n_out) // LANES, rows, LANES), dtype)

    def block(first: int, last: int) -> None:
        for tile in range(first, last):
            columns = array[..., tile * LANES : (tile + 1) * LANES]
            tiles[..., tile, :, : columns.shape[-1]] = columns

    run_blocks(block, tiles.shape[-3], work=10 * array.size)
    return tiles
