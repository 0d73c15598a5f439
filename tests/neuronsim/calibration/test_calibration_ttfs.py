"""calibrate on synthetic TTFS circuits: it finds what they were made of, says how well, and refuses what it cannot know."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

import neuronsim
from neuronsim.artifacts import dataset as schema
from neuronsim.artifacts.card_base import ModelCard
from neuronsim.artifacts.ttfs_card import TTFSCard
from neuronsim.calibration.energy_fit import fit_energy, lost_field
from neuronsim.calibration.held_out import split
from neuronsim.calibration.kernel_fit import fit_kernel
from neuronsim.calibration.kernel_problem import KernelProblem
from neuronsim.calibration.kernel_solution import solve_with_errors
from neuronsim.calibration.stimuli import nominal, of_plan
from neuronsim.errors import DataError, InputError
from neuronsim.neuron.event_solver import first_crossing
from neuronsim.neuron.kernel import Membrane
from neuronsim.statistics.bootstrap import multiplicities


def card_of(circuit, seed=0, **options) -> TTFSCard:
    card = neuronsim.calibrate(circuit.dataset(seed), **options)
    assert isinstance(card, TTFSCard)
    return card


def truths(circuit, card):
    """(name in the card, true value, estimate) of everything the card claims to have fitted."""
    pairs = {
        "kernel.tau_s": (circuit.tau, card.kernel.tau_s),
        "kernel.delay_s": (circuit.delay, card.kernel.delay_s),
        "kernel.ramp_per_tau": (circuit.ramp, card.kernel.ramp_per_tau),
        "weights.gain": (circuit.gain, card.weights.gain),
        "timing_noise.sigma_v": (circuit.sigma_v, card.timing_noise.sigma_v),
        "timing_noise.diffusion_v": (circuit.diffusion_v, card.timing_noise.diffusion_v),
        "frozen.gain_sigma": (circuit.gain_sigma, card.frozen.gain_sigma),
        "frozen.ramp_sigma_per_tau": (circuit.ramp_sigma, card.frozen.ramp_sigma_per_tau),
        "weights.mismatch_sigma": (circuit.weight_sigma, card.weights.mismatch_sigma),
    }
    if card.kernel.second_pole_ratio is not None:
        pairs["kernel.second_pole_ratio"] = (circuit.ratio or np.inf, card.kernel.second_pole_ratio)
    return [(name, *pair) for name, pair in pairs.items() if name not in card.not_fitted]


@pytest.mark.slow
def test_intervals_contain_the_truth_in_at_least_90_of_100_circuits(circuit):
    hits, claims = Counter(), Counter()
    for k in range(100):
        rng = np.random.default_rng(k)
        log = lambda low, high, rng=rng: 10 ** rng.uniform(np.log10(low), np.log10(high))  # noqa: E731
        tau = log(1e-9, 1e-6)
        made = circuit(
            tau=tau,
            gain=rng.uniform(0.8, 1.2),
            ramp=rng.uniform(-0.03, 0.05),
            delay=tau * rng.uniform(-0.02, 0.05),
            ratio=[None, 200.0, 20.0, 8.0][k % 4],
            fit_noise=log(1e-5, 3e-3),
            sigma_v=log(1e-3, 2e-2),
            diffusion_v=log(1e-3, 2e-2),
            gain_sigma=log(1e-3, 3e-2),
            ramp_sigma=log(1e-3, 3e-2),
            weight_sigma=log(1e-3, 3e-2),
            phase_noise=(20, 15),
            mismatch=(24, 8),
        )
        for name, true, estimate in truths(made, card_of(made, seed=k)):
            claims[name] += 1
            hits[name] += estimate.low <= true <= estimate.high
    assert claims["kernel.tau_s"] == claims["weights.gain"] == 100
    assert claims["kernel.second_pole_ratio"] >= 20
    shares = {name: hits[name] / claims[name] for name in claims}
    assert all(share >= 0.9 for share in shares.values()), shares


def test_noise_free_second_order_circuit_is_recovered(circuit):
    made = circuit(ratio=200.0, gain=0.93, ramp=0.01, delay=2e-10)
    card = card_of(made)
    assert card.quality.median_error <= 1e-3  # the goal; what is reached is the solver's rounding
    assert card.quality.median_error <= 1e-9
    assert card.quality.spike_agreement == 1.0
    assert card.kernel.second_pole_ratio is not None
    assert card.kernel.second_pole_ratio.value == pytest.approx(200, rel=1e-3)
    for name, true, estimate in truths(made, card):
        assert estimate.value == pytest.approx(true, rel=1e-3, abs=1e-12), name


def test_a_card_predicts_the_spread_of_noisy_spike_times(circuit):
    made = circuit(sigma_v=0.01, diffusion_v=0.008, phase_noise=(25, 40), fit_noise=1e-3)
    card = card_of(made)
    rng = np.random.default_rng(99)
    times, weights = made.stimuli(40, rng)
    quiet = made.fire(times, weights)
    clear = np.isfinite(quiet) & (Membrane(times, weights, quiet, tau=made.tau).slope * made.tau > 0.2)
    times, weights, quiet = times[clear], weights[clear], quiet[clear]
    v = np.sqrt(made.sigma_v**2 + made.diffusion_v**2 * quiet / made.tau)
    noisy = np.stack([made.fire(times, weights, v=v * rng.standard_normal(v.size)) for _ in range(400)])
    noise = card.timing_noise
    rate = Membrane(
        times,
        weights,
        quiet,
        tau=card.kernel.tau_s.value,
        gain=card.weights.gain.value,
        ramp=card.kernel.ramp_per_tau.value,
    ).slope
    predicted = np.sqrt(noise.sigma_v.value**2 + noise.diffusion_v.value**2 * quiet / made.tau) / rate
    ratio = predicted / noisy.std(axis=0)
    assert abs(np.median(ratio) - 1) < 0.1
    assert np.all(np.abs(ratio - 1) < 0.35)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("loop_v", [0.02, 0.2])
def test_noise_inside_the_loop_is_found_even_where_it_silences_the_neuron(circuit, loop_v, seed):
    """At 0.2 a part of the repeats never fires: left out, they would make the noise look smaller."""
    made = circuit(loop_v=loop_v, phase_noise=(24, 30), window=2.6, fit_noise=1e-3)
    data = made.dataset(seed)
    card = neuronsim.calibrate(data)
    noisy = data["spike_time_s"].values[data["noise_seed"].values >= 0]
    assert np.isinf(noisy).mean() > (0.1 if loop_v > 0.1 else -1)
    found = card.timing_noise.loop_v
    assert found is not None
    assert found.low <= loop_v <= found.high
    assert found.value == pytest.approx(loop_v, rel=0.12)
    assert card.timing_noise.diffusion_v.value == 0.0
    late = np.array([0.0, 1.0, 4.0])
    assert card.timing_noise.sigma_v.value == 0.0
    law = found.value**2 * (late - 1 + np.exp(-late))
    np.testing.assert_allclose(card.timing_noise.variance_v(late), law, atol=1e-12)
    ratio = card.quality.sigma_over_predicted
    assert ratio is not None
    assert ratio.low < 1.1
    assert ratio.high > 0.9
    assert ratio.high - ratio.low < 0.5


def test_missing_spikes_are_counted_with_a_wilson_interval(circuit):
    made = circuit(missing=0.08, sigma_v=0.005, phase_noise=(20, 20))
    estimate = card_of(made).missing_probability
    assert estimate.low <= 0.08 <= estimate.high
    assert 0.0 < estimate.low < estimate.value < estimate.high < 0.2
    assert card_of(circuit(sigma_v=0.005, phase_noise=(20, 20))).missing_probability.value == 0.0


@pytest.mark.parametrize("limit", [3.2, 4.5])
def test_detector_limit_is_found_where_runs_leave_it(circuit, limit):
    made = circuit(limit=limit, ratio=50.0, saturation=40, fit_noise=0.0)
    found = card_of(made).kernel.xor_limit_weight
    assert found is not None
    assert found.value == pytest.approx(limit, rel=0.01)
    assert found.low <= limit * 1.001
    assert found.high >= limit * 0.999


def test_detector_limit_is_not_claimed_inside_the_range(circuit):
    card = card_of(circuit(limit=50.0, saturation=40, fit_noise=1e-4))
    assert card.kernel.xor_limit_weight is None
    assert "linear range" in card.not_fitted["kernel.xor_limit_weight"]


def test_absent_plans_stay_neutral_and_are_named(circuit):
    card = card_of(circuit())
    for plan, fields in {
        "phase_noise": ("timing_noise.sigma_v", "timing_noise.diffusion_v", "missing_probability"),
        "mismatch": ("frozen.gain_sigma", "frozen.ramp_sigma_per_tau", "weights.mismatch_sigma"),
        "saturation": ("kernel.xor_limit_weight",),
    }.items():
        for field in fields:
            assert card.not_fitted[field] == f"plan '{plan}' is not in the dataset: characterize with --plan {plan}"
    assert "energy_j" in card.not_fitted["energy"]
    assert card.timing_noise.sigma_v.high == card.frozen.gain_sigma.high == 0.0
    assert card.energy is None


def test_too_small_optional_plans_are_reported_not_fatal(circuit):
    card = card_of(circuit(phase_noise=(3, 4), mismatch=(4, 8), sigma_v=0.01, gain_sigma=0.01))
    assert "at least 30 spikes in 5 trials" in card.not_fitted["timing_noise.sigma_v"]
    assert "at least 8 chips" in card.not_fitted["frozen.gain_sigma"]


def test_second_pole_is_not_claimed_under_noise_but_the_intervals_allow_for_it(circuit):
    made = circuit(ratio=8.0, fit_noise=0.02, transfer=40)
    card = card_of(made, seed=3)
    assert card.kernel.second_pole_ratio is None
    assert "not resolved" in card.not_fitted["kernel.second_pole_ratio"]
    # A second pole acts like a delay of kappa tau = 0.02 tau; the interval has to cover the true delay, 0.
    delay = card.kernel.delay_s
    assert delay.low <= 0.0 <= delay.high


def test_unresolvable_ramp_and_delay_stay_at_zero(circuit):
    made = circuit(fit_noise=0.04, transfer=30, ramp=0.02)
    card = card_of(made, seed=1)
    assert card.kernel.ramp_per_tau.value == 0.0 or card.kernel.delay_s.value == 0.0
    dropped = [name for name in ("kernel.ramp_per_tau", "kernel.delay_s") if name in card.not_fitted]
    assert dropped
    assert "kept at 0" in card.not_fitted[dropped[0]]
    # Honest about it: the interval says what the data would have allowed, and the others keep their coverage.
    assert card.kernel.ramp_per_tau.low <= 0.02 <= card.kernel.ramp_per_tau.high
    assert card.kernel.tau_s.low <= made.tau <= card.kernel.tau_s.high
    assert card.weights.gain.low <= made.gain <= card.weights.gain.high


def test_one_step_bootstrap_equals_full_refits(circuit):
    made = circuit(fit_noise=0.005, gain=1.1, ramp=0.02, delay=1e-9)
    rows = nominal(of_plan(made.dataset(5), "transfer"))
    rows = rows[rows.fired]
    fit = fit_kernel(rows, tau_guess=None, seed=0)
    start, free = np.array([0.0, 1.1, 0.02, 0.02, 0.0]), [0, 1, 2, 3]
    assert solve_with_errors(KernelProblem(rows, made.tau), start, free, 0, 0.95).x[1] == pytest.approx(
        fit.gain, rel=1e-5
    )
    refits = []
    for m in multiplicities(len(rows), np.random.default_rng(1), resamples=80):
        drawn = rows[np.repeat(np.arange(len(rows)), m.astype(int))]
        refits.append(solve_with_errors(KernelProblem(drawn, made.tau), start, free, 0, 0.95).x)
    spread = np.std(refits, axis=0)
    assert (fit.estimates["gain"].high - fit.gain) == pytest.approx(1.98 * spread[1], rel=0.25)
    tau = fit.estimates["tau_s"]
    assert np.log(tau.high / tau.value) == pytest.approx(1.98 * spread[0], rel=0.25)


def test_outliers_do_not_move_the_fit(circuit):
    made = circuit(fit_noise=1e-4, gain=0.9)
    data = made.dataset(0)
    fired = np.flatnonzero(np.isfinite(data["spike_time_s"].values))[::12]
    data["spike_time_s"].values[fired] *= 1.5
    card = neuronsim.calibrate(data)
    assert isinstance(card, TTFSCard)
    assert card.weights.gain.value == pytest.approx(0.9, abs=2e-3)


def test_same_seed_same_card_and_other_seed_other_split(circuit):
    data = circuit(fit_noise=1e-3).dataset(0)
    first, again, other = (neuronsim.calibrate(data, seed=s) for s in (0, 0, 1))
    assert first == again
    assert first.quality != other.quality
    assert other.provenance.calibration["seed"] == 1


def test_split_is_stratified_and_never_shares_a_stimulus(circuit):
    rows = nominal(of_plan(circuit(transfer=200, high_weight=0.8).dataset(0), "transfer"))
    fit, held = split(rows, 0.3, np.random.default_rng(0))
    assert len(fit) + len(held) == len(rows)
    assert not set(fit.trial) & set(held.trial)
    assert len(held) == pytest.approx(0.3 * len(rows), abs=1)
    for n in np.unique(rows.inputs):
        assert (held.inputs == n).sum() == pytest.approx(0.3 * (rows.inputs == n).sum(), abs=2)


def test_held_out_runs_do_not_enter_the_fit(circuit):
    data = circuit(fit_noise=1e-4).dataset(0)
    rows = nominal(of_plan(data, "transfer"))
    _, held = split(rows, 0.3, np.random.default_rng(0))
    before = neuronsim.calibrate(data)
    chosen = np.isin(data["trial"].values, held.trial)
    data["spike_time_s"].values[chosen] *= 1.02
    after = neuronsim.calibrate(data)
    assert isinstance(before, TTFSCard)
    assert isinstance(after, TTFSCard)
    assert after.kernel == before.kernel
    assert after.quality.median_error == pytest.approx(0.02, rel=0.1)


def test_quality_is_what_the_card_itself_predicts(circuit):
    made = circuit(fit_noise=0.01, ratio=20.0)
    data = made.dataset(4)
    card = neuronsim.calibrate(data)
    assert isinstance(card, TTFSCard)
    _, held = split(nominal(of_plan(data, "transfer")), 0.3, np.random.default_rng(0))
    ratio = card.kernel.second_pole_ratio
    predicted = first_crossing(
        held.times,
        held.weights,
        tau=card.kernel.tau_s.value,
        second_pole_ratio=ratio.value if ratio else None,
        ramp=card.kernel.ramp_per_tau.value,
        gain=card.weights.gain.value,
        delay=card.kernel.delay_s.value,
    )
    both = held.fired & (predicted <= held.window)
    error = np.abs(predicted[both] / held.out[both] - 1)
    assert card.quality.median_error == pytest.approx(np.median(error))
    assert card.quality.n_held_out == len(held)


def test_path_and_memory_give_the_same_numbers_and_the_file_is_named(circuit, tmp_path):
    data = circuit(fit_noise=1e-3).dataset(0)
    path = schema.Characterization(data).save(tmp_path / "set.nc")
    out = tmp_path / "card.json"
    by_path, by_memory = neuronsim.calibrate(path, out=out), neuronsim.calibrate(data)
    assert isinstance(by_path, TTFSCard)
    assert isinstance(by_memory, TTFSCard)
    assert by_path.kernel == by_memory.kernel
    assert by_path.provenance == by_memory.provenance
    assert by_path.provenance.dataset_digest == schema.Characterization.load(path).digest
    assert by_path.provenance.engine == "synthetic"
    assert by_path.provenance.parameters["tau"] == pytest.approx(6.5e-8)
    assert ModelCard.load(out) == by_path


def test_energy_per_spike_and_static_power_are_told_apart(circuit):
    data = circuit().dataset(0)
    fired = np.isfinite(data["spike_time_s"].values)
    data["spike_time_s"].values[:30] = np.inf
    fired[:30] = False
    data["energy_j"].values[:] = 2e-12 * fired + 1e-6 * data["window_s"].values
    card = neuronsim.calibrate(data)
    assert isinstance(card, TTFSCard)
    assert card.energy is not None
    assert card.energy.per_spike_j.value == pytest.approx(2e-12, rel=1e-6)
    assert card.energy.static_w.value == pytest.approx(1e-6, rel=1e-6)


def test_energy_that_cannot_be_split_is_given_whole_with_the_reason():
    """An always-on circuit with two silent runs in 23: a resample without them cannot tell spikes from power."""
    rng = np.random.default_rng(0)
    window, fired = np.full(23, 145e-9), np.arange(23) >= 2
    energy, reason = fit_energy(
        1e-4 * window * (1 + 0.003 * rng.standard_normal(23)), fired.astype(float), window, seed=0
    )
    assert energy is not None
    assert energy.static_w.value == pytest.approx(1e-4, rel=2e-3)
    assert energy.static_w.high - energy.static_w.low < 1e-6
    assert energy.per_spike_j.value == 0
    assert lost_field(energy) == "energy.per_spike_j"
    assert "too few runs differ" in reason


def test_energy_per_spike_at_its_bound_is_named():
    """Spikes and windows vary well, but a spike costs nothing that can be seen beside the static power."""
    rng = np.random.default_rng(1)
    window, spikes = rng.uniform(1e-6, 1e-5, 40), rng.integers(0, 30, 40).astype(float)
    drawn = 1e-4 * window - 1e-14 * spikes  # so that the best energy per spike would be negative
    energy, reason = fit_energy(drawn * (1 + 1e-4 * rng.standard_normal(40)), spikes, window, seed=0)
    assert energy is not None
    assert energy.per_spike_j.value == 0
    assert lost_field(energy) == "energy.per_spike_j"
    assert "bound 0" in reason
    assert fit_energy(1e-4 * window + 1e-12 * spikes, spikes, window, seed=0)[1] == ""


def all_failed(data):
    data["status"].values[:] = "failed"
    data["reason"].values[:] = "timeout"
    data["spike_time_s"].values[:] = np.nan
    return data


def silent(data):
    data["spike_time_s"].values[:] = np.inf
    return data


def mixed_circuits(data):
    data["parameter_tau"].values[::2] *= 2
    return data


def one_stimulus(data):
    for name in ("input_time_s", "weight"):
        data[name].values[:] = data[name].values[0]
    data["spike_time_s"].values[:] = data["spike_time_s"].values[0]
    return data


def other_plan(data):
    data["plan"].values[:] = "jitter"
    return data


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (all_failed, "all 150 runs of the dataset failed.*150x.*timeout"),
        (silent, "silent in all 150 runs"),
        (lambda data: data.isel(run=slice(0, 12)), r"12 usable spikes .*at least 20 are needed"),
        (mixed_circuits, "different values of parameter_tau, from 5e-08 to 1e-07"),
        (one_stimulus, "same spike time .* no spread"),
        (other_plan, "plan 'transfer' is not in the dataset"),
        (lambda data: data.isel(run=slice(0, 0)), "no runs"),
        (lambda data: data.drop_vars("weight"), "variable 'weight' is missing"),
    ],
)
def test_refusals_say_what_and_what_to_do(circuit, spoil, words):
    data = circuit(ratio=20.0).dataset(0)
    with pytest.raises(DataError, match=words):
        neuronsim.calibrate(spoil(data))


def test_a_parameter_the_data_leave_open_is_refused(circuit):
    # Only one input each, of the same weight: every run is the same curve shifted, so tau and gain cannot be told apart.
    made = circuit(fit_noise=1e-3)
    data = made.dataset(0)
    rng = np.random.default_rng(0)
    times = np.full_like(data["input_time_s"].values, np.inf)
    times[:, 0] = rng.uniform(0, 2, len(times)) * made.tau
    weights = np.zeros_like(times)
    weights[:, 0] = 1.6
    data["input_time_s"].values[:], data["weight"].values[:] = times, weights
    data["spike_time_s"].values[:] = made.fire(times, weights, v=1e-3 * rng.standard_normal(len(times)))
    with pytest.raises(DataError, match=r"cannot be fitted: \d+ fired runs leave it open"):
        neuronsim.calibrate(data)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"held_out": 0.0}, "held_out = 0"), ({"confidence": 1.0}, "confidence = 1"), ({"seed": -1}, "seed = -1")],
)
def test_options_out_of_range_are_named(circuit, options, words):
    with pytest.raises(InputError, match=words):
        neuronsim.calibrate(circuit(transfer=30).dataset(0), **options)


def test_wider_confidence_wider_interval(circuit):
    data = circuit(fit_noise=1e-3, sigma_v=0.01, phase_noise=(10, 10)).dataset(0)
    narrow, wide = (neuronsim.calibrate(data, confidence=c) for c in (0.8, 0.99))
    assert isinstance(narrow, TTFSCard)
    assert isinstance(wide, TTFSCard)
    assert wide.weights.gain.high > narrow.weights.gain.high
    assert wide.timing_noise.sigma_v.high > narrow.timing_noise.sigma_v.high


def test_chips_that_fire_whatever_comes_in_are_no_spread(circuit):
    made = circuit(gain_sigma=0.05, mismatch=(12, 6))
    data = made.dataset(1)
    out, chip = data["spike_time_s"].values.copy(), data["chip"].values
    out[(chip >= 0) & (chip < 9)] = 1e-12
    card = neuronsim.calibrate(data.assign(spike_time_s=("run", out)))
    assert "before its first input" in card.not_fitted["frozen.gain_sigma"]
    assert card.frozen.gain_sigma.value == 0.0
    assert "frozen.gain_sigma" not in neuronsim.calibrate(data).not_fitted
