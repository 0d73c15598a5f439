"""Losses on output spike times."""

from collections.abc import Iterable
from typing import Literal

import torch
from torch import Tensor

from neuronsim.errors import InputError, suggest

LossName = Literal["softmax-z", "inverse-z"]
PenaltyReduction = Literal["mean", "sum"]


def spike_time_loss(z: Tensor, target: Tensor, *, name: LossName = "softmax-z", cap: float = 250.0) -> Tensor:
    """Mean over the batch of the loss that makes the target's spike the first one. ``z`` (batch, classes), ``target`` (batch,).

    softmax-z:  -ln( e^{-z_c} / sum_i e^{-z_i} ), z capped at ``cap``: silent and late outputs count as spikes at the cap and get
                no gradient.
    inverse-z:  -ln( z_c^{-1} / sum_{i != c} z_i^{-1} ), paper 004 equation 5. Silent outputs count as spikes at the cap; a late
                spike counts as it is, because its gradient 1/z needs no limit.

    In t = ln z the second one is t_c + ln sum_{i != c} e^{-t_i}: its gradient is 1 for the target and sums to -1 over the others
    however right the answer is, so it keeps delaying outputs until they are silent. A silent output is a constant in either
    loss: see :func:`silent_target_shortfall`.

    Raises InputError for an unknown name or cap <= 1.
    """
    if not cap > 1:
        raise InputError(f"cap = {cap} is out of range: must be above 1, the earliest spike")
    if name == "softmax-z":
        return torch.nn.functional.cross_entropy(-z.clamp(max=cap), target)
    if name == "inverse-z":
        t = torch.where(torch.isfinite(z), z, cap).log()
        own = torch.nn.functional.one_hot(target, z.shape[1]).bool()
        return (t[own] + torch.logsumexp((-t).masked_fill(own, -torch.inf), dim=1)).mean()
    raise InputError(f"unknown loss '{name}'.{suggest(name, ('softmax-z', 'inverse-z'))}")


def silent_target_shortfall(z: Tensor, potential: Tensor, target: Tensor) -> Tensor:
    """Mean over the batch of max(0, 1 - v_c) where the target output c is silent: what its membrane lacks to the threshold.

    ``z`` and ``potential`` (batch, classes), ``target`` (batch,). ``potential``: v(t -> inf) = sum of the weights of all inputs
    that spiked (paper 004, equation 3; see ``Neurons.final_potential``). A silent target is a constant in every loss on spike
    times; this gives its weights a gradient of -1 each until it fires. The paper has no such term.
    """
    index = target[:, None]
    silent = torch.isinf(z.gather(1, index))
    return torch.where(silent, torch.relu(1.0 - potential.gather(1, index)), 0.0).mean()


def weight_sum_penalty(weights: Iterable[Tensor], *, beta: float = 1.0, reduction: PenaltyReduction = "mean") -> Tensor:
    """sum over layers of the mean over neurons of max(0, beta - sum_i w_ij): lifts neurons that could never fire.

    ``weights``: one (rows, neurons) matrix per layer, bias included. ``reduction`` "sum" adds the neurons up as paper 004,
    equation 5 is printed; the mean, which the authors' published code takes, weighs a wide layer like a narrow one.
    """
    if reduction not in ("mean", "sum"):
        raise InputError(f"reduction = '{reduction}': must be 'mean' or 'sum'")
    terms = [torch.relu(beta - weight.sum(dim=0)) for weight in weights]
    return torch.stack([term.mean() if reduction == "mean" else term.sum() for term in terms]).sum()


def clip_row_norm(weights: Iterable[Tensor], limit: float) -> None:
    """Scale each gradient G (rows, neurons) so that ||G||_F / neurons <= ``limit`` (paper 004, section 4: 10).

    The paper's weight matrices w_ji have one row per neuron, so its "row-normalized Frobenius norm" is read as the Frobenius norm
    divided by the number of neurons. Weights without a gradient are left out.
    """
    for weight in weights:
        torch.nn.utils.clip_grad_norm_([weight], limit * weight.shape[1])
