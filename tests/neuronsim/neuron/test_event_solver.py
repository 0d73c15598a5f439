"""The event solvers against the closed form, dense scans and differential equations."""

from __future__ import annotations

import numpy as np
import pytest
from analytic import sensitivity
from scipy.integrate import solve_ivp

from neuronsim.errors import InputError
from neuronsim.neuron.closed_form import spike_time
from neuronsim.neuron.event_solver import first_crossing
from neuronsim.neuron.kernel import Membrane, kernel, kernel_slope

RNG = np.random.default_rng

# inf - inf: silent rows in finite differences
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in subtract:RuntimeWarning")


def stimuli(n, rng, inputs=6):
    times, weights = rng.uniform(0, 2, (n, inputs)), rng.uniform(-0.8, 1.2, (n, inputs))
    times[rng.random(times.shape) < 0.2] = np.inf
    return times, weights


def test_ideal_loop_equals_closed_form():
    times, weights = stimuli(20000, RNG(0))
    want, got = spike_time(times, weights, tau=3.0), first_crossing(times, weights, tau=3.0)
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    np.testing.assert_allclose(got[np.isfinite(want)], want[np.isfinite(want)], rtol=1e-11)


@pytest.mark.parametrize("ratio", [None, 4.0, 20.0, 200.0])
@pytest.mark.parametrize("ramp", [0.0, 0.05, -0.03])
def test_first_crossing_equals_a_dense_scan(ratio, ramp):
    rng = RNG(1)
    times, weights = stimuli(50, rng)
    weights *= 1.5
    common = {"second_pole_ratio": ratio, "gain": 0.9}
    got = first_crossing(times, weights, ramp=ramp, delay=0.25, **common) - 0.25
    at = np.linspace(0, 6, 12001)
    for t, w, out in zip(times, weights, got, strict=True):
        above = Membrane(t, w, at, **common).v - 1 - ramp * at
        first = np.flatnonzero(above >= 0)
        if first.size:
            assert at[max(first[0] - 1, 0)] <= out <= at[first[0]]
        else:
            # Nothing on the grid: no crossing before its end, or one that only grazes between two points.
            assert out > 6 or above.max() > -1e-6


def test_crossing_lies_on_the_threshold_to_rounding():
    times, weights = stimuli(5000, RNG(2))
    common = {"tau": 5e-8, "second_pole_ratio": 15.0, "gain": 1.1}
    out = first_crossing(times * 5e-8, weights, ramp=0.02, **common)
    fired = np.isfinite(out)
    at, t, w = out[fired], times[fired] * 5e-8, weights[fired]
    residual = Membrane(t, w, at, **common).v - 1 - 0.02 * at / 5e-8
    rate = Membrane(t, w, at, ramp=0.02, **common).slope
    assert np.all(rate > 0)
    # The time error, residual / slope, relative to the time.
    assert np.quantile(np.abs(residual / rate / at), 0.99) < 1e-13


def bump():
    """A stimulus whose membrane rises and falls again between events, with its level at the last event and its peak."""
    # The inhibition just outweighs the slow current, while its own answer is still delayed by the second pole.
    times, weights = np.array([0.0, 0.7]), np.array([1.9, -1.9 * np.exp(-0.7) - 0.05])
    at = np.linspace(0.7, 3, 400001)
    v = Membrane(times, weights, at, second_pole_ratio=5.0).v
    return times, weights, v[0], v.max(), at[v.argmax()]


def test_rise_and_fall_between_two_events_is_found():
    times, weights, start, peak, when = bump()
    assert peak > start + 1e-3
    level = start + 0.5 * (peak - start)
    assert Membrane(times, weights, np.array([10.0]), second_pole_ratio=5.0).v < level
    out = first_crossing(times, weights, second_pole_ratio=5.0, threshold=level)
    assert 0.7 < out < when
    assert Membrane(times, weights, out, second_pole_ratio=5.0).v == pytest.approx(level, rel=1e-13)


def test_grazing_is_decided_by_the_maximum():
    times, weights, _, peak, when = bump()
    touching = first_crossing(times, weights, second_pole_ratio=5.0, threshold=peak * (1 - 1e-9))
    assert touching == pytest.approx(when, abs=1e-3)
    assert first_crossing(times, weights, second_pole_ratio=5.0, threshold=peak * (1 + 1e-9)) == np.inf


def test_falling_threshold_fires_without_input():
    assert first_crossing([np.inf], [1.0], ramp=-0.25) == pytest.approx(4.0)
    assert first_crossing([1e4], [1.0], ramp=-1e-3) == pytest.approx(1e3)
    assert first_crossing([0.0], [2.0], ramp=10.0) == np.inf
    assert first_crossing([0.0], [1.0], ramp=-1e-9) < 25


def test_parameters_broadcast_over_rows():
    times, weights = stimuli(50, RNG(3))
    gain, ramp = RNG(4).uniform(0.9, 1.1, 50), RNG(5).uniform(0, 0.05, 50)
    together = first_crossing(times, weights, gain=gain, ramp=ramp, second_pole_ratio=10.0)
    alone = [
        first_crossing(t, w, gain=g, ramp=r, second_pole_ratio=10.0)
        for t, w, g, r in zip(times, weights, gain, ramp, strict=True)
    ]
    np.testing.assert_array_equal(together, alone)
    assert first_crossing(times[0], weights[0], gain=np.ones((3, 1)), ramp=np.zeros(4)).shape == (3, 4)


