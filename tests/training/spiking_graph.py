"""A quantized network as the rate code's plain description, so that its engines, noisy weights and cards apply to it."""

from __future__ import annotations

import copy

import numpy as np
from torch import nn

from neuronsim.errors import InputError
from neuronsim.training.low_latency.learned_step import LSQActivation
from neuronsim.training.low_latency.network import (
    ConvertibleNetwork,
    MeanOverPixels,
    ResidualBlock,
    SwitchedPool,
    Weighted,
)
from neuronsim.training.rate.graph import AvgPool, Conv, Dense, Identity, Layer, Link, Neuron, RateNetwork, Shape


def rate_network(network: ConvertibleNetwork, input_shape: Shape, *, precharge: float = 0.5) -> RateNetwork:
    """The spiking network of :class:`neuronsim.training.low_latency.simulate.SpikingNetwork` as layers and links.

    There a spike delivers th of its layer, here 1: the weights that read it are multiplied by that th (equation 6 is the same).
    The input of every step is ``network.inputs(pixels)``, channels last; the outputs never fire, so that the readout by count,
    ties by potential, is that by potential. Raises InputError for pools of images that are not square.
    """
    return _Converter(network, input_shape, precharge).convert()


class _Converter:
    def __init__(self, network: ConvertibleNetwork, input_shape: Shape, precharge: float) -> None:
        self.network = copy.deepcopy(network).eval()
        for layer in self.network.weighted:
            layer.fold()
        self.shape = input_shape
        self.neuron = Neuron(reset="subtract", precharge=precharge)
        self.layers: list[Layer] = []
        self.amplitudes: list[float] = []  # what an event of each layer stands for in the ANN

    def convert(self) -> RateNetwork:
        modules = list(self.network.layers)
        for number, module in enumerate(modules):
            if isinstance(module, Weighted):
                after = modules[number + 1] if number + 1 < len(modules) else None
                self._weighted(module, after if isinstance(after, LSQActivation) else None)
            elif isinstance(module, ResidualBlock):
                self._block(module)
            elif isinstance(module, (SwitchedPool, MeanOverPixels)):
                self._pool(module)
        return RateNetwork(self.shape, self.layers)

    @property
    def _last(self) -> int:
        return len(self.layers) - 1

    def _amplitude(self, source: int) -> float:
        return 1.0 if source < 0 else self.amplitudes[source]

    def _add(self, links: list[Link], bias: np.ndarray | float, activation: LSQActivation | None) -> None:
        threshold = 1.0 if activation is None else activation.threshold
        readout = activation is None
        neuron = Neuron() if readout else self.neuron
        self.layers.append(Layer(links=tuple(links), threshold=threshold, bias=bias, neuron=neuron, readout=readout))
        self.amplitudes.append(threshold)

    def _link(self, layer: Weighted, source: int) -> tuple[Link, np.ndarray]:
        linear, amplitude = layer.linear, self._amplitude(source)
        weight = linear.weight.detach().numpy() * np.float32(amplitude)
        bias = np.zeros(len(weight)) if linear.bias is None else linear.bias.detach().numpy().astype(np.float64)
        if isinstance(linear, nn.Conv2d):
            stride, padding = int(linear.stride[0]), linear.kernel_size[0] // 2
            return Link(synapses=Conv(weight=weight, stride=stride, padding=padding), source=source), bias
        height, width, channels = self._shape(source)
        if height * width > 1:  # torch flattens (channels, height, width), the graph (height, width, channels)
            weight = weight.reshape(-1, channels, height, width).transpose(0, 2, 3, 1).reshape(len(weight), -1)
        return Link(synapses=Dense(weight=np.ascontiguousarray(weight)), source=source), bias

    def _weighted(self, module: Weighted, activation: LSQActivation | None) -> None:
        link, bias = self._link(module, self._last)
        self._add([link], bias, activation)

    def _block(self, block: ResidualBlock) -> None:
        source = self._last
        first, bias = self._link(block.first, source)
        self._add([first], bias, _activation(block.inner))
        second, bias = self._link(block.second, self._last)
        if block.shortcut is None:
            past = Link(synapses=Identity(scale=self._amplitude(source)), source=source)
        else:
            past, more = self._link(block.shortcut, source)
            bias = bias + more
        self._add([second, past], bias, _activation(block.outer))

    def _pool(self, pool: SwitchedPool | MeanOverPixels) -> None:
        height, width, _ = self._shape(self._last)
        size = pool.size if isinstance(pool, SwitchedPool) else height
        if isinstance(pool, MeanOverPixels) and height != width:
            raise InputError(f"a mean over {height} x {width} pixels is no square pool: give the network square images")
        amplitude = self._amplitude(self._last)
        self.layers.append(Layer(links=(Link(synapses=AvgPool(size=size)),), spiking=False))
        self.amplitudes.append(amplitude)

    def _shape(self, source: int) -> Shape:
        if source < 0:
            return self.shape
        shapes: list[Shape] = []
        for number, layer in enumerate(self.layers):
            link = layer.links[0]
            origin = number - 1 if link.source is None else link.source
            shapes.append(link.synapses.output(self.shape if origin < 0 else shapes[origin]))
        return shapes[source]


def _activation(module: nn.Module) -> LSQActivation:
    if not isinstance(module, LSQActivation):
        raise InputError("the network is spiking already: convert the trained one")
    return module
