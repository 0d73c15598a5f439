"""The network that is trained as an ANN and whose activations become spiking neurons."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from neuronsim.errors import InputError

from ..layer_specs import ConvertibleSpec, GlobalPool, Linear, Pool, Residual
from .learned_step import LSQActivation, Mode

Pooling = Literal["max", "average"]


class Weighted(nn.Module):
    """W x + B, then batch normalization where there is one: together affine once the statistics are fixed."""

    def __init__(self, linear: nn.Conv2d | nn.Linear, norm: nn.BatchNorm2d | None) -> None:
        super().__init__()
        self.linear = linear
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        x = self.linear(x)
        return x if self.norm is None else self.norm(x)

    def fold(self) -> None:
        """Put the batch normalization, as it is when not training, into W and B: the weights that equation 6 copies."""
        norm, linear = self.norm, self.linear
        if norm is None:
            return
        mean, variance = norm.running_mean, norm.running_var
        if mean is None or variance is None:
            raise InputError("batch normalization without running statistics cannot be converted")
        with torch.no_grad():
            gain = norm.weight / torch.sqrt(variance + norm.eps)
            bias = torch.zeros_like(mean) if linear.bias is None else linear.bias
            linear.bias = nn.Parameter((bias - mean) * gain + norm.bias)
            linear.weight = nn.Parameter(linear.weight * gain.reshape(-1, *[1] * (linear.weight.dim() - 1)))
        self.norm = None


class SwitchedPool(nn.Module):
    """Maximum or average over windows side by side; rows and columns that fill no window are left out."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.pooling: Pooling = "average"

    def forward(self, x: Tensor) -> Tensor:
        pool = nn.functional.max_pool2d if self.pooling == "max" else nn.functional.avg_pool2d
        return pool(x, self.size)


class MeanOverPixels(nn.Module):
    """(batch, channels, height, width) -> (batch, channels)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(2, 3))


class ResidualBlock(nn.Module):
    """act(conv(act(conv(x))) + shortcut(x)); both activations become spiking neurons, the sum becomes a sum of currents."""

    def __init__(self, first: Weighted, second: Weighted, shortcut: Weighted | None, act: Sequence[nn.Module]) -> None:
        super().__init__()
        self.first, self.second, self.shortcut = first, second, shortcut
        self.inner, self.outer = act

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(self.inner(self.first(x)))
        return self.outer(y + (x if self.shortcut is None else self.shortcut(x)))


class ConvertibleNetwork(nn.Module):
    """A feed-forward network of weighted layers and :class:`LSQActivation`; pixels (batch, height, width, channels) in [0, 1]
    -> logits (batch, classes). The pixels are standardized by ``mean`` and ``deviation`` per channel.

    ``levels``: p of every activation; ``adaptor``: with the noise adaptor. The initial weights come from ``generator`` alone.

    Raises InputError when the layers do not fit each other, or the last one is not linear with one output per class.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(
        self,
        specs: Sequence[ConvertibleSpec],
        input_shape: tuple[int, int, int],
        n_classes: int,
        *,
        levels: int,
        adaptor: bool,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(input_shape[2]))
        self.register_buffer("deviation", torch.ones(input_shape[2]))
        self.layers = nn.ModuleList()
        builder = _Builder(levels, adaptor)
        shape: tuple[int, ...] = (input_shape[2], input_shape[0], input_shape[1])
        for number, spec in enumerate(specs):
            modules, shape = builder.build(spec, shape, number, last=number == len(specs) - 1)
            self.layers.extend(modules)
        if shape != (n_classes,) or not isinstance(specs[-1], Linear):
            raise InputError(
                f"field 'layers': the last layer gives {shape}, it must be linear with outputs = {n_classes}, one per class"
            )
        _initialize(self, generator)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    @property
    def activations(self) -> list[LSQActivation]:
        """The activations, in the order in which they were declared."""
        return [module for module in self.modules() if isinstance(module, LSQActivation)]

    @property
    def weighted(self) -> list[Weighted]:
        """The layers with weights, in the order in which they were declared."""
        return [module for module in self.modules() if isinstance(module, Weighted)]

    @property
    def n_weights(self) -> int:
        """Weights and biases of the weighted layers, batch normalization not counted."""
        return sum(p.numel() for layer in self.weighted for p in layer.linear.parameters())

    def set_mode(self, mode: Mode, pooling: Pooling) -> None:
        """Full-precision ("relu") or "quantized" activations, and which pools."""
        for module in self.modules():
            if isinstance(module, LSQActivation):
                module.mode = mode
            elif isinstance(module, SwitchedPool):
                module.pooling = pooling

    def standardize(self, pixels: Tensor) -> None:
        """Take ``mean`` and ``deviation`` from ``pixels`` (n, height, width, channels) of the training images."""
        self.mean.copy_(pixels.mean(dim=(0, 1, 2)))
        self.deviation.copy_(pixels.std(dim=(0, 1, 2)).clamp(min=1e-3))

    @torch.no_grad()
    def start_steps(self, pixels: Tensor) -> None:
        """Start the step of every activation from one batch, layer after layer (:meth:`LSQActivation.start_from`)."""
        training = self.training
        self.eval()
        for activation in self.activations:
            activation.measure = True
        self(pixels)
        for activation in self.activations:
            activation.measure = False
        self.train(training)

    def inputs(self, pixels: Tensor) -> Tensor:
        """Standardized images (batch, channels, height, width): the analog current into the first layer."""
        return ((pixels - self.mean) / self.deviation).permute(0, 3, 1, 2)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.inputs(pixels)
        for layer in self.layers:
            x = layer(x)
        return x


