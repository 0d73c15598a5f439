"""Training through a card: with a second pole at 20/tau and a ramp of 5 % per tau, with and without noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuronsim.errors import InputError
from neuronsim.training import load_experiment, train
from neuronsim.training.datasets.catalogue import load
from neuronsim.training.ttfs.batches import PlainBatches
from neuronsim.training.ttfs.chip import Chip, generator_for, run_on_card
from neuronsim.training.ttfs.deployed import load_network
from neuronsim.training.ttfs.experiment import Experiment
from neuronsim.training.ttfs.noise_aware import CardNoise
from neuronsim.training.ttfs.run_folder import make_network
from neuronsim.training.ttfs.trials import decide_times

SLOW_LOOP = {"second_pole_ratio": 20.0, "ramp_per_tau": 0.05, "sigma_v": 0.0, "diffusion_v": 0.0}


def experiment(**settings) -> Experiment:
    return Experiment.model_validate({**load_experiment("digits_quick").model_dump(), "noise_aware": settings})


def on_card(run, card):
    network, dataset = load_network(run)
    batches = list(PlainBatches(dataset.test, load_experiment(run / "experiment.toml")))
    right = [decide_times(run_on_card(network, z, card).times) == labels.numpy() for z, labels in batches]
    return float(np.concatenate(right).mean())


def test_training_through_a_slow_loop_learns_and_beats_ideal_training_on_it(tmp_path, card):
    slow = card(**SLOW_LOOP, xor_limit_weight=20.0, gain=0.8)
    runs = {
        kernel: train(
            experiment(kernel=kernel, frozen=False, temporal=False),
            out=tmp_path / kernel,
            card=slow,
            progress=False,
        )
        for kernel in ("card", "ideal")
    }
    accuracy = {kernel: on_card(run, slow) for kernel, run in runs.items()}
    assert accuracy["card"] > 0.9
    assert accuracy["card"] > accuracy["ideal"]


@pytest.mark.parametrize("synapses", ["shared", "unrolled"])
def test_a_batch_of_training_is_a_batch_of_evaluation(card, synapses):
    noisy = card(**SLOW_LOOP, mismatch_sigma=0.1, gain_sigma=0.05, ramp_sigma_per_tau=0.01, delay_s=5e-9)
    settings = experiment(temporal=False, synapses=synapses)
    dataset = load("digits")
    network = make_network(settings, dataset.shape, dataset.n_classes)
    z = torch.exp(torch.rand((20, *dataset.shape), generator=torch.Generator().manual_seed(1)) * 3)
    noise = CardNoise(noisy, settings)
    noise.install(network, 2, 7)
    chip = Chip.draw(noisy, network, generator_for(settings.seed, 11, 2, 7), synapses=synapses)
    out = network(z).detach()
    for layer in network.spiking:
        layer.transform = network.deployed
    np.testing.assert_array_equal(out.log().numpy(), run_on_card(network, z, noisy, chip=chip).times)
    noise.install_nominal(network)
    np.testing.assert_array_equal(network(z).detach().log().numpy(), run_on_card(network, z, noisy).times)
    noise.install(network, 2, 8)
    assert not torch.equal(network(z), out)


def test_frozen_and_temporal_noise_are_switched_separately(card):
    noisy = card(mismatch_sigma=0.1)
    dataset = load("digits")
    z = torch.exp(torch.rand((20, *dataset.shape), generator=torch.Generator().manual_seed(1)) * 3)
    outs = {}
    for frozen in (False, True):
        for temporal in (False, True):
            settings = experiment(frozen=frozen, temporal=temporal)
            network = make_network(settings, dataset.shape, dataset.n_classes)
            draws = []
            for batch in (0, 1):
                CardNoise(noisy, settings).install(network, 0, batch)
                draws.append(network(z).detach())
            assert torch.equal(*draws) == (not frozen and not temporal)
            outs[frozen, temporal] = draws[0]
    assert not torch.equal(outs[True, False], outs[True, True])


def test_unrolled_synapses_need_the_kernel_of_the_card():
    with pytest.raises((InputError, ValueError), match="unrolled"):
        experiment(kernel="ideal", synapses="unrolled")
