"""Spike times of a layer of neurons as a model card describes them, on numpy arrays and in times instead of z."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from neuronsim.errors import InputError

from .circuit_function import Circuit, circuit_layer
from .geometry import Geometry


@dataclass(frozen=True, kw_only=True)
class CircuitSpikes:
    """What a layer of circuit neurons did.

    ``time`` (batch, positions, c_out): first crossing in tau, inf = silent, without delay and noise. ``slope``: dv/dt - ramp
    there, in thresholds per tau, 0 where silent. ``out_of_range`` (batch,): neurons whose phase error left the
    detector's linear range before they fired.
    """

    time: NDArray
    slope: NDArray
    out_of_range: NDArray[np.int64]


def circuit_spikes(
    t: NDArray,
    weight: NDArray,
    *,
    geometry: Geometry | None = None,
    bias: bool = False,
    second_pole_ratio: float | None = None,
    gain: ArrayLike = 1.0,
    ramp: ArrayLike = 0.0,
    limit: float | None = None,
) -> CircuitSpikes:
    """First crossings of v(t) = gain * sum w_i g(t - t_i) over 1 + ramp t (``neuronsim.artifacts.ttfs_card`` gives g),
    by :func:`circuit_layer`.

    ``t`` (batch, n_in): input spike times in tau, >= 0, inf = silent. ``weight`` (rows, c_out), or (positions, rows, c_out) when
    each neuron has synapses of its own; ``bias`` adds a last row that spikes at t = 0. The other arguments are those of
    :class:`Circuit`. Raises InputError as these two do, and for negative or NaN times.
    """
    if t.ndim != 2 or t.dtype not in (np.float32, np.float64):
        raise InputError(f"t has shape {t.shape} and type {t.dtype}: must be (batch, n_in), float32 or float64")
    if not (t >= 0).all():
        raise InputError("t contains NaN or a negative time: input spikes come at t >= 0, or inf for silence")
    circuit = Circuit(second_pole_ratio=second_pole_ratio, gain=gain, ramp=ramp, limit=limit)
    z, w = torch.from_numpy(np.exp(t, dtype=np.float64)), torch.from_numpy(np.asarray(weight, dtype=np.float64))
    geometry = geometry or Geometry.dense(t.shape[1])
    z_out, slope, left = (part.numpy() for part in circuit_layer(z, w, circuit, bias=bias, geometry=geometry))
    time = np.log(z_out).astype(t.dtype)
    return CircuitSpikes(time=time, slope=slope.astype(t.dtype), out_of_range=left.sum(axis=(1, 2)))
