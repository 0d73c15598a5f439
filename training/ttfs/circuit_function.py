"""The first spike of circuit neurons as a differentiable torch function."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from neuronsim.errors import InputError

from . import circuit_gradient, circuit_kernel
from .compiled import SORT_BYTES, sort_events
from .geometry import Geometry
from .lanes import LANES, padded
from .parallel import run_blocks

_SUM_BYTES = 16 * 2**20  # partial sums of a weight gradient held at a time
_PARTS = 16  # of a batch, whatever the number of threads: the order of every sum is the same with any
_FLATTEST = 1e-12  # smallest slope in a gradient


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """The neurons of one layer as a circuit makes them, in units of tau and of the threshold (``neuronsim.card``):

        v(t) = gain sum_i w_i g(t - t_i),    first crossing v(t) = 1 + ramp t at t_x,    t_out = max(t_x + delay, 0)

    ``second_pole_ratio`` r >= 4 of g (None: ideal, g = 1 - e^{-t}); ``gain`` > 0 and ``ramp`` in thresholds per tau: one number,
    or one per neuron (positions, c_out); ``limit``: largest phase error, in unit weights before ``gain``, in the linear range of
    the detector, beyond which it folds back (None: no limit); ``delay`` in tau. Raises InputError for values out of range.
    """

    second_pole_ratio: float | None = None
    gain: ArrayLike = 1.0
    ramp: ArrayLike = 0.0
    limit: float | None = None
    delay: float = 0.0

    def __post_init__(self) -> None:
        r = self.second_pole_ratio
        if r is not None and not (math.isfinite(r) and r >= 4):
            raise InputError(
                f"second_pole_ratio = {r} is out of range: at least 4 and finite, below that the loop rings (None: ideal)"
            )
        if not (np.all(np.asarray(self.gain) > 0) and np.all(np.isfinite(self.gain))):
            raise InputError(f"gain = {np.min(self.gain):g} is out of range: must be positive and finite")
        if not np.all(np.isfinite(self.ramp)):
            raise InputError("ramp contains NaN or inf: must be finite, in thresholds per tau")
        if self.limit is not None and not self.limit > 0:
            raise InputError(f"limit = {self.limit} is out of range: must be positive (None: no limit)")
        if not math.isfinite(self.delay):
            raise InputError(f"delay = {self.delay} is out of range: must be finite, in tau")

    @property
    def loop(self) -> tuple[float, float, float]:
        """(m, a, b) of ``circuit_kernel``."""
        if self.second_pole_ratio is None:
            return 1.0, 1.0, 0.0
        r = self.second_pole_ratio
        b = 1.0 / (r * (r - 2.0))
        return r - 1.0, 1.0 + b, b

    @property
    def range(self) -> float:
        """``limit``, inf where there is none."""
        return math.inf if self.limit is None else float(self.limit)

    def line(self, positions: int, n_out: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The threshold line seen from v / gain: 1 / gain and ramp / gain, (positions, c_out filled up with 1 and 0).

        Raises InputError for a gain or ramp of another shape.
        """
        level, rho = np.ones((positions, padded(n_out))), np.zeros((positions, padded(n_out)))
        for name, value in (("gain", self.gain), ("ramp", self.ramp)):
            if np.shape(value) not in ((), (1, n_out), (positions, n_out)):
                raise InputError(
                    f"{name} has shape {np.shape(value)}: must be one number or one per neuron, ({positions}, {n_out})"
                )
        level[:, :n_out] = 1.0 / np.asarray(self.gain, dtype=np.float64)
        rho[:, :n_out] = np.asarray(self.ramp, dtype=np.float64) * level[:, :n_out]
        return level, rho


def tiled(weight: NDArray) -> NDArray[np.float64]:
    """``weight`` (rows, c_out) or (positions, rows, c_out) as (sets, tiles, rows, 16), filled up with zeros."""
    weight = weight if weight.ndim == 3 else weight[None]
    sets, rows, n_out = weight.shape
    filled = np.zeros((sets, rows, padded(n_out)))
    filled[:, :, :n_out] = weight
    return np.ascontiguousarray(filled.reshape(sets, rows, -1, LANES).transpose(0, 2, 1, 3))


def first_crossings(
    z: NDArray, weight: NDArray, circuit: Circuit, *, bias: bool, geometry: Geometry
) -> tuple[NDArray, NDArray, NDArray[np.bool_]]:
    """Unchecked: z at the crossing, dv/dt - ramp there, and which neurons left the detector's range before, without delay.

    ``z`` (batch, n_in), ``weight`` (rows, c_out) or (positions, rows, c_out); all results (batch, positions, c_out).
    """
    positions, n_out = geometry.positions, weight.shape[-1]
    z_out = np.empty((len(z), positions, n_out), z.dtype)
    slope, left = np.empty_like(z_out), np.empty(z_out.shape, np.bool_)
    tiles, reach, lines = tiled(weight), tuple(geometry.reach()), circuit.line(positions, n_out)
    limits = float(np.finfo(z.dtype).eps), float(np.finfo(z.dtype).max)

    def block(first: int, last: int) -> None:
        for part in _images(first, last, z.shape[1]):
            circuit_kernel.forward(
                z[part], sort_events(z[part]), tiles, bias, *lines, circuit.loop, circuit.range, reach,
                z_out[part], slope[part], left[part], limits,
            )  # fmt: skip

    run_blocks(block, len(z), work=z_out.size * weight.shape[-2])
    return z_out, slope, left


