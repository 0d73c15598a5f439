"""Activation quantizer with a learned step (LSQ), with and without the noise adaptor of paper 003."""

import math
from typing import Any, Literal

import torch
from torch import Tensor, nn

from neuronsim.errors import InputError

Mode = Literal["relu", "quantized"]
_SMALLEST_STEP = 1e-4


class NoisyQuantization(torch.autograd.Function):
    """v_hat = s round(clip(v / s + epsilon, 0, p)) (paper 003, equation 7; equation 3 for epsilon = 0).

    Backward, with x = v / s + epsilon of the same pass (equations 9 and 10; 4 and 5 for epsilon = 0):

    - d v_hat / d v = 1 where 0 < x < p, else 0
    - d v_hat / d s = 0 where x <= 0, round(x) - x where 0 < x < p, p where x >= p

    ``apply(v, s, epsilon, p)``: ``v`` of any shape, ``s`` a scalar tensor, ``epsilon`` of the shape of ``v`` or None.
    """

    @staticmethod
    def forward(ctx: Any, v: Tensor, s: Tensor, epsilon: Tensor | None, p: int) -> Tensor:  # type: ignore[override]
        x = v / s
        if epsilon is not None:
            x = x + epsilon
        ctx.save_for_backward(x)
        ctx.p = p
        return s * x.clamp(0, p).round()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None, None]:  # type: ignore[override]
        (x,) = ctx.saved_tensors
        above = x >= ctx.p
        inside = (x > 0) & ~above
        by_s = torch.where(inside, x.round() - x, above * float(ctx.p))
        return gradient * inside, (gradient * by_s).sum(), None, None


class LSQActivation(nn.Module):
    """The activation of a convertible network: ReLU, or p + 1 levels 0, s, ..., p s with a learned step s.

    ``mode`` "relu": max(v, 0), for the full-precision network. "quantized": :class:`NoisyQuantization`; while training with
    ``adaptor``, epsilon ~ U(-0.5, 0.5), one draw per element and pass from ``generator`` (equation 8); without ``adaptor``, and
    whenever the module is not training, epsilon = 0. The gradient of s is scaled by 1 / sqrt(features p) as in LSQ (Esser et
    al. 2019, section 2.2): equation 10 sums over all elements and would move s far faster than the weights.

    Raises InputError when ``levels`` < 1, or when noise is due and no generator was given.
    """

    def __init__(self, levels: int, *, adaptor: bool = False) -> None:
        super().__init__()
        if levels < 1:
            raise InputError(f"levels = {levels} is out of range: p, the largest quantized activation, is at least 1")
        self.levels = levels
        self.adaptor = adaptor
        self.mode: Mode = "relu"
        self.generator: torch.Generator | None = None
        self.noise_in_evaluation = False
        self.measure = False
        self.step = nn.Parameter(torch.ones(()))

    @property
    def threshold(self) -> float:
        """Firing threshold of the neurons that replace this layer, th = p s (equation 6)."""
        return self.levels * float(self.step.detach())

    def forward(self, v: Tensor) -> Tensor:
        if self.mode == "relu":
            return torch.relu(v)
        if self.measure:
            self.start_from(v)
        factor = 1 / math.sqrt(v[0].numel() * self.levels)
        step = self.step.clamp(min=_SMALLEST_STEP)
        step = step * factor + (step * (1 - factor)).detach()
        return NoisyQuantization.apply(v, step, self._epsilon(v), self.levels)  # type: ignore[return-value]

    def start_from(self, v: Tensor) -> None:
        """Set s to 2 mean|v| / sqrt(p), LSQ's start, from the membrane inputs ``v`` of one batch; |v| over v > 0 only, because
        the negative ones are clipped whatever s is."""
        positive = v.detach()[v.detach() > 0]
        if positive.numel():
            with torch.no_grad():
                self.step.copy_(2 * positive.mean() / math.sqrt(self.levels))

    def _epsilon(self, v: Tensor) -> Tensor | None:
        if not self.adaptor or not (self.training or self.noise_in_evaluation):
            return None
        if self.generator is None:
            raise InputError("the noise adaptor needs a generator: set LSQActivation.generator before every pass")
        return torch.rand(v.shape, generator=self.generator, device=v.device, dtype=v.dtype) - 0.5
