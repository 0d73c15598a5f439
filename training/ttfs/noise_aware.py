"""Training on a card: through its circuit, under its mismatch and its timing noise."""

import torch
from torch import Tensor

from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.errors import InputError

from ..seeds import torch_generator
from .chip import Chip, chip_weight, circuit_of, generator_for
from .detector_range import beyond_range, phase_error, random_moments
from .experiment import Experiment
from .layers import SpikeTransform, WeightTransform
from .network import Neurons, TTFSNetwork

_FROZEN, _TEMPORAL, _MOMENT = 11, 12, 13
_EXPONENT = 20.0  # largest shift of one spike, in tau: keeps exp() finite where a flat crossing meets large noise


class CardNoise:
    """Sets the neurons of a network to those of a card: the kernel, a new chip for every batch, timing noise for every spike.

    What acts is decided by the experiment's section [noise_aware]; gradients treat every draw as a constant. With kernel "card"
    all of the card acts, in the very kernel and in the very draws of evaluation (``injection``); with "ideal" the weight gain,
    synapse mismatch, gain spread (per output channel), delay, timing noise and missing spikes.
    """

    def __init__(self, card: TTFSCard, experiment: Experiment) -> None:
        if experiment.noise_aware is None:
            raise InputError("the experiment has no [noise_aware] section, so a card cannot act in training")
        self.card = card
        self.settings = experiment.noise_aware
        self.seed = experiment.seed

    def install(self, network: TTFSNetwork, epoch: int, batch: int) -> None:
        """Set the draw of this batch in every layer of neurons."""
        chip = None
        if self.settings.kernel == "card" and self.settings.frozen:
            generator = generator_for(self.seed, _FROZEN, epoch, batch)
            chip = Chip.draw(self.card, network, generator, synapses=self.settings.synapses)
        for stage in network.neurons:
            key = epoch, batch, stage.number
            frozen = torch_generator(self.seed, _FROZEN, *key) if self.settings.frozen else None
            temporal = torch_generator(self.seed, _TEMPORAL, *key) if self.settings.temporal else None
            self._set(network, stage, chip, frozen, temporal)

    def install_nominal(self, network: TTFSNetwork) -> None:
        """Set the card without mismatch and timing noise: what an average chip does, the same for every batch."""
        for stage in network.neurons:
            self._set(network, stage, None, None, None)

    @property
    def penalizes_range(self) -> bool:
        """True when phase errors beyond the detector's linear range are part of the loss."""
        return self.settings.range_penalty > 0 and self.card.kernel.xor_limit_weight is not None

    def beyond_range(
        self, network: TTFSNetwork, neurons: Neurons, spikes: Tensor, fired: Tensor, epoch: int, batch: int
    ) -> Tensor:
        """What the phase errors of one layer exceed the detector's range by, at a random moment of every image."""
        limit = self.card.kernel.xor_limit_weight
        if limit is None:
            return spikes.new_zeros(())
        layer = neurons.module
        weight = network.deployed(layer.weight) * self.card.weights.gain.value
        flat = spikes.reshape(len(spikes), -1)
        moment = random_moments(flat, torch_generator(self.seed, _MOMENT, epoch, batch, neurons.number))
        error = phase_error(flat, weight, moment, bias=layer.bias, geometry=neurons.geometry)
        inside = limit.value * (1 - self.settings.range_margin)
        return beyond_range(error, fired.reshape(error.shape), moment, inside)

    def _set(
        self,
        network: TTFSNetwork,
        stage: Neurons,
        chip: Chip | None,
        frozen: torch.Generator | None,
        temporal: torch.Generator | None,
    ) -> None:
        if self.settings.kernel == "card":
            layer = None if chip is None else chip.layers[stage.number]
            stage.module.circuit = circuit_of(self.card, layer)
            stage.module.transform = network.deployed
            if layer is not None:
                stage.module.transform = lambda weight: chip_weight(network.deployed(weight), layer)
        else:
            stage.module.transform = self._weights(network, frozen)
        stage.module.jitter = self._jitter(temporal)

    def _weights(self, network: TTFSNetwork, generator: torch.Generator | None) -> WeightTransform:
        card = self.card

        def transform(weight: Tensor) -> Tensor:
            effective = network.deployed(weight) * card.weights.gain.value
            if generator is not None:
                error = torch.randn(weight.shape, generator=generator) * card.weights.mismatch_sigma.value
                gain = torch.randn(weight.shape[1], generator=generator) * card.frozen.gain_sigma.value
                effective = effective * (1 + error) * (1 + gain).clamp(min=0.1)
            return effective

        return transform

    def _jitter(self, generator: torch.Generator | None) -> SpikeTransform:
        """The delay, unless the kernel has it, and the noise of ``generator`` (None: no noise)."""
        card, scale = self.card, self.settings.scale
        noise, tau = card.timing_noise, card.kernel.tau_s.value
        delay = card.kernel.delay_s.value / tau
        passed, to_come = (delay, 0.0) if self.settings.kernel == "card" else (0.0, delay)

        def jitter(z: Tensor, slope: Tensor) -> Tensor:
            shift = torch.full_like(z, to_come)
            if generator is not None:
                fired = torch.isfinite(z)
                t = (torch.where(fired, z.detach(), 1.0).log() - passed).clamp(min=0)
                spread = scale * noise.variance_v(t, expm1=torch.expm1).clamp(min=0).sqrt()
                left = 1 - spread * torch.randn(z.shape, generator=generator) / slope.clamp(min=1e-9)
                shift = shift - torch.where(left > 0, left, 1.0).log()
                shift = shift + scale * noise.rest_s / tau * torch.randn(z.shape, generator=generator)
                if noise.resolution_s is not None:  # a sampled output
                    shift += scale * noise.resolution_s.value / tau * (torch.rand(z.shape, generator=generator) - 0.5)
                z = z.masked_fill(left <= 0, torch.inf)  # the noisy threshold is never met, see injection.timing_noise
            z = (z * shift.clamp(-_EXPONENT, _EXPONENT).exp()).clamp(min=1.0)
            if generator is not None and card.missing_probability.value > 0:
                z = z.masked_fill(torch.rand(z.shape, generator=generator) < card.missing_probability.value, torch.inf)
            return z

        return jitter
