"""Integrate-and-fire layers of a converted network, and what corrects their occasional spikes during inference."""

from typing import Literal, get_args

import torch
from torch import Tensor, nn

from neuronsim.errors import InputError

Correction = Literal["none", "negative-spikes", "offset-spikes"]
CORRECTIONS: tuple[Correction, ...] = get_args(Correction)
_MARGIN = 1e-3  # in thresholds: how far past the point where one spike more or less is fired the start is shifted


def fire(current: Tensor, u: Tensor, threshold: float, spikes: Tensor, count: Tensor | None = None) -> None:
    """Run the ``current`` (steps, ...) through neurons with membrane ``u`` (updated); writes 0 or 1 into ``spikes`` (steps, ...).

    In every step u += current; z = [u >= th]; u -= th z (paper 003, equations 1 and 2). It is ``integrate_fire`` of
    :mod:`training.rate.layers` without leak, refractory time, noise and gradients, in place: three times as fast.

    ``count`` (spikes fired so far, updated): with negative spikes (Li, Ma and Furber 2022). A neuron that has fired more than
    it should ends below zero: where u < 0 and count > 0 after a step it fires -1, which takes one spike back and gives th back.
    """
    for step, z in zip(current, spikes, strict=True):
        u += step
        torch.ge(u, threshold, out=z)
        if count is not None:
            z -= ((u < 0) & (count > 0)).to(z.dtype)
            count += z
        u.sub_(z, alpha=threshold)


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
    few = (u >= threshold) & (fired < len(current))
    up = torch.where(few, (threshold - highest + margin).clamp(min=threshold), 0.0)
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
        self.precharge = precharge
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
        return self.spikes(x.reshape(self.steps, -1, *x.shape[1:]))

    def spikes(self, current: Tensor) -> Tensor:
        """What is sent for ``current`` (steps, batch, ...): (steps x batch, ...). A current that stands still may be expanded."""
        if self._u is None:
            self._u = torch.full_like(current[0], self.precharge * self.threshold)
            if self.correction == "negative-spikes":
                self._count = torch.zeros_like(self._u)
            if self.correction == "offset-spikes":
                if len(current) < self.rho:
                    raise InputError(f"the first call has {len(current)} steps, calibration needs rho = {self.rho}")
                self._u = calibrated_start(current[: self.rho], self._u, self.threshold)
        flat = (current.shape[0] * current.shape[1], *current.shape[2:])
        layout = torch.channels_last if len(flat) == 4 else torch.contiguous_format
        sent = torch.empty(flat, dtype=current.dtype, device=current.device, memory_format=layout)
        spikes = sent.view(current.shape)
        fire(current, self._u, self.threshold, spikes, self._count)
        # A spike taken back was two events.
        self.fired += int(spikes.sum() if self._count is None else spikes.abs().sum())
        self.n_neurons = current[0, 0].numel()
        return sent.mul_(self.threshold)
