"""Where the patches of a convolution lie: TensorFlow's "same" padding."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray


class Reach(NamedTuple):
    """Which outputs each input reaches, as the numba kernels read it.

    ``inputs`` (n_in, 5): first and last output row, first and last output column, and the weight row that would serve output
    (0, 0); output (oy, ox) uses row ``base - oy * row_step - ox * column_step``.
    """

    inputs: NDArray[np.int64]
    row_step: int
    column_step: int
    out_height: int
    out_width: int


class Pairs(NamedTuple):
    """The same, listed pixel by pixel: pixel i reaches the outputs ``position[start[i]:start[i + 1]]``, its channel 0 through the
    weight rows ``row`` of the same places, channel c through the c-th row after."""

    start: NDArray[np.int64]
    position: NDArray[np.int64]
    row: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """Shape of one convolution over channels-last images: ``out = ceil(in / stride)``, padding silent.

    TensorFlow's "same": total padding max((out - 1) stride + kernel - in, 0), the smaller half before, the larger after
    (kernel 5, stride 2, 28 pixels: 1 before, 2 after). A dense layer is ``Geometry.dense(n_in)``.
    """

    height: int
    width: int
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1

    @classmethod
    def dense(cls, n_in: int) -> Self:
        """The geometry of a fully connected layer."""
        return cls(height=1, width=1, channels=n_in)

    @property
    def is_dense(self) -> bool:
        """True when every output sees every input, once."""
        return self.height == self.width == 1 == self.kernel[0] == self.kernel[1]

    @property
    def out_height(self) -> int:
        """Rows of the output."""
        return -(-self.height // self.stride)

    @property
    def out_width(self) -> int:
        """Columns of the output."""
        return -(-self.width // self.stride)

    @property
    def positions(self) -> int:
        """Number of output pixels."""
        return self.out_height * self.out_width

    @property
    def padding(self) -> tuple[int, int]:
        """Silent rows and columns, of both sides together."""
        rows = max((self.out_height - 1) * self.stride + self.kernel[0] - self.height, 0)
        columns = max((self.out_width - 1) * self.stride + self.kernel[1] - self.width, 0)
        return rows, columns

    @property
    def pad(self) -> tuple[int, int]:
        """Silent rows above and silent columns left of the image."""
        rows, columns = self.padding
        return rows // 2, columns // 2

    @property
    def sides(self) -> tuple[int, int, int, int]:
        """Silent (columns left, columns right, rows above, rows below), as ``torch.nn.functional.pad`` takes them."""
        (rows, columns), (top, left) = self.padding, self.pad
        return left, columns - left, top, rows - top

    @property
    def taps(self) -> int:
        """Rows of the weight matrix, without the bias."""
        return self.kernel[0] * self.kernel[1] * self.channels

    @property
    def n_in(self) -> int:
        """Number of inputs of one image."""
        return self.height * self.width * self.channels

    @lru_cache(maxsize=64)  # noqa: B019  (geometries are few, and equal ones share it)
    def reach(self) -> Reach:
        """Which outputs each input reaches (made once per geometry)."""
        g = self
        y, x, c = np.indices((g.height, g.width, g.channels)).reshape(3, -1)
        (top, left), (rows, columns) = g.pad, g.kernel
        inputs = np.stack(
            (
                np.maximum((y + top - rows + g.stride) // g.stride, 0),
                np.minimum((y + top) // g.stride, g.out_height - 1),
                np.maximum((x + left - columns + g.stride) // g.stride, 0),
                np.minimum((x + left) // g.stride, g.out_width - 1),
                ((y + top) * columns + x + left) * g.channels + c,
            ),
            axis=1,
        )
        steps = g.stride * columns * g.channels, g.stride * g.channels
        return Reach(np.ascontiguousarray(inputs, dtype=np.int64), *steps, g.out_height, g.out_width)

    def fan_out(self) -> NDArray[np.int64]:
        """How many positions each input (height * width * channels) reaches."""
        reach = self.reach().inputs
        rows, columns = reach[:, 1] - reach[:, 0] + 1, reach[:, 3] - reach[:, 2] + 1
        return rows.clip(min=0) * columns.clip(min=0)

    @lru_cache(maxsize=64)  # noqa: B019  (as above)
    def pairs(self) -> Pairs:
        """Which outputs each pixel reaches (made once per geometry)."""
        g, reach = self, self.reach()
        start, position, row = [0], [], []
        for top, bottom, left, right, base in reach.inputs[:: g.channels].tolist():
            for oy in range(top, bottom + 1):
                for ox in range(left, right + 1):
                    position.append(oy * g.out_width + ox)
                    row.append(base - oy * reach.row_step - ox * reach.column_step)
            start.append(len(position))
        return Pairs(*(np.array(values, dtype=np.int64) for values in (start, position, row)))

    def shape_arguments(self) -> tuple:
        """(height, width, channels, kernel, stride, pad, out_h, out_w), as the numba kernels take them."""
        kernel, stride, pad = self.kernel, self.stride, self.pad
        return self.height, self.width, self.channels, kernel, stride, pad, self.out_height, self.out_width
