"""Layers of time-to-first-spike networks. Everything between them is z = exp(t / tau), channels-last, inf = silent."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from neuronsim.errors import InputError

from .circuit_function import Circuit, circuit_layer
from .first_spike import layer_spikes
from .geometry import Geometry

WeightTransform = Callable[[Tensor], Tensor]
SpikeTransform = Callable[[Tensor, Tensor], Tensor]


def initial_weight(rows: int, n_out: int, generator: torch.Generator | None = None) -> Tensor:
    """Uniform on (0, 8 / rows): a weight sum of about 4 lets every neuron fire at the start (mixed signs collapse)."""
    return torch.rand((rows, n_out), generator=generator) * (8.0 / rows)


class SpikingLayer(nn.Module):
    """A layer of neurons with a weight matrix (rows, c_out); the last row is the bias where there is one.

    ``transform`` maps the weights before use (quantization, a chip's mismatch), ``jitter`` the spikes afterwards, given their z
    and the membrane slope v' at the spike (timing noise); ``slope_floor``: see :func:`first_spike`. ``circuit``: the neurons of a
    characterized circuit instead of ideal ones; then ``transform`` may also return one set of weights per position.
    """

    weight: nn.Parameter

    def __init__(self, rows: int, n_out: int, *, bias: bool, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.bias = bias
        self.n_out = n_out
        self.slope_floor = 0.0
        self.transform: WeightTransform | None = None
        self.jitter: SpikeTransform | None = None
        self.circuit: Circuit | None = None
        self.weight = nn.Parameter(initial_weight(rows + bias, n_out, generator))

    def effective_weight(self) -> Tensor:
        """The weights the forward pass uses."""
        return self.weight if self.transform is None else self.transform(self.weight)

    def geometry(self, shape: tuple[int, ...]) -> Geometry:
        """Geometry for one image of the given shape. Raises InputError when the image does not fit the layer."""
        raise NotImplementedError

    def forward(self, z: Tensor) -> Tensor:
        geometry = self.geometry(tuple(z.shape[1:]))
        weight = self.effective_weight()
        flat = z.reshape(len(z), -1)
        about: dict[str, Any] = {"bias": self.bias, "geometry": geometry, "slope_floor": self.slope_floor}
        if self.circuit is None:
            out, slope = layer_spikes(flat, weight, **about)
        else:
            out, slope, _ = circuit_layer(flat, weight, self.circuit, **about)
        if self.jitter is not None:
            out = self.jitter(out, slope)
        return self.shape_output(out, geometry)

    def shape_output(self, out: Tensor, geometry: Geometry) -> Tensor:
        """(batch, positions, c_out) as the next layer reads it."""
        raise NotImplementedError


class TTFSLinear(SpikingLayer):
    """Fully connected neurons: ``z`` (batch, ...) flattened to (batch, n_in) -> (batch, n_out).

    ``bias``: one more input, which spikes at z = 1 (t = 0). Raises InputError for other sizes, NaN or z < 1.
    """

    def __init__(self, n_in: int, n_out: int, bias: bool = True, *, generator: torch.Generator | None = None) -> None:
        if n_in < 1 or n_out < 1:
            raise InputError(f"TTFSLinear({n_in}, {n_out}): sizes must be at least 1")
        super().__init__(n_in, n_out, bias=bias, generator=generator)
        self.n_in = n_in

    def geometry(self, shape: tuple[int, ...]) -> Geometry:
        n_in = int(torch.Size(shape).numel())
        if n_in != self.n_in:
            raise InputError(f"TTFSLinear({self.n_in}, {self.n_out}) got images of shape {shape}, {n_in} inputs")
        return Geometry.dense(n_in)

    def shape_output(self, out: Tensor, geometry: Geometry) -> Tensor:
        return out[:, 0]


class TTFSConv2d(SpikingLayer):
    """Convolution of neurons: ``z`` (batch, height, width, c_in) -> (batch, ceil(height/stride), ceil(width/stride), c_out).

    Weights (kernel * kernel * c_in + 1, c_out), rows ordered (kernel row, kernel column, input channel), the bias last.
    "same" padding as TensorFlow's; the padding is silent (inf). Raises InputError for other shapes, NaN or z < 1.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        stride: int = 1,
        bias: bool = True,
        *,
        generator: torch.Generator | None = None,
    ) -> None:
        if min(c_in, c_out, kernel, stride) < 1:
            raise InputError(f"TTFSConv2d({c_in}, {c_out}, {kernel}, {stride}): sizes must be at least 1")
        super().__init__(kernel * kernel * c_in, c_out, bias=bias, generator=generator)
        self.c_in, self.kernel, self.stride = c_in, kernel, stride

    def geometry(self, shape: tuple[int, ...]) -> Geometry:
        if len(shape) != 3 or shape[2] != self.c_in:
            raise InputError(f"TTFSConv2d with {self.c_in} channels got {shape}, not (height, width, channels)")
        height, width, channels = shape
        kernel = (self.kernel, self.kernel)
        return Geometry(height=height, width=width, channels=channels, kernel=kernel, stride=self.stride)

    def shape_output(self, out: Tensor, geometry: Geometry) -> Tensor:
        return out.reshape(len(out), geometry.out_height, geometry.out_width, self.n_out)


class TTFSMaxPool2d(nn.Module):
    """The first spike of each ``size`` x ``size`` window: min over z, gradient to the earliest input (paper 004, section 3.2).

    ``z`` (batch, height, width, channels) -> (batch, ceil(height/stride), ceil(width/stride), channels); windows lie ``stride``
    apart (default ``size``: side by side). "same" padding with silence. No neuron, no noise; works on t = ln z alike.
    """

    def __init__(self, size: int = 2, stride: int | None = None) -> None:
        super().__init__()
        stride = size if stride is None else stride
        if min(size, stride) < 1:
            raise InputError(f"TTFSMaxPool2d({size}, {stride}): size and stride must be at least 1")
        self.size, self.stride = size, stride

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """(height, width, channels) of the pooled image."""
        height, width, channels = shape
        return -(-height // self.stride), -(-width // self.stride), channels

    def forward(self, z: Tensor) -> Tensor:
        _, height, width, channels = z.shape
        size, stride = self.size, self.stride
        windows = Geometry(height=height, width=width, channels=channels, kernel=(size, size), stride=stride)
        padded = nn.functional.pad(z, (0, 0, *windows.sides), value=torch.inf)
        # -z of silence is -inf, which torch's pooling takes for the lowest value.
        first = nn.functional.max_pool2d(-padded.permute(0, 3, 1, 2), size, stride)
        return -first.permute(0, 2, 3, 1)


class TTFSDropout(nn.Module):
    """Silences each spike with probability ``p`` while training: z = inf. ``generator`` must be set before each use."""

    def __init__(self, p: float) -> None:
        super().__init__()
        if not 0 <= p < 1:
            raise InputError(f"dropout p = {p} is out of range [0, 1)")
        self.p = p
        self.generator: torch.Generator | None = None

    def forward(self, z: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return z
        if self.generator is None:
            raise InputError("TTFSDropout has no generator: set a seeded torch.Generator before training")
        silent = torch.rand(z.shape, generator=self.generator) < self.p
        return z.masked_fill(silent.to(z.device), torch.inf)
