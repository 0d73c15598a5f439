"""neuronsim.spike_time: equation 4, its gradient, and its input checks."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from analytic import spike_time_gradient
from hypothesis import given, settings
from hypothesis import strategies as st

import neuronsim
from neuronsim.errors import InputError
from neuronsim.neuron.closed_form import spike_time

# inf - inf: silent rows in finite differences
pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in subtract:RuntimeWarning")


def brute_force(times, weights, threshold=1.0):
    """First crossing by equation 4 over every prefix of the sorted inputs, in z, in longdouble."""
    order = np.argsort(times)
    z, w = np.exp(np.asarray(times, dtype=np.longdouble)[order]), np.asarray(weights, dtype=np.longdouble)[order]
    for k in range(1, len(z) + 1):
        if not np.isfinite(z[k - 1]):
            break
        total, following = w[:k].sum(), z[k] if k < len(z) else np.inf
        if total > threshold:
            out = (w[:k] * z[:k]).sum() / (total - threshold)
            if z[k - 1] <= out <= following and np.isfinite(out):
                return float(np.log(out))
    return np.inf


def random_sets(n, rng, inputs=7):
    times = rng.uniform(0, 3, (n, inputs))
    times[rng.random(times.shape) < 0.2] = np.inf
    tied = rng.random(n) < 0.3
    times[tied, 1] = times[tied, 0]
    return times, rng.uniform(-0.7, 1.1, (n, inputs))


def test_equals_equation_4_over_prefixes():
    times, weights = random_sets(4000, np.random.default_rng(0))
    want = np.array([brute_force(t, w) for t, w in zip(times, weights, strict=True)])
    got = spike_time(times, weights)
    assert 0.2 < np.isfinite(want).mean() < 0.95
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))
    fired = np.isfinite(want)
    np.testing.assert_allclose(got[fired], want[fired], rtol=1e-9)


def test_single_input_by_hand():
    assert spike_time([0.3], [2.0]) == pytest.approx(0.3 + np.log(2), rel=1e-15)
    assert spike_time([0.3], [1.0]) == np.inf  # reaches the threshold only asymptotically
    assert spike_time([0.0], [3.0], tau=5.0, threshold=2.0) == pytest.approx(5 * np.log(3))


def test_first_crossing_not_a_later_one():
    # Fires between the first and the second input; the second would bring it down again, the third up.
    times, weights = [0.0, 2.0, 4.0], [1.5, -1.4, 2.0]
    assert spike_time(times, weights) == pytest.approx(np.log(3))


def test_tied_inputs_act_together():
    assert spike_time([1.0, 1.0, 1.0], [2.0, -1.5, 0.9]) == pytest.approx(1 + np.log(1.4 / 0.4))


@pytest.mark.parametrize("shift", [1e3, -1e3, 1e6])
def test_only_time_differences_matter_and_large_times_do_not_overflow(shift):
    times, weights = random_sets(500, np.random.default_rng(1))
    near, far = spike_time(times, weights), spike_time(times + shift, weights)
    np.testing.assert_array_equal(np.isfinite(near), np.isfinite(far))
    fired = np.isfinite(near) & (near < 20)
    np.testing.assert_allclose(far[fired] - shift, near[fired], atol=1e-7)


def test_an_early_crossing_is_found_a_thousand_tau_before_the_last_input():
    assert spike_time([0.0, 1000.0], [2.0, -5.0]) == pytest.approx(np.log(2))


def test_batch_shapes_broadcast():
    times = np.linspace(0, 1, 24).reshape(2, 3, 4)
    out = spike_time(times, np.full(4, 0.8))
    assert out.shape == (2, 3)
    assert spike_time(np.zeros((5, 0)), np.zeros((5, 0))).tolist() == [np.inf] * 5


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**31), st.floats(0.1, 10), st.floats(0.2, 5))
def test_units_scale(seed, tau, threshold):
    times, weights = random_sets(3, np.random.default_rng(seed))
    want = tau * spike_time(times, weights)
    np.testing.assert_allclose(
        spike_time(times * tau, weights * threshold, tau=tau, threshold=threshold), want, rtol=1e-7
    )


def test_gradient_equals_finite_differences():
    rng = np.random.default_rng(2)
    times, weights = random_sets(300, rng)
    out = spike_time(times, weights, tau=2.0)
    by_time, by_weight = spike_time_gradient(times, weights, tau=2.0)
    h, checked = 1e-6, 0
    for i in range(times.shape[1]):
        for name, analytic in (("t", by_time), ("w", by_weight)):
            up, down = ([times.copy(), weights.copy()] for _ in range(2))
            up[name == "w"][:, i] += h
            down[name == "w"][:, i] -= h
            difference = (spike_time(*up, tau=2.0) - spike_time(*down, tau=2.0)) / (2 * h)
            # Away from grazing crossings, where the derivative itself diverges, and from ties, where a side matters.
            smooth = np.isfinite(difference) & (np.abs(difference) < 20) & (times[:, 0] != times[:, 1])
            smooth &= np.abs(times - out[:, None]).min(axis=1) > 1e-3
            np.testing.assert_allclose(analytic[smooth, i], difference[smooth], atol=1e-5)
            checked += smooth.sum()
    assert checked > 500
    fired = np.isfinite(out)
    np.testing.assert_allclose(by_time[fired].sum(axis=1), 1.0, rtol=1e-9)
    assert not by_time[~fired].any()
    assert not by_weight[~fired].any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"times": [np.nan], "weights": [1.0]}, "times contain NaN"),
        ({"times": [-np.inf], "weights": [1.0]}, "-inf"),
        ({"times": [0.0], "weights": [np.nan]}, "weights contain NaN"),
        ({"times": [0.0, 1.0], "weights": [1.0, 2.0, 3.0]}, "do not broadcast"),
        ({"times": 0.0, "weights": 1.0}, "last axis"),
        ({"times": [0.0], "weights": [2.0], "tau": 0.0}, "tau = 0"),
        ({"times": [0.0], "weights": [2.0], "tau": np.nan}, "tau = nan"),
        ({"times": [0.0], "weights": [2.0], "threshold": -1.0}, "threshold = -1"),
    ],
)
def test_bad_input_is_named(arguments, words):
    with pytest.raises(InputError, match=words):
        spike_time(**arguments)


def test_package_import_is_light_and_curated():
    code = (
        "import sys, neuronsim; heavy = {'torch', 'numba', 'sympy', 'scipy', 'xarray', 'pydantic'} & set(sys.modules); "
        "assert not heavy, heavy; neuronsim.spike_time; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    for name in neuronsim.__all__:
        assert getattr(neuronsim, name) is not None
    assert callable(neuronsim.calibrate)
    with pytest.raises(AttributeError, match="nothing"):
        _ = neuronsim.nothing
