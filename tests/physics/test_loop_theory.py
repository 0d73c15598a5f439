"""The hand-written numerics equal the theory of the loop, and the theory has the numbers of paper 004 and its corrections."""

from __future__ import annotations

import numpy as np
import pytest
import sympy as sp
from analytic import output_jitter, ramp_crossing, spike_time_gradient

from neuronsim.errors import InputError
from neuronsim.neuron import phase_locked_loop as loop
from neuronsim.neuron.closed_form import spike_time
from neuronsim.neuron.event_solver import first_crossing
from neuronsim.neuron.kernel import kernel, kernel_slope


def signed_sets(n, seed, margin=0.2):
    """Sets of 2 to 8 signed inputs whose weights sum to more than the threshold."""
    rng, found = np.random.default_rng(seed), []
    while len(found) < n:
        count = rng.integers(2, 9)
        times, weights = np.full(8, np.inf), np.zeros(8)
        times[:count], weights[:count] = rng.uniform(0, 2, count), rng.uniform(-0.4, 1.2, count)
        if weights.sum() > 1 + margin:
            found.append((times, weights))
    return tuple(np.array(part) for part in zip(*found, strict=True))


def test_closed_loop_is_equation_2():
    want = loop.K / (loop.s**2 / loop.w_lf + loop.s + loop.K)
    assert sp.simplify(loop.closed_loop() - want) == 0
    assert sp.simplify(loop.error_transfer() + loop.closed_loop() - 1) == 0


def test_calibrated_gain_puts_the_poles_where_the_kernel_has_them():
    assert sp.simplify(loop.pole_calibrated_gain() - (1 - 1 / loop.r) / loop.tau) == 0
    poles = [
        p.subs({loop.w_lf: 200 / loop.tau, loop.K: loop.pole_calibrated_gain().subs(loop.r, 200)}) for p in loop.poles()
    ]
    assert {sp.simplify(p * loop.tau) for p in poles} == {-1, -199}


def test_ringing_condition_is_four():
    limit = loop.ringing_condition().subs(loop.K, 1 / loop.tau) * loop.tau
    assert limit == 4
    for ratio, rings in ((3.9, True), (4.1, False)):
        poles = [complex(p.subs({loop.w_lf: ratio, loop.K: 1})) for p in loop.poles()]
        assert any(abs(p.imag) > 1e-12 for p in poles) == rings


@pytest.mark.parametrize("ratio", [3.0, 8.0, 50.0, 1000.0])
def test_numeric_kernels_equal_the_inverse_transform(ratio):
    t = np.linspace(0.001, 10, 400)
    np.testing.assert_allclose(kernel(t, ratio), loop.numeric("membrane_kernel")(t, ratio, 1.0), atol=1e-14)
    slope = (1 - 1 / ratio) * loop.numeric("error_kernel")(t, ratio, 1.0)
    np.testing.assert_allclose(kernel_slope(t, ratio), slope, atol=1e-14)


def test_kernel_of_the_card_docstring():
    t, r = np.linspace(0, 6, 100), 17.0
    card = (1 - 1 / r) / (r - 2) * ((r - 1) * (1 - np.exp(-t)) - (1 - np.exp(-(r - 1) * t)) / (r - 1))
    np.testing.assert_allclose(kernel(t, r), card, atol=1e-15)


def test_kernel_limits():
    ideal = sp.limit(loop.membrane_kernel(), loop.r, sp.oo)
    assert sp.simplify(ideal - (1 - sp.exp(-loop.t / loop.tau))) == 0
    assert sp.simplify(loop.error_kernel().subs(loop.t, 0)) == 1
    with pytest.raises(InputError, match="no numeric form"):
        loop.numeric("kernel")


@pytest.mark.parametrize(
    ("ratio", "mean_percent"), [(1000, 8e-5), (200, 0.002), (50, 0.03), (20, 0.2), (8, 1.3)], ids=str
)
def test_error_against_equation_4_falls_as_the_square_of_the_ratio(ratio, mean_percent):
    times, weights = signed_sets(400, 0)
    error = 100 * np.abs(first_crossing(times, weights, second_pole_ratio=ratio) / spike_time(times, weights) - 1)
    assert mean_percent / 2.5 < error.mean() < mean_percent * 2.5
    # The design's maximum of 20 sets is about twice the mean.
    assert np.quantile(error, 0.95) < 6 * mean_percent


