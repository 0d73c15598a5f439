"""Initial weights of deep networks.

Uniform weights on (0, 8/n) have the sum S = 4, and each layer then multiplies z by up to S / (S - 1) = 4/3. Through the three
layers of the MNIST network that is harmless. Through 17 layers the outputs come later than the cap of the loss, and they are all
alike: a layer of n equal-sign weights averages its inputs, which shrinks what tells channels and images apart by 1/sqrt(n).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from .geometry import Geometry
from .layers import SpikingLayer

SHALLOW = 3  # up to this depth the uniform weights of ``initial_weight`` stay
SPREAD = 2.0  # see :func:`depth_scaled`


def weight_sum(depth: int) -> float:
    """S with which ``depth`` layers delay as much as three layers with S = 4: (S / (S - 1))^depth = (4/3)^3."""
    return 4.0 if depth <= SHALLOW else 1.0 / (1.0 - 0.75 ** (SHALLOW / depth))


def depth_scaled(layers: Sequence[tuple[SpikingLayer, Geometry]], *, depth: int) -> None:
    """Give the layers of a network of more than three layers initial weights that keep its signals apart.

    From the uniform draw u of each layer: w = S/n + g (S - 1) sqrt(12 / n) (u - mean of u over the neuron's inputs), bias 0, with
    S of :func:`weight_sum`, n the inputs that a neuron sees on average (fewer than weights where padding is silent) and
    g = ``SPREAD``. The weights of a neuron still add up to S > 1, so it fires; deviations of z from their mean pass a layer with
    gain ||w - S/n|| / (S - 1) = g (equation 4). g = 1 would keep them if all inputs came before the spike; about half do.
    """
    if depth <= SHALLOW:
        return
    s = weight_sum(depth)
    with torch.no_grad():
        for layer, geometry in layers:
            rows = geometry.taps
            seen = float(geometry.fan_out().sum()) / geometry.positions
            u: Tensor = layer.weight * ((rows + layer.bias) / 8.0)
            u = u[:rows] - u[:rows].mean(dim=0)
            layer.weight.zero_()
            layer.weight[:rows] = s / seen + SPREAD * (s - 1.0) * math.sqrt(12.0 / seen) * u
