"""Which implementation of the first-spike layer runs on which device."""

import os
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor

from neuronsim.errors import InputError, suggest

from ..geometry import Geometry

VARIABLE = "NEURONSIM_TTFS_BACKEND"
_MODULES = {"compiled": ".compiled", "stepped": ".stepped", "triton": ".triton_kernel"}


class Outputs(NamedTuple):
    """What the backward pass reads of the outputs, each (batch, positions, c_out).

    ``z_out`` and ``slope`` as the forward pass gave them, the slope counted as ``slope_floor`` > 0 where it is less;
    ``incoming``: gradient by z_out, of silent outputs not read.
    """

    z_out: Tensor
    slope: Tensor
    incoming: Tensor
    slope_floor: float

    def scaled(self) -> Tensor:
        """g = incoming / slope; 0 for silent outputs."""
        scaled = self.incoming / self.slope.clamp(min=self.slope_floor)
        return scaled.masked_fill(torch.isinf(self.z_out), 0.0)


class Backend(Protocol):
    """A module with the forward and backward pass of one layer; all backends give the same spikes (``kernel``).

    ``z`` (batch, n_in) as exp(t / tau) > 0, inf = silent; ``weight`` (taps + bias, c_out); unchecked.
    """

    def forward(self, z: Tensor, weight: Tensor, *, bias: bool, geometry: Geometry) -> tuple[Tensor, Tensor]:
        """z_out and the slope S - 1 at the spike, both (batch, positions, c_out); silent: inf and 0."""
        ...

    def backward(
        self, z: Tensor, weight: Tensor, outputs: Outputs, *, bias: bool, geometry: Geometry, need_z: bool, need_w: bool
    ) -> tuple[Tensor | None, Tensor | None]:
        """Gradients by ``z`` and ``weight``, the implicit ones of equation 4; None where not needed.

        With g = :meth:`Outputs.scaled` and z_i < z_out: grad_w[i, j] = sum (z_i - z_out) g over batch and positions,
        grad_z[i] = sum w_ij g over positions and outputs.
        """
        ...


@cache
def _load(name: str) -> Backend:
    return cast(Backend, import_module(_MODULES[name], __package__))


def _interpreted() -> bool:
    """Triton's interpreter runs its kernels on the CPU, for tests."""
    return os.environ.get("TRITON_INTERPRET") == "1"


@cache
def _triton_imports() -> bool:
    if find_spec("triton") is None:
        return False
    try:
        _load("triton")
    except ImportError:  # a Triton without a driver for this machine
        return False
    return True


def available() -> tuple[str, ...]:
    """Names of the backends that can run on this machine."""
    gpu = (torch.cuda.is_available() or _interpreted()) and _triton_imports()
    return ("compiled", "stepped", "triton") if gpu else ("compiled", "stepped")


def for_device(device: torch.device | str) -> Backend:
    """The backend for tensors on ``device``: compiled on the CPU, triton on CUDA and ROCm where it imports, else stepped.

    The environment variable NEURONSIM_TTFS_BACKEND = compiled | stepped | triton chooses for the user. Raises InputError when it
    names no backend, one that is not available, or one that cannot work on this device.
    """
    kind = torch.device(device).type
    name = os.environ.get(VARIABLE, "")
    if not name:
        name = "compiled" if kind == "cpu" else "triton" if kind == "cuda" and "triton" in available() else "stepped"
        return _load(name)
    if name not in _MODULES:
        raise InputError(f"{VARIABLE} = '{name}' is no backend.{suggest(name, _MODULES)} Or unset it.")
    if name not in available():
        raise InputError(
            f"{VARIABLE} = '{name}' is not available here: it needs Triton (which torch for CUDA or ROCm brings along) and a "
            f"GPU. Available: {', '.join(available())}. Or unset it."
        )
    elsewhere = {"compiled": kind != "cpu", "triton": kind != "cuda" and not _interpreted(), "stepped": False}
    if elsewhere[name]:
        raise InputError(
            f"{VARIABLE} = '{name}' cannot work on tensors of device '{kind}': 'compiled' needs the CPU, 'triton' a GPU of "
            "CUDA or ROCm, 'stepped' runs anywhere. Choose another one or unset it."
        )
    return _load(name)
