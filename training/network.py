"""Networks as data, and the torch module made from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from neuronsim.errors import InputError

from .quantization import FullScale, quantize
from .ttfs.geometry import Geometry
from .ttfs.layers import SpikingLayer, TTFSConv2d, TTFSDropout, TTFSLinear, TTFSMaxPool2d


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Conv(_Spec):
    """SCNN(kernel, channels, stride) of paper 004, "same" padding."""

    kind: Literal["conv"] = "conv"
    channels: int = Field(ge=1)
    kernel: int = Field(ge=1)
    stride: int = Field(default=1, ge=1)
    bias: bool = True


class Linear(_Spec):
    """FC(outputs) of paper 004."""

    kind: Literal["linear"] = "linear"
    outputs: int = Field(ge=1)
    bias: bool = True


class Pool(_Spec):
    """MP(size): first spike of each window."""

    kind: Literal["pool"] = "pool"
    size: int = Field(default=2, ge=1)


class Dropout(_Spec):
    """Silences spikes while training."""

    kind: Literal["dropout"] = "dropout"
    p: float = Field(ge=0, lt=1)


LayerSpec = Annotated[Conv | Linear | Pool | Dropout, Field(discriminator="kind")]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One layer of a built network with what it needs to know about its place."""

    module: nn.Module
    geometry: Geometry | None  # None: not a layer of neurons
    n_neurons: int


class TTFSNetwork(nn.Module):
    """A chain of TTFS layers; ``z`` (batch, height, width, channels) -> (batch, classes), everything as exp(t / tau).

    Raises InputError when the layers do not fit each other, or the last one is not linear with one output per class.
    """

    def __init__(
        self,
        layers: Sequence[LayerSpec],
        input_shape: tuple[int, int, int],
        n_classes: int,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList()
        self.stages: list[Stage] = []
        self.bits: int | None = None
        self.scope: FullScale = "neuron"
        shape: tuple[int, ...] = input_shape
        for number, spec in enumerate(layers):
            if isinstance(spec, (Conv, Pool)) and len(shape) != 3:
                raise InputError(
                    f"layers[{number}] is a {spec.kind} after a linear layer: put it before the first linear one"
                )
            module, geometry, shape = _build(spec, shape, generator)
            neurons = geometry.positions * module.n_out if geometry and isinstance(module, SpikingLayer) else 0
            self.layers.append(module)
            self.stages.append(Stage(module=module, geometry=geometry, n_neurons=neurons))
        if shape != (n_classes,):
            raise InputError(
                f"field 'layers' of the experiment: the last layer gives {shape}, it must be linear with "
                f"outputs = {n_classes}, one per class of the data set"
            )
        for layer in self.spiking:
            layer.transform = self.deployed

    @property
    def spiking(self) -> list[SpikingLayer]:
        """The layers of neurons, in order."""
        return [layer for layer in self.layers if isinstance(layer, SpikingLayer)]

    @property
    def n_weights(self) -> int:
        """Number of weights, biases included."""
        return sum(layer.weight.numel() for layer in self.spiking)

    def deployed(self, weight: Tensor) -> Tensor:
        """Weights as the conductance bank realizes them (``bits`` None: unchanged)."""
        return quantize(weight, self.bits, scope=self.scope)

    def forward(self, z: Tensor) -> Tensor:
        for layer in self.layers:
            z = layer(z)
        return z

    def layer_outputs(self, z: Tensor) -> list[Tensor]:
        """Outputs of the layers of neurons, in order."""
        outputs = []
        for layer in self.layers:
            z = layer(z)
            if isinstance(layer, SpikingLayer):
                outputs.append(z)
        return outputs


def _build(
    spec: LayerSpec, shape: tuple[int, ...], generator: torch.Generator
) -> tuple[nn.Module, Geometry | None, tuple[int, ...]]:
    if isinstance(spec, Conv):
        conv = TTFSConv2d(shape[2], spec.channels, spec.kernel, spec.stride, spec.bias, generator=generator)
        geometry = conv.geometry(shape)
        return conv, geometry, (geometry.out_height, geometry.out_width, spec.channels)
    if isinstance(spec, Linear):
        n_in = int(torch.Size(shape).numel())
        return TTFSLinear(n_in, spec.outputs, spec.bias, generator=generator), Geometry.dense(n_in), (spec.outputs,)
    if isinstance(spec, Pool):
        rows, columns = -(-shape[0] // spec.size), -(-shape[1] // spec.size)
        return TTFSMaxPool2d(spec.size), None, (rows, columns, shape[2])
    return TTFSDropout(spec.p), None, shape
