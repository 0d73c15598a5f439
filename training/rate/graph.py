"""A rate-coded network as plain data, read by both engines: layers of integrate-and-fire neurons and the links between them.

The equations of one step are those of :class:`Neuron`; arrays are channels-last, (height, width, channels), a flat layer of n
neurons is (1, 1, n). A layer may have several links, from earlier layers or the input (source -1): a residual block is a
layer with the link of its last convolution and one past it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from neuronsim.errors import InputError
from neuronsim.neuron import array_checks as checks
from neuronsim.schema import Part

Shape = tuple[int, int, int]
Array = NDArray[np.float32]
#: how pixels become what the inputs deliver (:func:`training.rate.encoding.encode`)
Encoding = Literal["deterministic", "bernoulli", "constant"]
_NEVER = 1e30  # threshold of a readout: its neurons are read by their potential and must not fire


def check_encoding(encoding: Encoding, steps: int) -> None:
    """Raises InputError for an unknown encoding, or fewer than one step."""
    if encoding not in get_args(Encoding):
        raise InputError(f"encoding = '{encoding}' must be one of {', '.join(get_args(Encoding))}")
    if steps < 1:
        raise InputError(f"steps = {steps} is out of range: at least 1")


class Neuron(Part):
    """Integrate-and-fire neuron in steps of dt (paper 000, equations 2 and 3; thresholds theta belong to the layer).

        u <- decay u + sum_i w_i a_i + bias + membrane_noise theta N(0, 1)   unless refractory
        fires when u >= theta (``strict``: u > theta), then u <- 0 ("rest") or u <- u - theta ("subtract")

    u starts at precharge theta. a_i: amplitude of what link i delivers in the step, 1 for a spike. decay = exp(-dt/tau_m), 1
    without leak. For ``refractory`` steps after a spike u is held and input is lost. ``threshold_jitter``: theta is multiplied by
    1 + threshold_jitter N(0, 1) anew after each spike (and before the first), which spreads the intervals by that fraction.
    """

    reset: Literal["rest", "subtract"] = "subtract"
    precharge: float = Field(default=0.0, ge=0, lt=1, description="fraction of the threshold")
    decay: float = Field(default=1.0, gt=0, le=1)
    refractory: int = Field(default=0, ge=0, description="steps")
    strict: bool = False
    membrane_noise: float = Field(default=0.0, ge=0, description="rms per step, in thresholds")
    threshold_jitter: float = Field(default=0.0, ge=0, le=1, description="a fraction, not percent")


@dataclass(frozen=True, kw_only=True, eq=False)
class Dense:
    """Fully connected. ``weight`` (outputs, inputs), inputs flattened from (height, width, channels)."""

    weight: Array
    noisy: bool = True

    def output(self, shape: Shape) -> Shape:
        """Shape of the target for a source of ``shape``. Raises InputError where it does not fit."""
        if self.weight.ndim != 2 or self.weight.shape[1] != np.prod(shape):
            raise InputError(f"dense weight {self.weight.shape} must be (outputs, {np.prod(shape)}) for {shape}")
        return 1, 1, self.weight.shape[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class Conv:
    """Convolution. ``weight`` (outputs, inputs, kernel, kernel), zero ``padding`` on all sides."""

    weight: Array
    stride: int = 1
    padding: int = 0
    noisy: bool = True

    def output(self, shape: Shape) -> Shape:
        """Shape of the target for a source of ``shape``. Raises InputError where it does not fit."""
        height, width, channels = shape
        if self.weight.ndim != 4 or self.weight.shape[1] != channels or self.weight.shape[2] != self.weight.shape[3]:
            raise InputError(f"kernel {self.weight.shape} must be (outputs, {channels}, k, k) for a source {shape}")
        k = self.weight.shape[2]
        out = [(n + 2 * self.padding - k) // self.stride + 1 for n in (height, width)]
        if min(out) < 1:
            raise InputError(f"a {k} x {k} kernel with padding {self.padding} does not fit {height} x {width}")
        return out[0], out[1], self.weight.shape[0]


@dataclass(frozen=True, kw_only=True, eq=False)
class AvgPool:
    """Mean over windows of ``size`` x ``size`` side by side; a remainder at the edge is dropped. Its weights carry no noise."""

    size: int = 2
    noisy: Literal[False] = False

    def output(self, shape: Shape) -> Shape:
        """Shape of the target for a source of ``shape``. Raises InputError where it does not fit."""
        if not 1 <= self.size <= min(shape[:2]):
            raise InputError(f"pool size {self.size} is out of range [1, {min(shape[:2])}] for a source {shape}")
        return shape[0] // self.size, shape[1] // self.size, shape[2]


@dataclass(frozen=True, kw_only=True, eq=False)
class Identity:
    """A wire from each neuron to its counterpart, times ``scale``: the plain way past a residual block. It carries no noise."""

    scale: float = 1.0
    noisy: Literal[False] = False

    def output(self, shape: Shape) -> Shape:
        """The source's own shape."""
        return shape


