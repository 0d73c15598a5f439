"""The conductance bank."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuronsim import ConductanceBank
from neuronsim.errors import InputError
from neuronsim.neuron.conductance_bank import normal_full_scale


def test_two_bits_by_hand():
    bank = ConductanceBank(bits=2, w_max=1.5)
    np.testing.assert_allclose(bank.levels(), [-1.5, -0.5, 0.5, 1.5])
    np.testing.assert_allclose(bank.quantize([-9, -0.9, 0.1, 0.99, 1.01, 9]), [-1.5, -0.5, 0.5, 0.5, 1.5, 1.5])


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 32), st.floats(1e-3, 1e3), st.integers(0, 2**31))
def test_error_is_at_most_half_a_step(bits, w_max, seed):
    bank = ConductanceBank(bits=bits, w_max=w_max)
    weights = np.random.default_rng(seed).uniform(-w_max, w_max, 50)
    once = bank.quantize(weights)
    assert np.abs(once - weights).max() <= bank.step / 2 * (1 + 1e-6) + 1e-12 * w_max
    np.testing.assert_array_equal(bank.quantize(once), once)
    np.testing.assert_allclose(bank.quantize(-once), -once, atol=1e-12 * w_max)


def test_error_variance_is_that_of_uniform_quantization():
    bank = ConductanceBank(bits=4)
    weights = np.random.default_rng(0).uniform(-1, 1, 200_000)
    assert np.var(bank.quantize(weights) - weights) == pytest.approx(bank.step**2 / 12, rel=0.02)


@pytest.mark.parametrize(
    "bad", [{"bits": 0}, {"bits": 33}, {"bits": 2.5}, {"bits": 4, "w_max": 0.0}, {"bits": 4, "w_max": np.inf}]
)
def test_bad_banks_are_refused(bad):
    with pytest.raises(InputError, match="out of range"):
        ConductanceBank(**bad)


def test_bad_weights_are_refused():
    bank = ConductanceBank(bits=20)
    with pytest.raises(InputError, match="NaN"):
        bank.quantize([np.nan])
    with pytest.raises(InputError, match="too many levels"):
        bank.levels()


# Steps of J. Max, Quantizing for minimum distortion, 1960, table II.
@pytest.mark.parametrize(("bits", "step"), [(1, 1.596), (2, 0.9957), (3, 0.5860), (4, 0.3352), (5, 0.1881)])
def test_full_scale_of_normal_weights_is_that_of_max(bits, step):
    assert ConductanceBank(bits=bits, w_max=normal_full_scale(bits)).step == pytest.approx(step, abs=6e-4 * step + 5e-5)


def test_no_other_full_scale_errs_less_on_normal_weights():
    weights = np.random.default_rng(1).normal(size=400_000)

    def error(w_max):
        return np.mean((ConductanceBank(bits=4, w_max=w_max).quantize(weights) - weights) ** 2)

    best = normal_full_scale(4)
    assert error(best) < min(error(0.95 * best), error(1.05 * best))
