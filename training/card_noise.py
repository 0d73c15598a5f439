"""Training under a card's noise: a differentiable stand-in for its neurons around the exact kernel of equation 4."""

from __future__ import annotations

import torch
from torch import Tensor

from neuronsim.card import TTFSCard
from neuronsim.errors import InputError

from .batches import torch_generator
from .experiment import Experiment
from .network import TTFSNetwork

_FROZEN, _TEMPORAL = 11, 12
_EXPONENT = 20.0  # largest shift of one spike, in tau: keeps exp() finite where a flat crossing meets large noise


class CardNoise:
    """Draws a new chip for every batch and timing noise for every spike of it; gradients treat both as constants.

    Acts: weight gain, synapse mismatch, gain spread (per output channel), delay, timing noise, missing spikes. Does not act:
    second pole, ramp, detector limit, which evaluation includes.
    """

    def __init__(self, card: TTFSCard, experiment: Experiment) -> None:
        if experiment.noise_aware is None:
            raise InputError("the experiment has no [noise_aware] section, so a card cannot act in training")
        self.card = card
        self.settings = experiment.noise_aware
        self.seed = experiment.seed

    def install(self, network: TTFSNetwork, epoch: int, batch: int) -> None:
        """Set the draw of this batch in every layer of neurons."""
        for number, layer in enumerate(network.spiking):
            frozen = torch_generator(self.seed, _FROZEN, epoch, batch, number)
            temporal = torch_generator(self.seed, _TEMPORAL, epoch, batch, number)
            layer.transform = self._weights(network, frozen)
            layer.jitter = self._jitter(temporal)

    def _weights(self, network: TTFSNetwork, generator: torch.Generator):
        card, settings = self.card, self.settings

        def transform(weight: Tensor) -> Tensor:
            effective = network.deployed(weight) * card.weights.gain.value
            if settings.frozen:
                error = torch.randn(weight.shape, generator=generator) * card.weights.mismatch_sigma.value
                gain = torch.randn(weight.shape[1], generator=generator) * card.frozen.gain_sigma.value
                effective = effective * (1 + error) * (1 + gain).clamp(min=0.1)
            return effective

        return transform

    def _jitter(self, generator: torch.Generator):
        card, settings = self.card, self.settings
        tau = card.kernel.tau_s.value
        noise = card.timing_noise
        delay = card.kernel.delay_s.value / tau

        def jitter(z: Tensor, slope: Tensor) -> Tensor:
            shift = torch.full_like(z, delay)
            if settings.temporal:
                fired = torch.isfinite(z)
                t = torch.where(fired, z.detach(), 1.0).log()
                spread = settings.scale * (noise.sigma_v.value**2 + noise.diffusion_v.value**2 * t).sqrt()
                left = 1 - spread * torch.randn(z.shape, generator=generator) / slope.clamp(min=1e-9)
                shift = shift - torch.where(left > 0, left, 1.0).log()
                shift = shift + settings.scale * noise.floor_s.value / tau * torch.randn(z.shape, generator=generator)
                z = z.masked_fill(left <= 0, torch.inf)  # the noisy threshold is never met, see injection.timing_noise
            z = (z * shift.clamp(-_EXPONENT, _EXPONENT).exp()).clamp(min=1.0)
            if settings.temporal and card.missing_probability.value > 0:
                z = z.masked_fill(torch.rand(z.shape, generator=generator) < card.missing_probability.value, torch.inf)
            return z

        return jitter