Synapses = Dense | Conv | AvgPool | Identity


@dataclass(frozen=True, kw_only=True, eq=False)
class Link:
    """Synapses from layer ``source`` (-1: the input; default: the layer before)."""

    synapses: Synapses
    source: int | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """Neurons with their links. ``threshold`` and ``bias``: a number, one per channel, or one per neuron (h, w, c).

    ``spiking`` False: no neurons, the layer hands on what its links deliver (a passive pooling layer). ``readout``: the last
    layer, whose potentials are read; it sums and never fires, whatever its threshold, and is no neuron of a circuit.
    """

    links: tuple[Link, ...]
    threshold: ArrayLike = 1.0
    bias: ArrayLike = 0.0
    neuron: Neuron = field(default_factory=Neuron)
    spiking: bool = True
    readout: bool = False
    name: str = ""


class RateNetwork:
    """Layers checked against each other. ``shapes[l]``: shape of layer l, ``shapes[-1]`` is the last one, not the input.

    ``input_shape`` (height, width, channels). ``delay``: steps a spike takes from layer to layer, 1 in paper 000 (equation 2),
    0: all layers in one step. Raises InputError naming the layer that does not fit.
    """

    def __init__(self, input_shape: Shape, layers: Sequence[Layer], *, delay: Literal[0, 1] = 0) -> None:
        self.input_shape, self.layers, self.delay = input_shape, tuple(layers), delay
        self.shapes: list[Shape] = []
        self.thresholds: list[NDArray[np.float64]] = []
        self.biases: list[NDArray[np.float64]] = []
        if not self.layers:
            raise InputError("a network needs at least one layer")
        for number, layer in enumerate(self.layers):
            name = layer.name or f"layer {number}"
            try:
                self.shapes.append(self._shape(number, layer))
                theta = _NEVER if layer.readout else layer.threshold
                self.thresholds.append(
                    _per_neuron(checks.positive("threshold", theta, "weight units"), self.shapes[-1])
                )
                self.biases.append(_per_neuron(checks.finite("bias", layer.bias, "weight units"), self.shapes[-1]))
            except InputError as error:
                raise InputError(f"{name}: {error}") from None
            if not layer.spiking and np.any(self.biases[-1]):
                raise InputError(f"{name}: bias on a layer without neurons")
            if layer.readout and (number < len(self.layers) - 1 or not layer.spiking):
                raise InputError(f"{name}: readout = True is for the last layer, and that with spiking = True")
            if layer.readout and (layer.neuron.membrane_noise or layer.neuron.threshold_jitter):
                raise InputError(f"{name}: a readout is ideal: its noise scales with a threshold that it does not have")
        if not self.layers[-1].spiking:
            raise InputError("the last layer must be spiking: its spikes are counted")

    def source(self, number: int, link: Link) -> int:
        """Number of the layer that feeds ``link`` of layer ``number``; -1: the input."""
        return number - 1 if link.source is None else link.source

    def shape_of(self, number: int) -> Shape:
        """Shape of a layer, or with -1 of the input."""
        return self.input_shape if number < 0 else self.shapes[number]

    @property
    def n_outputs(self) -> int:
        """Neurons of the last layer."""
        return int(np.prod(self.shapes[-1]))

    @property
    def n_inputs(self) -> int:
        """Input channels, all positions."""
        return int(np.prod(self.input_shape))

    def _shape(self, number: int, layer: Layer) -> Shape:
        if not layer.links:
            raise InputError("a layer needs at least one link")
        ends = set()
        for link in layer.links:
            source = self.source(number, link)
            if not -1 <= source < number:
                raise InputError(f"source = {source} is out of range [-1, {number - 1}]: links lead forward")
            ends.add(link.synapses.output(self.shape_of(source)))
        if len(ends) > 1:
            raise InputError(f"its links end in different shapes: {', '.join(map(str, sorted(ends)))}")
        return ends.pop()


def _per_neuron(values: NDArray[np.float64], shape: Shape) -> NDArray[np.float64]:
    try:
        return np.ascontiguousarray(np.broadcast_to(values, shape)).reshape(-1)
    except ValueError:
        raise InputError(f"values of shape {values.shape} do not fit {shape}: one, {shape[2]}, or all") from None
