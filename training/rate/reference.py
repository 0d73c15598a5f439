"""The network of :mod:`training.rate.graph` in torch, step by step on a batch: any device, every option, gradients."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from neuronsim.errors import InputError

from .graph import AvgPool, Conv, Dense, RateNetwork, Synapses
from .layers import IntegrateFire, clear_all


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
