"""The network of :mod:`training.rate.graph` in torch, step by step on a batch: any device, every option, gradients; and with
every kind, scope and kernel of :class:`WeightNoise`.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from neuronsim.errors import InputError

from .graph import AvgPool, Conv, Dense, RateNetwork, Synapses
from .layers import IntegrateFire, clear_all
from .noise import WeightNoise


@dataclass(frozen=True, kw_only=True)
class Activity:
    """``counts`` (batch, outputs): spikes of the last layer; ``prediction`` (steps, batch): the readout after each step;
    ``spikes`` (layers): spikes per layer, over all images and steps."""

    counts: Tensor
    prediction: Tensor
    spikes: Tensor


def readout(counts: Tensor, potential: Tensor) -> Tensor:
    """Class (batch,) of the highest count, ties by the highest potential (paper 000, II-F); both (batch, outputs)."""
    best = counts == counts.amax(dim=1, keepdim=True)
    return torch.where(best, potential, -torch.inf).argmax(dim=1)


class ReferenceNetwork(nn.Module):
    """Torch form of a network; ``weights[k]`` are parameters, so that it can be trained. State: call :meth:`clear` first.

    Channels-first inside: spikes (batch, channels, height, width).
    """

    def __init__(
        self, network: RateNetwork, generator: torch.Generator | None = None, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.network = network
        self.weights = nn.ParameterDict()
        self.neurons = nn.ModuleDict()
        for number, layer in enumerate(network.layers):
            height, width, channels = network.shapes[number]
            for k, link in enumerate(layer.links):
                if isinstance(link.synapses, (Dense, Conv)):
                    self.weights[f"{number}_{k}"] = nn.Parameter(torch.tensor(link.synapses.weight, dtype=dtype))
            if layer.spiking:
                theta = torch.tensor(network.thresholds[number], dtype=dtype).reshape(height, width, channels)
                self.neurons[str(number)] = IntegrateFire(theta.permute(2, 0, 1), layer.neuron, generator=generator)
            bias = torch.tensor(network.biases[number], dtype=dtype).reshape(height, width, channels)
            self.register_buffer(f"bias_{number}", bias.permute(2, 0, 1))

    def clear(self) -> None:
        """Forget every membrane and what is on its way between layers."""
        clear_all(self)
        self._before: list[Tensor] | None = None

    def forward(self, x: Tensor) -> list[Tensor]:
        """One step: what each layer delivers, (batch, channels, height, width), for inputs x of that shape."""
        delivered: list[Tensor] = []
        for number in range(len(self.network.layers)):
            delivered.append(self._layer(number, x, delivered))
        if self.network.delay:
            self._before = [x, *delivered]
        return delivered

    def _layer(self, number: int, x: Tensor, delivered: list[Tensor]) -> Tensor:
        layer, shape = self.network.layers[number], self.network.shapes[number]
        drive = getattr(self, f"bias_{number}").expand(len(x), -1, -1, -1)
        for k, link in enumerate(layer.links):
            source = self.network.source(number, link)
            # What has no neurons takes no time.
            if not (self.network.delay and layer.spiking):
                event = x if source < 0 else delivered[source]
            elif self._before is not None:
                event = self._before[source + 1]
            else:
                continue
            weight = self.weights.get(f"{number}_{k}")
            drive = drive + self.conduct(number, k, link.synapses, weight, event)
        if not layer.spiking:
            return drive
        return self.neurons[str(number)](drive.reshape(len(x), shape[2], shape[0], shape[1]))

    def conduct(self, number: int, k: int, synapses: Synapses, weight: Tensor | None, event: Tensor) -> Tensor:
        """What link ``k`` of layer ``number`` delivers for the source's ``event``s, both (batch, channels, height, width)."""
        return propagate(synapses, weight, event)

    def potential(self) -> Tensor:
        """Membranes of the last layer (batch, outputs)."""
        last = self.neurons[str(len(self.network.layers) - 1)]
        membrane = last.membrane
        if not isinstance(membrane, Tensor):
            raise InputError("no step was taken since clear()")
        return membrane.permute(0, 2, 3, 1).flatten(1)


def propagate(synapses: Synapses, weight: Tensor | None, event: Tensor) -> Tensor:
    """Noise-free drive of one link (batch, channels, height, width)."""
    if isinstance(synapses, Dense) and weight is not None:
        flat = event.permute(0, 2, 3, 1).flatten(1)
        return functional.linear(flat, weight)[:, :, None, None]
    if isinstance(synapses, Conv) and weight is not None:
        return functional.conv2d(event, weight, stride=synapses.stride, padding=synapses.padding)
    if isinstance(synapses, AvgPool):
        return functional.avg_pool2d(event, synapses.size)
    return event * getattr(synapses, "scale", 1.0)


@torch.no_grad()
def simulate(model: ReferenceNetwork, trains: Tensor) -> Activity:
    """Run ``trains`` (steps, batch, height, width, channels) through the network from a fresh state."""
    model.clear()
    counts = torch.zeros((trains.shape[1], model.network.n_outputs), dtype=trains.dtype, device=trains.device)
    spikes = torch.zeros(len(model.network.layers), dtype=torch.float64)
    predictions = []
    for x in trains:
        delivered = model(x.permute(0, 3, 1, 2))
        counts = counts + delivered[-1].permute(0, 2, 3, 1).flatten(1)
        predictions.append(readout(counts, model.potential()))
        spikes += torch.stack([d.sum().double().cpu() for d in delivered])
    return Activity(counts=counts, prediction=torch.stack(predictions), spikes=spikes)


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
        convolutions = [link for layer in network.layers for link in layer.links if isinstance(link.synapses, Conv)]
        if noise.kind != "temporal" and noise.kernels == "unrolled" and convolutions:
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

    def _normal(self, shape: torch.Size, like: Tensor) -> Tensor:
        return torch.randn(shape, generator=self.generator, device=like.device, dtype=like.dtype)

    def conduct(self, number: int, k: int, synapses: Synapses, weight: Tensor | None, event: Tensor) -> Tensor:
        """Noisy drive of one link."""
        if weight is None or not synapses.noisy or self.noise.level == 0:
            return propagate(synapses, weight, event)
        key = f"{number}_{k}"
        if self.noise.kind != "temporal":
            if key not in self._held:
                draw = weight + self._variance[key].to(weight).sqrt() * self._normal(weight.shape, weight)
                self._held[key] = draw.detach() - weight.detach()
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
