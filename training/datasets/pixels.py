"""Images as pixel tensors."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .catalogue import Images


def as_pixels(images: Images) -> Tensor:
    """(n, height, width, channels), float32 in [0, 1]."""
    return torch.from_numpy(images.pixels.astype(np.float32)) / 255.0
