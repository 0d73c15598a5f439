"""b-bit weights in torch: the conductance bank of ``neuronsim.neuron.conductance_bank`` with a straight-through gradient."""

from typing import Any, get_args

import torch
from torch import Tensor

from neuronsim.errors import InputError
from neuronsim.neuron.conductance_bank import FullScale, normal_full_scale

_FEW_BITS = 3


def full_scale(weight: Tensor, scope: FullScale = "neuron", bits: int = 32) -> Tensor:
    """Full scale of a bank for ``weight`` (rows, n_out): (1, n_out), or (1, 1) for "layer".

    "neuron": largest |w| of each output neuron. "layer": of the layer. "neuron-rms": with up to 3 bits k(bits) times the root
    mean square of each neuron's weights, but not beyond the largest, with k of
    :func:`neuronsim.neuron.conductance_bank.normal_full_scale`, so
    that few levels are not spent on the range of a few large weights; with more bits the largest (clipping to k costs more
    than it saves there: trained networks have some large weights that matter).
    """
    size = weight.detach().abs()
    if scope == "neuron":
        largest = size.amax(dim=0, keepdim=True)
    elif scope == "layer":
        largest = size.amax().reshape(1, 1)
    elif scope == "neuron-rms":
        largest = size.amax(dim=0, keepdim=True)
        if bits <= _FEW_BITS:
            largest = torch.minimum(largest, normal_full_scale(bits) * size.square().mean(dim=0, keepdim=True).sqrt())
    else:
        raise InputError(f"full scale per '{scope}': must be one of {', '.join(get_args(FullScale))}")
    return largest.clamp(min=torch.finfo(weight.dtype).tiny)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, bits: int, w_max: Tensor) -> Tensor:
        ctx.save_for_backward(weight.abs() <= w_max)
        top = float(2**bits - 1)
        scale = w_max.double()  # in double precision, as the bank computes, so that ties fall alike
        codes = torch.round((weight.double() / scale + 1.0) * top / 2.0).clamp(0.0, top)
        return (scale * (2.0 * codes - top) / top).to(weight.dtype)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (inside,) = ctx.saved_tensors
        return gradients[0] * inside, None, None


def quantize(weight: Tensor, bits: int | None, *, scope: FullScale = "neuron") -> Tensor:
    """Nearest levels w_k = w_max (2k + 1 - 2^b) / (2^b - 1) of ``weight`` (rows, n_out); ``bits`` None returns it unchanged.

    w_max is the :func:`full_scale` of ``scope``. The gradient passes straight through inside it and is 0 outside. Raises
    InputError for bits outside 1..32.
    """
    if bits is None:
        return weight
    if not 1 <= bits <= 32:
        raise InputError(f"bits = {bits} is out of range: a conductance bank has 1 to 32 bits")
    return _StraightThrough.apply(weight, bits, full_scale(weight, scope, bits))
