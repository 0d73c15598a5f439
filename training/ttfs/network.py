"""The torch module made from layers that are given as data."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neuronsim.errors import InputError
from neuronsim.neuron.conductance_bank import FullScale

from ..layer_specs import Conv, Dropout, Inception, LayerSpec, Linear, Pool
from .geometry import Geometry
from .initialization import depth_scaled
from .layers import SpikingLayer, TTFSConv2d, TTFSDropout, TTFSLinear, TTFSMaxPool2d
from .quantization import quantize

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One layer of a built network with what it needs to know about its place."""

    module: nn.Module
    geometry: Geometry | None  # None: not a layer of neurons
    n_neurons: int


@dataclass(frozen=True, kw_only=True)
class Neurons(Stage):
    """A layer of neurons; ``number``: its place in ``TTFSNetwork.spiking``."""

    module: SpikingLayer
    geometry: Geometry
    number: int

    def final_potential(self, spikes: Tensor) -> Tensor:
        """v(t -> inf) = sum of w over the inputs that spiked, of a linear layer: (batch, ...) -> (batch, outputs).

        Paper 004, equation 3, at threshold 1. Its gradient reaches this layer's weights only, because which inputs spike has
        none.
        """
        weight = self.module.effective_weight()
        spiked = torch.isfinite(spikes.reshape(len(spikes), -1)).to(weight.dtype)
        return spiked @ weight[: spiked.shape[1]] + weight[spiked.shape[1] :].sum(dim=0)


class Branches(nn.Module):
    """Chains of layers beside each other (an inception block). They are run by :meth:`TTFSNetwork.run`."""

    def __init__(self, branches: Sequence[Sequence[Stage]]) -> None:
        super().__init__()
        self.branches = nn.ModuleList([nn.ModuleList([stage.module for stage in branch]) for branch in branches])


