"""Keeping the phase error within the detector's linear range, while training with neurons that have no such limit."""

import torch
from torch import Tensor
from torch.nn import functional

from .geometry import Geometry


def phase_error(spikes: Tensor, weight: Tensor, moment: Tensor, *, bias: bool, geometry: Geometry) -> Tensor:
    """Phase error e(T) = sum of w_i e^{-(T - t_i)} over the inputs with t_i <= T, in unit weights; (batch, positions, c_out).

    It is what the detector of the phase-domain neuron sees, and the slope of its membrane: v' = e in thresholds per tau (paper
    004, equation 1). ``spikes`` (batch, n_in) and ``moment`` (batch,) as z = e^t; ``weight`` (rows, c_out), the bias in the last
    row where there is one.
    """
    g, z = geometry, moment[:, None]
    present = torch.where(spikes <= z, spikes, 0.0) / z
    taps = weight[: g.taps]
    if g.is_dense:
        error = (present @ taps)[:, None]
    else:
        image = present.reshape(-1, g.height, g.width, g.channels).permute(0, 3, 1, 2)
        kernel = taps.reshape(*g.kernel, g.channels, -1).permute(3, 2, 0, 1)
        padded = functional.pad(image, g.sides)
        error = functional.conv2d(padded, kernel, stride=g.stride).flatten(2).transpose(1, 2)
    return error + weight[-1] / z[:, None] if bias else error


def random_moments(spikes: Tensor, generator: torch.Generator) -> Tensor:
    """The time of one input spike of every image, each as likely; z = 1 for an image without any. (batch, n_in) -> (batch,)."""
    spikes = spikes.detach()
    key = torch.rand(spikes.shape, generator=generator).to(spikes.device)
    chosen = spikes.gather(1, key.masked_fill(torch.isinf(spikes), -1.0).argmax(dim=1, keepdim=True))[:, 0]
    return torch.where(torch.isfinite(chosen), chosen, 1.0)


def beyond_range(error: Tensor, fired: Tensor, moment: Tensor, limit: float) -> Tensor:
    """Mean of max(0, |e| - limit) over the neurons that have not fired at ``moment``; the others count as 0.

    ``error`` and ``fired`` (the neurons' own spikes, z) (batch, positions, c_out), ``limit`` in unit weights. After its spike a
    neuron is reset, and what its detector would have seen does not matter.
    """
    waiting = fired.detach() > moment[:, None, None]
    return torch.where(waiting, torch.relu(error.abs() - limit), 0.0).mean()
