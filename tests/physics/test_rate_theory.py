"""The f-I curve against the differential equation of the neuron, its limits, and its inverse."""

from __future__ import annotations

import numpy as np
import pytest
from analytic import current_for
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from neuronsim.errors import InputError
from neuronsim.neuron.firing_rate import interval, leak_factor, rate

CHARGE, RHEOBASE, REFRACTORY = 1e-14, 5e-9, 1e-8


def test_interval_equals_the_differential_equation():
    # C dv/dt = I - v/R with C = 10 fF, V_th = 1 V (Q = C V_th) and R = V_th / I_rh.
    capacitance, resistance = CHARGE, 1.0 / RHEOBASE
    for current in (6e-9, 2e-8, 1e-7):

        def reaches(_t, v):
            return v[0] - 1.0

        reaches.terminal = True
        scale = capacitance / current
        done = solve_ivp(
            lambda _t, v, i=current: [(i - v[0] / resistance) / capacitance],
            (0, 50 * scale),
            [0.0],
            events=reaches,
            rtol=1e-10,
            atol=1e-12,
        )
        want = REFRACTORY + done.t_events[0][0]
        got = interval(current, charge_per_spike=CHARGE, rheobase=RHEOBASE, refractory=REFRACTORY)
        assert got == pytest.approx(want, rel=1e-8)


def test_limits():
    assert rate([0.0, -1e-9, RHEOBASE, 0.9 * RHEOBASE], charge_per_spike=CHARGE, rheobase=RHEOBASE).tolist() == [0] * 4
    assert rate(1e-8, charge_per_spike=CHARGE) == pytest.approx(1e-8 / CHARGE)
    ideal = rate(1e-8, charge_per_spike=CHARGE, refractory=REFRACTORY)
    for small in (1e-30, 1e-18, 1e-16):
        leaky = rate(1e-8, charge_per_spike=CHARGE, rheobase=small, refractory=REFRACTORY)
        assert leaky == pytest.approx(ideal, rel=1e-7)
    assert rate(1e3, charge_per_spike=CHARGE, refractory=REFRACTORY) == pytest.approx(1 / REFRACTORY)


def test_leak_factor_is_smooth_through_zero():
    x = np.array([-0.5, -1e-6, -1e-8, -1e-9, 0.0, 1e-9, 1e-8, 1e-6, 0.5])
    series = 1 + x / 2 + x**2 / 3 + x**3 / 4
    np.testing.assert_allclose(leak_factor(x[1:-1]), series[1:-1], rtol=1e-14)
    assert leak_factor(0.5) == pytest.approx(2 * np.log(2))
    assert leak_factor(1.0) == np.inf


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-6, 100), st.one_of(st.just(0.0), st.floats(1e-12, 1.0)), st.floats(0, 1e-3))
def test_inverse_is_exact(above, rheobase, refractory):
    current = rheobase + above
    f = rate(current, charge_per_spike=1e-3, rheobase=rheobase, refractory=refractory)
    back = current_for(f, charge_per_spike=1e-3, rheobase=rheobase, refractory=refractory)
    assert back == pytest.approx(current, rel=1e-6)


def test_rates_just_above_rheobase_are_stable():
    above = np.geomspace(1e-13, 1e-3, 30)
    f = rate(RHEOBASE * (1 + above), charge_per_spike=CHARGE, rheobase=RHEOBASE)
    assert np.all(np.diff(f) > 0)
    np.testing.assert_allclose(1 / f, CHARGE / RHEOBASE * np.log((1 + above) / above), rtol=1e-3)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: rate(1e-9, charge_per_spike=0.0), "charge_per_spike = 0"),
        (lambda: rate(1e-9, charge_per_spike=1e-14, rheobase=-1e-9), "rheobase"),
        (lambda: rate(np.nan, charge_per_spike=1e-14), "NaN"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(InputError, match=words):
        call()
