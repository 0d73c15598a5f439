"""The published algorithm of paper 004 (and of Mostafa 2016, on whose code it builds), as plain torch operations with autograd.

For every neuron of every image: sort the inputs, gather the weights in that order, take the cumulative sums of w and w z, form
all candidate spikes cumsum(w z) / (cumsum(w) - 1), call a candidate valid when it lies between its last cause and the next
input, and take the first valid one. A convolution is that on its unfolded patches. Silence is a spike at :data:`LATEST`, as
in the published code; here it comes in and goes out as inf. All of the batch is done at once, as published: the
(batch * positions, inputs, outputs) arrays are what it costs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neuronsim.training.ttfs.geometry import Geometry

LATEST = 1e5
_SMALLEST, _LARGEST = 1e-10, 1e10  # limits of cumsum(w) - 1 in the division


def first_spike(z: Tensor, weight: Tensor) -> Tensor:
    """First spikes (batch, n_out) of ``z`` (batch, n_in) under ``weight`` (n_in, n_out); exp(t / tau), inf = silent.

    Spikes after LATEST are silent. Simultaneous inputs count one by one, and the causal set ends with the candidate that falls
    on the next input: where a tie decides, this is not the exact neuron.
    """
    silent = torch.tensor(LATEST, dtype=z.dtype, device=z.device)
    times, order = torch.where(torch.isfinite(z), z, silent).sort(dim=1)
    causes = times[:, :, None]  # (batch, n_in, 1)
    sorted_weight = weight[order]  # (batch, n_in, n_out)
    total = sorted_weight.cumsum(dim=1)
    moment = (sorted_weight * causes).cumsum(dim=1)
    candidates = moment / (total - 1).clamp(_SMALLEST, _LARGEST)
    candidates = torch.where(total < 1, silent, candidates)
    candidates = torch.where(candidates < causes, silent, candidates)
    following = torch.cat([causes[:, 1:], silent.expand(len(z), 1, 1)], dim=1)
    candidates = torch.where(candidates > following, silent, candidates)
    first = candidates.min(dim=1).values
    return torch.where(first < silent, first, torch.inf)


def layer(z: Tensor, weight: Tensor, *, bias: bool, geometry: Geometry) -> Tensor:
    """Spikes (batch, positions, c_out) of a dense or convolutional layer; ``z`` (batch, n_in), channels-last, bias at z = 1."""
    g = geometry
    image = z.reshape(len(z), g.height, g.width, g.channels)
    rows = max((g.out_height - 1) * g.stride + g.kernel[0] - g.height, 0)
    columns = max((g.out_width - 1) * g.stride + g.kernel[1] - g.width, 0)
    top, left = g.pad
    image = torch.nn.functional.pad(image, (0, 0, left, columns - left, top, rows - top), value=torch.inf)
    patches = image.unfold(1, g.kernel[0], g.stride).unfold(
        2, g.kernel[1], g.stride
    )  # (batch, oy, ox, channel, ky, kx)
    patches = patches.permute(0, 1, 2, 4, 5, 3).reshape(len(z) * g.positions, g.taps)
    if bias:
        patches = torch.nn.functional.pad(patches, (0, 1), value=1.0)
    return first_spike(patches, weight).reshape(len(z), g.positions, -1)
