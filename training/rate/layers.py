"""Integrate-and-fire layers in torch: for training with surrogate gradients, for conversion, and on any device.

The neuron is that of :class:`training.rate.graph.Neuron`. ``integrate_fire`` is one step as a pure function; ``IntegrateFire``
keeps the membrane between calls, so that it takes the place of an activation in any torch module.
"""

import torch
from torch import Tensor, nn

from .graph import Neuron


class _Fire(torch.autograd.Function):
    """1 where x >= 0 (or > 0); backward: a triangle of half width and area 1."""

    @staticmethod
    def forward(ctx, x: Tensor, strict: bool) -> Tensor:  # type: ignore[override]
        ctx.save_for_backward(x)
        return (x > 0 if strict else x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        return grad * (1 - x.abs()).clamp(min=0), None


def integrate_fire(
    u: Tensor, drive: Tensor, rest: Tensor | None, theta: Tensor | float, neuron: Neuron
) -> tuple[Tensor, Tensor, Tensor | None]:
    """One step: (spikes, membrane, steps left of the refractory time) from the same and the ``drive`` of this step.

    ``u``, ``drive``, ``rest`` and the results (batch, ...); ``theta``: the threshold, that broadcasts to them; ``rest`` None:
    nobody is refractory. The surrogate gradient is a triangle, one threshold to either side.
    """
    moved = neuron.decay * u + drive
    if rest is not None:
        moved = torch.where(rest > 0, u, moved)
    spikes = _Fire.apply((moved - theta) / theta, neuron.strict)
    if rest is not None:
        spikes = spikes * (rest <= 0)
    after = moved * (1 - spikes) if neuron.reset == "rest" else moved - spikes * theta
    if neuron.refractory:
        before = torch.zeros_like(u) if rest is None else (rest - 1).clamp(min=0)
        rest = torch.where(spikes > 0, float(neuron.refractory), before).detach()
    return spikes, after, rest


class IntegrateFire(nn.Module):
    """Integrate-and-fire activation: call once per step with the drive (batch, ...), get spikes times ``amplitude``.

    ``threshold``: a number or a tensor that broadcasts to the drive (a convolution: (channels, 1, 1)). ``amplitude``: what a
    spike delivers, 1 as in paper 000; ``None``: the threshold itself, which makes layers independent of each other's
    thresholds (the mean output over steps approaches a clipped ReLU of the mean drive). Call :meth:`clear` before a new
    batch; the membrane then starts at neuron.precharge times the threshold. Membrane noise and threshold jitter are drawn
    from ``generator``, which must be set when the neuron has either.
    """

    threshold: Tensor

    def __init__(
        self,
        threshold: Tensor | float = 1.0,
        neuron: Neuron | None = None,
        *,
        amplitude: float | None = 1.0,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.neuron = neuron or Neuron()
        theta = threshold.clone() if isinstance(threshold, Tensor) else torch.tensor(float(threshold))
        self.register_buffer("threshold", theta)
        self.amplitude, self.generator = amplitude, generator
        self.clear()

    def clear(self) -> None:
        """Forget the membrane and the counts."""
        self.membrane: Tensor | None = None
        self.rest: Tensor | None = None
        self.count: Tensor | None = None
        self._theta: Tensor | None = None

    def forward(self, drive: Tensor) -> Tensor:
        """Spikes of this step, (batch, ...) like ``drive``; ``self.count`` sums them."""
        neuron = self.neuron
        if self.membrane is None or self._theta is None:
            self.membrane = torch.zeros_like(drive) + neuron.precharge * self.threshold
            self._theta = self.threshold.to(drive.dtype)
            if neuron.threshold_jitter:
                self._theta = self.threshold * (1 + neuron.threshold_jitter * self._normal(drive))
        if neuron.membrane_noise:
            drive = drive + neuron.membrane_noise * self.threshold * self._normal(drive)
        theta = self._theta
        spikes, self.membrane, self.rest = integrate_fire(self.membrane, drive, self.rest, theta, neuron)
        if neuron.threshold_jitter:
            fresh = self.threshold * (1 + neuron.threshold_jitter * self._normal(drive))
            self._theta = torch.where(spikes > 0, fresh, theta)
        self.count = spikes if self.count is None else self.count + spikes
        return spikes * (self.threshold if self.amplitude is None else self.amplitude)

    def _normal(self, like: Tensor) -> Tensor:
        return torch.randn(like.shape, generator=self.generator, dtype=like.dtype, device=like.device)


def clear_all(module: nn.Module) -> None:
    """Forget the membranes of every :class:`IntegrateFire` within ``module``."""
    for part in module.modules():
        if isinstance(part, IntegrateFire):
            part.clear()
