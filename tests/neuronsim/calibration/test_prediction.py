"""The distribution that a card predicts, and how it is judged."""

from __future__ import annotations

import numpy as np
import pytest

import neuronsim
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.calibration.held_out import coverage
from neuronsim.calibration.prediction import firing_rates, spike_time_interval, spike_times
from neuronsim.errors import InputError
from neuronsim.neuron.kernel import Membrane
from neuronsim.statistics.estimate import Estimate
from neuronsim.statistics.sampling_grid import fit_resolution


def exact(card: TTFSCard, part: str, **values: float) -> TTFSCard:
    """The card with other values in one part."""
    update = {name: Estimate.exact(value) for name, value in values.items()}
    return card.model_copy(update={part: getattr(card, part).model_copy(update=update)})


@pytest.mark.parametrize("period", [0.02, 0.083])
def test_the_sampling_period_is_found_in_the_spike_times(period):
    rng = np.random.default_rng(3)
    times = 0.31 * period + period * np.ceil(rng.exponential(1.2, 120) / period)
    jitter = 0.02 * period * rng.standard_normal(times.size)
    found = fit_resolution((times + jitter) * 50e-9, 50e-9)
    assert found is not None
    assert found.low <= period * 50e-9 <= found.high
    assert found.value == pytest.approx(period * 50e-9, rel=1e-3)


def test_times_without_a_grid_have_no_sampling_period():
    rng = np.random.default_rng(4)
    assert all(fit_resolution(rng.exponential(1.2, n) + 0.1, 1.0) is None for n in (25, 60, 140, 140, 140))
    assert fit_resolution(np.array([0.02, 0.04, np.inf]), 1.0) is None


def test_interval_holds_the_stated_share_of_simulated_runs(circuit):
    made = circuit(sigma_v=0.01, diffusion_v=0.01, phase_noise=(30, 20), missing=0.03)
    card = exact(neuronsim.calibrate(made.dataset(0)), "timing_noise", sigma_v=0.01, diffusion_v=0.01)
    card = card.model_copy(update={"missing_probability": Estimate.exact(0.03)})
    rng = np.random.default_rng(8)
    times, weights = made.stimuli(30, rng)
    low, high = spike_time_interval(card, times, weights, level=0.9)
    quiet = made.fire(times, weights)
    v = np.sqrt(0.01**2 + 0.01**2 * np.where(np.isfinite(quiet), quiet, 0.0) / made.tau)
    noisy = np.stack([made.fire(times, weights, v=v * rng.standard_normal(v.size)) for _ in range(400)])
    noisy = np.where(rng.random(noisy.shape) < 0.03, np.inf, noisy)
    clear = np.isfinite(quiet) & (Membrane(times, weights, quiet, tau=made.tau).slope * made.tau > 0.15)
    share = ((low <= noisy) & (noisy <= high))[:, clear].mean(axis=0)
    assert share.mean() == pytest.approx(0.9, abs=0.01)
    assert np.all(np.abs(share - 0.9) < 0.06)


def test_a_sampled_output_widens_the_interval_to_its_period(circuit):
    card = neuronsim.calibrate(circuit(ratio=200.0).dataset(0))
    times, weights = np.array([0.2, 0.5]) * 50e-9, np.array([0.9, 0.8])
    low, high = spike_time_interval(card, times, weights, temporal=False)
    assert high - low < 1e-12
    noise = card.timing_noise.model_copy(
        update={"resolution_s": Estimate.exact(1e-9), "floor_s": Estimate.exact(1e-9 / np.sqrt(12))}
    )
    low, high = spike_time_interval(card.model_copy(update={"timing_noise": noise}), times, weights, temporal=False)
    assert high - low == pytest.approx(0.9e-9, rel=2e-3)
    assert low < spike_times(card, times, weights) < high
    with pytest.raises(InputError, match="level"):
        spike_time_interval(card, times, weights, level=1.0)


def test_calibrate_holds_noisy_stimuli_out_and_counts_them(circuit):
    made = circuit(sigma_v=0.01, diffusion_v=0.008, phase_noise=(30, 15))
    quality = neuronsim.calibrate(made.dataset(1)).quality
    assert quality.coverage is not None
    assert quality.coverage_of == "noisy"
    assert quality.n_coverage == 9 * 15
    assert quality.coverage.low <= 0.9 <= quality.coverage.high
    assert 0.8 < quality.coverage.value < 0.98
    few = neuronsim.calibrate(circuit(sigma_v=0.01, phase_noise=(6, 20)).dataset(1))
    assert few.quality.coverage_of == "noise_free"
    assert "too few stimuli to hold any out" in few.not_fitted["quality.coverage"]


def test_a_wrong_spread_shows_in_the_coverage(circuit):
    """The interval is judged by runs, not by itself: noise that grows after the fit's stimuli is not covered."""
    from neuronsim.calibration.held_out import covered
    from neuronsim.calibration.stimuli import of_plan

    data = circuit(sigma_v=0.01, phase_noise=(20, 20)).dataset(2)
    card, rows = neuronsim.calibrate(data), of_plan(data, "phase_noise")
    rows = rows[rows.noise_seed >= 0]
    assert covered(card, rows, temporal=True).mean() > 0.85
    assert covered(card.scaled_noise(0.3), rows, temporal=True).mean() < 0.55
    assert covered(card.scaled_noise(3.0), rows, temporal=True).mean() > 0.99


def test_repeats_that_agree_count_less():
    inside = np.array([True] * 90 + [False] * 10)
    alone = coverage(inside, np.arange(100), 0.95)
    together = coverage(inside, np.repeat(np.arange(10), 10), 0.95)
    assert alone.value == pytest.approx(0.9)
    assert together.value == pytest.approx(0.9)
    assert alone.high - alone.low < 0.13
    assert together.high - together.low > 0.25
    assert coverage(np.ones(100, dtype=bool), np.repeat(np.arange(10), 10), 0.95).low < 0.75


def test_sampled_circuit_is_judged_by_half_its_period(circuit):
    """A coarse grid alone must not make a good card miss its targets, and the card says what the grid is."""
    made = circuit(gain=0.97)
    data = made.dataset(5)
    period = 0.05 * made.tau
    data["spike_time_s"].values[:] = np.ceil(data["spike_time_s"].values / period) * period
    card = neuronsim.calibrate(data)
    noise, quality = card.timing_noise, card.quality
    assert noise.resolution_s is not None
    assert noise.resolution_s.value == pytest.approx(period, rel=1e-6)
    assert noise.floor_s.value == pytest.approx(period / np.sqrt(12), rel=0.3)
    assert quality.median_error > 0.005
    assert quality.median_over_target is not None
    assert quality.p95_over_target is not None
    assert quality.median_over_target <= 1
    assert quality.p95_over_target <= 1
    assert quality.coverage is not None
    assert quality.coverage_of == "noise_free"
    assert quality.coverage.low <= 0.9 <= quality.coverage.high


def test_firing_rates_are_those_of_the_card(make_rate):
    card = neuronsim.calibrate(make_rate(rheobase=2e-9, refractory=1e-6))
    assert firing_rates(card, 1e-9) == 0
    assert 1 / firing_rates(card, 1e-7) == pytest.approx(1e-6 + 1e-14 / 2e-9 * -np.log1p(-0.02), rel=1e-3)
    assert card.quality.n_compared is not None
    assert card.quality.spread is not None
