"""The ReLU network under noisy weights: every weight is used once in an inference, so one draw acts on all of it.

Only the weights that the paper makes noisy are: those of Linear and Conv2d; pooling has none. ``chip_outputs`` puts it on the
very synapses of a spiking network's chip: the same frozen draw on both sides.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from torch import Tensor, nn
from torch.nn import functional

from neuronsim.errors import InputError
from neuronsim.training.rate.engine import EventEngine
from neuronsim.training.rate.noise import WeightNoise
from neuronsim.training.rate.wiring import Runs


@torch.no_grad()
def noisy_outputs(
    network: nn.Sequential, x: Tensor, noise: WeightNoise, generator: torch.Generator, *, batch: int = 500
) -> Tensor:
    """Outputs (n, classes) for images ``x`` (n, channels, h, w) under ``noise``.

    Frozen noise and scope "batch": one draw for all of ``x``. Otherwise (temporal or per inference, which is the same here, scope
    "sample") every image has its own draw. Kernels are as ``noise.kernels`` says. Raises InputError for one shared kernel per
    sample drawn by synapse on more than is sensible, or modules it does not know.
    """
    common = noise.kind == "frozen" or noise.scope == "batch"
    drawn: dict[int, Tensor] = {}
    outputs = []
    for first in range(0, len(x), batch):
        y = x[first : first + batch]
        for number, module in enumerate(network):
            if isinstance(module, (nn.Linear, nn.Conv2d)) and noise.level > 0:
                layer = _Noisy(module, noise, generator)
                y = layer.common(y, drawn, number) if common else layer.by_sample(y)
            else:
                y = module(y)
        outputs.append(y)
    return torch.cat(outputs)


class _Noisy:
    """One layer with weights."""

    def __init__(self, module: nn.Linear | nn.Conv2d, noise: WeightNoise, generator: torch.Generator) -> None:
        self.module, self.noise, self.generator = module, noise, generator
        self.weight = module.weight.detach()
        self.variance = torch.from_numpy(noise.variance(self.weight.numpy()))

    def _normal(self, *shape: int) -> Tensor:
        return torch.randn(shape, generator=self.generator)

    def _apply(self, weight: Tensor, x: Tensor) -> Tensor:
        if isinstance(self.module, nn.Linear):
            return functional.linear(x, weight)
        return functional.conv2d(x, weight, stride=self.module.stride, padding=self.module.padding)

    def common(self, x: Tensor, drawn: dict[int, Tensor], number: int) -> Tensor:
        """One draw for every image; ``drawn`` keeps it between batches."""
        unrolled = isinstance(self.module, nn.Conv2d) and self.noise.kernels == "unrolled"
        if not unrolled:
            if number not in drawn:
                drawn[number] = self.weight + self.variance.sqrt() * self._normal(*self.weight.shape)
            return self._apply(drawn[number], x)
        columns, height, width = self._columns(x)
        if number not in drawn:
            flat, deviation = self.weight.flatten(1), self.variance.flatten(1).sqrt()
            drawn[number] = flat + deviation * self._normal(columns.shape[2], *flat.shape)
        return torch.einsum("blk,lok->bol", columns.transpose(1, 2), drawn[number]).unflatten(2, (height, width))

    def by_sample(self, x: Tensor) -> Tensor:
        """A draw for every image."""
        if isinstance(self.module, nn.Linear) or self.noise.kernels == "unrolled":
            # Each synapse is used once: the sum that reaches a neuron is one normal number.
            mean, spread = self._apply(self.weight, x), self._apply(self.variance, x * x)
            return mean + spread.clamp(min=0).sqrt() * self._normal(*mean.shape)
        columns, height, width = self._columns(x)
        flat, deviation = self.weight.flatten(1), self.variance.flatten(1).sqrt()
        kernels = flat + deviation * self._normal(len(x), *flat.shape)
        return torch.bmm(kernels, columns).unflatten(2, (height, width))

    def _columns(self, x: Tensor) -> tuple[Tensor, int, int]:
        """Patches (batch, inputs, positions), and rows and columns of the output."""
        if not isinstance(self.module, nn.Conv2d):
            raise InputError(f"{self.module} is no convolution")
        k, stride, padding = self.module.kernel_size[0], self.module.stride[0], int(self.module.padding[0])
        height, width = ((n + 2 * padding - k) // stride + 1 for n in x.shape[2:])
        return functional.unfold(x, k, stride=stride, padding=padding), height, width


def chip_outputs(engine: EventEngine, pixels: NDArray, *, batch: int = 500) -> NDArray[np.float32]:
    """Outputs (n, outputs) of the analog network for images ``pixels`` (n, height, width, channels).

    y_j = max(0, sum_i w_ij y_i) (paper 000, equation 1) with the weights of ``engine``'s chip; the outputs have no rectifier and
    thresholds play no part, as before conversion. Raises InputError for a network with biases.
    """
    network = engine.network
    if any(np.any(bias) for bias in network.biases):
        raise InputError("a converted network of paper 000 has no biases")
    last = len(network.layers) - 1
    matrices = []
    for number, layer in enumerate(network.layers):
        row = []
        for k, link in enumerate(layer.links):
            source = network.source(number, link)
            shape = math.prod(network.shapes[number]), math.prod(network.shape_of(source))
            row.append((source, _matrix(engine.synapses(number, k), shape)))
        matrices.append(row)
    x = np.asarray(pixels, np.float32).reshape(len(pixels), -1)
    outputs = np.empty((len(x), network.n_outputs), np.float32)
    for first in range(0, len(x), batch):
        values = [np.ascontiguousarray(x[first : first + batch].T)]
        for number, row in enumerate(matrices):
            y = np.sum([matrix @ values[source + 1] for source, matrix in row], axis=0)
            values.append(y if number == last else np.maximum(y, 0))
        outputs[first : first + batch] = values[-1].T
    return outputs


def _matrix(runs: Runs, shape: tuple[int, int]) -> csr_matrix:
    """Runs of synapses as a matrix (outputs, inputs)."""
    inside = np.arange(runs.length.sum()) - np.repeat(np.cumsum(runs.length) - runs.length, runs.length)
    target = np.repeat(runs.target, runs.length) + inside
    origin = np.repeat(runs.origin, runs.length) + inside
    source = np.repeat(np.arange(shape[1]), runs.fan_out)
    return csr_matrix((runs.weight[origin], (target, source)), shape=shape)
