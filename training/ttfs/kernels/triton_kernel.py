"""The first-spike layer on a GPU, in Triton (``backends.Backend``): the equations of ``kernel``, S and A in double precision.

Forward: one program per (image, position, tile of outputs) walks through that position's sorted events, S and A of its tile in
registers. Backward: one program owns each weight row (split over ranges of sites that are added in order afterwards) or each
input, so that no atomic addition is needed and results repeat bit for bit. Import needs Triton, which torch for CUDA and ROCm
brings along; with TRITON_INTERPRET=1 the kernels run on the CPU, slowly, for tests.
"""

# pyright: reportMissingImports=false, reportArgumentType=false, reportOperatorIssue=false, reportIndexIssue=false
# (Triton may be missing, and it types what its compiler takes, not what Python passes.)
from __future__ import annotations

import contextlib
from functools import lru_cache
from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

from ..geometry import Geometry
from .backends import Outputs
from .stepped import patch_inputs, site_chunks, site_times, with_silence

_TILE = 128  # outputs per program
_STEPS = 8  # events between two looks whether a neuron of the tile still waits
_SITES = 16  # sites added together in the weight gradient
_PROGRAMS = 2048  # wanted for the weight gradient; few rows are split over ranges of sites


@triton.jit
def _forward(
    times, rows, weight, z_out, slope, n_events, n_out, EPS: tl.constexpr, LARGEST: tl.constexpr, TILE: tl.constexpr,
    STEPS: tl.constexpr,
):  # fmt: skip
    site = tl.program_id(0).to(tl.int64)
    outputs = tl.program_id(1) * TILE + tl.arange(0, TILE)
    inside = outputs < n_out
    first = site * n_events
    excess = tl.full((TILE,), -1.0, tl.float64)  # S - 1
    moment = tl.zeros((TILE,), tl.float64)  # A
    low = tl.zeros((TILE,), tl.float64)  # events around the spike
    high = tl.zeros((TILE,), tl.float64)
    waiting = inside.to(tl.int32)
    k = 0
    left = tl.sum(waiting, 0)
    while left > 0:
        for _ in range(STEPS):
            now = tl.load(times + first + k, mask=k < n_events, other=float("inf")).to(tl.float64)
            after = tl.load(times + first + k + 1, mask=k + 1 < n_events, other=float("inf")).to(tl.float64)
            heard = tl.where(now < float("inf"), 1, 0)
            row = tl.load(rows + first + k, mask=k < n_events, other=0).to(tl.int64)
            # A neuron that has fired keeps its sums.
            w = tl.load(weight + row * n_out + outputs, mask=waiting * heard > 0, other=0.0).to(tl.float64)
            excess += w
            moment += w * tl.where(now < float("inf"), now, 0.0)
            # After the last event z_next is inf: the test reads S - 1 > 0 (0 * inf is NaN, which compares as false).
            fires = (waiting * tl.where(after > now, 1, 0) > 0) & (excess * after >= moment)
            low = tl.where(fires, now, low)
            high = tl.where(fires, after, high)
            waiting = tl.where(fires, 0, waiting)
            k += 1
        upcoming = tl.load(times + first + k, mask=k < n_events, other=float("inf"))
        left = tl.where(upcoming < float("inf"), tl.sum(waiting, 0), 0)
    spike = tl.where(excess > 0.0, moment / tl.where(excess > 0.0, excess, 1.0), high)
    # Rounding alone must not put a spike before its last cause, nor a far spike into silence.
    spike = tl.minimum(tl.maximum(spike, low + low * EPS), tl.minimum(high, LARGEST))
    place = site * n_out + outputs
    fired = waiting == 0
    tl.store(z_out + place, tl.where(fired, spike, float("inf")).to(z_out.dtype.element_ty), mask=inside)
    tl.store(slope + place, tl.where(fired, tl.maximum(excess, 1e-12), 0.0).to(slope.dtype.element_ty), mask=inside)


