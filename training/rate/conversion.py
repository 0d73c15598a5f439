"""From a ReLU network to integrate-and-fire neurons with the same weights: thresholds D_l / D_(l-1) (paper 000, section II-G).

D_l is the largest input of any analog neuron of layer l over the training images, D of the image itself is 1. With it the rates
of every layer reach from 0 to 1 spike per step, as the activations do from 0 to D_l.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from neuronsim.errors import InputError

from .graph import AvgPool, Conv, Dense, Layer, Link, Neuron, RateNetwork, Shape, Synapses

PAPER_NEURON = Neuron(reset="rest", strict=True)


@torch.no_grad()
def largest_inputs(network: nn.Sequential, images: Tensor, batch: int = 1000) -> list[float]:
    """D_l of every layer with neurons (convolution, pooling, fully connected) over ``images`` (n, channels, h, w)."""
    maxima: list[float] = []
    for first in range(0, len(images), batch):
        x, number = images[first : first + batch], 0
        for module in network:
            x = module(x)
            if isinstance(module, (nn.Conv2d, nn.Linear, nn.AvgPool2d)):
                if first == 0:
                    maxima.append(-torch.inf)
                maxima[number] = max(maxima[number], float(x.max()))
                number += 1
    return maxima


def convert(
    network: nn.Sequential,
    input_shape: Shape,
    largest: Sequence[float],
    *,
    neuron: Neuron = PAPER_NEURON,
    first_scale: float = 1.0,
    delay: int = 1,
    spiking_pools: bool = True,
) -> RateNetwork:
    """The spiking network of ``network`` on images ``input_shape`` (h, w, channels), weights unchanged.

    ``largest``: what :func:`largest_inputs` gave. ``first_scale``: the paper's threshold scale, times the threshold of the first
    hidden layer. ``spiking_pools``: pooling layers are neurons of their own, as in the paper's reference [10]. Raises InputError
    for a module that has no spiking form, biases, or maxima that do not fit.
    """
    if delay not in (0, 1):
        raise InputError(f"delay = {delay} must be 0 or 1 step")
    layers, before, shape, number = [], 1.0, input_shape, 0
    flattened: Shape | None = None
    for module in network:
        if isinstance(module, (nn.ReLU, nn.Dropout)):
            continue
        if isinstance(module, nn.Flatten):
            flattened = shape
            continue
        synapses = _synapses(module, flattened)
        flattened = None
        if number >= len(largest) or not largest[number] > 0:
            raise InputError(f"largest inputs {list(largest)}: one positive number per layer of neurons is needed")
        spiking = spiking_pools or not isinstance(synapses, AvgPool)
        theta = largest[number] / before * (first_scale if not layers else 1.0)
        layers.append(
            Layer(links=(Link(synapses=synapses),), threshold=theta if spiking else 1.0, neuron=neuron, spiking=spiking)
        )
        if spiking:
            before = largest[number]
        shape, number = synapses.output(shape), number + 1
    return RateNetwork(input_shape, layers, delay=1 if delay else 0)


def _synapses(module: nn.Module, flattened: Shape | None) -> Synapses:
    if isinstance(module, (nn.Linear, nn.Conv2d)) and module.bias is not None:
        raise InputError("paper 000's conversion knows no bias: train without")
    if isinstance(module, nn.Linear):
        weight = module.weight.detach()
        if flattened is not None:
            # torch flattens (channels, h, w); neurons here are numbered (h, w, channels)
            height, width, channels = flattened
            weight = weight.reshape(-1, channels, height, width).permute(0, 2, 3, 1).flatten(1)
        return Dense(weight=weight.contiguous().numpy())
    if (
        isinstance(module, nn.Conv2d)
        and module.groups == 1
        and module.dilation == (1, 1)
        and not isinstance(module.padding, str)
    ):
        return Conv(weight=module.weight.detach().numpy(), stride=module.stride[0], padding=module.padding[0])
    if isinstance(module, nn.AvgPool2d) and module.stride == module.kernel_size and module.padding == 0:
        return AvgPool(size=int(module.kernel_size if isinstance(module.kernel_size, int) else module.kernel_size[0]))
    raise InputError(f"{module} has no spiking form here: use Linear, Conv2d, AvgPool2d, ReLU, Flatten")
