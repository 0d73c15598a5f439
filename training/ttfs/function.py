"""The first spike as a differentiable torch function."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuronsim.errors import InputError

from . import kernel
from .geometry import Geometry
from .parallel import run_blocks

_SORT_BYTES = 16 * 2**20  # sorted keys held at a time; bounds the extra memory of a layer


def sort_events(z: NDArray) -> NDArray[np.int32]:
    """Indices that sort each row of ``z`` (batch, n), positive or inf; equal times keep their order."""
    if z.dtype != np.float32:
        return np.argsort(z, axis=1, kind="stable").astype(np.int32)
    # Positive floats sort like their bit patterns, so that one integer key holds time and index.
    keys = z.view(np.uint32).astype(np.uint64) << np.uint64(32)
    keys |= np.arange(z.shape[1], dtype=np.uint64)
    keys.sort(axis=1)
    return (keys & np.uint64(0xFFFFFFFF)).astype(np.int32)


def _forward(z: NDArray, weight: NDArray, bias: bool, geometry: Geometry) -> tuple[NDArray, NDArray]:
    z_out = np.empty((len(z), geometry.positions, weight.shape[1]), z.dtype)
    slope = np.empty_like(z_out)
    # A far spike must not turn into silence, nor a spike just after its last cause precede it, when it is rounded.
    limits = float(np.finfo(z.dtype).eps), float(np.finfo(z.dtype).max)
    tiles, reach = kernel.tiled(weight), tuple(geometry.reach())
    chunk = max(1, _SORT_BYTES // (8 * max(1, z.shape[1])))
    for start in range(0, len(z), chunk):
        part = slice(start, start + chunk)
        order = sort_events(z[part])
        run_blocks(kernel.forward, len(order), z[part], order, tiles, bias, reach, z_out[part], slope[part], limits)
    return z_out, slope


class _FirstSpike(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, weight: Tensor, bias: bool, geometry: Geometry, slope_floor: float) -> Any:
        z_np, w_np = z.detach().cpu().contiguous().numpy(), weight.detach().cpu().contiguous().numpy()
        z_out, slope = _forward(z_np, w_np, bias, geometry)
        out = torch.from_numpy(z_out).to(z.device)
        steepness = torch.from_numpy(slope).to(z.device)
        ctx.save_for_backward(z, weight, out, steepness)
        ctx.mark_non_differentiable(steepness)
        ctx.settings = bias, geometry, slope_floor
        return out, steepness

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        z, weight, out, slope = ctx.saved_tensors
        bias, geometry, slope_floor = ctx.settings
        z_np, w_np = z.detach().cpu().contiguous().numpy(), weight.detach().cpu().contiguous().numpy()
        out_np = out.detach().cpu()
        fired = torch.isfinite(out_np)
        incoming = torch.where(fired, gradients[0].cpu(), 0.0)
        scaled = torch.where(fired, incoming / slope.cpu().clamp(min=max(slope_floor, 1e-12)), 0.0).contiguous().numpy()
        z_fire = torch.where(fired, out_np, 0.0).contiguous().numpy()
        # A neuron that gets no gradient passes none on, so its events need not be visited.
        latest = (
            np.where(scaled != 0, z_fire, 0).max(axis=2) if z_fire.size else np.zeros(z_fire.shape[:2], z_fire.dtype)
        )
        shape = geometry.shape_arguments()
        grad_z = grad_w = None
        if ctx.needs_input_grad[1]:
            result = np.empty_like(w_np)
            run_blocks(kernel.weight_gradient, len(w_np), z_np, z_fire, latest, scaled, bias, *shape, result)
            grad_w = torch.from_numpy(result).to(weight.device)
        if ctx.needs_input_grad[0]:
            result = np.empty_like(z_np)
            run_blocks(
                kernel.input_gradient, len(z_np), z_np, z_fire, latest, scaled, w_np, tuple(geometry.reach()), result
            )
            grad_z = torch.from_numpy(result).to(z.device)
        return grad_z, grad_w, None, None, None


def check_times(z: Tensor, lowest: float, what: str = "z") -> None:
    """Raise InputError unless ``z`` is a float tensor of values >= ``lowest`` (or > 0), inf allowed, NaN not."""
    if z.dtype not in (torch.float32, torch.float64):
        raise InputError(f"{what} has type {z.dtype}: spike times must be float32 or float64")
    if not bool((z >= lowest).all() if lowest > 0 else (z > 0).all()):
        bad = "NaN" if bool(z.isnan().any()) else f"{float(z.min()):g}"
        legal = f">= {lowest:g}" if lowest > 0 else "> 0"
        raise InputError(
            f"{what} contains {bad}: spike times z = exp(t/tau) must be {legal}, or inf for a silent input"
        )


def check_weight(weight: Tensor, z: Tensor, rows: int) -> None:
    """Raise InputError unless ``weight`` is a finite (rows, n_out) tensor of the type of ``z``."""
    if weight.ndim != 2 or weight.shape[0] != rows:
        raise InputError(f"weight has shape {tuple(weight.shape)}: must be ({rows}, n_out) for these inputs")
    if weight.dtype != z.dtype:
        raise InputError(f"weight is {weight.dtype} but z is {z.dtype}: give both the same type")
    if not bool(torch.isfinite(weight).all()):
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
    check_times(z, 0.0)
    check_weight(weight, z, z.shape[1])
    return layer_spikes(z, weight, bias=False, geometry=Geometry.dense(z.shape[1]), slope_floor=slope_floor)[0][:, 0]


def layer_spikes(
    z: Tensor, weight: Tensor, *, bias: bool, geometry: Geometry, slope_floor: float
) -> tuple[Tensor, Tensor]:
    """Unchecked :func:`first_spike` for any geometry: ``z`` (batch, n_in), images channels-last.

    Returns z_out and the membrane's slope dv/dt = S - 1 at the spike (0 where silent; without gradient), both (batch,
    positions, c_out).
    """
    if not slope_floor >= 0:
        raise InputError(f"slope_floor = {slope_floor} is out of range: must be 0 or positive")
    return _FirstSpike.apply(z, weight, bias, geometry, float(slope_floor))  # type: ignore[return-value]
