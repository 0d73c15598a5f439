"""Slow and plain reference neurons."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import torch
from numpy.typing import NDArray

from neuronsim.training.ttfs import Circuit, circuit_layer
from neuronsim.training.ttfs.geometry import Geometry


def first_spikes(z: NDArray, weight: NDArray) -> NDArray[np.float64]:
    """Brute-force event oracle in double precision: try every causal set of equation 4 in order of time.

    After each group of simultaneous events, v rises or falls monotonically towards S; the neuron fires before the next group iff
    v(z_next) = S - A / z_next >= 1.
    """
    z = np.asarray(z, dtype=np.float64)
    weight = np.asarray(weight, dtype=np.float64)
    out = np.full((len(z), weight.shape[1]), np.inf)
    for b, row in enumerate(z):
        groups = [g for g in np.unique(row) if np.isfinite(g)]
        for k, group in enumerate(groups):
            causal = row <= group
            total = weight[causal].sum(axis=0)
            moment = (weight[causal] * row[causal, None]).sum(axis=0)
            waiting = np.isinf(out[b])
            last = k + 1 == len(groups)
            fires = waiting & (total > 1 if last else total - moment / groups[k + 1] >= 1)
            out[b, fires] = moment[fires] / (total[fires] - 1)
    return out


def differentiable(z: torch.Tensor, weight: torch.Tensor, spikes: torch.Tensor) -> torch.Tensor:
    """Equation 4 over the causal sets that ``spikes`` (batch, n_out) imply, as plain torch operations; silent: inf."""
    causal = (z[:, :, None] < spikes[:, None, :]).to(z.dtype)
    finite = torch.where(torch.isfinite(z), z, 0.0)
    used = causal * weight[None]
    result = (used * finite[:, :, None]).sum(1) / (used.sum(1) - 1)
    return torch.where(torch.isfinite(spikes), result, torch.inf)


def same_patches(image: NDArray, kernel: int, stride: int) -> NDArray:
    """Patches of TensorFlow's "same" padding, silent outside: (out_h * out_w, kernel * kernel * channels)."""
    height, width, channels = image.shape
    out_h, out_w = -(-height // stride), -(-width // stride)
    rows = max((out_h - 1) * stride + kernel - height, 0)
    columns = max((out_w - 1) * stride + kernel - width, 0)
    padded = np.full((height + rows, width + columns, channels), np.inf)
    padded[rows // 2 : rows // 2 + height, columns // 2 : columns // 2 + width] = image
    patches = [
        padded[y * stride : y * stride + kernel, x * stride : x * stride + kernel].ravel()
        for y in range(out_h)
        for x in range(out_w)
    ]
    return np.array(patches)


def circuit_spikes(t, weight, *, geometry=None, bias=False, **circuit):
    """Times instead of z, on arrays: ``circuit_layer`` of a :class:`Circuit` with the options ``circuit``.

    ``t`` (batch, n_in) in tau; ``time`` and ``slope`` (batch, positions, c_out), ``out_of_range`` (batch,): neurons whose phase
    error left the detector's range.
    """
    geometry = geometry or Geometry.dense(t.shape[1])
    z, weight = torch.from_numpy(np.exp(t)), torch.from_numpy(weight)
    out, slope, left = circuit_layer(z, weight, Circuit(**circuit), bias=bias, geometry=geometry)
    return SimpleNamespace(time=np.log(out.numpy()), slope=slope.numpy(), out_of_range=left.numpy().sum(axis=(1, 2)))
