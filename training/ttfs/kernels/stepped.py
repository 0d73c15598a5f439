"""The first-spike layer in plain torch operations (``backends.Backend``): one event after the other, on any device.

Slower than the compiled kernels and the same in meaning (``kernel``): S and A after each event, the test S z_next - A >= z_next,
the spike at A / (S - 1) (paper 004, equation 4), simultaneous events together, after the last event iff S > 1. All neurons of a
chunk of (image, position) sites take their k-th event together, so that no (batch, inputs, outputs) tensor is ever made.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from ..geometry import Geometry
from .backends import Outputs

_CHUNK = {"cpu": 2**20}  # numbers per temporary tensor; elsewhere more, so that each step fills the device
_CHUNK_ELSEWHERE = 2**23
_LOOK = 32  # events between two looks whether any neuron still waits (each one stalls a GPU)


def sum_type(device: torch.device) -> torch.dtype:
    """Type of the running sums: double precision, except on Apple's GPUs, which have none."""
    return torch.float32 if device.type == "mps" else torch.float64


def site_chunks(batch: int, geometry: Geometry, width: int, device: torch.device) -> Iterator[tuple[int, int]]:
    """Ranges over the batch * positions sites whose temporaries of ``width`` numbers per site stay small."""
    sites = batch * geometry.positions
    step = max(1, _CHUNK.get(device.type, _CHUNK_ELSEWHERE) // max(1, width))
    return ((first, min(first + step, sites)) for first in range(0, sites, step))


def patch_inputs(first: int, last: int, geometry: Geometry, device: torch.device) -> Tensor:
    """Where the taps of sites ``first`` to ``last - 1`` lie in images of n_in inputs and one silent input for the padding.

    (sites, taps), flat indices into (batch, n_in + 1); taps ordered (kernel row, kernel column, channel).
    """
    g = geometry
    site = torch.arange(first, last, device=device)[:, None]
    tap = torch.arange(g.taps, device=device)[None, :]
    image, place = site // g.positions, site % g.positions
    row = place // g.out_width * g.stride + tap // (g.kernel[1] * g.channels) - g.pad[0]
    column = place % g.out_width * g.stride + tap // g.channels % g.kernel[1] - g.pad[1]
    held = (row >= 0) & (row < g.height) & (column >= 0) & (column < g.width)
    index = torch.where(held, (row * g.width + column) * g.channels + tap % g.channels, g.n_in)
    return image * (g.n_in + 1) + index


def with_silence(z: Tensor) -> Tensor:
    """``z`` (batch, n_in) with one silent input after each image, flat: what :func:`patch_inputs` points into."""
    return torch.nn.functional.pad(z, (0, 1), value=torch.inf).reshape(-1)


def site_times(padded: Tensor, inputs: Tensor, bias: bool) -> Tensor:
    """Spike times (sites, taps + bias) of every weight row at every site; the bias spikes at z = 1."""
    times = padded[inputs]
    return torch.nn.functional.pad(times, (0, 1), value=1.0) if bias else times


def forward(z: Tensor, weight: Tensor, *, bias: bool, geometry: Geometry) -> tuple[Tensor, Tensor]:
    batch, n_out = len(z), weight.shape[1]
    z_out = z.new_empty((batch * geometry.positions, n_out))
    slope = torch.empty_like(z_out)
    padded = with_silence(z)
    # A silent event reads the row of zeros behind the weights.
    rows = torch.nn.functional.pad(weight.to(sum_type(z.device)), (0, 0, 0, 1))
    for first, last in site_chunks(batch, geometry, max(n_out, len(rows)), z.device):
        times = site_times(padded, patch_inputs(first, last, geometry, z.device), bias)
        z_out[first:last], slope[first:last] = _first_crossings(times, rows)
    shape = batch, geometry.positions, n_out
    return z_out.reshape(shape), slope.reshape(shape)


def _first_crossings(times: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    limits = torch.finfo(times.dtype)
    times, order = times.sort(dim=1, stable=True)
    heard = torch.isfinite(times)
    order[~heard] = len(rows) - 1
    now = torch.where(heard, times, 0.0).to(rows.dtype)
    after = torch.nn.functional.pad(times[:, 1:], (0, 1), value=torch.inf).to(rows.dtype)
    excess = rows.new_full((len(times), rows.shape[1]), -1.0)  # S - 1
    moment = torch.zeros_like(excess)  # A
    waiting = torch.ones_like(excess, dtype=torch.bool)
    cause = torch.zeros_like(excess, dtype=torch.int64)  # the event that lets the neuron fire
    for k in range(int(heard.sum(dim=1).max()) if heard.numel() else 0):
        w = rows[order[:, k]] * waiting  # a neuron that has fired keeps its sums
        excess += w
        moment += w * now[:, k, None]
        # After the last event z_next is inf: the test reads S - 1 > 0 (0 * inf is NaN, which compares as false).
        fires = waiting & (excess * after[:, k, None] >= moment)
        fires &= ((after[:, k] > now[:, k]) & heard[:, k])[:, None]
        cause.masked_fill_(fires, k)
        waiting &= ~fires
        if k % _LOOK == _LOOK - 1 and not bool(waiting.any()):
            break
    low, high = now.gather(1, cause), after.gather(1, cause)
    spike = torch.where(excess > 0, moment / excess, high)
    # Rounding alone must not put a spike before its last cause, nor a far spike into silence.
    spike = torch.minimum(torch.maximum(spike, low * (1.0 + limits.eps)), high.clamp(max=limits.max))
    z_out = torch.where(waiting, torch.inf, spike).to(times.dtype)
    return z_out, torch.where(waiting, 0.0, excess.clamp(min=1e-12)).to(times.dtype)


def backward(
    z: Tensor, weight: Tensor, outputs: Outputs, *, bias: bool, geometry: Geometry, need_z: bool, need_w: bool
) -> tuple[Tensor | None, Tensor | None]:
    kind = sum_type(z.device)
    padded = with_silence(z)
    grad_z = torch.zeros(len(padded), dtype=kind, device=z.device) if need_z else None
    grad_w = torch.zeros(weight.shape, dtype=kind, device=z.device) if need_w else None
    width = max(weight.shape)
    flat = len(z) * geometry.positions, weight.shape[1]
    fires, scaled = outputs.z_out.reshape(flat), outputs.scaled().reshape(flat)
    for first, last in site_chunks(len(z), geometry, width, z.device):
        inputs = patch_inputs(first, last, geometry, z.device)
        times = site_times(padded, inputs, bias).to(kind)
        fire = fires[first:last].to(kind)
        fire = torch.where(torch.isfinite(fire), fire, 0.0)  # before all inputs: nothing causes a silent output
        gradient = scaled[first:last].to(kind)
        for row in range(len(weight)):
            now = times[:, row, None]
            used = torch.where(now < fire, gradient, 0.0)
            if grad_w is not None:
                grad_w[row] += ((torch.where(torch.isfinite(now), now, 0.0) - fire) * used).sum(dim=0)
            if grad_z is not None and row < geometry.taps:
                # One tap serves every site from another input (only the silent padding is met twice): no order of sums.
                place = inputs[:, row]
                grad_z[place] = grad_z[place] + used @ weight[row].to(kind)
    if grad_z is not None:
        grad_z = grad_z.reshape(len(z), geometry.n_in + 1)[:, :-1].to(z.dtype)
    return grad_z, None if grad_w is None else grad_w.to(z.dtype)
