"""calibrate on synthetic rate neurons."""

from __future__ import annotations

import numpy as np
import pytest

import neuronsim
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.calibration.prediction import reference_current
from neuronsim.errors import DataError
from neuronsim.neuron.firing_rate import interval
from neuronsim.neuron.interval_noise import interval_variance


def card_of(data) -> RateCard:
    card = neuronsim.calibrate(data)
    assert isinstance(card, RateCard)
    return card


@pytest.mark.parametrize(("rheobase", "refractory"), [(0.0, 0.0), (5e-9, 0.0), (5e-9, 2e-8), (0.0, 2e-8)])
def test_noise_free_curve_is_recovered(make_rate, rheobase, refractory):
    card = card_of(make_rate(rheobase=rheobase, refractory=refractory))
    assert card.charge_per_spike_c.value == pytest.approx(1e-14, rel=1e-6)
    assert card.rheobase_a.value == pytest.approx(rheobase, rel=1e-5, abs=1e-14)
    assert card.refractory_s.value == pytest.approx(refractory, rel=1e-5, abs=1e-13)
    assert card.quality.p95_error < 1e-6
    assert card.quality.spike_agreement == 1.0
    assert card.code == "rate"


def test_intervals_contain_the_truth(make_rate):
    hits = np.zeros(3)
    for k in range(60):
        rng = np.random.default_rng(k)
        truth = (10 ** rng.uniform(-15, -13), rng.choice([0.0, 3e-9]), rng.choice([0.0, 5e-8]))
        data = make_rate(
            charge=truth[0], rheobase=truth[1], refractory=truth[2], noise=10 ** rng.uniform(-4, -2), seed=k
        )
        card = card_of(data)
        estimates = (card.charge_per_spike_c, card.rheobase_a, card.refractory_s)
        hits += [e.low <= t <= e.high for t, e in zip(truth, estimates, strict=True)]
    assert np.all(hits >= 0.9 * 60), hits


def test_jitter_and_threshold_mismatch(make_rate):
    card = card_of(make_rate(rheobase=3e-9, jitter=0.05, chips=30, mismatch=0.04))
    assert card.isi_jitter.low <= 0.05 <= card.isi_jitter.high
    assert card.isi_jitter.value == pytest.approx(0.05, rel=0.1)
    assert card.threshold_mismatch.low <= 0.04 <= card.threshold_mismatch.high
    assert "isi_jitter" not in card.not_fitted


def relative_spread(card: RateCard, density: float, charge: float, rheobase: float, refractory: float) -> float:
    at = reference_current(card.valid_current_a.low, card.valid_current_a.high, rheobase)
    sigma = np.sqrt(interval_variance(at, density=density, charge_per_spike=charge, rheobase=rheobase))
    return float(sigma / interval(at, charge_per_spike=charge, rheobase=rheobase, refractory=refractory))


@pytest.mark.parametrize(("rheobase", "refractory"), [(0.0, 0.0), (3e-9, 2e-8)])
def test_jitter_over_currents(make_rate, rheobase, refractory):
    """Interval and held-out error over seeds: 95 % intervals that miss more than 5 of 40 are too narrow."""
    density, hits, errors = 5e-26, 0, []
    for seed in range(40):
        card = card_of(make_rate(rheobase=rheobase, refractory=refractory, density=density, seed=seed))
        truth = relative_spread(card, density, 1e-14, rheobase, refractory)
        hits += card.isi_jitter.low <= truth <= card.isi_jitter.high
        errors.append(card.quality.isi_jitter_error)
    assert hits >= 35
    assert card.quality.n_isi_jitter == 2
    assert np.median(errors) < 0.1  # 5 runs of 28 intervals know their own spread to 6 %
    assert card.quality.isi_jitter_floor < 1e-6
    assert not {"isi_jitter", "quality.isi_jitter_error"} & set(card.not_fitted)


def test_jitter_that_is_not_white_shows_in_the_held_out_error(make_rate):
    data = make_rate(density=5e-26)
    rows = np.flatnonzero(data["noise_seed"].values >= 0)
    spikes, current = data["spike_times_s"].values, data["input_current_a"].values
    rng = np.random.default_rng(3)
    for row in rows:  # the same relative spread at every current
        spikes[row] = np.cumsum(1e-14 / current[row] * (1 + 0.02 * rng.standard_normal(spikes.shape[1])))
    assert card_of(data).quality.isi_jitter_error > 0.25


def test_jitter_below_the_floor_of_the_deck_is_refused(make_rate):
    data = make_rate(density=5e-26)
    quiet = (data["noise_seed"].values < 0) & (data["plan"].values == "membrane_noise")
    assert quiet.any()
    spikes, rng = data["spike_times_s"].values, np.random.default_rng(4)
    for row in np.flatnonzero(quiet):
        interval_s = np.diff(spikes[row])[1]
        spikes[row] = np.cumsum(interval_s * (1 + 0.05 * rng.standard_normal(spikes.shape[1])))
    card = card_of(data)
    assert card.isi_jitter.value == 0.0
    assert "floor" in card.not_fitted["isi_jitter"]


def test_mismatch_is_checked_on_held_out_currents(make_rate):
    card = card_of(make_rate(rheobase=3e-9, refractory=2e-8, chips=30, mismatch=0.04))
    assert card.quality.threshold_mismatch_error < 1e-3  # every chip differs by its own factor alone
    assert card_of(make_rate()).quality.threshold_mismatch_error is None


def test_what_is_not_measured_is_named(make_rate):
    card = card_of(make_rate())
    assert card.isi_jitter.value == card.threshold_mismatch.value == 0.0
    assert "mismatch" in card.not_fitted["threshold_mismatch"]
    assert "noise" in card.not_fitted["isi_jitter"]
    assert "energy" in card.not_fitted


def silent(data):
    data["rate_hz"].values[:] = 0.0
    return data


def without_fi(data):
    data["plan"].values[:] = "other"
    return data


def narrow(data):
    data["input_current_a"].values[:] = np.linspace(1.0, 1.01, data.sizes["run"]) * 1e-8
    return data


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (silent, "silent at all 40 currents"),
        (lambda data: data.isel(run=slice(0, 6)), "6 runs with a rate .of 6.: at least 10 are needed. Raise 'points'"),
        (without_fi, "plan 'fi' is not in the dataset"),
        (narrow, "no spread"),
    ],
)
def test_refusals(make_rate, spoil, words):
    with pytest.raises(DataError, match=words):
        neuronsim.calibrate(spoil(make_rate()))


def test_too_few_firing_currents_are_told_from_silent_ones(make_rate):
    """Below the rheobase of 3 nA the neuron is silent: by the sweep of the fixture from 1.5 nA on."""
    data = make_rate(rheobase=3e-9, currents=12)
    current, firing = data["input_current_a"].values, data["rate_hz"].values > 0
    assert 0 < firing.sum() < 12
    few = data.isel(run=slice(0, 11))
    quiet = current[~firing]
    words = rf"{firing[:11].sum()} runs with a rate .* {quiet.size} were silent, at currents up to {quiet.max():.3g} A"
    with pytest.raises(DataError, match=words + ".*'points'.*lower end of current_a"):
        neuronsim.calibrate(few)
