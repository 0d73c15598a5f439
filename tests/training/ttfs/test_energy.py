"""Spikes, synaptic events and energy per inference, against counts by hand and a network of known spikes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuronsim.papers import paper004
from neuronsim.training.layer_specs import Conv, Linear, Pool
from neuronsim.training.ttfs.energy import (
    LEAST_WINDOW_TAU,
    activity,
    card_energy,
    clock_window,
    waiting,
)
from neuronsim.training.ttfs.geometry import Geometry
from neuronsim.training.ttfs.network import TTFSNetwork


@pytest.mark.parametrize(
    ("height", "width", "kernel", "stride"), [(7, 5, 3, 1), (28, 28, 5, 2), (6, 9, 4, 3), (1, 1, 3, 1)]
)
def test_fan_out_counts_the_patches_that_hold_an_input(height, width, kernel, stride):
    geometry = Geometry(height=height, width=width, channels=2, kernel=(kernel, kernel), stride=stride)
    expected = np.zeros((height, width), dtype=int)
    for out, reached in ((geometry.out_height, height), (geometry.out_width, width)):
        assert out == -(-reached // stride)
    top = max((geometry.out_height - 1) * stride + kernel - height, 0) // 2
    left = max((geometry.out_width - 1) * stride + kernel - width, 0) // 2
    for row in range(geometry.out_height):
        for column in range(geometry.out_width):
            y, x = row * stride - top, column * stride - left
            expected[max(y, 0) : max(y + kernel, 0), max(x, 0) : max(x + kernel, 0)] += 1
    assert geometry.fan_out().reshape(height, width, 2)[..., 0].tolist() == expected.tolist()
    assert geometry.fan_out().reshape(height, width, 2)[..., 1].tolist() == expected.tolist()


def test_activity_of_a_small_network_is_the_count_by_hand():
    network = TTFSNetwork(
        [Conv(channels=2, kernel=1), Pool(size=2), Linear(outputs=3)], (2, 2, 1), 3, generator=torch.Generator()
    )
    first, last = network.spiking
    with torch.no_grad():
        # Channel 0 fires ln 2 after its input (z = 2 z_in), the bias without effect; channel 1 never.
        first.weight.copy_(torch.tensor([[2.0, 0.5], [0.0, 0.0]]))
        # One class fires at z = 2 z_in of the pooled spike, one later at z = 4/3 * 2, one never.
        last.weight.copy_(torch.tensor([[2.0, 4.0, 0.1], [2.0, 4.0, 0.1], [0.0, 0.0, 0.0]]))
    z = torch.tensor([1.0, 2.0, 3.0, torch.inf]).reshape(1, 2, 2, 1)
    found = activity(network, [(z, torch.tensor([0])), (z, torch.tensor([1]))])
    assert found.n_images == 2
    assert found.n_neurons == 4 * 2 + 3
    assert found.input_spikes == 3
    assert found.spikes == 3 + 2
    assert found.sparsity == [3 / 8, 2 / 3]
    assert found.mean_sparsity == pytest.approx(5 / 11)
    # Inputs: 3 spikes to 2 neurons each; biases: 4 positions x 2 and 3; pooling hands 1 spike to 3 neurons.
    assert found.synaptic_events == 3 * 2 + 4 * 2 + 1 * 3 + 3
    # z of the first layer: 2, 4, 6; of the classes: 2 * 2 = 4 and 2 * 4/3. By z = 8/3: the spike at 2 and the class itself.
    assert found.decision_tau == pytest.approx(np.log(8 / 3), abs=1e-6)
    assert found.spikes_by_decision == 2


def test_silent_images_wait_for_the_slowest():
    assert waiting(np.array([1.0, 3.0, np.inf])) == (pytest.approx(7 / 3), 3.0)
    assert waiting(np.array([np.inf, np.inf])) == (0.0, 0.0)
    assert clock_window(2.0) == LEAST_WINDOW_TAU
    assert clock_window(7.5) == 7.5


def test_card_energy_is_spikes_and_static_power(card):
    found = card_energy(card(per_spike_j=4e-12, static_w=1e-6, tau_s=50e-9), spikes=100, neurons=20, window_tau=3)
    assert found == (pytest.approx(4e-10), pytest.approx(1e-6 * 20 * 150e-9))
    assert card_energy(card(), spikes=100, neurons=20, window_tau=3) is None


def test_the_weight_rule_is_behind_the_figure_of_the_paper():
    # 26 x 32 + 801 x 16 + 785 x 10 weights and the paper's sparsity of 0.94.
    ours = 21498 * 0.94 * paper004.SPIKE_J
    assert ours == pytest.approx(paper004.MNIST_INFERENCE_J, rel=0.02)
