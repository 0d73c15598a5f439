"""Equation 5 of paper 004: its terms by hand, its gradients, and what it does with silent and late outputs."""

from __future__ import annotations

import math

import pytest
import torch

from neuronsim.errors import InputError
from neuronsim.training.layer_specs import Conv, Linear
from neuronsim.training.ttfs import spike_time_loss, weight_sum_penalty
from neuronsim.training.ttfs.loss import clip_row_norm, silent_target_shortfall
from neuronsim.training.ttfs.network import TTFSNetwork


def test_equation_5_as_printed():
    """-ln( z_c^-1 / sum_{i != c} z_i^-1 ), the sum without the target."""
    z = torch.tensor([[2.0, 4.0, 8.0], [5.0, 1.5, 3.0]], dtype=torch.float64)
    target = torch.tensor([0, 2])
    first = -math.log((1 / 2) / (1 / 4 + 1 / 8))
    second = -math.log((1 / 3) / (1 / 5 + 1 / 1.5))
    assert spike_time_loss(z, target, name="inverse-z").item() == pytest.approx((first + second) / 2, rel=1e-12)


@pytest.mark.parametrize("name", ["softmax-z", "inverse-z"])
def test_gradients_against_differences(name):
    z = (torch.rand((4, 5), generator=torch.Generator().manual_seed(2), dtype=torch.float64) * 6 + 1).requires_grad_()
    target = torch.tensor([0, 3, 4, 1])
    assert torch.autograd.gradcheck(lambda z: spike_time_loss(z, target, name=name), (z,))


def test_equation_5_pulls_just_as_hard_when_the_answer_is_right():
    """In t = ln z its gradient is +1 for the target and -1 over the others, whatever the margin; softmax-z lets go."""
    for margin in (0.1, 3.0):
        t = torch.tensor([[1.0, 1.0 + margin, 2.0 + margin]], dtype=torch.float64, requires_grad=True)
        spike_time_loss(t.exp(), torch.tensor([0]), name="inverse-z").backward()
        assert t.grad is not None
        assert t.grad[0, 0].item() == pytest.approx(1)
        assert t.grad[0, 1:].sum().item() == pytest.approx(-1)
    z = torch.tensor([[2.0, 60.0, 60.0]], requires_grad=True)
    spike_time_loss(z, torch.tensor([0])).backward()
    assert z.grad is not None
    assert z.grad.abs().max() < 1e-6


def test_late_and_silent_targets():
    late = torch.tensor([[1e6, 4.0]], dtype=torch.float64, requires_grad=True)
    loss = spike_time_loss(late, torch.tensor([0]), name="inverse-z", cap=250)
    loss.backward()
    assert loss.item() == pytest.approx(math.log(1e6 / 4))
    assert late.grad is not None
    assert late.grad[0, 0].item() == pytest.approx(1e-6)
    silent = torch.tensor([[torch.inf, 4.0]], dtype=torch.float64)
    assert spike_time_loss(silent, torch.tensor([0]), name="inverse-z", cap=250).item() == pytest.approx(
        math.log(250 / 4)
    )


def test_shortfall_of_a_silent_target_by_hand():
    z = torch.tensor([[torch.inf, 2.0], [torch.inf, torch.inf], [3.0, torch.inf]])
    potential = torch.tensor([[0.4, 1.5], [-0.5, 0.9], [1.2, 0.0]], requires_grad=True)
    shortfall = silent_target_shortfall(z, potential, torch.tensor([0, 1, 0]))
    assert shortfall.item() == pytest.approx((0.6 + 0.1 + 0) / 3)
    shortfall.backward()
    assert potential.grad is not None
    torch.testing.assert_close(potential.grad, torch.tensor([[-1 / 3, 0], [0, -1 / 3], [0, 0]]))


def test_potential_of_the_output_layer():
    network = TTFSNetwork(
        [Conv(channels=3, kernel=3), Linear(outputs=4)], (4, 4, 1), 4, generator=torch.Generator().manual_seed(0)
    )
    first, last = network.spiking
    first.weight.data[:, 1] = 0.01  # a channel that never fires
    z = torch.rand((2, 4, 4, 1), generator=torch.Generator().manual_seed(1)) * 5 + 1
    kept = []
    out = network.watched(z, lambda neurons, spikes, fired: kept.append((neurons, spikes, fired)))
    torch.testing.assert_close(out, network(z))
    (neurons, spikes, fired) = kept[-1]
    assert neurons.number == 1
    assert fired is out
    potential = neurons.final_potential(spikes)
    spiked = torch.isfinite(first(z)).reshape(2, -1)
    assert not spiked.all()
    expected = torch.stack([last.weight[:-1][row].sum(dim=0) + last.weight[-1] for row in spiked])
    torch.testing.assert_close(potential, expected)


@pytest.mark.parametrize("name", ["softmax-z", "inverse-z"])
def test_a_silent_target_learns_to_fire(name):
    """Without the shortfall its weights have no gradient at all; with it the output fires within a few steps."""
    z = torch.rand((1, 2, 2, 1), generator=torch.Generator().manual_seed(1)) * 5 + 1
    target = torch.tensor([0])
    fired = {}
    for pull in (0.0, 1.0):
        network = TTFSNetwork([Linear(outputs=3)], (2, 2, 1), 3, generator=torch.Generator().manual_seed(0))
        weight = network.spiking[0].weight
        weight.data[:, 0] = 0.05
        for _ in range(20):
            out = network(z)
            potential = network.neurons[0].final_potential(z)
            loss = spike_time_loss(out, target, name=name) + pull * silent_target_shortfall(out, potential, target)
            weight.grad = None
            loss.backward()
            assert weight.grad is not None
            weight.data -= 0.05 * weight.grad
        fired[pull] = bool(torch.isfinite(network(z)[0, 0]))
    assert fired == {0.0: False, 1.0: True}


def test_weight_sum_penalty_over_neurons():
    narrow = torch.tensor([[0.2, 2.0], [0.3, 2.0]])
    wide = torch.tensor([[0.1, 0.4, 0.9, 3.0]])
    by_mean = 0.5 / 2 + (0.9 + 0.6 + 0.1) / 4
    assert weight_sum_penalty([narrow, wide]).item() == pytest.approx(by_mean)
    assert weight_sum_penalty([narrow, wide], reduction="sum").item() == pytest.approx(0.5 + 1.6)
    assert weight_sum_penalty([narrow], beta=3.0).item() == pytest.approx(2.5 / 2)
    with pytest.raises(InputError, match="'mean' or 'sum'"):
        weight_sum_penalty([narrow], reduction="max")  # type: ignore[arg-type]


def test_row_norm_clipping():
    """||G||_F / neurons is limited to 10 for each matrix by itself."""
    large, small = torch.zeros((3, 4), requires_grad=True), torch.zeros((3, 2), requires_grad=True)
    large.grad, small.grad = torch.full((3, 4), 100.0), torch.full((3, 2), 2.0)
    direction = large.grad / large.grad.norm()
    clip_row_norm([large, small], 10.0)
    assert large.grad.norm().item() / 4 == pytest.approx(10, rel=1e-4)
    torch.testing.assert_close(large.grad / large.grad.norm(), direction)
    assert small.grad.tolist() == [[2.0, 2.0]] * 3
