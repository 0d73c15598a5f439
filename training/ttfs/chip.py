"""A model card in a network: frozen noise (one draw per chip) and temporal noise (one draw per inference), kept apart.

Frozen: a relative error of every synapse, a relative gain and a ramp offset of every neuron. They belong to a :class:`Chip`,
drawn from a generator of its own. Temporal: timing noise and missing spikes, drawn in :func:`run_on_card` from the generator
given there. The deterministic part of the card (gain, second pole, ramp, delay, detector limit) acts with or without either.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.errors import InputError

from .circuit_function import Circuit, circuit_layer
from .network import Neurons, TTFSNetwork

_LATEST = float(np.log(np.finfo(np.float32).max)) - 1e-6  # tau; what z = e^t holds in single precision
Synapses = Literal["unrolled", "shared"]


def generator_for(*key: int) -> np.random.Generator:
    """A numpy generator that depends on every number of ``key`` and on nothing else."""
    return np.random.default_rng(list(key))


@dataclass(frozen=True, kw_only=True)
class ChipLayer:
    """Frozen draw of one layer: ``weight_error`` (1 or positions, rows, c_out), relative; ``gain_error`` (positions, c_out),
    relative; ``ramp_offset`` (positions, c_out) in thresholds per tau."""

    weight_error: NDArray[np.float32]
    gain_error: NDArray[np.float64]
    ramp_offset: NDArray[np.float64]


@dataclass(frozen=True)
class Chip:
    """One frozen draw of a whole network, one entry per layer of neurons."""

    layers: tuple[ChipLayer, ...]

    @classmethod
    def draw(
        cls, card: TTFSCard, network: TTFSNetwork, generator: np.random.Generator, *, synapses: Synapses = "unrolled"
    ) -> Self:
        """Draw the mismatch of a chip.

        ``synapses`` "unrolled": every neuron of a convolution has resistors of its own, as in the circuit; "shared": one kernel
        serves all positions, so its errors are common to them. Gain errors are cut at -90 %: a gain is positive.
        """
        if synapses not in ("unrolled", "shared"):
            raise InputError(f"synapses = '{synapses}': must be 'unrolled' or 'shared'")
        layers = []
        for stage in network.neurons:
            layer, geometry = stage.module, stage.geometry
            neurons = geometry.positions, layer.n_out
            sets = geometry.positions if synapses == "unrolled" else 1
            error = generator.standard_normal((sets, *layer.weight.shape), dtype=np.float32)
            gain = generator.standard_normal(neurons) * card.frozen.gain_sigma.value
            ramp = generator.standard_normal(neurons) * card.frozen.ramp_sigma_per_tau.value
            error *= np.float32(card.weights.mismatch_sigma.value)
            layers.append(ChipLayer(weight_error=error, gain_error=np.maximum(gain, -0.9), ramp_offset=ramp))
        return cls(tuple(layers))


def circuit_of(card: TTFSCard, chip: ChipLayer | None = None) -> Circuit:
    """The neurons of one layer on a card: its deterministic part, with the gain and ramp errors of a chip's layer."""
    kernel = card.kernel
    gain, ramp = card.weights.gain.value, kernel.ramp_per_tau.value
    return Circuit(
        second_pole_ratio=None if kernel.second_pole_ratio is None else kernel.second_pole_ratio.value,
        gain=gain if chip is None else gain * (1 + chip.gain_error),
        ramp=ramp if chip is None else ramp + chip.ramp_offset,
        limit=None if kernel.xor_limit_weight is None else kernel.xor_limit_weight.value,
        delay=kernel.delay_s.value / kernel.tau_s.value,
    )


def chip_weight(weight: Tensor, chip: ChipLayer) -> Tensor:
    """The weights of a chip's layer, (rows, c_out), or (positions, rows, c_out) when each neuron has synapses of its own."""
    error = chip.weight_error[0] if len(chip.weight_error) == 1 else chip.weight_error
    return weight * (1 + torch.from_numpy(error))


