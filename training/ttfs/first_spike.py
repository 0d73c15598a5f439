"""The first spike as a differentiable torch function."""

import math
from typing import Any

import torch
from torch import Tensor

from neuronsim.errors import InputError

from .geometry import Geometry
from .kernels import backends
from .kernels.kernel import FLATTEST


class _FirstSpike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, weight: Tensor, bias: bool, geometry: Geometry, slope_floor: float) -> Any:
        out, slope = backends.for_device(z.device).forward(z, weight, bias=bias, geometry=geometry)
        ctx.save_for_backward(z, weight, out, slope)
        ctx.mark_non_differentiable(slope)
        ctx.settings = bias, geometry, slope_floor
        return out, slope

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        z, weight, out, slope = ctx.saved_tensors
        bias, geometry, slope_floor = ctx.settings
        need_z, need_w = ctx.needs_input_grad[:2]
        outputs = backends.Outputs(out, slope, gradients[0], max(slope_floor, FLATTEST))
        grad_z, grad_w = backends.for_device(z.device).backward(
            z, weight, outputs, bias=bias, geometry=geometry, need_z=need_z, need_w=need_w
        )
        return grad_z, grad_w, None, None, None


def check_times(z: Tensor, lowest: float) -> None:
    """Raise InputError unless ``z`` is a float tensor of values >= ``lowest`` (or > 0), inf allowed, NaN not."""
    if z.dtype not in (torch.float32, torch.float64):
        raise InputError(f"z has type {z.dtype}: spike times must be float32 or float64")
    least = float(z.detach().min()) if z.numel() else math.inf  # NaN where there is one
    if not (least >= lowest if lowest > 0 else least > 0):
        bad = "NaN" if math.isnan(least) else f"{least:g}"
        legal = f">= {lowest:g}" if lowest > 0 else "> 0"
        raise InputError(f"z contains {bad}: spike times exp(t/tau) must be {legal}, inf: silent")


def check_weight(weight: Tensor, z: Tensor, rows: int, positions: int | None = None) -> None:
    """Raise InputError unless ``weight`` is finite, of the type of ``z`` and of shape (rows, n_out).

    ``positions``: it may also be (1 or positions, rows, n_out), synapses of each neuron's own.
    """
    shape = tuple(weight.shape)
    shared = weight.ndim == 2 and shape[0] == rows
    own = positions is not None and weight.ndim == 3 and shape[1] == rows and shape[0] in (1, positions)
    if not (shared or own):
        sets = "" if positions is None else f", or (1 or {positions}, {rows}, n_out)"
        raise InputError(f"weight has shape {shape}: must be ({rows}, n_out){sets} for these inputs")
    if weight.dtype != z.dtype:
        raise InputError(f"weight is {weight.dtype} but z is {z.dtype}: give both the same type")
    if weight.numel() and not all(math.isfinite(float(extreme)) for extreme in torch.aminmax(weight.detach())):
        raise InputError("weight contains NaN or inf: weights must be finite")


def first_spike(z: Tensor, weight: Tensor, *, slope_floor: float = 0.0) -> Tensor:
    """First spike of a layer of non-leaky integrate-and-fire neurons, z_out = A / (S - 1) (paper 004, equation 4).

    ``z`` (batch, n_in): input spike times as exp(t / tau), > 0, inf = silent. ``weight`` (n_in, n_out), threshold 1. Returns
    (batch, n_out), inf = silent. float32 or float64; sums run in float64 either way. Gradients are the implicit ones of
    equation 4 over the causal set (silent outputs give 0): dz_out/dw_i = (z_i - z_out) / (S - 1), dz_out/dz_i = w_i / (S - 1).

    ``slope_floor``: smallest S - 1 used in the gradients (not in the spike times); 0 gives the exact gradient.

    Raises InputError for NaN, z <= 0, shapes or types that do not fit.
    """
    if z.ndim != 2:
        raise InputError(f"z has shape {tuple(z.shape)}: must be (batch, n_in)")
    dense = Geometry.dense(z.shape[1])
    return layer_spikes(z, weight, bias=False, geometry=dense, slope_floor=slope_floor, earliest=0.0)[0][:, 0]


def layer_spikes(
    z: Tensor, weight: Tensor, *, bias: bool, geometry: Geometry, slope_floor: float, earliest: float = 1.0
) -> tuple[Tensor, Tensor]:
    """:func:`first_spike` for any geometry: ``z`` (batch, n_in) >= ``earliest`` (0: above it), images channels-last.

    Returns z_out and the membrane's slope dv/dt = S - 1 at the spike (0 where silent; without gradient), both (batch,
    positions, c_out).
    """
    check_times(z, earliest)
    check_weight(weight, z, geometry.taps + bias)
    if not slope_floor >= 0:
        raise InputError(f"slope_floor = {slope_floor} is out of range: must be 0 or positive")
    return _FirstSpike.apply(z, weight, bias, geometry, float(slope_floor))  # type: ignore[return-value]
