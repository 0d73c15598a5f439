"""Training batches whose order, augmentation and noise depend on (seed, epoch, batch) and on nothing else."""

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor

from ..datasets.catalogue import Images
from ..datasets.pixels import PlainPixels
from ..seeds import torch_generator
from .encoding import encode
from .experiment import Experiment
from .experiment_sections import Augmentation

_ORDER, _BATCH, _LAYER = 1, 2, 3
_KNOT_SPACING_PX = 7


def layer_generator(seed: int, epoch: int, batch: int, layer: int) -> torch.Generator:
    """Generator of the dropout or noise of one layer in one batch."""
    return torch_generator(seed, _LAYER, epoch, batch, layer)


def augment(pixels: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """A random affine and elastic map of every image, empty corners 0. ``pixels`` (batch, height, width, channels).

    Bicubic: a bilinear map blurs the strokes, and brightness is spike time.
    """
    n, height, width, _ = pixels.shape
    draw = torch.rand((5, n), generator=generator) * 2 - 1
    angle = draw[0] * math.radians(settings.rotation_deg)
    scale = 1 + draw[1] * settings.scale
    shear = draw[2] * settings.shear
    dx, dy = draw[3] * settings.shift_px * 2 / width, draw[4] * settings.shift_px * 2 / height
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    theta = torch.stack((cos, shear - sin, dx, sin, cos, dy), dim=1).reshape(n, 2, 3)
    images = pixels.permute(0, 3, 1, 2)
    grid = torch.nn.functional.affine_grid(theta, list(images.shape), align_corners=False)
    if settings.elastic_px > 0:
        grid = grid + _elastic(n, height, width, settings.elastic_px, generator)
    warped = torch.nn.functional.grid_sample(images, grid, mode="bicubic", align_corners=False)
    return warped.permute(0, 2, 3, 1).clamp(0, 1)


def _elastic(n: int, height: int, width: int, limit_px: float, generator: torch.Generator) -> Tensor:
    """Smooth random displacements (n, height, width, 2), in the units of a sampling grid (the image spans 2)."""
    knots = [size // _KNOT_SPACING_PX + 1 for size in (height, width)]
    draw = torch.rand((n, 2, *knots), generator=generator) * 2 - 1
    smooth = torch.nn.functional.interpolate(draw, size=(height, width), mode="bicubic", align_corners=True)
    return smooth.permute(0, 2, 3, 1) * (2 * limit_px / torch.tensor((width, height)))


@dataclass(frozen=True)
class TrainingBatches:
    """All batches (z, label, batch number) of one epoch; the last, incomplete one is kept."""

    pixels: Tensor
    labels: Tensor
    experiment: Experiment
    epoch: int

    def __len__(self) -> int:
        return -(-len(self.labels) // self.experiment.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, int]]:
        experiment, epoch = self.experiment, self.epoch
        order = torch.randperm(len(self.labels), generator=torch_generator(experiment.seed, _ORDER, epoch))
        indices = order.split(experiment.batch_size)
        # One batch ahead in a thread of its own: the image maps run while the network's kernels leave a core idle.
        with ThreadPoolExecutor(1, thread_name_prefix="batches") as ahead:
            coming = ahead.submit(self._batch, 0, indices[0])
            for number, index in enumerate(indices):
                z = coming.result()
                if number + 1 < len(indices):
                    coming = ahead.submit(self._batch, number + 1, indices[number + 1])
                yield z, self.labels[index], number

    def _batch(self, number: int, index: Tensor) -> Tensor:
        settings, augmentation = self.experiment.encoding, self.experiment.augmentation
        generator = torch_generator(self.experiment.seed, _BATCH, self.epoch, number)
        pixels = self.pixels[index]
        if augmentation.active:
            pixels = augment(pixels, augmentation, generator)
        return encode(
            pixels, alpha=settings.alpha, bright_first=settings.bright_first, noise=settings.noise, generator=generator
        )


@dataclass(frozen=True)
class PlainBatches:
    """Batches (z, labels) in order, without augmentation or noise."""

    images: Images
    experiment: Experiment

    def __len__(self) -> int:
        return len(PlainPixels(self.images))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        settings = self.experiment.encoding
        for pixels, labels in PlainPixels(self.images):
            yield encode(pixels, alpha=settings.alpha, bright_first=settings.bright_first), labels
