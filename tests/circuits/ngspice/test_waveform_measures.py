"""Crossings are interpolated, not read off samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuronsim.circuits.deck import pwl as stimulus
from neuronsim.circuits.deck import white_noise as noise
from neuronsim.circuits.neuron.netlist import number
from neuronsim.circuits.ngspice.waveform_measures import crossings, envelope


@given(shift=st.floats(0.11, 0.89), points=st.integers(40, 200))
def test_cubic_interpolation_of_a_smooth_crossing(shift, points):
    t = np.linspace(0, 1, points)
    found = crossings(t, np.exp(t) - np.exp(shift))
    assert found == pytest.approx([shift], abs=2.0 / points**4)


def test_every_rising_and_falling_crossing_of_a_sine():
    t = np.linspace(0.01, 3.01, 3000)
    assert crossings(t, np.sin(2 * np.pi * t)) == pytest.approx([1.0, 2.0, 3.0], abs=1e-9)
    assert crossings(t, np.sin(2 * np.pi * t), edge="falling") == pytest.approx([0.5, 1.5, 2.5], abs=1e-9)


def test_no_crossing_and_repeated_times():
    assert crossings(np.array([0.0, 1.0, 2.0]), np.array([-1.0, -0.5, -0.1])).size == 0
    assert crossings(np.array([0.0, 1.0, 1.0, 2.0]), np.array([-1.0, 0.5, 0.5, 1.0])) == pytest.approx([2 / 3])


def _values(source: str) -> np.ndarray:
    numbers = [float(word) for word in source.removeprefix("PWL(").removesuffix(")").split()]
    return np.array(numbers).reshape(-1, 2)


def test_step_is_centered_on_the_spike_time():
    t, v = _values(stimulus.step(20e-9, 1e-10, 0, 1)).T
    assert np.interp(20e-9, t, v) == pytest.approx(0.5)
    assert stimulus.step(np.inf, 1e-10, 0, 1) == "DC 0"
    assert stimulus.step(0.0, 1e-10, 0, 1) == "DC 1"


def test_pulse_has_its_area_and_center():
    t, v = _values(stimulus.pulse(20e-9, 1e-11, 2.5e-9, 0, 1)).T
    fine = np.linspace(0, 40e-9, 400_001)
    wave = np.interp(fine, t, v)
    assert np.trapezoid(wave, fine) == pytest.approx(2.5e-9, rel=1e-4)
    assert np.trapezoid(wave * fine, fine) / np.trapezoid(wave, fine) == pytest.approx(20e-9, rel=1e-4)


def test_white_noise_integral_diffuses():
    density, window, step = 0.05, 1.0, 0.01
    ends = []
    for seed in range(400):
        t, x = noise.white_samples(np.random.default_rng(seed), density=density, window_s=window, step_s=step)
        ends.append(np.trapezoid(x, t))
    assert np.std(ends) == pytest.approx(
        density * np.sqrt(window), rel=0.1
    )  # standard error of a sigma from 400: 3.5 %


@pytest.mark.parametrize(
    ("text", "value"), [("1k", 1e3), ("2.5n", 2.5e-9), ("1meg", 1e6), ("10", 10.0), ("{r}", None), ("3kohm", 3e3)]
)
def test_spice_numbers(text, value):
    assert number(text) == (pytest.approx(value) if value is not None else None)


def test_thinned_waveforms_keep_short_spikes_and_follow_slow_ones():
    time = np.sort(np.concatenate((np.linspace(0, 1, 20_001), [0.30001, 0.30002, 0.30003])))
    slow = np.sin(2 * np.pi * time)
    spiking = slow + 5.0 * (np.abs(time - 0.30002) < 5e-6)
    shown = envelope(time, spiking, 200)
    grid = np.linspace(0, 1, 200)
    assert shown.max() == pytest.approx(spiking.max())
    assert abs(grid[shown.argmax()] - 0.30002) < 2 / 200
    assert np.abs(np.delete(shown - np.sin(2 * np.pi * grid), shown.argmax())).max() < 0.07
    assert np.abs(envelope(time, slow, 200) - np.sin(2 * np.pi * grid)).max() < 0.07
    sparse = np.array([0.0, 0.4, 1.0])  # fewer points than samples: straight lines
    assert envelope(sparse, sparse**2, 100) == pytest.approx(
        np.interp(np.linspace(0, 1, 100), sparse, sparse**2), abs=4e-3
    )
