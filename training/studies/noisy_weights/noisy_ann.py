"""The ReLU network under noisy weights: every weight is used once in an inference, so one draw acts on all of it.

Only the weights that the paper makes noisy are: those of Linear and Conv2d; pooling has none.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from neuronsim.errors import InputError
from neuronsim.training.rate.noise import WeightNoise


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
        return functional.conv2d(x, weight, stride=self.module.stride, padding=self._padding())

    def _padding(self) -> int:
        if not isinstance(self.module, nn.Conv2d) or isinstance(self.module.padding, str):
            raise InputError(f"{self.module} has no numeric padding")
        return self.module.padding[0]

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
        k, stride, padding = self.module.kernel_size[0], self.module.stride[0], self._padding()
        height, width = ((n + 2 * padding - k) // stride + 1 for n in x.shape[2:])
        return functional.unfold(x, k, stride=stride, padding=padding), height, width
