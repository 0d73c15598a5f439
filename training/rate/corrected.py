"""Integrate-and-fire layers of a converted network, and what corrects their occasional spikes during inference."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from neuronsim.errors import InputError

from .graph import Neuron
from .layers import integrate_fire

Correction = Literal["none", "negative-spikes", "offset-spikes"]
CORRECTIONS: tuple[Correction, ...] = get_args(Correction)
_MARGIN = 1e-3  # in thresholds: how far past the point where one spike more or less is fired the start is shifted


def run(
    current: Tensor, u: Tensor, threshold: float, neuron: Neuron, count: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """(spikes (steps, ...), membrane (...) after the last step) for the input ``current`` (steps, ...) from membrane ``u``.

    ``count`` (spikes fired so far, updated): with negative spikes (Li, Ma and Furber 2022). A neuron that has fired more than
    it should ends below zero: where u < 0 and count > 0 after a step it fires -1, which takes one spike back and gives th back.
    """
    spikes = torch.empty_like(current)
    for t in range(len(current)):
        z, u, _ = integrate_fire(u, current[t], None, threshold, neuron)
        if count is not None:
            undone = ((u < 0) & (count > 0)).to(z.dtype)
            z, u = z - undone, u + threshold * undone
            count += z
        spikes[t] = z
    return spikes, u


def calibrated_start(current: Tensor, start: Tensor, threshold: float) -> Tensor:
    """Initial potentials that take one spike too many away and add one too few (offset spikes, Hao et al. 2023, theorem 2).

    ``current`` (rho, ...) is run once from ``start``. A neuron left with u < 0 after firing has fired once too often: its start
    is lowered by max(th, min over its spikes of the potential that fired) so that one spike is lost; one left with u >= th has
    fired once too little: its start is raised by max(th, th - max over silent steps of u). Others keep their start.
    """
    u, fired = start.clone(), torch.zeros_like(start)
    lowest = torch.full_like(start, torch.inf)
    highest = torch.full_like(start, -torch.inf)
    for t in range(len(current)):
        u += current[t]
        z = u >= threshold
        lowest = torch.where(z, torch.minimum(lowest, u), lowest)
        highest = torch.where(z, highest, torch.maximum(highest, u))
        u -= threshold * z
        fired += z
    margin = _MARGIN * threshold
    down = torch.where((u < 0) & (fired > 0), (lowest - threshold + margin).clamp(min=threshold), 0.0)
    up = torch.where(
        (u >= threshold) & (fired < len(current)), (threshold - highest + margin).clamp(min=threshold), 0.0
    )
    return start - down + up


class IFLayer(nn.Module):
    """Neurons in the place of one activation; input and output (steps x batch, ...), the steps in the first place.

    Sends z th, so that the weights behind it are those of the ANN (equation 6). The potential starts at ``precharge`` th and is
    kept from one call to the next; :meth:`reset` starts anew. "offset-spikes" calibrates the start on the first ``rho`` steps of
    the first call, before the simulation that counts: a latency of rho steps per layer comes on top of T.
    """

    def __init__(self, threshold: float, *, correction: Correction, precharge: float = 0.5, rho: int = 4) -> None:
        super().__init__()
        if not threshold > 0:
            raise InputError(f"threshold = {threshold:g} is out of range: must be positive; train the network again")
        self.threshold = threshold
        self.neuron = Neuron(reset="subtract", precharge=precharge)
        self.correction: Correction = correction
        self.rho = rho
        self.steps = 1
        self.reset()

    def reset(self) -> None:
        """Forget potentials and counts."""
        self._u: Tensor | None = None
        self._count: Tensor | None = None
        self.fired = self.n_neurons = 0

    def forward(self, x: Tensor) -> Tensor:
        current = x.reshape(self.steps, -1, *x.shape[1:])
        if self._u is None:
            self._u = torch.full_like(current[0], self.neuron.precharge * self.threshold)
            if self.correction == "negative-spikes":
                self._count = torch.zeros_like(self._u)
            if self.correction == "offset-spikes":
                if self.steps < self.rho:
                    raise InputError(f"the first call has {self.steps} steps, calibration needs rho = {self.rho}")
                self._u = calibrated_start(current[: self.rho], self._u, self.threshold)
        spikes, self._u = run(current, self._u, self.threshold, self.neuron, self._count)
        self.fired += int(spikes.abs().sum())
        self.n_neurons = current[0, 0].numel()
        return spikes.mul_(self.threshold).reshape(x.shape)
