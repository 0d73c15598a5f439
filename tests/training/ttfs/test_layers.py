"""Layers against the oracle on explicit patches, and the authors' published network on MNIST."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from neuronsim.errors import InputError
from neuronsim.training.datasets import catalogue as data
from neuronsim.training.datasets.pixels import as_pixels
from neuronsim.training.layer_specs import Conv, Linear
from neuronsim.training.ttfs import TTFSConv2d, TTFSDropout, TTFSLinear, TTFSMaxPool2d, encode, first_spike
from neuronsim.training.ttfs.geometry import Geometry
from neuronsim.training.ttfs.network import TTFSNetwork


def images(generator: np.random.Generator, *shape: int) -> np.ndarray:
    z = np.exp(np.round(generator.uniform(0, 3, shape), 1))
    z[generator.random(shape) < 0.2] = np.inf
    return z


@pytest.mark.parametrize(
    ("size", "kernel", "stride"), [((7, 6), 3, 1), ((8, 8), 5, 2), ((9, 7), 4, 3), ((5, 5), 1, 2), ((3, 3), 5, 2)]
)
def test_conv_equals_the_oracle_on_patches(oracle, size, kernel, stride):
    generator = np.random.default_rng(11)
    z = images(generator, 3, *size, 2)
    layer = TTFSConv2d(2, 6, kernel, stride).double()
    weight = generator.normal(0.3, 0.6, tuple(layer.weight.shape))
    layer.weight.data = torch.from_numpy(weight)
    got = layer(torch.from_numpy(z)).detach().numpy()
    for image, out in zip(z, got, strict=True):
        patches = oracle.same_patches(image, kernel, stride)
        with_bias = np.concatenate([patches, np.ones((len(patches), 1))], axis=1)
        np.testing.assert_allclose(out.reshape(len(patches), -1), oracle.first_spikes(with_bias, weight), rtol=1e-11)


def test_conv_gradients_equal_dense_layers_on_patches():
    generator = np.random.default_rng(12)
    z = torch.tensor(images(generator, 2, 6, 6, 2), requires_grad=True)
    layer = TTFSConv2d(2, 4, 3, 2).double()
    layer.weight.data = torch.from_numpy(generator.normal(0.3, 0.6, tuple(layer.weight.shape)))
    out = layer(z)
    assert torch.isfinite(out).any()
    factor = torch.from_numpy(generator.normal(size=tuple(out.shape)))
    torch.where(torch.isfinite(out), out.log() * factor, 0.0).nan_to_num().sum().backward()
    padded = torch.nn.functional.pad(
        z.detach(), (0, 0, 0, 1, 0, 1), value=torch.inf
    )  # kernel 3, stride 2, 6 pixels: 0 before, 1 after
    padded.requires_grad_()
    weight = layer.weight.detach().clone().requires_grad_()
    total = torch.zeros((), dtype=torch.float64)
    for y in range(3):
        for x in range(3):
            patch = padded[:, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3].reshape(2, -1)
            spikes = first_spike(torch.cat([patch, torch.ones(2, 1)], dim=1), weight)
            torch.testing.assert_close(spikes, out[:, y, x].detach())
            total = total + torch.where(torch.isfinite(spikes), spikes.log() * factor[:, y, x], 0.0).nan_to_num().sum()
    total.backward()
    assert weight.grad is not None
    assert padded.grad is not None
    assert z.grad is not None
    torch.testing.assert_close(layer.weight.grad, weight.grad)
    torch.testing.assert_close(z.grad, padded.grad[:, :6, :6])


def test_padding_follows_tensorflow():
    assert Geometry(height=28, width=28, channels=1, kernel=(5, 5), stride=2).pad == (1, 1)
    assert Geometry(height=14, width=15, channels=1, kernel=(5, 5), stride=2).pad == (1, 2)
    assert Geometry(height=7, width=7, channels=1, kernel=(3, 3)).pad == (1, 1)
    assert Geometry(height=5, width=5, channels=1, kernel=(1, 1), stride=2).pad == (0, 0)


def test_linear_bias_is_an_input_at_time_zero():
    generator = np.random.default_rng(13)
    z = torch.from_numpy(images(generator, 5, 8))
    layer = TTFSLinear(8, 20).double()
    layer.weight.data = torch.from_numpy(generator.normal(0.2, 0.6, (9, 20)))
    expected = first_spike(torch.cat([z, torch.ones(5, 1)], dim=1), layer.weight)
    torch.testing.assert_close(layer(z), expected, rtol=1e-12, atol=0)


def test_initial_weights_are_uniform_with_sum_four():
    layer = TTFSLinear(799, 200, generator=torch.Generator().manual_seed(0))
    assert layer.weight.min() >= 0
    assert layer.weight.max() <= 8 / 800
    assert layer.weight.sum(0).mean().item() == pytest.approx(4, rel=0.02)


def test_pool_takes_the_first_spike_and_its_gradient():
    z = torch.tensor([[5.0, 2.0, 7.0], [3.0, torch.inf, torch.inf], [torch.inf, torch.inf, torch.inf]]).reshape(
        1, 3, 3, 1
    )
    z.requires_grad_()
    out = TTFSMaxPool2d(2)(z)
    assert out.flatten().tolist() == [2.0, 7.0, float("inf"), float("inf")]
    out[torch.isfinite(out)].sum().backward()
    assert z.grad is not None
    assert z.grad.flatten().tolist() == [0, 1, 1, 0, 0, 0, 0, 0, 0]


def test_dropout_silences_and_only_in_training():
    layer = TTFSDropout(0.3)
    z = torch.full((100, 100), 2.0)
    with pytest.raises(InputError, match="generator"):
        layer(z)
    layer.generator = torch.Generator().manual_seed(1)
    out = layer(z)
    assert set(out.unique().tolist()) == {2.0, float("inf")}
    assert torch.isinf(out).double().mean().item() == pytest.approx(0.3, abs=0.02)
    assert torch.equal(layer.eval()(z), z)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TTFSLinear(0, 3), "at least 1"),
        (lambda: TTFSLinear(3, 2)(torch.ones(1, 4)), "4 inputs"),
        (lambda: TTFSLinear(3, 2)(torch.tensor([[0.5, 1, 1]])), ">= 1"),
        (lambda: TTFSConv2d(2, 2, 3)(torch.ones(1, 4, 4, 3)), "2 channels"),
        (lambda: TTFSMaxPool2d(0), "at least 1"),
        (lambda: TTFSDropout(1.0), "out of range"),
        (
            lambda: TTFSNetwork(
                [Linear(outputs=5), Conv(channels=2, kernel=3)], (4, 4, 1), 5, generator=torch.Generator()
            ),
            "after a linear",
        ),
        (lambda: TTFSNetwork([Linear(outputs=5)], (4, 4, 1), 10, generator=torch.Generator()), "outputs = 10"),
    ],
)
def test_bad_layers_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


def paper_network() -> TTFSNetwork:
    layers = [Conv(channels=32, kernel=5, stride=2), Conv(channels=16, kernel=5, stride=2), Linear(outputs=10)]
    return TTFSNetwork(layers, (28, 28, 1), 10, generator=torch.Generator().manual_seed(0))


def test_the_paper_network_has_21k_weights():
    assert paper_network().n_weights == 832 + 12816 + 7850


@pytest.mark.slow
def test_published_weights():
    """The paper authors' MNIST weights reach 99.40 % with an exact kernel (99.43 measured; the paper says 99.33)."""
    root = os.environ.get("NEURONSIM_DATA")
    folder = Path(root or "") / "tcdsnn-mnist-weights"
    if not root or not folder.is_dir() or not (Path(root) / "mnist").is_dir():
        pytest.skip("set NEURONSIM_DATA to a folder with mnist/ and tcdsnn-mnist-weights/ (weight_scnn1.npy, 2, 3)")
    test = data.load("mnist").test
    network = paper_network()
    for number, layer in enumerate(network.spiking, start=1):
        layer.weight.data = torch.from_numpy(np.load(folder / f"weight_scnn{number}.npy").astype(np.float32))
    right = 0
    with torch.no_grad():
        for start in range(0, len(test), 500):
            part = test.take(np.arange(start, start + 500))
            decided = network(encode(as_pixels(part), alpha=3.0)).argmin(dim=1)
            right += int((decided.numpy() == part.labels).sum())
    assert len(test) == 10_000
    assert right / len(test) >= 0.9940, f"{right} of 10000 right"
