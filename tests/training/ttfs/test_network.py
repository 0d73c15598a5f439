"""Networks with branches, the networks of paper 004 (table 1), and initial weights of deep ones."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from neuronsim.errors import InputError
from neuronsim.training.layer_specs import Conv, Dropout, Inception, Linear, Pool
from neuronsim.training.ttfs import TTFSMaxPool2d, encode
from neuronsim.training.ttfs import initialization as initial
from neuronsim.training.ttfs.chip import Chip, generator_for, run_on_card
from neuronsim.training.ttfs.experiment import load_experiment, shipped_experiments
from neuronsim.training.ttfs.network import TTFSNetwork
from neuronsim.training.ttfs.network_library import DeclaredNetwork, declared_network, declared_networks

BLOCK = Inception(
    branches=(
        (Conv(channels=3, kernel=1),),
        (Conv(channels=4, kernel=1), Conv(channels=5, kernel=3)),
        (Pool(size=3, stride=1), Conv(channels=2, kernel=1)),
    )
)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def branched() -> TTFSNetwork:
    layers = [Conv(channels=4, kernel=3, stride=2), BLOCK, Pool(size=3, stride=2), Dropout(p=0.5), Linear(outputs=6)]
    return TTFSNetwork(layers, (9, 9, 2), 6, generator=seeded()).eval()


def images(*shape: int, seed: int = 1) -> torch.Tensor:
    return encode(torch.rand(shape, generator=seeded(seed)))


def test_a_block_joins_its_branches_along_the_channels():
    network = branched()
    z = images(2, 9, 9, 2)
    first, own, reduce, wide, after_pool, last = network.spiking
    spikes = first(z)
    joined = torch.cat([own(spikes), wide(reduce(spikes)), after_pool(TTFSMaxPool2d(3, 1)(spikes))], dim=3)
    assert joined.shape == (2, 5, 5, 10)
    torch.testing.assert_close(network(z), last(TTFSMaxPool2d(3, 2)(joined)), rtol=0, atol=0)
    assert [stage.number for stage in network.neurons] == list(range(6))
    assert network.depth == 4
    assert [tuple(out.shape[1:]) for out in network.layer_outputs(z)][1:5] == [(5, 5, n) for n in (3, 4, 5, 2)]
    assert network.n_weights == sum(layer.weight.numel() for layer in (first, own, reduce, wide, after_pool, last))


def test_every_weight_of_a_block_gets_its_gradient():
    network = branched()
    out = network(images(4, 9, 9, 2))
    torch.where(torch.isfinite(out), out, 0.0).sum().backward()
    for layer in network.spiking:
        assert layer.weight.grad is not None
        assert (layer.weight.grad != 0).any(dim=0).all()


def test_a_walk_in_time_equals_the_walk_in_z():
    """What run_on_card relies on: pooling and joining are the same for t = ln z; dropout stays out when asked to."""
    network = branched().train()
    z = images(3, 9, 9, 2)
    times = network.run(z.log(), lambda stage, t: stage.module(t.exp()).log(), dropout=False)
    torch.testing.assert_close(times.exp(), network.eval()(z), rtol=1e-5, atol=0)


def test_a_quiet_card_runs_a_branched_network(card):
    """Card neurons without noise, second pole or ramp are those of equation 4, block or not."""
    network = branched()
    z = images(3, 9, 9, 2)
    quiet = card(second_pole_ratio=None, sigma_v=0.0, diffusion_v=0.0)
    chip = Chip.draw(quiet, network, generator_for(1))
    assert len(chip.layers) == 6
    result = run_on_card(network, z, quiet, chip=chip)
    np.testing.assert_allclose(np.exp(result.times), network(z).detach().numpy(), rtol=1e-4)
    assert result.neurons == tuple(3 * stage.n_neurons for stage in network.neurons)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Inception(branches=((Conv(channels=2, kernel=1),), (Pool(size=2),))), Linear(outputs=6)], "same strides"),
        ([Linear(outputs=6), BLOCK], "inception after a linear"),
    ],
)
def test_blocks_that_do_not_fit_are_named(layers, message):
    with pytest.raises(InputError, match=message):
        TTFSNetwork(layers, (8, 8, 1), 6, generator=seeded())


@pytest.mark.parametrize(
    ("size", "stride", "pixels"), [(3, 2, 7), (3, 2, 8), (3, 1, 5), (2, 2, 5), (2, 3, 7), (7, 7, 7)]
)
def test_pooling_takes_the_first_spike_of_each_window(oracle, size, stride, pixels):
    z = images(1, pixels, pixels, 3)
    z[z > 15] = torch.inf
    patches = oracle.same_patches(z[0].numpy(), size, stride).reshape(-1, size * size, 3)
    pool = TTFSMaxPool2d(size, stride)
    got = pool(z)
    assert tuple(got.shape[1:]) == pool.output_shape((pixels, pixels, 3))
    np.testing.assert_array_equal(got[0].reshape(-1, 3).numpy(), patches.min(axis=1))


def count(network: DeclaredNetwork, bias: bool = True) -> int:
    """Weights of a declared network, from its layers alone."""

    def chain(layers, size: int, channels: int) -> tuple[int, int, int]:
        total = 0
        for layer in layers:
            if layer.kind == "inception":
                ends = [chain(branch, size, channels) for branch in layer.branches]
                total += sum(end[0] for end in ends)
                size, channels = ends[0][1], sum(end[2] for end in ends)
            elif layer.kind == "conv":
                total += (layer.kernel**2 * channels + bias) * layer.channels
                size, channels = -(-size // layer.stride), layer.channels
            elif layer.kind == "linear":
                total += (size**2 * channels + bias) * layer.outputs
                size, channels = 1, layer.outputs
            elif layer.kind == "pool":
                size = -(-size // (layer.stride or layer.size))
        return total, size, channels

    return chain(network.layers, network.input_shape[0], network.input_shape[2])[0]


def test_weights_of_the_paper_networks():
    """Paper 004, tables 1 and 2: 21K, 34M, 6.8M."""
    paper = {name: declared_network(name) for name in declared_networks()}
    assert {name: network.paper_weights for name, network in paper.items()} == {
        "mnist": 21e3,
        "spiking_vgg16": 34e6,
        "spiking_googlenet": 6.8e6,
    }
    for network in paper.values():
        assert f"{count(network):,} weights with biases" in network.description
    # 21K holds with biases (21 498) and without (21 440).
    assert (count(paper["mnist"]), count(paper["mnist"], bias=False)) == (21_498, 21_440)
    # Table 1 has 54.3M, 31.2M of them in convolutions: the 34M of table 2 are not those of the layers of table 1.
    vgg = paper["spiking_vgg16"]
    assert count(vgg) == 54_313_802
    assert sum(9 * a * b for a, b in _conv_channels(vgg)) == 31_225_536
    # 34M are those of the original VGG16 (512 channels in the last block, FC(4096) -> FC(4096) -> FC(10)) on 32 x 32 images.
    original = []
    for layer in vgg.layers:
        if layer.kind == "conv":
            layer = layer.model_copy(update={"channels": min(layer.channels, 512)})
        if layer.kind != "linear" or layer.outputs != 512:
            original.append(layer)
    assert count(vgg.model_copy(update={"layers": tuple(original)})) == 33_638_218
    # GoogLeNet has 7.0M weights. Its own paper lists them in units of 1024, rounded, and with a factorized first layer
    # (7 x 1 and 1 x 7): those figures add up to 6.8M.
    assert count(paper["spiking_googlenet"]) == 6_998_552
    szegedy = (2.7, 112, 159, 380, 364, 437, 463, 580, 840, 1072, 1388, 1000)
    assert round(sum(szegedy)) == 6798
    blocks = (count(paper["spiking_googlenet"], bias=False) - 7 * 7 * 3 * 64) / 1024 + 2.7
    assert blocks == pytest.approx(sum(szegedy), rel=0.01)


def _conv_channels(network: DeclaredNetwork) -> list[tuple[int, int]]:
    channels = [network.input_shape[2], *(layer.channels for layer in network.layers if isinstance(layer, Conv))]
    return list(itertools.pairwise(channels))


def test_experiments_use_the_declared_networks():
    for name, network in (("mnist_ttfs", "mnist"), ("fashion_ttfs", "mnist"), ("cifar10_vgg16", "spiking_vgg16")):
        assert name in shipped_experiments()
        assert load_experiment(name).layers == declared_network(network).layers
    built = declared_network("mnist").build(seeded())
    assert built.n_weights == count(declared_network("mnist"))
    with pytest.raises(InputError, match="Did you mean 'spiking_vgg16'"):
        declared_network("spiking_vgg")


def test_an_experiment_names_its_network_or_lists_layers(tmp_path):
    text = (shipped_experiments()["mnist_ttfs"]).read_text(encoding="utf-8")
    assert 'network = "mnist"' in text
    file = tmp_path / "mine.toml"
    file.write_text(text.replace('"mnist"\nbatch', '"spiking_vgg"\nbatch'), encoding="utf-8")
    with pytest.raises(InputError, match="Did you mean 'spiking_vgg16'"):
        load_experiment(file)
    file.write_text(text + '[[layers]]\nkind = "linear"\noutputs = 10\n', encoding="utf-8")
    with pytest.raises(InputError, match="give one of them"):
        load_experiment(file)
    file.write_text('base = "mnist_ttfs"\n[[layers]]\nkind = "linear"\noutputs = 10\n', encoding="utf-8")
    assert len(load_experiment(file).layers) == 1


def test_shallow_networks_keep_their_uniform_weights():
    network = declared_network("mnist").build(seeded(3))
    draw = torch.rand(tuple(network.spiking[0].weight.shape), generator=seeded(3)) * (8 / 26)
    torch.testing.assert_close(network.spiking[0].weight.detach(), draw, rtol=0, atol=0)


def test_delay_of_a_deep_network_is_that_of_three_layers():
    assert initial.weight_sum(2) == initial.weight_sum(3) == 4
    for depth in (4, 17, 22):
        s = initial.weight_sum(depth)
        assert (s / (s - 1)) ** depth == pytest.approx((4 / 3) ** 3)


def deep_layers(width: int) -> list:
    blocks = ((2, 1), (2, 2), (3, 4), (3, 8), (3, 8))
    convs = [layer for n, c in blocks for layer in [*[Conv(channels=c * width, kernel=3)] * n, Pool()]]
    return [*convs, Linear(outputs=128), Linear(outputs=128), Linear(outputs=64), Linear(outputs=10)]


def test_all_seventeen_layers_fire_at_the_start_and_tell_images_apart():
    network = TTFSNetwork(deep_layers(8), (32, 32, 3), 10, generator=seeded())
    assert network.depth == 17
    z = images(6, 32, 32, 3)
    with torch.no_grad():
        outputs = network.layer_outputs(z)
    sums = [layer.weight.sum(dim=0) for layer in network.spiking[13:]]
    for total in sums:  # no padding there
        torch.testing.assert_close(total, torch.full_like(total, initial.weight_sum(17)), rtol=1e-3, atol=1e-3)
    for out in outputs:
        assert torch.isfinite(out).double().mean() > 0.6
        assert out[torch.isfinite(out)].max() < 1e12
    last = outputs[-1].log()
    assert last.max() < np.log(250)  # inside the cap of the loss
    # What is left of t when the mean over classes and the mean over images are taken away decides the class.
    content = last - last.mean(dim=1, keepdim=True)
    assert (content - content.mean(dim=0)).std() > 0.02


@pytest.mark.slow
def test_googlenet_runs_on_one_image():
    declared = declared_network("spiking_googlenet")
    network = declared.build(seeded()).eval()
    assert network.n_weights == count(declared)
    assert (network.depth, len(network.spiking)) == (22, 58)
    with torch.no_grad():
        outputs = network.layer_outputs(images(1, 224, 224, 3))
    assert outputs[-1].shape == (1, 1000)
    assert torch.isfinite(outputs[-1]).double().mean() > 0.9
    assert all(torch.isfinite(out).double().mean() > 0.5 for out in outputs)
