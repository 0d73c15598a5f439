"""What the TTFS benchmark runs: layers and the MNIST network by the engine, the published algorithm, and plain products."""

from __future__ import annotations

from dataclasses import dataclass

import published
import torch
from torch import Tensor, nn

from neuronsim.training.datasets import catalogue as data
from neuronsim.training.datasets.pixels import as_pixels
from neuronsim.training.ttfs import TTFSConv2d, TTFSLinear, encode
from neuronsim.training.ttfs.geometry import Geometry
from neuronsim.training.ttfs.layers import SpikingLayer

IMPLEMENTATIONS = ("published", "engine", "product")
_LATEST = 3.0  # tau: inputs of the single layers spike at uniformly random times up to here


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One layer: its geometry, output channels, and whether a bias belongs to it."""

    geometry: Geometry
    n_out: int
    bias: bool = True

    @property
    def rows(self) -> int:
        """Rows of the weight matrix."""
        return self.geometry.taps + self.bias


_CONV1 = Shape(geometry=Geometry(height=28, width=28, channels=1, kernel=(5, 5), stride=2), n_out=32)
_CONV2 = Shape(geometry=Geometry(height=14, width=14, channels=32, kernel=(5, 5), stride=2), n_out=16)
LAYERS = {
    "fc": (Shape(geometry=Geometry.dense(784), n_out=800, bias=False),),
    "conv1": (_CONV1,),
    "conv2": (_CONV2,),
    "network": (_CONV1, _CONV2, Shape(geometry=Geometry.dense(784), n_out=10)),
}


def draw_inputs(layer: str, batch: int) -> Tensor:
    """Spike times (batch, n_in): digits for the network, random times without silence for a layer."""
    if layer == "network":
        pixels = as_pixels(data.load("mnist-5k").train)
        return encode(pixels[torch.arange(batch) % len(pixels)]).reshape(batch, -1)
    generator = torch.Generator().manual_seed(0)
    return torch.exp(_LATEST * torch.rand((batch, LAYERS[layer][0].geometry.n_in), generator=generator))


def draw_weights(layer: str, kind: str) -> list[Tensor]:
    """ "start": as training starts, uniform(0, 8 / rows), every neuron fires early; "signed": normal around a sum of 2 with a
    spread of 1 / sqrt(rows), neurons fire late or never."""
    generator = torch.Generator().manual_seed(1)
    weights = []
    for shape in LAYERS[layer]:
        size, rows = (shape.rows, shape.n_out), shape.rows
        if kind == "start":
            weights.append(torch.rand(size, generator=generator) * (8 / rows))
        else:
            weights.append(torch.randn(size, generator=generator) * rows**-0.5 + 2 / rows)
    return weights


class Published(nn.Module):
    """The layers by the published algorithm."""

    def __init__(self, shapes: tuple[Shape, ...], weights: list[Tensor]) -> None:
        super().__init__()
        self.shapes = shapes
        self.weights = nn.ParameterList(weights)

    def forward(self, z: Tensor) -> Tensor:
        for shape, weight in zip(self.shapes, self.weights, strict=True):
            z = published.layer(z.reshape(len(z), -1), weight, bias=shape.bias, geometry=shape.geometry)
        return z


class Product(nn.Module):
    """Plain products and convolutions of the same shapes: what a layer of ordinary neurons costs in torch."""

    def __init__(self, shapes: tuple[Shape, ...]) -> None:
        super().__init__()
        self.shapes = shapes
        self.layers = nn.ModuleList()
        for shape in shapes:
            g = shape.geometry
            dense = g.positions == 1
            self.layers.append(
                nn.Linear(g.n_in, shape.n_out, bias=shape.bias)
                if dense
                else nn.Conv2d(g.channels, shape.n_out, g.kernel, g.stride, bias=shape.bias)
            )

    def forward(self, x: Tensor) -> Tensor:
        for shape, layer in zip(self.shapes, self.layers, strict=True):
            if isinstance(layer, nn.Conv2d):
                # Uneven "same" padding: 1 before and 2 after for kernel 5, stride 2.
                x = nn.functional.pad(x, (1, 2, 1, 2))
            x = layer(x.flatten(1) if shape.geometry.positions == 1 else x)
        return x


def engine_layer(shape: Shape, weight: Tensor) -> SpikingLayer:
    """The engine's layer of one shape."""
    g = shape.geometry
    if g.positions == 1:
        layer: SpikingLayer = TTFSLinear(g.n_in, shape.n_out, shape.bias)
    else:
        layer = TTFSConv2d(g.channels, shape.n_out, g.kernel[0], g.stride, shape.bias)
    layer.weight.data = weight
    return layer


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is run: ``model`` on ``inputs``, and the gradient that comes back into its output."""

    model: nn.Module
    inputs: Tensor
    gradient: Tensor

    def forward(self) -> None:
        """Inference."""
        with torch.no_grad():
            self.model(self.inputs)

    def both(self) -> Tensor:
        """Forward and backward pass with gradients of weights and, for a single layer, of the inputs."""
        self.inputs.grad = None
        self.model.zero_grad(set_to_none=True)
        out = self.model(self.inputs)
        out.backward(self.gradient)
        return out.detach()

    def gradients(self) -> list[Tensor]:
        """What :meth:`both` left."""
        held = [self.inputs, *self.model.parameters()]
        return [tensor.grad for tensor in held if tensor.grad is not None]


def make_case(layer: str, implementation: str, batch: int, weights: str = "start") -> Case:
    """The case of that name, warmed up on a few images (compiled, loaded)."""
    shapes, drawn = LAYERS[layer], draw_weights(layer, weights)
    first = shapes[0].geometry
    z = draw_inputs(layer, batch)
    image = batch, first.height, first.width, first.channels
    if implementation == "engine":
        model: nn.Module = nn.Sequential(
            *(engine_layer(shape, weight) for shape, weight in zip(shapes, drawn, strict=True))
        )
        z = z.reshape(image)
    elif implementation == "published":
        model = Published(shapes, drawn)
    else:
        model = Product(shapes)
        z = z.reshape(image).permute(0, 3, 1, 2).contiguous() if first.positions > 1 else z
    few = z[:2].clone().requires_grad_(layer != "network")
    out = model(few)
    gradient = torch.randn((batch, *out.shape[1:]), generator=torch.Generator().manual_seed(2))
    Case(model=model, inputs=few, gradient=gradient[: len(few)]).both()
    return Case(model=model, inputs=z.requires_grad_(layer != "network"), gradient=gradient)
