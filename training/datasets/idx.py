"""The IDX file format of MNIST and its relatives."""

import gzip
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import DataError


def read_idx(path: Path, ndim: int) -> NDArray[np.uint8]:
    """Read a (gzipped) IDX file of unsigned bytes with ``ndim`` dimensions.

    Raises DataError naming the file and what is wrong with it: not gzip, wrong magic number, or cut short.
    """
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is truncated or not a gzip file ({error}): fetch it again") from None
    head = 4 + 4 * ndim
    magic = bytes((0, 0, 8, ndim))
    if raw[:4] != magic:
        raise DataError(f"{path} starts with {raw[:4].hex() or 'nothing'}, not with {magic.hex()} (IDX, {ndim}-d)")
    if len(raw) < head:
        raise DataError(f"{path} is truncated: its header alone needs {head} bytes, it has {len(raw)}: fetch it again")
    shape = tuple(int(n) for n in np.frombuffer(raw, ">u4", ndim, 4))
    expected = head + int(np.prod(shape))
    if len(raw) != expected:
        raise DataError(
            f"{path} is truncated or corrupt: {shape} needs {expected} bytes, it has {len(raw)}: fetch it again"
        )
    return np.frombuffer(raw, np.uint8, offset=head).reshape(shape)
