"""The card's neuron: against a fine time grid, against the ideal kernel, and what leaves the detector's range."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuronsim.errors import InputError
from neuronsim.neuron.event_solver import first_crossing
from neuronsim.training.ttfs import first_spike
from neuronsim.training.ttfs.geometry import Geometry

_END, _STEPS = 40.0, 200_001


def on_grid(t, weight, r, gain, ramp):
    """First grid point at which v(t) >= 1 + ramp t, by the card's formula. ``t`` (n_in,), a neuron per column."""
    time = np.linspace(0, _END, _STEPS)
    v = np.zeros((weight.shape[1], _STEPS))
    for t_i, w in zip(t, weight, strict=True):
        d = np.clip(time - t_i, 0, None)
        if r is None:
            g = 1 - np.exp(-d)
        else:
            g = (1 - 1 / r) / (r - 2) * ((r - 1) * (1 - np.exp(-d)) - (1 - np.exp(-(r - 1) * d)) / (r - 1))
        v += gain * w[:, None] * g
    above = v >= 1 + ramp * time
    return np.where(above.any(axis=1), time[above.argmax(axis=1)], np.inf)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("r", "ramp"),
    [(None, 0.0), (None, 0.1), (None, -0.05), (4.0, 0.0), (4.0, 0.08), (5.0, -0.1), (20.0, 0.03), (200.0, 0.0)],
)
def test_first_crossing_equals_a_fine_grid(oracle, r, ramp):
    generator = np.random.default_rng(7)
    fired = 0
    for _ in range(3):
        t = generator.uniform(0, 3, 6)
        weight = generator.normal(0.3, 1.0, (6, 12))
        expected = on_grid(t, weight, r, 1.1, ramp)
        got = oracle.circuit_spikes(t[None], weight, second_pole_ratio=r, gain=1.1, ramp=ramp).time[0, 0]
        got[got > _END] = np.inf
        assert (np.isfinite(got) == np.isfinite(expected)).all()
        both = np.isfinite(expected)
        assert (np.abs(got[both] - expected[both]) <= _END / (_STEPS - 1)).all()
        fired += int(both.sum())
    assert fired > 10


def test_a_peak_between_events_is_found(oracle):
    # The membrane rises over the ramping threshold and falls below it again before the next event and for ever after.
    t, weight = np.array([[0.0, 6.0]]), np.array([[1.7], [-3.0]])
    time = oracle.circuit_spikes(t, weight, ramp=0.2).time[0, 0, 0]
    assert 0 < time < 6
    assert 1.7 * (1 - np.exp(-time)) == pytest.approx(1 + 0.2 * time)
    assert 1.7 * (1 - np.exp(-6)) < 1 + 0.2 * 6


def test_ideal_card_equals_first_spike(oracle):
    generator = np.random.default_rng(8)
    z = np.exp(generator.uniform(0, 3, (40, 30)))
    z[generator.random(z.shape) < 0.2] = np.inf
    z[:, 10:20] = np.round(z[:, 10:20])
    weight = generator.normal(0.1, 0.4, (30, 60))
    ideal = first_spike(torch.from_numpy(z), torch.from_numpy(weight)).numpy()
    result = oracle.circuit_spikes(np.log(z), weight)
    np.testing.assert_allclose(np.exp(result.time[:, 0]), ideal, rtol=1e-6)
    fired = np.isfinite(ideal)
    assert 0 < fired.mean() < 1
    assert (result.out_of_range == 0).all()
    # dv/dt at the crossing of the ideal neuron is S - 1 = A / z.
    step = 1e-6
    later = oracle.circuit_spikes(np.log(z), weight, ramp=0.0, gain=1 / (1 + step)).time[:, 0]
    steep = fired & (result.slope[:, 0] > 0.2) & np.isfinite(later)
    with np.errstate(invalid="ignore"):
        slope = step / (later - result.time[:, 0])
    np.testing.assert_allclose(slope[steep], result.slope[:, 0][steep], rtol=1e-3)