@triton.jit
def _weight_gradient(
    z, fires, scaled, result, n_sites, n_rows, n_out, per_split, height, width, channels, kernel_w, stride, top, left_pad,
    taps, out_h, out_w, SITES: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0)
    outputs = tl.program_id(1) * TILE + tl.arange(0, TILE)
    split = tl.program_id(2).to(tl.int64)
    inside = outputs < n_out
    bias = row + tl.zeros((SITES,), tl.int32) >= taps
    ky = row // (kernel_w * channels) - top
    kx = (row // channels) % kernel_w - left_pad
    channel = row % channels
    start = split * per_split
    stop = tl.minimum(start + per_split, n_sites)
    total = tl.zeros((TILE,), tl.float64)
    for site in range(start, stop, SITES):
        s = site + tl.arange(0, SITES)
        place = s % (out_h * out_w)
        y = (place // out_w) * stride + ky
        x = (place % out_w) * stride + kx
        held = (s < stop) & (y >= 0) & (y < height) & (x >= 0) & (x < width)
        image = s // (out_h * out_w) * height
        now = tl.load(z + ((image + y) * width + x) * channels + channel, mask=held & (bias == 0), other=float("inf"))
        now = tl.where(bias, 1.0, now).to(z.dtype.element_ty)
        used = (s < stop)[:, None] & inside[None, :]
        fire = tl.load(fires + s[:, None] * n_out + outputs[None, :], mask=used, other=0.0)
        gradient = tl.load(scaled + s[:, None] * n_out + outputs[None, :], mask=used, other=0.0)
        early = (now[:, None] < fire) & (fire < float("inf"))
        total += tl.sum(tl.where(early, (now[:, None] - fire) * gradient, 0.0).to(tl.float64), 0)
    tl.store(result + (split * n_rows + row) * n_out + outputs, total, mask=inside)


@triton.jit
def _input_gradient(
    z, fires, scaled, weight, reach, result, n_in, n_out, row_step, column_step, out_h, out_w, TILE: tl.constexpr
):
    place = tl.program_id(0).to(tl.int64)
    image = place // n_in
    entry = reach + (place % n_in) * 5
    now = tl.load(z + place)
    first_y, last_y, first_x, last_x = tl.load(entry), tl.load(entry + 1), tl.load(entry + 2), tl.load(entry + 3)
    base = tl.load(entry + 4)
    total = tl.zeros((TILE,), tl.float64)
    for oy in range(first_y, last_y + 1):
        for ox in range(first_x, last_x + 1):
            outputs_at = ((image * out_h + oy) * out_w + ox) * n_out
            weights_at = (base - oy * row_step - ox * column_step) * n_out
            for first in range(0, n_out, TILE):
                outputs = first + tl.arange(0, TILE)
                inside = outputs < n_out
                fire = tl.load(fires + outputs_at + outputs, mask=inside, other=0.0)
                early = inside & (fire > now) & (fire < float("inf"))
                gradient = tl.load(scaled + outputs_at + outputs, mask=early, other=0.0).to(tl.float64)
                total += gradient * tl.load(weight + weights_at + outputs, mask=early, other=0.0).to(tl.float64)
    tl.store(result + place, tl.sum(total, 0).to(result.dtype.element_ty))


@lru_cache(maxsize=64)
def _reach_on(geometry: Geometry, device: torch.device) -> Tensor:
    return torch.from_numpy(geometry.reach().inputs).to(device)


def _on(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def _tile(n_out: int) -> int:
    return min(_TILE, triton.next_power_of_2(n_out))


def forward(z: Tensor, weight: Tensor, *, bias: bool, geometry: Geometry) -> tuple[Tensor, Tensor]:
    n_rows, n_out = weight.shape
    z_out = z.new_empty((len(z) * geometry.positions, n_out))
    slope = torch.empty_like(z_out)
    weight, padded, limits = weight.contiguous(), with_silence(z), torch.finfo(z.dtype)
    tile = _tile(n_out)
    with _on(z.device):
        for first, last in site_chunks(len(z), geometry, n_rows, z.device):
            times = site_times(padded, patch_inputs(first, last, geometry, z.device), bias)
            times, rows = times.sort(dim=1, stable=True)
            grid = last - first, triton.cdiv(n_out, tile)
            _forward[grid](
                times, rows, weight, z_out[first:last], slope[first:last], n_rows, n_out,
                EPS=limits.eps, LARGEST=limits.max, TILE=tile, STEPS=_STEPS,
            )  # fmt: skip
    shape = len(z), geometry.positions, n_out
    return z_out.reshape(shape), slope.reshape(shape)


def backward(
    z: Tensor, weight: Tensor, outputs: Outputs, *, bias: bool, geometry: Geometry, need_z: bool, need_w: bool
) -> tuple[Tensor | None, Tensor | None]:
    n_rows, n_out = weight.shape
    z, weight, z_out, scaled = (x.contiguous() for x in (z, weight, outputs.z_out, outputs.scaled()))
    tile = _tile(n_out)
    grad_z = torch.empty_like(z) if need_z else None
    grad_w = None
    with _on(z.device):
        if grad_z is not None and grad_z.numel():
            steps = geometry.reach()
            _input_gradient[(z.numel(),)](
                z, z_out, scaled, weight, _reach_on(geometry, z.device), grad_z, geometry.n_in, n_out,
                steps.row_step, steps.column_step, geometry.out_height, geometry.out_width, TILE=tile,
            )  # fmt: skip
        if need_w:
            sites = len(z) * geometry.positions
            splits = max(1, min(_PROGRAMS // (n_rows * triton.cdiv(n_out, tile)), triton.cdiv(sites, 4 * _SITES)))
            partial = torch.zeros((splits, n_rows, n_out), dtype=torch.float64, device=z.device)
            g = geometry
            _weight_gradient[(n_rows, triton.cdiv(n_out, tile), splits)](
                z, z_out, scaled, partial, sites, n_rows, n_out, triton.cdiv(sites, splits), g.height, g.width, g.channels,
                g.kernel[1], g.stride, *g.pad, g.taps, g.out_height, g.out_width, SITES=_SITES, TILE=tile,
            )  # fmt: skip
            grad_w = partial.sum(dim=0).to(weight.dtype)
    return grad_z, grad_w
