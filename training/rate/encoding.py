"""Rate encoding: trains of input spikes whose rate is the pixel's intensity p over dt (paper 000, section II-E)."""

import torch
from torch import Tensor

from neuronsim.errors import InputError

from .graph import Encoding, check_encoding


def encode(
    pixels: Tensor, steps: int, encoding: Encoding = "deterministic", generator: torch.Generator | None = None
) -> Tensor:
    """What the inputs deliver, (steps, *pixels.shape), for ``pixels`` in [0, 1].

    "deterministic": regular trains, floor(p t) spikes up to step t; "bernoulli": a spike with probability p in every step, from
    ``generator``; "constant": the value p itself in every step (no spikes: direct coding). Raises InputError for values outside
    [0, 1], fewer than one step, or no generator where one is needed.
    """
    check_encoding(encoding, steps)
    if encoding == "constant":
        return pixels.expand(steps, *pixels.shape)
    low, high = float(pixels.min()), float(pixels.max())
    if not (low >= 0 and high <= 1):
        raise InputError(f"pixels reach from {low:g} to {high:g}: a firing probability lies in [0, 1]")
    if encoding == "bernoulli":
        if generator is None:
            raise InputError('encoding "bernoulli" needs a seeded generator')
        draws = torch.rand((steps, *pixels.shape), generator=generator, device=pixels.device)
        return (draws < pixels).to(pixels.dtype)
    # A pixel of k/255 at t = 255 is k spikes exactly: without the margin rounding would lose one now and then.
    t = torch.arange(steps + 1, dtype=torch.float64, device=pixels.device).reshape(-1, *[1] * pixels.ndim)
    return torch.floor(pixels.to(torch.float64) * t + 1e-6).diff(dim=0).to(pixels.dtype)