def test_own_synapses_and_neurons_per_position(oracle):
    generator = np.random.default_rng(9)
    geometry = Geometry(height=6, width=5, channels=2, kernel=(3, 3), stride=2)
    t = generator.uniform(0, 3, (4, geometry.n_in))
    weight = generator.normal(0.3, 0.5, (geometry.positions, geometry.taps + 1, 7))
    gain = generator.uniform(0.8, 1.2, (geometry.positions, 7))
    ramp = generator.normal(0, 0.05, (geometry.positions, 7))
    together = oracle.circuit_spikes(
        t, weight, geometry=geometry, bias=True, second_pole_ratio=30.0, gain=gain, ramp=ramp
    )
    for p in range(geometry.positions):
        alone = oracle.circuit_spikes(
            t, weight[p], geometry=geometry, bias=True, second_pole_ratio=30.0, gain=gain[p][None], ramp=ramp[p][None]
        )
        np.testing.assert_array_equal(alone.time[:, p], together.time[:, p])


def test_out_of_range_counts_neurons_beyond_the_limit_and_delays_them(oracle):
    t = np.array([[0.0, 0.0, 1.0]])
    weight = np.array([[0.6, 0.4], [0.6, 0.4], [0.5, 0.4]])
    free = oracle.circuit_spikes(t, weight)
    limited = oracle.circuit_spikes(t, weight, limit=1.0)
    # Neuron 0 starts with a phase error of 1.2 > 1, neuron 1 never exceeds 0.8.
    assert limited.out_of_range.tolist() == [1]
    assert free.out_of_range.tolist() == [0]
    assert limited.time[0, 0, 0] > free.time[0, 0, 0]
    assert limited.time[0, 0, 1] == free.time[0, 0, 1]
    assert oracle.circuit_spikes(t, weight, limit=1.3).out_of_range.tolist() == [0]


@pytest.mark.parametrize("limit", [None, 0.7, 2.0])
@pytest.mark.parametrize("r", [None, 4.0, 20.0, 200.0])
def test_crossings_are_those_of_the_event_solvers(oracle, r, limit):
    generator = np.random.default_rng(10)
    compared = 0
    for ramp in (0.0, 0.05, 0.3, -0.05):
        t = generator.uniform(0, 3, (1, 18))
        t[:, :6] = np.round(t[:, :6], 1)
        t[:, 6] = np.inf
        weight = generator.normal(0.25, 0.8, (18, 60))
        options = {"second_pole_ratio": r, "gain": 1.2, "ramp": ramp}
        got = oracle.circuit_spikes(t, weight, limit=limit, **options).time[0, 0]

        def solve(weights, t=t, options=options):
            times = np.repeat(t, 60, axis=0)
            return first_crossing(times, weights.T, xor_limit=limit, **options)

        exact, moved = solve(weight), solve(weight * (1 + 1e-12))
        # Around the unstable middle of a folded region rounding decides to which side the loop slips.
        with np.errstate(invalid="ignore"):
            sure = (exact == moved) | (np.abs(exact - moved) < 1e-9 * exact)
        sure &= (exact < 600) | np.isinf(exact)  # z = e^t ends there
        assert sure.mean() > 0.9
        np.testing.assert_allclose(got[sure], exact[sure], rtol=1e-9)
        compared += int(np.isfinite(exact[sure]).sum())
    assert compared > 80


def test_folded_drive_of_the_first_order_loop(oracle):
    # Error 3 = 2 limit + 1 at limit 1: the far end of the folded region, an unstable rest with d = -1, and v falls.
    assert np.isinf(oracle.circuit_spikes(np.zeros((1, 1)), np.array([[3.0]]), limit=1.0).time[0, 0, 0])
    # Error 1.5 is d = 0.5: the error shrinks as e = 2 - 0.5 e^t while v = 0.5 (e^t - 1), to e = 1 and v = 0.5 at t = ln 2.
    time = oracle.circuit_spikes(np.zeros((1, 1)), np.array([[1.5]]), limit=1.0).time[0, 0, 0]
    assert time == pytest.approx(np.log(2) + np.log(2))  # then v = 0.5 + 1 - e^{-(t - ln 2)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"second_pole_ratio": 3.0}, "second_pole_ratio = 3"),
        ({"gain": 0.0}, "gain"),
        ({"limit": 0.0}, "limit"),
        ({"t": np.array([[-1.0]])}, "must be >= 1"),
        ({"t": np.array([[np.nan]])}, "NaN"),
        ({"weight": np.ones((2, 1))}, "must be \\(1, n_out\\)"),
        ({"weight": np.full((1, 1), np.nan)}, "finite"),
    ],
)
def test_bad_input_is_named(oracle, change, message):
    arguments = {"t": np.ones((1, 1)), "weight": np.ones((1, 1)), **change}
    with pytest.raises(InputError, match=message):
        oracle.circuit_spikes(arguments.pop("t"), arguments.pop("weight"), **arguments)
