"""SpikingVGG16 on CIFAR-10 images: forward, backward, and a shortened one that learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuronsim.errors import MissingToolError
from neuronsim.training.datasets import catalogue as data
from neuronsim.training.datasets.download import cifar_source
from neuronsim.training.datasets.pixels import as_pixels
from neuronsim.training.layer_specs import Conv, Linear, Pool
from neuronsim.training.ttfs import encode, spike_time_loss
from neuronsim.training.ttfs.network import TTFSNetwork
from neuronsim.training.ttfs.network_library import declared_network

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    """16 training images as spikes, t = alpha pixel as in the paper, and their labels."""
    if cifar_source(None) is None:
        pytest.skip("set NEURONSIM_DATA to a folder with cifar10/ or cifar10-jpeg/")
    try:
        part = data.load("cifar10").train.take(np.arange(16))
    except MissingToolError as error:
        pytest.skip(str(error))
    return encode(as_pixels(part), alpha=3.0, bright_first=False), torch.from_numpy(part.labels)


def test_vgg16_runs_forward_and_backward(batch):
    z, labels = batch[0][:4], batch[1][:4]
    network = declared_network("spiking_vgg16").build(torch.Generator().manual_seed(0))
    for layer in network.spiking:
        layer.slope_floor = 0.1
    outputs = network.layer_outputs(z)
    assert all(torch.isfinite(out).double().mean() > 0.6 for out in outputs)
    assert outputs[-1].shape == (4, 10)
    spike_time_loss(outputs[-1], labels).backward()
    norms = [float(layer.weight.grad.norm()) for layer in network.spiking if layer.weight.grad is not None]
    assert len(norms) == 17
    assert np.isfinite(norms).all()
    assert max(norms) / min(norms) < 1e4  # neither vanishing nor exploding (380 measured)


def test_a_shortened_vgg_learns(batch):
    z, labels = batch
    layers = [
        Pool(),
        Conv(channels=8, kernel=3),
        Pool(),
        Conv(channels=16, kernel=3),
        Pool(),
        Conv(channels=16, kernel=3),
    ]
    layers += [Pool(), Linear(outputs=32), Linear(outputs=10)]
    network = TTFSNetwork(layers, (32, 32, 3), 10, generator=torch.Generator().manual_seed(0))
    for layer in network.spiking:
        layer.slope_floor = 0.1
    weights = [layer.weight for layer in network.spiking]
    optimizer = torch.optim.Adam(weights, lr=5e-3)
    losses = []
    for _ in range(40):
        loss = spike_time_loss(network(z), labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.7 * losses[0], losses
