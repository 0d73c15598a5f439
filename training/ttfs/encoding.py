"""From pixels to spike times."""

import torch
from torch import Tensor

from neuronsim.errors import InputError


def encode(
    pixels: Tensor,
    *,
    alpha: float = 3.0,
    bright_first: bool = True,
    noise: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Spike times z = exp(t), t = alpha (1 - pixel) in tau (``bright_first``; else t = alpha pixel; paper 004, section 4).

    ``pixels``: any shape, in [0, 1]. ``noise`` > 0 (training only) first adds a uniform draw from (-noise, noise) to every
    pixel, from ``generator``; no spike comes before t = 0.

    Raises InputError for pixels outside [0, 1], alpha <= 0, or noise without a generator.
    """
    if not alpha > 0:
        raise InputError(f"alpha = {alpha} is out of range: must be positive")
    if not bool(((pixels >= 0) & (pixels <= 1)).all()):
        raise InputError(f"pixels range from {float(pixels.min()):g} to {float(pixels.max()):g}: must lie in [0, 1]")
    if noise > 0:
        if generator is None:
            raise InputError("input noise needs a seeded torch.Generator")
        pixels = pixels + (torch.rand(pixels.shape, generator=generator) * 2 - 1) * noise
    t = alpha * (1 - pixels if bright_first else pixels)
    return torch.exp(t.clamp(min=0))
