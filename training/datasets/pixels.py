"""Images as pixel tensors."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .catalogue import Images


def as_pixels(images: Images) -> Tensor:
    """(n, height, width, channels), float32 in [0, 1]."""
    return torch.from_numpy(images.pixels.astype(np.float32)) / 255.0


@dataclass(frozen=True)
class PlainPixels:
    """Batches (pixels, labels) in order, as they are."""

    images: Images
    batch_size: int = 250

    def __len__(self) -> int:
        return -(-len(self.images) // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for start in range(0, len(self.images), self.batch_size):
            part = self.images.take(slice(start, start + self.batch_size))
            yield as_pixels(part), torch.from_numpy(part.labels)