def test_sensitivity_equals_finite_differences():
    times, weights = stimuli(200, RNG(6))
    common = {"second_pole_ratio": 12.0, "ramp": 0.03, "gain": 0.95, "tau": 2.0}
    out = first_crossing(times, weights, **common)
    by_time, by_weight = sensitivity(times, weights, out, **common)
    h, checked = 1e-6, 0
    for i in range(times.shape[1]):
        for which, analytic in ((0, by_time), (1, by_weight)):
            up, down = ([times.copy(), weights.copy()] for _ in range(2))
            up[which][:, i] += h
            down[which][:, i] -= h
            difference = (first_crossing(*up, **common) - first_crossing(*down, **common)) / (2 * h)
            smooth = np.isfinite(difference) & (np.abs(difference) < 20)
            smooth &= np.abs(times - out[:, None]).min(axis=1) > 1e-2
            np.testing.assert_allclose(analytic[smooth, i], difference[smooth], atol=1e-4)
            checked += smooth.sum()
    assert checked > 300


def test_kernel_is_continuous_towards_ideal_and_its_slope_is_its_derivative():
    t = np.linspace(-1, 8, 901)
    np.testing.assert_allclose(kernel(t, 1e7), kernel(t), atol=1e-13)
    assert kernel(np.inf, 8.0) == pytest.approx(1.0, abs=1e-15)
    assert not kernel(np.array([-np.inf, -1.0, 0.0]), 8.0).any()
    inside = t[t > 0.01]
    difference = (kernel(inside + 1e-6, 8.0) - kernel(inside - 1e-6, 8.0)) / 2e-6
    np.testing.assert_allclose(kernel_slope(inside, 8.0), difference, atol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"second_pole_ratio": 2.0}, "second_pole_ratio = 2"),
        ({"second_pole_ratio": np.nan}, "second_pole_ratio"),
        ({"tau": -1.0}, "tau = -1"),
        ({"ramp": np.nan}, "ramp = nan"),
        ({"gain": np.inf}, "gain = inf"),
        ({"threshold": 0.0}, "threshold = 0"),
        ({"gain": np.ones(3), "ramp": np.zeros(2)}, "do not broadcast"),
        ({"times": [-3.0], "ramp": 0.5}, "below zero at the first input"),
    ],
)
def test_bad_parameters_are_named(arguments, words):
    times = arguments.pop("times", [0.0])
    with pytest.raises(InputError, match=words):
        first_crossing(times, [2.0], **arguments)
    with pytest.raises(InputError, match=words):
        first_crossing(times, [2.0], xor_limit=5.0, **arguments)


def test_saturated_equals_linear_inside_the_range():
    times, weights = stimuli(3000, RNG(7))
    common = {"second_pole_ratio": 20.0, "ramp": 0.03, "gain": 0.97, "delay": 0.01}
    linear = first_crossing(times, weights, **common)
    folded = first_crossing(times, weights, xor_limit=50.0, **common)
    np.testing.assert_array_equal(np.isfinite(folded), np.isfinite(linear))
    np.testing.assert_allclose(folded[np.isfinite(linear)], linear[np.isfinite(linear)], rtol=1e-10)


def integrate(times, weights, limit, ratio, ramp):
    """Spike time from a tight ODE solution of the equations in saturated.py, piece by piece between inputs."""
    gain = 1.0 if ratio is None else 1 - 1 / ratio
    edges = [0.0, *np.sort(times), 12.0]
    order = np.argsort(times)
    state, reference = np.zeros(3), 0.0

    def triangle(e):
        return np.abs((e - limit) % (4 * limit) - 2 * limit) - limit

    def flow(_t, y, ref):
        d = triangle(ref - y[0])
        filtered = d if ratio is None else y[1]
        return [gain * filtered, 0.0 if ratio is None else ratio * (d - y[1]), gain * d]

    def fires(t, y, _ref):
        return y[2] - 1 - ramp * t

    fires.terminal, fires.direction = True, 1
    for k in range(len(edges) - 1):
        if k:
            reference += weights[order[k - 1]]
        done = solve_ivp(
            flow, edges[k : k + 2], state, args=(reference,), events=fires, rtol=1e-9, atol=1e-11, max_step=0.05
        )
        if done.t_events[0].size:
            return done.t_events[0][0]
        state = done.y[:, -1]
    return np.inf


@pytest.mark.parametrize(("ratio", "ramp"), [(None, 0.0), (20.0, 0.02), (5.0, 0.0)])
def test_saturated_equals_the_differential_equation(ratio, ramp):
    rng, folded = RNG(8), 0
    for _ in range(12):
        times, weights = rng.uniform(0, 1.0, 4), rng.uniform(-2.0, 3.0, 4)
        limit = 1.2
        got = first_crossing(times, weights, xor_limit=limit, second_pole_ratio=ratio, ramp=ramp)
        want = integrate(times, weights, limit, ratio, ramp)
        if np.isinf(want):
            assert got > 12
        else:
            assert got == pytest.approx(want, abs=1e-6)
        folded += abs(first_crossing(times, weights, second_pole_ratio=ratio, ramp=ramp) - got) > 1e-3
    assert folded >= 2


def test_saturation_delays_or_silences_and_names_a_bad_limit():
    linear = first_crossing([0.0], [3.0])
    assert first_crossing([0.0], [3.0], xor_limit=2.0) > linear
    # Beyond 2 limits the loop slips to the next lock point: the membrane runs away downwards.
    assert first_crossing([0.0], [4.5], xor_limit=2.0) == np.inf
    with pytest.raises(InputError, match="xor_limit = 0"):
        first_crossing([0.0], [3.0], xor_limit=0.0)
