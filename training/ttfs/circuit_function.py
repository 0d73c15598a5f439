"""The first spike of circuit neurons as a differentiable torch function."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from neuronsim.errors import InputError

from ..compiled.threads import run_blocks
from ..compiled.vectors import padded
from .circuit_kernels import gradient as circuit_gradient
from .circuit_kernels import kernel as circuit_kernel
from .first_spike import check_times, check_weight
from .geometry import Geometry
from .kernels.kernel import FLATTEST
from .kernels.layout import as_array, image_pieces, rounding_limits, sort_events, sum_parts, tiled


@dataclass(frozen=True, kw_only=True)
class Circuit:
    """The neurons of one layer as a circuit makes them, in units of tau and of the threshold (``neuronsim.artifacts.ttfs_card``):

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
            raise InputError(f"second_pole_ratio = {r} is out of range: finite and at least 4, below it the loop rings")
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
                raise InputError(f"{name} has shape {np.shape(value)}: must be one number or ({positions}, {n_out})")
        level[:, :n_out] = 1.0 / np.asarray(self.gain, dtype=np.float64)
        rho[:, :n_out] = np.asarray(self.ramp, dtype=np.float64) * level[:, :n_out]
        return level, rho


def _synapses(weight: NDArray) -> NDArray[np.float64]:
    """``weight`` (rows, c_out) or (positions, rows, c_out) as (sets, tiles, rows, 16)."""
    return tiled(weight if weight.ndim == 3 else weight[None], np.float64)


def first_crossings(
    z: NDArray, weight: NDArray, circuit: Circuit, *, bias: bool, geometry: Geometry
) -> tuple[NDArray, NDArray, NDArray[np.bool_]]:
    """Unchecked: z at the crossing, dv/dt - ramp there, and which neurons left the detector's range before, without delay.

    ``z`` (batch, n_in), ``weight`` (rows, c_out) or (positions, rows, c_out); all results (batch, positions, c_out).
    """
    positions, n_out = geometry.positions, weight.shape[-1]
    z_out = np.empty((len(z), positions, n_out), z.dtype)
    slope, left = np.empty_like(z_out), np.empty(z_out.shape, np.bool_)
    tiles, reach, lines = _synapses(weight), tuple(geometry.reach()), circuit.line(positions, n_out)
    limits = rounding_limits(z.dtype)

    def block(first: int, last: int) -> None:
        for part in image_pieces(first, last, z.shape[1]):
            circuit_kernel.forward(
                z[part], sort_events(z[part]), tiles, bias, *lines, circuit.loop, circuit.range, reach,
                z_out[part], slope[part], left[part], limits,
            )  # fmt: skip

    run_blocks(block, len(z), work=z_out.size * weight.shape[-2])
    return z_out, slope, left


def _backward(
    z: NDArray,
    weight: NDArray,
    outputs: tuple[NDArray, NDArray, NDArray],
    circuit: Circuit,
    bias: bool,
    geometry: Geometry,
    need_z: bool,
) -> tuple[NDArray, NDArray]:
    """Gradients by ``z`` and ``weight``; ``outputs``: z_out, h of ``circuit_gradient``, 0 for silent neurons, and who left."""
    z_out, h, left = outputs
    tiles, reach = _synapses(weight), tuple(geometry.reach())
    parts = sum_parts(len(z), tiles.nbytes)
    sums = np.zeros((len(parts), *tiles.shape))
    by_z = np.zeros_like(z)

    def block(first: int, last: int) -> None:
        for number in range(first, last):
            for part in image_pieces(parts[number].start, parts[number].stop, z.shape[1]):
                circuit_gradient.backward(
                    z[part], sort_events(z[part]), tiles, bias, z_out[part], h[part], left[part],
                    circuit.loop, circuit.range, reach, need_z, sums[number], by_z[part],
                )  # fmt: skip

    run_blocks(block, len(parts), work=z_out.size * weight.shape[-2])
    by_weight = sums.sum(axis=0).transpose(0, 2, 1, 3).reshape(len(tiles), tiles.shape[2], -1)
    return by_z, by_weight[:, :, : weight.shape[-1]].astype(weight.dtype).reshape(weight.shape)


class _CircuitSpike(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, z: Tensor, weight: Tensor, circuit: Circuit, bias: bool, geometry: Geometry, slope_floor: float
    ) -> Any:
        results = first_crossings(as_array(z), as_array(weight), circuit, bias=bias, geometry=geometry)
        out, slope, left = (torch.from_numpy(result).to(z.device) for result in results)
        ctx.save_for_backward(z, weight, out, slope, left)
        ctx.mark_non_differentiable(slope, left)
        ctx.settings = circuit, bias, geometry, slope_floor
        return out, slope, left

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        z, weight, out, slope, left = ctx.saved_tensors
        circuit, bias, geometry, slope_floor = ctx.settings
        per_time = gradients[0] * out / slope.clamp(min=max(slope_floor, FLATTEST))
        gain = torch.as_tensor(circuit.gain, dtype=out.dtype, device=out.device)
        h = torch.where(torch.isfinite(out), per_time, 0.0) * gain
        outputs = as_array(out), as_array(h), as_array(left)
        need_z = ctx.needs_input_grad[0]
        by_z, by_weight = _backward(as_array(z), as_array(weight), outputs, circuit, bias, geometry, need_z)
        return torch.from_numpy(by_z).to(z.device), torch.from_numpy(by_weight).to(z.device), None, None, None, None


def circuit_layer(
    z: Tensor, weight: Tensor, circuit: Circuit, *, bias: bool, geometry: Geometry, slope_floor: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """First spikes of a layer of circuit neurons as z = e^{t/tau}, differentiable by ``z`` and ``weight``.

    ``z`` (batch, n_in), >= 1, inf = silent. ``weight`` (rows, c_out), or (positions, rows, c_out) when each neuron has synapses
    of its own; ``bias``: its last row is an input at z = 1. Returns z_out with the delay, the slope v' = dv/dt - ramp at the
    crossing in thresholds per tau (0: silent), and a mask of the neurons whose phase error left the detector's range before they
    fired, all (batch, positions, c_out). Only z_out carries gradients, the exact ones of ``circuit_gradient`` (also beyond the
    range; silent outputs pass none), with v' not below ``slope_floor``. The circuit's own values are constants.

    The crossing is that of ``neuronsim.neuron.event_solver.first_crossing``; the
    ideal circuit is :func:`first_spike`. Raises InputError for shapes or types that do not fit, NaN, z < 1, slope_floor < 0.
    """
    if z.ndim != 2 or z.shape[1] != geometry.n_in:
        raise InputError(f"z has shape {tuple(z.shape)}: must be (batch, {geometry.n_in})")
    check_times(z, 1.0)
    check_weight(weight, z, geometry.taps + bias, geometry.positions)
    if not slope_floor >= 0:
        raise InputError(f"slope_floor = {slope_floor} is out of range: must be 0 or positive")
    out, slope, left = _CircuitSpike.apply(z, weight, circuit, bias, geometry, float(slope_floor))  # type: ignore[misc]
    if circuit.delay != 0.0:
        out = (out * math.exp(circuit.delay)).clamp(min=1.0)
    return out, slope, left
