"""Encoding, losses and b-bit weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neuronsim.errors import InputError
from neuronsim.neuron.conductance_bank import ConductanceBank
from neuronsim.training.ttfs import encode, spike_time_loss, weight_sum_penalty
from neuronsim.training.ttfs.quantization import full_scale, quantize


def test_encoding_is_exponential():
    z = encode(torch.tensor([0.0, 0.5, 1.0]), alpha=3.0)
    torch.testing.assert_close(z, torch.tensor([math.exp(3), math.exp(1.5), 1.0]))
    late = encode(torch.tensor([0.0, 0.5, 1.0]), alpha=3.0, bright_first=False)
    torch.testing.assert_close(late, z.flip(0))


def test_input_noise_is_uniform_and_never_before_zero():
    generator = torch.Generator().manual_seed(0)
    pixels = torch.full((20000,), 0.5)
    t = encode(pixels, alpha=3.0, noise=0.05, generator=generator).log() / 3
    shift = 0.5 - t
    assert shift.abs().max() <= 0.05 + 1e-6
    assert shift.std().item() == pytest.approx(0.05 / math.sqrt(3), rel=0.03)
    assert encode(torch.ones(1000), noise=0.05, generator=generator).min() >= 1.0


@pytest.mark.parametrize("change", [{"alpha": 0.0}, {"noise": 0.1}])
def test_encoding_rejects(change):
    with pytest.raises(InputError):
        encode(torch.zeros(2), **change)
    with pytest.raises(InputError, match="pixels"):
        encode(torch.tensor([255.0]))


def test_losses_by_hand():
    z = torch.tensor([[2.0, 4.0, torch.inf]], dtype=torch.float64)
    target = torch.tensor([0])
    softmax = -math.log(math.exp(-2) / (math.exp(-2) + math.exp(-4) + math.exp(-10)))
    assert spike_time_loss(z, target, cap=10).item() == pytest.approx(softmax)
    inverse = -math.log((1 / 2) / (1 / 4 + 1 / 10))
    assert spike_time_loss(z, target, name="inverse-z", cap=10).item() == pytest.approx(inverse)
    with pytest.raises(InputError, match="softmax-z"):
        spike_time_loss(z, target, name="softmax")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="cap"):
        spike_time_loss(z, target, cap=1.0)


def test_loss_pulls_the_target_forward():
    z = torch.tensor([[3.0, 2.0]], requires_grad=True)
    spike_time_loss(z, torch.tensor([0])).backward()
    assert z.grad is not None
    assert z.grad[0, 0] > 0 > z.grad[0, 1]


def test_weight_sum_penalty():
    weight = torch.tensor([[0.2, 2.0], [0.3, 2.0]])
    assert weight_sum_penalty([weight, weight], beta=1.0).item() == pytest.approx(2 * 0.5 / 2)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16, 24])
@pytest.mark.parametrize("scope", ["neuron", "layer"])
def test_quantize_equals_the_conductance_bank(bits, scope):
    generator = np.random.default_rng(bits)
    weight = generator.normal(0.1, 0.5, (60, 12))
    got = quantize(torch.from_numpy(weight), bits, scope=scope).numpy()
    for column in range(12):
        part = weight[:, column] if scope == "neuron" else weight
        bank = ConductanceBank(bits=bits, w_max=float(np.abs(part).max()))
        np.testing.assert_allclose(got[:, column], bank.quantize(weight[:, column]), rtol=1e-12)
    single = quantize(torch.from_numpy(weight.astype(np.float32)), bits, scope=scope)
    assert single.dtype == torch.float32
    assert all(len(single[:, column].unique()) <= 2**bits for column in range(12))


def test_quantize_breaks_ties_like_the_bank():
    levels = ConductanceBank(bits=3, w_max=1.0).levels()
    ties = np.concatenate([(levels[:-1] + levels[1:]) / 2, [1.0, -1.0]])
    got = quantize(torch.from_numpy(ties[:, None]), 3)[:, 0].numpy()
    np.testing.assert_array_equal(got, ConductanceBank(bits=3, w_max=1.0).quantize(ties))


def test_gradient_passes_straight_through_inside_the_full_scale():
    weight = torch.tensor([[0.2, -3.0], *[[0.2, 0.1]] * 15], requires_grad=True)
    quantize(weight, 2, scope="neuron-rms").sum().backward()
    assert weight.grad is not None
    assert weight.grad.tolist() == [[1, 0], *[[1, 1]] * 15]
    assert quantize(weight, None) is weight


def test_full_scale_by_rms_clips_a_single_large_weight():
    weight = torch.cat([torch.full((15, 2), 0.1), torch.tensor([[-4.0, 0.1]])])
    rms = np.sqrt((15 * 0.01 + 16) / 16)
    found = full_scale(weight, "neuron-rms", 2)
    np.testing.assert_allclose(found.numpy(), [[1.4936 * rms, 0.1]], rtol=1e-3)  # not beyond the largest weight
    assert quantize(weight, 2, scope="neuron-rms")[-1, 0].item() == pytest.approx(-float(found[0, 0]))
    assert full_scale(weight, "neuron-rms", 32).tolist() == full_scale(weight).tolist()


def test_full_scale_and_errors():
    weight = torch.tensor([[0.2, -3.0], [0.9, 0.4]])
    assert full_scale(weight).tolist() == [[pytest.approx(0.9), 3.0]]
    assert full_scale(weight, "layer").item() == 3.0
    with pytest.raises(InputError, match="bits = 33"):
        quantize(weight, 33)
    with pytest.raises(InputError, match="one of neuron, layer"):
        full_scale(weight, "chip")  # type: ignore[arg-type]