@dataclass(frozen=True, kw_only=True)
class CardRun:
    """What a batch did on a card. ``times`` (batch, classes) in tau, inf = silent; per layer of neurons: ``fired``, the number of
    output spikes of the batch; ``out_of_range``: neuron evaluations that left the detector range; ``neurons``: evaluations."""

    times: NDArray[np.float32]
    fired: tuple[int, ...]
    out_of_range: int
    neurons: tuple[int, ...]


def timing_noise(card: TTFSCard, time: NDArray, slope: NDArray, generator: np.random.Generator) -> NDArray[np.float64]:
    """Noise of each spike time in tau, of first-order spread sigma_t^2 = V(t) / v'(t)^2 + floor^2
    (:mod:`neuronsim.artifacts.ttfs_card`).

    ``time`` in tau, ``slope`` = v'(t) in thresholds per tau; 0 for silent neurons. A threshold that noise moves by n is met
    -ln(1 - n / v') later, exactly so for a first-order loop between two events; never (inf) where n >= v', because the membrane
    levels off below it. For n << v' that is n / v'. The linear law alone would scatter flat crossings over all times.
    """
    noise = card.timing_noise
    tau = card.kernel.tau_s.value
    fired = np.isfinite(time)
    t = np.where(fired, time, 0.0).astype(np.float64)
    moved = np.sqrt(noise.variance_v(t)) * generator.standard_normal(time.shape)
    steepness = np.maximum(np.abs(slope), 1e-9)
    left = 1.0 - moved / steepness
    shift = np.where(left > 0, -np.log(np.where(left > 0, left, 1.0)), np.inf)
    shift = shift + noise.rest_s / tau * generator.standard_normal(time.shape)
    if noise.resolution_s is not None:  # a sampled output
        shift = shift + noise.resolution_s.value / tau * (generator.random(time.shape) - 0.5)
    return np.where(fired, shift, 0.0)


def run_on_card(
    network: TTFSNetwork,
    z: Tensor,
    card: TTFSCard,
    *,
    chip: Chip | None = None,
    temporal: np.random.Generator | None = None,
) -> CardRun:
    """Forward pass of ``z`` (batch, height, width, channels) through neurons as ``card`` describes them.

    ``chip`` None: the nominal chip without mismatch. ``temporal`` None: no timing noise and no missing spikes. Noise never moves
    a spike before t = 0, the release of reset. Max-pooling is exact; dropout is off. Weights are those of ``network.bits``.
    """
    fired, neurons, left = [], [], 0

    def apply(stage: Neurons, z: Tensor) -> Tensor:
        nonlocal left
        layer, geometry = stage.module, stage.geometry
        frozen = None if chip is None else chip.layers[stage.number]
        weight = layer.effective_weight()
        z_out, slope, beyond = circuit_layer(
            z.reshape(len(z), -1),
            weight if frozen is None else chip_weight(weight, frozen),
            circuit_of(card, frozen),
            bias=layer.bias,
            geometry=geometry,
        )
        if temporal is not None:
            z_out = _with_noise(card, z_out, slope, temporal)
        fired.append(int(torch.isfinite(z_out).sum()))
        neurons.append(z_out.numel())
        left += int(beyond.sum())
        return layer.shape_output(z_out, geometry)

    with torch.no_grad():
        times = network.run(z.to(torch.float32).clamp(min=1), apply, dropout=False).log().numpy()
    return CardRun(times=times, fired=tuple(fired), out_of_range=left, neurons=tuple(neurons))


def _with_noise(card: TTFSCard, z: Tensor, slope: Tensor, generator: np.random.Generator) -> Tensor:
    """Spikes ``z`` with timing noise, and some of them missing."""
    time = np.log(z.numpy(), dtype=np.float64)
    crossing = np.maximum(time - card.kernel.delay_s.value / card.kernel.tau_s.value, 0.0)
    time = time + timing_noise(card, crossing, slope.numpy(), generator)
    if card.missing_probability.value > 0:
        time = np.where(generator.random(time.shape) < card.missing_probability.value, np.inf, time)
    latest = np.where(np.isinf(time), np.inf, _LATEST)  # noise must not turn a far spike into silence
    return torch.from_numpy(np.exp(np.clip(time, 0.0, latest)).astype(np.float32))
