"""Losses on output spike times."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

from neuronsim.errors import InputError, suggest

LossName = Literal["softmax-z", "inverse-z"]


def spike_time_loss(z: Tensor, target: Tensor, *, name: LossName = "softmax-z", cap: float = 250.0) -> Tensor:
    """Mean over the batch of the loss that makes the target's spike the first one. ``z`` (batch, classes), ``target`` (batch,).

    softmax-z:  -ln( e^{-z_c} / sum_i e^{-z_i} ), z capped at ``cap`` (silent outputs count as spikes at the cap)
    inverse-z:  -ln( z_c^{-1} / sum_{i != c} z_i^{-1} ), paper 004 equation 5, same cap. A capped target gets no gradient in
                either; with inverse-z whole networks fell silent in our runs, so softmax-z is the default.
    """
    if not cap > 1:
        raise InputError(f"cap = {cap} is out of range: must be above 1, the earliest spike")
    z = z.clamp(max=cap)
    if name == "softmax-z":
        return torch.nn.functional.cross_entropy(-z, target)
    if name == "inverse-z":
        inverse = 1.0 / z
        own = inverse.gather(1, target[:, None])[:, 0]
        return (torch.log(inverse.sum(dim=1) - own) - torch.log(own)).mean()
    raise InputError(f"unknown loss '{name}'.{suggest(name, ('softmax-z', 'inverse-z'))}")


def weight_sum_penalty(weights: Iterable[Tensor], *, beta: float = 1.0) -> Tensor:
    """mean over layers and neurons of max(0, beta - sum_i w_ij): lifts neurons that could never fire (equation 5)."""
    terms = [torch.relu(beta - weight.sum(dim=0)).mean() for weight in weights]
    return torch.stack(terms).sum()
