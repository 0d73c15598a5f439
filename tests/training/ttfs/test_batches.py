"""Augmentation: what it may move, and by how much."""

import numpy as np
import torch

from neuronsim.training.seeds import torch_generator
from neuronsim.training.ttfs.batches import _elastic, augment
from neuronsim.training.ttfs.experiment_sections import Augmentation


def test_elastic_displacement_is_bounded_smooth_and_seeded():
    limit, size = 1.5, 28
    field = _elastic(50, size, size, limit, torch_generator(3)) * size / 2
    # Bicubic interpolation overshoots its knots by at most a quarter in each direction.
    assert limit * 0.9 < float(field.abs().max()) < 1.6 * limit
    assert abs(float(field.mean())) < 0.1 * limit
    steepest = float((field[:, 1:] - field[:, :-1]).abs().max())
    assert steepest < 4 * limit / 7  # knots 7 pixels apart differ by at most 2 limit
    torch.testing.assert_close(field, _elastic(50, size, size, limit, torch_generator(3)) * size / 2)


def test_augmentation_without_a_limit_changes_nothing():
    pixels = torch.rand((3, 28, 28, 1), generator=torch_generator(1))
    still = augment(pixels, Augmentation(), torch_generator(2))
    torch.testing.assert_close(still, pixels, atol=1e-5, rtol=0)


def test_augmented_spot_stays_within_the_limits():
    """A spot near the middle moves by the elastic limit at most, and keeps its brightness."""
    pixels = torch.zeros((64, 28, 28, 1))
    pixels[:, 13:16, 13:16] = 1.0
    moved = augment(pixels, Augmentation(elastic_px=2.0), torch_generator(5))[..., 0].numpy()
    rows, columns = np.mgrid[:28, :28]
    for image in moved:
        centre = np.array([(image * rows).sum(), (image * columns).sum()]) / image.sum()
        assert np.abs(centre - 14).max() < 3.2
        assert 4 < image.sum() < 18
    assert np.std(moved, axis=0).max() > 0.1
