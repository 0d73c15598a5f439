"""A card in a network: every value counts, frozen and temporal noise stay apart."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from neuronsim.training.layer_specs import Conv, Linear, Pool
from neuronsim.training.ttfs.chip import Chip, generator_for, run_on_card, timing_noise
from neuronsim.training.ttfs.network import TTFSNetwork
from neuronsim.training.ttfs.quantization import quantize

FULL = {
    "second_pole_ratio": 20.0,
    "delay_s": 5e-9,
    "ramp_per_tau": 0.01,
    "xor_limit_weight": 3.0,
    "mismatch_sigma": 0.05,
    "sigma_v": 0.02,
    "diffusion_v": 0.02,
    "floor_s": 5e-10,
    "gain_sigma": 0.03,
    "ramp_sigma_per_tau": 0.01,
    "missing_probability": 0.02,
    "per_spike_j": 4e-12,
    "static_w": 1e-4,
}


@pytest.fixture(scope="module")
def network() -> TTFSNetwork:
    layers = [Conv(channels=6, kernel=3, stride=2), Pool(size=2), Linear(outputs=5)]
    return TTFSNetwork(layers, (8, 8, 1), 5, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def z() -> torch.Tensor:
    return torch.exp(torch.rand((30, 8, 8, 1), generator=torch.Generator().manual_seed(4)) * 3)


def times(network, z, card, chip_seed=0, temporal_seed=1):
    chip = Chip.draw(card, network, generator_for(chip_seed))
    return run_on_card(network, z, card, chip=chip, temporal=generator_for(temporal_seed)).times


def test_quiet_card_equals_the_exact_network(network, z, card):
    quiet = card(second_pole_ratio=None, sigma_v=0.0, diffusion_v=0.0)
    with torch.no_grad():
        exact = network(z).log().numpy()
    for run in (run_on_card(network, z, quiet), run_on_card(network, z, quiet, temporal=generator_for(0))):
        assert np.isfinite(exact).any()
        np.testing.assert_allclose(run.times, exact, rtol=2e-6, atol=2e-6)
    np.testing.assert_array_equal(times(network, z, quiet), run_on_card(network, z, quiet).times)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tau_s", 60e-9),
        ("second_pole_ratio", 10.0),
        ("second_pole_ratio", None),
        ("delay_s", 6e-9),
        ("ramp_per_tau", 0.02),
        ("xor_limit_weight", 1.0),
        ("gain", 1.05),
        ("mismatch_sigma", 0.06),
        ("sigma_v", 0.03),
        ("diffusion_v", 0.03),
        ("floor_s", 6e-9),
        ("gain_sigma", 0.04),
        ("ramp_sigma_per_tau", 0.02),
        ("missing_probability", 0.2),
    ],
)
def test_editing_a_value_changes_the_spikes(network, z, card, field, value):
    assert not np.array_equal(times(network, z, card(**FULL)), times(network, z, card(**{**FULL, field: value})))


def test_delay_adds_up_over_layers(network, z, card):
    calm = {"second_pole_ratio": None, "sigma_v": 0.0, "diffusion_v": 0.0}
    plain = run_on_card(network, z, card(**calm)).times
    late = run_on_card(network, z, card(**calm, delay_s=5e-9)).times
    # The first layer's delay of 0.1 tau moves all inputs of the second but its bias; the second adds its own.
    fired = np.isfinite(plain) & np.isfinite(late)
    assert (late - plain)[fired].min() > 0.1


def test_gain_and_mismatch_act_on_the_quantized_weights(network, z, card):
    network.bits = 3
    try:
        calm = {"second_pole_ratio": None, "sigma_v": 0.0, "diffusion_v": 0.0}
        with_gain = run_on_card(network, z, card(**calm, gain=1.1)).times
        scaled = TTFSNetwork(
            [Conv(channels=6, kernel=3, stride=2), Pool(size=2), Linear(outputs=5)],
            (8, 8, 1),
            5,
            generator=torch.Generator(),
        )
        for own, other in zip(scaled.spiking, network.spiking, strict=True):
            own.weight.data = quantize(other.weight.data, 3) * 1.1
        np.testing.assert_allclose(with_gain, run_on_card(scaled, z, card(**calm)).times, rtol=1e-5, atol=1e-5)
    finally:
        network.bits = None


def test_frozen_and_temporal_draws_are_independent(network, z, card):
    full = card(**FULL)
    first, again, other = (Chip.draw(full, network, generator_for(seed)) for seed in (1, 1, 2))
    for a, b, c in zip(first.layers, again.layers, other.layers, strict=True):
        for name in ("weight_error", "gain_error", "ramp_offset"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
            assert not np.array_equal(getattr(a, name), getattr(c, name))
    before = [layer.weight_error.copy() for layer in first.layers]
    runs = {
        (chip, noise): run_on_card(network, z, full, chip=c, temporal=generator_for(noise)).times
        for chip, c in ((1, first), (2, other))
        for noise in (5, 6)
    }
    for kept, layer in zip(before, first.layers, strict=True):
        np.testing.assert_array_equal(kept, layer.weight_error)
    # Same chip and same noise: the same; either changed: another result.
    np.testing.assert_array_equal(
        runs[1, 5], run_on_card(network, z, full, chip=again, temporal=generator_for(5)).times
    )
    assert not np.array_equal(runs[1, 5], runs[1, 6])
    assert not np.array_equal(runs[1, 5], runs[2, 5])


def test_temporal_noise_does_not_depend_on_frozen_settings(network, z, card):
    # Without frozen spread a drawn chip is the nominal one, whatever its seed, under the same temporal noise.
    calm = card(second_pole_ratio=None)
    expected = run_on_card(network, z, calm, temporal=generator_for(7)).times
    np.testing.assert_array_equal(times(network, z, calm, chip_seed=1, temporal_seed=7), expected)
    np.testing.assert_array_equal(times(network, z, calm, chip_seed=2, temporal_seed=7), expected)


def test_scale_of_the_frozen_draw(network, card):
    chip = Chip.draw(card(**FULL), network, generator_for(3))
    errors = np.concatenate([layer.weight_error.ravel() for layer in chip.layers])
    gains = np.concatenate([layer.gain_error.ravel() for layer in chip.layers])
    assert errors.std() == pytest.approx(0.05, rel=0.05)
    assert gains.std() == pytest.approx(0.03, rel=0.25)
    assert chip.layers[0].weight_error.shape == (16, 10, 6)  # every neuron has its own synapses
    shared = Chip.draw(card(**FULL), network, generator_for(3), synapses="shared")
    assert shared.layers[0].weight_error.shape == (1, 10, 6)


def test_timing_noise_has_the_spread_of_the_card(card):
    noisy = card(sigma_v=0.003, diffusion_v=0.004, floor_s=1e-9)
    n = 40000
    for time, slope in ((0.5, 0.4), (2.0, 1.5)):
        shift = timing_noise(noisy, np.full(n, time), np.full(n, slope), generator_for(9))
        sigma = math.sqrt((0.003**2 + 0.004**2 * time) / slope**2 + (1e-9 / 50e-9) ** 2)
        assert shift.std() == pytest.approx(sigma, rel=0.02)
        assert abs(shift.mean()) < 0.05 * sigma
    assert (timing_noise(noisy, np.full(5, np.inf), np.zeros(5), generator_for(9)) == 0).all()


def test_large_noise_is_a_moved_threshold(oracle):
    """Against the exact neuron whose threshold the same draw moves: one input, w = 1.5, v = 1.5 (1 - e^{-t})."""
    moved = np.array([-0.8, -0.2, 0.1, 0.3, 0.49, 0.6])
    base = oracle.circuit_spikes(np.zeros((1, 1)), np.array([[1.5]]))
    t, slope = base.time.item(), base.slope.item()
    exact = [oracle.circuit_spikes(np.zeros((1, 1)), np.array([[1.5]]), gain=1 / (1 + n)).time.item() for n in moved]

    class Fixed:
        def standard_normal(self, shape):
            return moved if shape == moved.shape else np.zeros(shape)

    from types import SimpleNamespace as Part

    part = Part(
        timing_noise=Part(variance_v=np.ones_like, rest_s=0.0, resolution_s=None),
        kernel=Part(tau_s=Part(value=1.0)),
    )
    shift = timing_noise(part, np.full(6, t), np.full(6, slope), Fixed())  # type: ignore[arg-type]
    np.testing.assert_allclose(t + shift, exact, rtol=1e-9)
    assert np.isinf(exact[-1])


def test_missing_spikes_come_at_their_rate(network, z, card):
    calm = {"second_pole_ratio": None, "sigma_v": 0.0, "diffusion_v": 0.0}
    sure = run_on_card(network, z, card(**calm), temporal=generator_for(1))
    lossy = run_on_card(network, z, card(**calm, missing_probability=0.25), temporal=generator_for(1))
    assert lossy.fired[0] / sure.fired[0] == pytest.approx(0.75, abs=0.03)
    frozen_only = run_on_card(network, z, card(**calm, missing_probability=0.25))
    assert frozen_only.fired == sure.fired