class TTFSNetwork(nn.Module):
    """A feed-forward TTFS network; ``z`` (batch, height, width, channels) -> (batch, classes), everything as exp(t / tau).

    ``layers``: chains of layers; an inception block runs its branches on the same spikes and joins them along the channels.
    ``stages``: all layers in the order in which they run, those of a block branch by branch.

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
        self._plan: list[Stage | list[list[Stage]]] = []
        shape: Shape = input_shape
        for number, spec in enumerate(layers):
            if isinstance(spec, (Conv, Pool, Inception)) and len(shape) != 3:
                raise InputError(f"layers[{number}] is a {spec.kind} after a linear layer: put it before")
            if isinstance(spec, Inception):
                shape = self._add_block(spec, shape, number, generator)
            else:
                stage, shape = self._stage(spec, shape, generator)
                self.layers.append(stage.module)
                self._plan.append(stage)
        if shape != (n_classes,):
            raise InputError(
                f"field 'layers' of the experiment: the last layer gives {shape}, it must be linear with "
                f"outputs = {n_classes}, one per class of the data set"
            )
        depth_scaled([(stage.module, stage.geometry) for stage in self.neurons], depth=self.depth)
        for layer in self.spiking:
            layer.transform = self.deployed

    def _stage(self, spec: Conv | Linear | Pool | Dropout, shape: Shape, generator: torch.Generator):
        """Build one layer, note it, and return it with the shape of its output."""
        module, shape, geometry = _build(spec, shape, generator)
        if isinstance(module, SpikingLayer) and geometry is not None:
            number, neurons = len(self.neurons), geometry.positions * module.n_out
            stage = Neurons(module=module, geometry=geometry, n_neurons=neurons, number=number)
        else:
            stage = Stage(module=module, geometry=None, n_neurons=0)
        self.stages.append(stage)
        return stage, shape

    def _add_block(self, spec: Inception, shape: Shape, number: int, generator: torch.Generator) -> Shape:
        """Build the branches of an inception block; returns the shape of the joined output."""
        branches: list[list[Stage]] = []
        ends: list[Shape] = []
        for chain in spec.branches:
            branch, end = [], shape
            for part in chain:
                stage, end = self._stage(part, end, generator)
                branch.append(stage)
            branches.append(branch)
            ends.append(end)
        if len({end[:2] for end in ends}) > 1:
            raise InputError(
                f"layers[{number}]: the branches of an inception block give images of {[end[:2] for end in ends]} pixels: "
                "give them the same strides"
            )
        self.layers.append(Branches(branches))
        self._plan.append(branches)
        return *ends[0][:2], sum(end[2] for end in ends)

    @property
    def neurons(self) -> list[Neurons]:
        """The layers of neurons with their places, in the order in which they run."""
        return [stage for stage in self.stages if isinstance(stage, Neurons)]

    @property
    def spiking(self) -> list[SpikingLayer]:
        """The layers of neurons, in the order in which they run."""
        return [stage.module for stage in self.neurons]

    @property
    def depth(self) -> int:
        """Layers of neurons on the longest way from the input to the output."""
        count = 0
        for part in self._plan:
            branches = [[part]] if isinstance(part, Stage) else part
            count += max(sum(isinstance(stage, Neurons) for stage in branch) for branch in branches)
        return count

    @property
    def n_weights(self) -> int:
        """Number of weights, biases included."""
        return sum(layer.weight.numel() for layer in self.spiking)

    def deployed(self, weight: Tensor) -> Tensor:
        """Weights as the conductance bank realizes them (``bits`` None: unchanged)."""
        return quantize(weight, self.bits, scope=self.scope)

    def run(self, z: Tensor, apply: Callable[[Neurons, Tensor], Tensor], *, dropout: bool = True) -> Tensor:
        """Send ``z`` through the network, with ``apply(neurons, spikes)`` in place of each layer of neurons.

        Pooling and joining only compare or copy spikes, so ``z`` may as well be t = ln z if ``apply`` works on that.
        ``dropout`` False leaves dropout out, whatever mode the network is in.
        """

        def chain(stages: Sequence[Stage], z: Tensor) -> Tensor:
            for stage in stages:
                if isinstance(stage, Neurons):
                    z = apply(stage, z)
                elif dropout or not isinstance(stage.module, TTFSDropout):
                    z = stage.module(z)
            return z

        for part in self._plan:
            z = chain([part], z) if isinstance(part, Stage) else torch.cat([chain(b, z) for b in part], dim=-1)
        return z

    def forward(self, z: Tensor) -> Tensor:
        return self.run(z, lambda neurons, spikes: neurons.module(spikes))

    def watched(self, z: Tensor, watch: Callable[[Neurons, Tensor, Tensor], None]) -> Tensor:
        """:meth:`forward`, with ``watch(neurons, spikes, outputs)`` told of every layer of neurons."""

        def apply(neurons: Neurons, spikes: Tensor) -> Tensor:
            out = neurons.module(spikes)
            watch(neurons, spikes, out)
            return out

        return self.run(z, apply)

    def layer_outputs(self, z: Tensor) -> list[Tensor]:
        """Outputs of the layers of neurons, in the order of ``spiking``."""
        outputs: list[Tensor] = []
        self.watched(z, lambda neurons, spikes, out: outputs.append(out))
        return outputs


def _build(
    spec: Conv | Linear | Pool | Dropout, shape: Shape, generator: torch.Generator
) -> tuple[nn.Module, Shape, Geometry | None]:
    if isinstance(spec, Conv):
        conv = TTFSConv2d(shape[2], spec.channels, spec.kernel, spec.stride, spec.bias, generator=generator)
        geometry = conv.geometry(shape)
        return conv, (geometry.out_height, geometry.out_width, spec.channels), geometry
    if isinstance(spec, Linear):
        n_in = int(torch.Size(shape).numel())
        return TTFSLinear(n_in, spec.outputs, spec.bias, generator=generator), (spec.outputs,), Geometry.dense(n_in)
    if isinstance(spec, Pool):
        pool = TTFSMaxPool2d(spec.size, spec.stride)
        return pool, pool.output_shape(shape), None
    return TTFSDropout(spec.p), shape, None
