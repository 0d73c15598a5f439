"""Conversion of a quantized network to spiking neurons (paper 003, equation 6), and its accuracy against time in one run."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from neuronsim.errors import InputError
from neuronsim.papers.paper003 import TIMES

from .corrections import Correction, IFLayer
from .learned_step import LSQActivation
from .network import ConvertibleNetwork, Weighted

_CHUNK = 16  # steps that go through a layer at once; only speed and memory depend on it


class SpikingNetwork(nn.Module):
    """The spiking network of a trained ``network``: weights and biases as they are (batch normalization folded in), average
    pools, an integrate-and-fire neuron with reset by subtraction for each activation, th = p s, start at 0.5 th.

    The image is an analog current, the same in every step. The output neurons do not fire: their potential, the sum of
    W z th + B over the steps, is the readout.
    """

    def __init__(self, network: ConvertibleNetwork, *, correction: Correction = "none") -> None:
        super().__init__()
        self.network = copy.deepcopy(network).eval()
        self.network.set_mode("quantized", "average")
        for layer in self.network.weighted:
            layer.fold()
        self.neurons: list[IFLayer] = []
        for parent in list(self.network.modules()):
            for name, child in parent.named_children():
                if isinstance(child, LSQActivation):
                    neurons = IFLayer(child.threshold, correction=correction)
                    setattr(parent, name, neurons)
                    self.neurons.append(neurons)
        self.network.requires_grad_(False)
        layers = list(self.network.layers)
        self._static = next((k for k, layer in enumerate(layers) if _fires(layer)), len(layers))

    @torch.no_grad()
    def potentials(self, pixels: Tensor, times: Sequence[int] = TIMES) -> Tensor:
        """Output potentials (len(times), batch, classes) after each of ``times`` steps, from one simulation of max(times).

        ``pixels`` (batch, height, width, channels) in [0, 1]. Raises InputError unless ``times`` are positive and rising.
        """
        if not times or times[0] < 1 or list(times) != sorted(set(times)):
            raise InputError(f"times = {list(times)}: must be rising numbers of steps from 1 on")
        for layer in self.neurons:
            layer.reset()
        layers = list(self.network.layers)
        current = self.network.inputs(pixels)
        for layer in layers[: self._static]:
            current = layer(current)  # nothing fires before: the same in every step
        total: Tensor | None = None
        kept: list[Tensor] = []
        done = 0
        while done < times[-1]:
            steps = min(_CHUNK, times[-1] - done)
            if done == 0:
                steps = max([steps, *(layer.rho for layer in self.neurons if layer.correction == "offset-spikes")])
            for layer in self.neurons:
                layer.steps = steps
            x = current.expand(steps, *current.shape)
            rest = layers[self._static :]
            if rest and isinstance(rest[0], IFLayer):
                x, rest = rest[0].spikes(x), rest[1:]
            else:
                x = x.reshape(-1, *current.shape[1:])
            for layer in rest:
                x = layer(x)
            sums = x.reshape(steps, len(pixels), -1).to(torch.float64).cumsum(dim=0)
            sums = sums if total is None else sums + total
            total = sums[-1]
            kept += [sums[time - done - 1] for time in times if done < time <= done + steps]
            done += steps
        return torch.stack(kept)


def _fires(layer: nn.Module) -> bool:
    return not isinstance(layer, Weighted) and any(isinstance(module, IFLayer) for module in layer.modules())