def _images(first: int, last: int, n_in: int) -> list[slice]:
    """The images ``first`` to ``last`` - 1 in pieces whose sorted events take little memory."""
    step = max(1, SORT_BYTES // (12 * max(1, n_in)))
    return [slice(start, min(start + step, last)) for start in range(first, last, step)]


def _backward(
    z: NDArray,
    weight: NDArray,
    z_out: NDArray,
    h: NDArray,
    left: NDArray,
    circuit: Circuit,
    bias: bool,
    geometry: Geometry,
    need_z: bool,
) -> tuple[NDArray, NDArray]:
    """Gradients by ``z`` and ``weight``; ``h`` as in ``circuit_gradient``, 0 for silent neurons."""
    tiles, reach = tiled(weight), tuple(geometry.reach())
    parts = max(1, min(_PARTS, len(z), _SUM_BYTES // tiles.nbytes))
    sums = np.zeros((parts, *tiles.shape))
    by_z = np.zeros_like(z)

    def block(first: int, last: int) -> None:
        for number in range(first, last):
            for part in _images(len(z) * number // parts, len(z) * (number + 1) // parts, z.shape[1]):
                circuit_gradient.backward(
                    z[part], sort_events(z[part]), tiles, bias, z_out[part], h[part], left[part],
                    circuit.loop, circuit.range, reach, need_z, sums[number], by_z[part],
                )  # fmt: skip

    run_blocks(block, parts, work=z_out.size * weight.shape[-2])
    by_weight = sums.sum(axis=0).transpose(0, 2, 1, 3).reshape(len(tiles), tiles.shape[2], -1)
    return by_z, by_weight[:, :, : weight.shape[-1]].astype(weight.dtype).reshape(weight.shape)


class _CircuitSpike(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, weight: Tensor, circuit: Circuit, bias: bool, geometry: Geometry, slope_floor: float
    ) -> Any:
        results = first_crossings(_array(z), _array(weight), circuit, bias=bias, geometry=geometry)
        out, slope, left = (torch.from_numpy(result).to(z.device) for result in results)
        ctx.save_for_backward(z, weight, out, slope, left)
        ctx.mark_non_differentiable(slope, left)
        ctx.settings = circuit, bias, geometry, slope_floor
        return out, slope, left

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        z, weight, out, slope, left = ctx.saved_tensors
        circuit, bias, geometry, slope_floor = ctx.settings
        per_time = gradients[0] * out / slope.clamp(min=max(slope_floor, _FLATTEST))
        h = torch.where(torch.isfinite(out), per_time, 0.0) * torch.as_tensor(
            circuit.gain, dtype=out.dtype, device=out.device
        )
        by_z, by_weight = _backward(
            _array(z),
            _array(weight),
            _array(out),
            _array(h),
            _array(left),
            circuit,
            bias,
            geometry,
            ctx.needs_input_grad[0],
        )
        return torch.from_numpy(by_z).to(z.device), torch.from_numpy(by_weight).to(z.device), None, None, None, None


def _array(tensor: Tensor) -> NDArray:
    return tensor.detach().cpu().contiguous().numpy()


def circuit_layer(
    z: Tensor, weight: Tensor, circuit: Circuit, *, bias: bool, geometry: Geometry, slope_floor: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """First spikes of a layer of circuit neurons as z = e^{t/tau}, differentiable by ``z`` and ``weight``.

    ``z`` (batch, n_in), >= 1, inf = silent. ``weight`` (rows, c_out), or (positions, rows, c_out) when each neuron has synapses
    of its own; ``bias``: its last row is an input at z = 1. Returns z_out with the delay, the slope v' = dv/dt - ramp at the
    crossing in thresholds per tau (0: silent), and a mask of the neurons whose phase error left the detector's range before they
    fired, all (batch, positions, c_out). Only z_out carries gradients, the exact ones of ``circuit_gradient`` (also beyond the
    range; silent outputs pass none), with v' not below ``slope_floor``. The circuit's own values are constants.

    The crossing is that of ``neuronsim.solver.first_crossing`` and ``neuronsim.saturated.first_crossing_saturated``; the
    ideal circuit is :func:`first_spike`. Raises InputError for shapes or types that do not fit, NaN, z < 1, slope_floor < 0.
    """
    _check(z, weight, geometry, bias)
    if not slope_floor >= 0:
        raise InputError(f"slope_floor = {slope_floor} is out of range: must be 0 or positive")
    out, slope, left = _CircuitSpike.apply(z, weight, circuit, bias, geometry, float(slope_floor))  # type: ignore[misc]
    if circuit.delay != 0.0:
        out = (out * math.exp(circuit.delay)).clamp(min=1.0)
    return out, slope, left


def _check(z: Tensor, weight: Tensor, geometry: Geometry, bias: bool) -> None:
    if z.ndim != 2 or z.shape[1] != geometry.n_in or z.dtype not in (torch.float32, torch.float64):
        raise InputError(
            f"z has shape {tuple(z.shape)} and type {z.dtype}: must be (batch, {geometry.n_in}), float32 or float64"
        )
    if not bool((z >= 1).all()):
        raise InputError(
            "z contains NaN or a value below 1: circuit neurons take spikes from t = 0 on, or inf for silence"
        )
    rows = geometry.taps + bias
    if (
        weight.ndim not in (2, 3)
        or weight.shape[-2] != rows
        or weight.shape[:-2] not in ((), (1,), (geometry.positions,))
    ):
        raise InputError(
            f"weight has shape {tuple(weight.shape)}: needs {rows} rows, and 1 or {geometry.positions} sets of synapses"
        )
    if weight.dtype != z.dtype:
        raise InputError(f"weight is {weight.dtype} but z is {z.dtype}: give both the same type")
    if not bool(torch.isfinite(weight).all()):
        raise InputError("weight contains NaN or inf: weights must be finite")
