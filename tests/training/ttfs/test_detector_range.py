"""The penalty on phase errors beyond the detector's linear range, against the kernel that follows a folded detector."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neuronsim.training import load_experiment, train
from neuronsim.training.layer_specs import Conv, Linear
from neuronsim.training.ttfs.batches import PlainBatches
from neuronsim.training.ttfs.chip import run_on_card
from neuronsim.training.ttfs.deployed import load_network
from neuronsim.training.ttfs.detector_range import beyond_range, phase_error, random_moments
from neuronsim.training.ttfs.experiment import Experiment
from neuronsim.training.ttfs.network import TTFSNetwork
from neuronsim.training.ttfs.noise_aware import CardNoise
from neuronsim.training.ttfs.trials import decide_times


def experiment(**settings) -> Experiment:
    noise = {"kernel": "ideal", "frozen": False, "temporal": False, **settings}
    return Experiment.model_validate({**load_experiment("digits_quick").model_dump(), "noise_aware": noise})


def network(*layers) -> TTFSNetwork:
    return TTFSNetwork(layers, (5, 6, 2), 3, generator=torch.Generator().manual_seed(0))


def images(n: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    z = torch.exp(3 * torch.rand((n, 5, 6, 2), generator=generator))
    return z.masked_fill(torch.rand(z.shape, generator=generator) < 0.3, torch.inf)


@pytest.mark.parametrize("layer", [Conv(channels=4, kernel=3, stride=2), Conv(channels=4, kernel=4, stride=1)])
def test_phase_error_of_a_convolution_is_the_sum_over_its_events(layer):
    first = network(layer, Linear(outputs=3)).neurons[0]
    z, moment = images(3), torch.tensor([3.0, 7.0, 1.5])
    geometry, weight = first.geometry, first.module.weight.detach()
    error = phase_error(z.reshape(3, -1), weight, moment, bias=True, geometry=geometry)
    pairs = geometry.pairs()
    expected = torch.zeros(3, geometry.positions, 4)
    for image in range(3):
        late = math.log(moment[image])
        expected[image] += weight[-1] * math.exp(-late)
        for pixel in range(30):
            for k in range(pairs.start[pixel], pairs.start[pixel + 1]):
                for channel in range(2):
                    t = math.log(float(z[image].reshape(30, 2)[pixel, channel]))
                    if t <= late:
                        row = weight[pairs.row[k] + channel]
                        expected[image, pairs.position[k]] += row * math.exp(t - late)
    torch.testing.assert_close(error, expected)


def test_moments_are_spikes_of_their_image():
    z = torch.tensor([[2.0, torch.inf, 5.0], [torch.inf] * 3])
    drawn = torch.stack([random_moments(z, torch.Generator().manual_seed(seed)) for seed in range(40)])
    assert set(drawn[:, 0].tolist()) == {2.0, 5.0}
    assert set(drawn[:, 1].tolist()) == {1.0}


def test_only_waiting_neurons_count():
    error = torch.tensor([[[3.0, -5.0, 1.0]]], requires_grad=True)
    excess = beyond_range(error, torch.tensor([[[9.0, torch.inf, torch.inf]]]), torch.tensor([4.0]), 2.0)
    assert excess.item() == pytest.approx((1 + 3 + 0) / 3)
    excess.backward()
    assert error.grad is not None
    torch.testing.assert_close(error.grad, torch.tensor([[[1 / 3, -1 / 3, 0]]]))
    assert beyond_range(error, torch.tensor([[[3.0, 3.0, 3.0]]]), torch.tensor([4.0]), 2.0).item() == 0


def test_no_limit_no_penalty(card):
    assert not CardNoise(card(), experiment(range_penalty=1.0)).penalizes_range
    assert not CardNoise(card(xor_limit_weight=3.0), experiment()).penalizes_range
    assert CardNoise(card(xor_limit_weight=3.0), experiment(range_penalty=1.0)).penalizes_range


def test_digest_is_that_of_before_where_the_penalty_is_not_used():
    assert experiment().digest() == experiment(range_penalty=0.0).digest()
    assert experiment().digest() != experiment(range_penalty=1.0).digest()


def test_a_network_trained_with_the_penalty_stays_in_range(tmp_path, card):
    narrow = card(xor_limit_weight=1.5)
    beyond, right = {}, {}
    for penalty in (0.0, 3.0):
        run = train(experiment(range_penalty=penalty), out=tmp_path / str(penalty), card=narrow, progress=False)
        trained, dataset = load_network(run)
        (z, labels), *_ = PlainBatches(dataset.test, load_experiment(run / "experiment.toml"))
        passed = run_on_card(trained, z, narrow)
        beyond[penalty] = passed.out_of_range / sum(passed.neurons)
        right[penalty] = float(np.mean(decide_times(passed.times) == labels.numpy()))
    assert beyond[0.0] > 0.02
    assert beyond[3.0] < 0.25 * beyond[0.0]
    assert right[3.0] > 0.95
