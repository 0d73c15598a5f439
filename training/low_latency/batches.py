"""Training batches of plain pixels whose order and augmentation depend on (seed, phase, epoch, batch) and on nothing else."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from ..seeds import torch_generator
from .experiment import Crop

ORDER, CROP, EPSILON, INITIAL = 11, 12, 13, 14


def crop(pixels: Tensor, settings: Crop, generator: torch.Generator) -> Tensor:
    """Every image shifted by whole pixels and mirrored at random; ``pixels`` (batch, height, width, channels)."""
    n, height, width, _ = pixels.shape
    limit = settings.shift_px
    if limit > 0:
        padded = torch.nn.functional.pad(pixels, (0, 0, limit, limit, limit, limit))
        dy, dx = torch.randint(0, 2 * limit + 1, (2, n), generator=generator)
        rows = (torch.arange(height) + dy[:, None])[:, :, None]
        columns = (torch.arange(width) + dx[:, None])[:, None, :]
        pixels = padded[torch.arange(n)[:, None, None], rows, columns]
    if settings.mirror:
        flip = torch.rand(n, generator=generator) < 0.5
        pixels = torch.where(flip[:, None, None, None], pixels.flip(2), pixels)
    return pixels


@dataclass(frozen=True)
class PixelBatches:
    """All batches (pixels, label, batch number) of one epoch; the last, incomplete one is kept unless it is a single image,
    which batch normalization cannot take."""

    pixels: Tensor
    labels: Tensor
    batch_size: int
    settings: Crop
    key: tuple[int, ...]

    def __len__(self) -> int:
        full, rest = divmod(len(self.labels), self.batch_size)
        return full + (rest > 1)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, int]]:
        order = torch.randperm(len(self.labels), generator=torch_generator(ORDER, *self.key))
        for number, index in enumerate(order.split(self.batch_size)[: len(self)]):
            generator = torch_generator(CROP, *self.key, number)
            yield crop(self.pixels[index], self.settings, generator), self.labels[index], number
