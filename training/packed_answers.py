"""Right or wrong, image by image, as short text: what intervals over images and paired differences are computed from."""

import base64
import zlib

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuronsim.errors import DataError


def pack(right: ArrayLike) -> str:
    """``right`` (images,), true where the decision is the label, as text: "N:" and the compressed bits in base64."""
    right = np.asarray(right, dtype=bool)
    return f"{len(right)}:{base64.b64encode(zlib.compress(np.packbits(right).tobytes(), 9)).decode()}"


def unpack(text: str) -> NDArray[np.bool_]:
    """The answers (images,) behind ``text``. Raises DataError when it is not what :func:`pack` wrote."""
    try:
        count, _, bits = text.partition(":")
        packed = np.frombuffer(zlib.decompress(base64.b64decode(bits, validate=True)), dtype=np.uint8)
        return np.unpackbits(packed, count=int(count)).astype(bool)
    except (ValueError, zlib.error) as error:
        raise DataError(f"not a packed list of right answers ({error}): evaluate again") from None