class _Builder:
    def __init__(self, levels: int, adaptor: bool) -> None:
        self.levels, self.adaptor = levels, adaptor

    def activation(self) -> LSQActivation:
        return LSQActivation(self.levels, adaptor=self.adaptor)

    def conv(self, n_in: int, n_out: int, kernel: int, stride: int) -> Weighted:
        # No bias of its own: the batch normalization behind it has one.
        conv = nn.Conv2d(n_in, n_out, kernel, stride, padding=kernel // 2, bias=False)
        return Weighted(conv, nn.BatchNorm2d(n_out))

    def build(
        self, spec: ConvertibleSpec, shape: tuple[int, ...], number: int, *, last: bool
    ) -> tuple[list[nn.Module], tuple[int, ...]]:
        if isinstance(spec, Linear):
            flat: list[nn.Module] = [] if len(shape) == 1 else [nn.Flatten()]
            layer = Weighted(nn.Linear(int(torch.Size(shape).numel()), spec.outputs, bias=spec.bias), None)
            return [*flat, layer, *([] if last else [self.activation()])], (spec.outputs,)
        if len(shape) != 3:
            raise InputError(f"layers[{number}] is a {spec.kind} after the image was flattened: put it before")
        channels, height, width = shape
        if isinstance(spec, GlobalPool):
            return [MeanOverPixels()], (channels,)
        if isinstance(spec, Pool):
            if spec.stride not in (None, spec.size):
                raise InputError(f"layers[{number}]: stride = {spec.stride}: windows lie side by side, leave it out")
            if spec.size > min(height, width):
                raise InputError(f"layers[{number}]: a pool of {spec.size} on an image of {height} x {width} pixels")
            return [SwitchedPool(spec.size)], (channels, height // spec.size, width // spec.size)
        out = (spec.channels, -(-height // spec.stride), -(-width // spec.stride))
        if isinstance(spec, Residual):
            same = spec.stride == 1 and channels == spec.channels
            block = ResidualBlock(
                self.conv(channels, spec.channels, 3, spec.stride),
                self.conv(spec.channels, spec.channels, 3, 1),
                None if same else self.conv(channels, spec.channels, 1, spec.stride),
                [self.activation(), self.activation()],
            )
            return [block], out
        if spec.kernel % 2 == 0:
            raise InputError(f"layers[{number}]: kernel = {spec.kernel} must be odd, for equal padding on all sides")
        return [self.conv(channels, spec.channels, spec.kernel, spec.stride), self.activation()], out


def _initialize(network: ConvertibleNetwork, generator: torch.Generator) -> None:
    """He's normal weights (fan out for convolutions, as in ResNet), zero biases."""
    with torch.no_grad():
        for layer in network.weighted:
            weight = layer.linear.weight
            mode = "fan_out" if weight.dim() == 4 else "fan_in"
            nn.init.kaiming_normal_(weight, mode=mode, nonlinearity="relu", generator=generator)
            if layer.linear.bias is not None:
                layer.linear.bias.zero_()
