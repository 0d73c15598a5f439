"""Spike times of a layer of neurons as a model card describes them, forward only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import InputError

from . import circuit_kernel
from .function import _SORT_BYTES, sort_events
from .geometry import Geometry
from .parallel import run_blocks


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
    gain: float | NDArray = 1.0,
    ramp: float | NDArray = 0.0,
    limit: float | None = None,
) -> CircuitSpikes:
    """First crossings of v(t) = gain * sum w_i g(t - t_i) over 1 + ramp t (``neuronsim.card`` gives g).

    ``t`` (batch, n_in): input spike times in tau, >= 0, inf = silent. ``weight`` (rows, c_out), or (positions, rows, c_out) when
    each neuron has synapses of its own; ``bias`` adds a last row that spikes at t = 0. ``gain`` and ``ramp`` (in thresholds per
    tau): one number, or one per neuron (positions, c_out). ``limit``: largest phase error |sum w_i e(t - t_i)| in the linear
    range of the detector (beyond it the drive is clipped, an approximation of the triangular detector; see ``circuit_kernel``).

    Raises InputError for negative or NaN times, second_pole_ratio < 4, gain <= 0, or a limit <= 0.
    """
    if t.ndim != 2 or t.dtype not in (np.float32, np.float64):
        raise InputError(f"t has shape {t.shape} and type {t.dtype}: must be (batch, n_in), float32 or float64")
    if not (t >= 0).all():
        raise InputError("t contains NaN or a negative time: input spikes come at t >= 0, or inf for silence")
    if second_pole_ratio is not None and not second_pole_ratio >= 4:
        raise InputError(
            f"second_pole_ratio = {second_pole_ratio} is out of range: at least 4, below that the loop rings"
        )
    if not np.all(np.asarray(gain) > 0):
        raise InputError(f"gain = {np.min(gain):g} is out of range: must be positive")
    if limit is not None and not limit > 0:
        raise InputError(f"limit = {limit} is out of range: must be positive")
    geometry = geometry or Geometry.dense(t.shape[1])
    weight = np.ascontiguousarray(weight if weight.ndim == 3 else weight[None], dtype=t.dtype)
    if weight.shape[0] not in (1, geometry.positions) or weight.shape[1] != geometry.taps + bias:
        raise InputError(
            f"weight has shape {weight.shape}: needs {geometry.taps + bias} rows, 1 or {geometry.positions} sets"
        )
    if not np.isfinite(weight).all():
        raise InputError("weight contains NaN or inf: weights must be finite")
    neurons = geometry.positions, weight.shape[2]
    level = np.broadcast_to(1.0 / np.asarray(gain, dtype=np.float64), neurons).copy()
    rho = np.asarray(ramp, dtype=np.float64) * level
    t = np.ascontiguousarray(t) + t.dtype.type(0)  # turns -0 into 0, which sorts by its bits
    time = np.empty((len(t), *neurons), t.dtype)
    slope = np.empty_like(time)
    left = np.empty(len(t), np.int64)
    loop = _loop(second_pole_ratio)
    bound = np.inf if limit is None else float(limit)
    chunk = max(1, _SORT_BYTES // (8 * max(1, t.shape[1])))
    for start in range(0, len(t), chunk):
        part = slice(start, start + chunk)
        run_blocks(
            circuit_kernel.forward, len(t[part]), t[part], sort_events(t[part]), weight, bias, level, rho, loop, bound,
            tuple(geometry.reach()), time[part], slope[part], left[part],
        )  # fmt: skip
    return CircuitSpikes(time=time, slope=slope, out_of_range=left)


def _loop(r: float | None) -> tuple[float, float, float, float]:
    """(m, a, b, K) of the kernel module for the second-pole ratio r; None: first order."""
    if r is None:
        return 1.0, 1.0, 0.0, 1.0
    c = (1 - 1 / r) / (r - 2)
    return r - 1, c * (r - 1), c / (r - 1), 1 - 1 / r
