"""Noisy synapses in the torch network: every kind, scope and kernel of :class:`WeightNoise`, on any device."""

import numpy as np
import torch
from torch import Tensor

from neuronsim.errors import InputError

from .graph import Conv, Dense, RateNetwork, Synapses
from .noise import WeightNoise
from .reference import ReferenceNetwork, propagate


class NoisyNetwork(ReferenceNetwork):
    """``ReferenceNetwork`` whose synapses are noisy; draws come from ``generator``.

    Temporal noise per sample with unrolled kernels is drawn per neuron; shared by the batch, or with one kernel for all
    positions, per weight, anew in every step. Frozen noise is drawn once, when the network is made; noise per inference at every
    :meth:`clear`, then it must be shared by the batch (the event engine draws it per sample). Raises InputError for what it
    cannot draw. Pooling and passive layers carry no noise; gradients treat draws as constants.
    """

    def __init__(self, network: RateNetwork, noise: WeightNoise, generator: torch.Generator) -> None:
        super().__init__(network, generator)
        if noise.kind == "inference" and noise.scope == "sample":
            raise InputError('noise per inference with scope "sample" is for the event engine; here use scope "batch"')
        if (
            noise.kind != "temporal"
            and noise.kernels == "unrolled"
            and any(isinstance(link.synapses, Conv) for layer in network.layers for link in layer.links)
        ):
            raise InputError('frozen noise of unrolled kernels is for the event engine; here use kernels "shared"')
        self.noise, self.generator = noise, generator
        self._held: dict[str, Tensor] = {}
        self._variance: dict[str, Tensor] = {}
        for key, weight in self.weights.items():
            self._variance[key] = torch.from_numpy(np.asarray(noise.variance(weight.detach().cpu().numpy())))

    def clear(self) -> None:
        """Forget membranes, and the draw of the last inference."""
        super().clear()
        if self.noise.kind == "inference":
            self._held = {}

    def _draw(self, key: str, weight: Tensor) -> Tensor:
        """One draw of all weights of a link."""
        return weight + self._variance[key].to(weight).sqrt() * self._normal(weight.shape, weight)

    def _normal(self, shape: torch.Size, like: Tensor) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=like.device, dtype=like.dtype)

    def conduct(self, number: int, k: int, synapses: Synapses, weight: Tensor | None, event: Tensor) -> Tensor:
        """Noisy drive of one link."""
        if weight is None or not synapses.noisy or self.noise.level == 0:
            return propagate(synapses, weight, event)
        key = f"{number}_{k}"
        if self.noise.kind != "temporal":
            if key not in self._held:
                self._held[key] = self._draw(key, weight).detach() - weight.detach()
            return propagate(synapses, weight + self._held[key], event)
        if self.noise.per_neuron:
            mean = propagate(synapses, weight, event)
            spread = propagate(synapses, self._variance[key].to(weight), event * event).clamp(min=0).sqrt()
            return mean + spread * self._normal(mean.shape, mean)
        return self._by_weight(key, synapses, weight, event)

    def _by_weight(self, key: str, synapses: Synapses, weight: Tensor, event: Tensor) -> Tensor:
        """A draw for every weight in this step: one for the batch, or one for each sample; unrolled: one for each position."""
        samples = 1 if self.noise.scope == "batch" else len(event)
        deviation = self._variance[key].to(weight).sqrt().flatten(1)
        flat = weight.flatten(1)
        if isinstance(synapses, Dense):
            drawn = flat + deviation * self._normal(torch.Size((samples, *flat.shape)), weight)
            x = event.permute(0, 2, 3, 1).flatten(1)
            return torch.einsum("boi,bi->bo", drawn.expand(len(event), -1, -1), x)[:, :, None, None]
        if not isinstance(synapses, Conv):
            raise InputError(f"{type(synapses).__name__} carries no noise here")
        height, width, _ = synapses.output((event.shape[2], event.shape[3], event.shape[1]))
        columns = torch.nn.functional.unfold(event, weight.shape[2], stride=synapses.stride, padding=synapses.padding)
        if self.noise.kernels == "shared":
            kernels = flat + deviation * self._normal(torch.Size((samples, *flat.shape)), weight)
            return torch.bmm(kernels.expand(len(event), -1, -1), columns).unflatten(2, (height, width))
        drawn = flat + deviation * self._normal(torch.Size((samples, columns.shape[2], *flat.shape)), weight)
        drawn = drawn.expand(len(event), -1, -1, -1)
        return torch.einsum("blk,blok->bol", columns.transpose(1, 2), drawn).unflatten(2, (height, width))
