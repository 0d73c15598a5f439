"""The law of interval jitter under white current noise: against the stochastic differential equation, and against SPICE."""

from __future__ import annotations

import numpy as np
import pytest

from neuronsim.calibration.prediction import reference_current
from neuronsim.errors import InputError
from neuronsim.neuron.firing_rate import interval
from neuronsim.neuron.interval_noise import interval_variance, linearity, membrane_diffusion

CHARGE = 1e-12


def simulated(current: float, rheobase: float, density: float, paths: int, seed: int) -> np.ndarray:
    """First-passage times (paths,) of dq = (I - I_rh q/Q) dt + sqrt(S/2) dW from 0 to Q, the crossing interpolated linearly."""
    rng = np.random.default_rng(seed)
    step = float(interval(current, charge_per_spike=CHARGE, rheobase=rheobase)) / 2000
    q, time = np.zeros(paths), np.full(paths, np.nan)
    for n in range(4000):
        kick = np.sqrt(density / 2 * step) * rng.standard_normal(paths)
        after = q + (current - rheobase * q / CHARGE) * step + kick
        crossed = np.isnan(time) & (after >= CHARGE)
        time[crossed] = (n + (CHARGE - q[crossed]) / (after[crossed] - q[crossed])) * step
        q = after
    assert not np.isnan(time).any()
    return time


@pytest.mark.parametrize(("current", "rheobase"), [(30e-6, 0.0), (30e-6, 10e-6), (15e-6, 10e-6)])
def test_law_equals_the_stochastic_differential_equation(current, rheobase):
    density, paths = (0.75e-10) ** 2, 4000
    measured = simulated(current, rheobase, density, paths, 7).std(ddof=1)
    law = float(np.sqrt(interval_variance(current, density=density, charge_per_spike=CHARGE, rheobase=rheobase)))
    assert measured == pytest.approx(law, rel=0.045)  # four standard errors of 4000 paths


def test_no_leak_is_the_limit_of_small_leak():
    exact = interval_variance(1e-5, density=1e-20, charge_per_spike=CHARGE)
    assert exact == pytest.approx(1e-20 / 2 * CHARGE / 1e-15)
    assert interval_variance(1e-5, density=1e-20, charge_per_spike=CHARGE, rheobase=1e-12) == pytest.approx(
        exact, rel=1e-6
    )
    assert interval_variance(1e-5, density=1e-20, charge_per_spike=CHARGE, rheobase=1e-5) == np.inf


def test_diffusion_inverts_the_law():
    sigma = np.sqrt(interval_variance(3e-5, density=2e-20, charge_per_spike=CHARGE, rheobase=1e-5))
    found = membrane_diffusion(float(sigma), 3e-5, charge_per_spike=CHARGE, rheobase=1e-5)
    assert found == pytest.approx(np.sqrt(1e-20) / CHARGE)
    with pytest.raises(InputError, match="rheobase"):
        membrane_diffusion(1e-9, 1e-5, charge_per_spike=CHARGE, rheobase=1e-5)


def test_where_the_law_may_be_used():
    assert linearity(1e-5, 1e-9, charge_per_spike=CHARGE) == 0
    near, far = linearity([1.05e-5, 1e-4], [4e-8, 1e-10], charge_per_spike=CHARGE, rheobase=1e-5)
    assert far < 0.01 < 0.2 < near
    assert reference_current(3e-6, 3e-4) == pytest.approx(3e-5)
    assert reference_current(1e-6, 4e-5, 1e-5) == pytest.approx(2e-5)


@pytest.mark.slow
@pytest.mark.parametrize("neuron", ["if_behavioral", "lif_behavioral"])
def test_spice_follows_the_law(neuron):
    """Two currents well above the rheobase: the spread under noise is the law's, and the deck's own is far below it."""
    from neuronsim import circuits
    from neuronsim.circuits.plans.temporal_noise import MembraneNoise

    low, high = {"if_behavioral": (15e-6, 60e-6), "lif_behavioral": (30e-6, 60e-6)}[neuron]
    manifest = circuits.load_manifest(neuron)
    validity = manifest.validity.model_copy(update={"current_a": (low, high)})
    narrowed = manifest.model_copy(update={"validity": validity})
    data = circuits.characterize(narrowed, [MembraneNoise(points=2, repeats=6)], seed=3, cache=False)
    values = narrowed.defaults()
    rheobase = values["vth"] / values["rleak"] if "rleak" in values else 0.0
    current, noisy = data["input_current_a"].values, data["noise_seed"].values >= 0
    scaled, freedom = 0.0, 0
    for at in np.unique(current):
        law = interval_variance(
            at,
            density=values["noise_a_per_rthz"] ** 2,
            charge_per_spike=values["cmem"] * values["vth"],
            rheobase=rheobase,
        )
        for spikes in data["spike_times_s"].values[(current == at) & noisy]:
            isi = np.diff(spikes[np.isfinite(spikes)])[1:]
            scaled, freedom = scaled + isi.var(ddof=1) * (isi.size - 1) / law, freedom + isi.size - 1
        quiet = data["spike_times_s"].values[(current == at) & ~noisy][0]
        assert np.diff(quiet[np.isfinite(quiet)])[1:].std() < 0.02 * np.sqrt(law)
    assert freedom > 250
    assert np.sqrt(scaled / freedom) == pytest.approx(
        1.0, abs=4 / np.sqrt(2 * freedom) + 0.02
    )  # and the noise's bandwidth