@pytest.mark.parametrize(("ratio", "mean_percent"), [(200, 0.19), (50, 0.75)], ids=str)
def test_the_naive_gain_is_worse_by_orders(ratio, mean_percent):
    times, weights = signed_sets(400, 0)
    tau, equivalent = loop.equivalent_loop(1.0, float(ratio))
    naive = first_crossing(times, weights, tau=tau, second_pole_ratio=equivalent)
    error = 100 * np.abs(naive / spike_time(times, weights) - 1)
    assert mean_percent / 2.5 < error.mean() < mean_percent * 2.5


def test_equivalent_loop_has_the_same_poles():
    tau, ratio = loop.equivalent_loop(1.0, 50.0)
    poles = sorted(float(p.subs({loop.w_lf: 50, loop.K: 1})) for p in loop.poles())
    np.testing.assert_allclose(poles, [-(ratio - 1) / tau, -1 / tau], rtol=1e-12)
    with pytest.raises(InputError, match="rings"):
        loop.equivalent_loop(1.0, 3.0)


@pytest.mark.parametrize("ramp", [0.3, 0.05, 1e-3, 1e-8, 0.0, -1e-3, -0.2])
def test_ramp_crossing_is_the_lambert_w_expression(ramp):
    amplitude = np.linspace(1.02, 4.0, 60)
    got = ramp_crossing(amplitude, amplitude, ramp=ramp)
    want = first_crossing(np.zeros((60, 1)), amplitude[:, None], ramp=ramp)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    np.testing.assert_allclose(got[np.isfinite(want)], want[np.isfinite(want)], rtol=1e-6 if ramp else 1e-13)
    if abs(ramp) >= 1e-3:
        fired = np.isfinite(want) & (amplitude > 1.5)
        np.testing.assert_allclose(got[fired], want[fired], rtol=1e-11)


def test_ramp_crossing_agrees_with_sympy():
    t = sp.Symbol("t")
    root = sp.nsolve(2.5 - 2.5 * sp.exp(-t) - 1 - t / 10, t, 0.5, prec=30)
    assert ramp_crossing(2.5, 2.5, ramp=0.1) == pytest.approx(float(root), rel=1e-13)


@pytest.mark.parametrize(("ramp", "percent"), [(0.01, 1.3), (0.03, 4.4)], ids=str)
def test_a_threshold_ramp_shifts_spike_times_as_measured(ramp, percent):
    # (.3, .6) tau and .55 each: the two-input stimulus of the paper's table 3, and random sets around it.
    times, weights = signed_sets(400, 1)
    ideal, shifted = spike_time(times, weights), first_crossing(times, weights, ramp=ramp)
    both = np.isfinite(shifted)
    shift = 100 * np.median(shifted[both] / ideal[both] - 1)
    assert percent / 2 < shift < percent * 2


def test_output_jitter_equals_monte_carlo_and_is_a_low_pass():
    rng = np.random.default_rng(3)
    times, weights = np.array([0.3, 0.6]), np.array([0.55, 0.55])
    sigma = 0.01 * times
    draws = spike_time(times + sigma * rng.standard_normal((200_000, 2)), weights)
    assert output_jitter(times, weights, sigma) == pytest.approx(draws.std(), rel=0.02)
    by_time, _ = spike_time_gradient(times, weights)
    assert by_time.sum() == pytest.approx(1.0)
    assert output_jitter(times, weights, 0.01) < 0.01


@pytest.mark.parametrize(("percent", "design"), [(1, 0.10), (3, 0.31), (5, 0.51), (7, 0.72), (9, 0.92)])
def test_table_3_of_paper_004_in_closed_form(percent, design):
    """Mean of |t - t_0|/t_0 in percent for relative input jitter: the design's own 20k-trial figures, within 5 %."""
    rng = np.random.default_rng(percent)
    times, weights = np.array([0.3, 0.6]), np.array([0.55, 0.55])
    jittered = times * (1 + percent / 100 * rng.standard_normal((20_000, 2)))
    ideal = spike_time(times, weights)
    mean = 100 * np.mean(np.abs(spike_time(jittered, weights) / ideal - 1))
    assert mean == pytest.approx(design, rel=0.05)
