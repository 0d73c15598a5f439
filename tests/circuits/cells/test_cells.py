"""Every cell on its bench."""

import numpy as np
import pytest
from flip_flop_bench import set_up_time
from phase_step_bench import phase_steps
from xor_bench import detector_characteristic

from neuronsim.circuits.cells.bench import Condition
from neuronsim.circuits.cells.oscillator import tuning_curve
from neuronsim.circuits.cells.synapse import synapse_levels
from neuronsim.errors import InputError


def test_the_oscillator_follows_its_current():
    curve = tuning_curve((5e-6, 8e-6, 12e-6))
    assert (curve.frequency_hz > 0).all()
    assert curve.frequency_hz[1] == pytest.approx(500e6, rel=0.06)
    # frequency nearly proportional to the current, less so the faster it is
    exponent = np.diff(np.log(curve.frequency_hz)) / np.diff(np.log(curve.current_a))
    assert (exponent > 0.7).all()
    assert (exponent < 1.05).all()
    assert (np.abs(curve.control_v - 0.5) < 0.08).all()  # vc is a current input
    assert (curve.supply_a > 2 * curve.current_a).all()  # input, mirror branch and ring


def test_xor_is_linear_around_a_quarter_period():
    found = detector_characteristic(np.pi * np.array([-0.5, 0.25, 0.5, 0.75]))
    assert found.worst_error < 0.03
    assert found.duty[2] == pytest.approx(0.5, abs=0.02)
    assert found.duty[3] - found.duty[1] == pytest.approx(0.5, rel=0.03)
    assert found.duty[0] == pytest.approx(found.duty[2], abs=0.02)


def test_flip_flop_needs_its_set_up_time():
    found = set_up_time()
    assert not found.taken[0]
    assert found.taken[-1]
    assert -20e-12 <= found.set_up_s <= 60e-12
    assert 10e-12 < found.clock_to_output_s < 150e-12
    slow = set_up_time((-40e-12, 300e-12), condition=Condition(corner="ss", temperature_c=125, supply_v=0.9))
    assert slow.clock_to_output_s > 1.2 * found.clock_to_output_s


def test_synapse_levels():
    levels = synapse_levels()
    assert levels.step_a(1) == pytest.approx(0.5 / 12e6, rel=0.02)
    assert levels.step_a(-1) == pytest.approx(0.5 / 12e6, rel=0.02)
    assert np.abs(levels.inl).max() < 0.1
    assert np.abs(levels.dnl).max() < 0.1
    assert (np.diff(levels.current_a) > 0).all()
    assert np.abs(levels.idle_a).max() < 0.02 * levels.step_a(1)
    # away from half the supply, sourcing and sinking steps differ
    assert synapse_levels(summing_node_v=0.6).step_a(1) == pytest.approx(0.4 / 12e6, rel=0.02)


def test_a_phase_step_is_that_of_its_weight():
    weights = np.array([1.0, 0.3, 0.06, -0.06, -0.3, -1.0])
    steps = phase_steps(weights, (0.0, 0.5)).mean(axis=1)
    unit = (steps[0] - steps[-1]) / 2
    assert unit == pytest.approx(0.0505, rel=0.03)  # cycles
    assert steps / unit == pytest.approx(weights, abs=0.015)  # either sign, and no dead zone around zero


def test_bad_sweeps_are_refused():
    with pytest.raises(InputError, match="at least one weight"):
        phase_steps(())
    with pytest.raises(InputError, match="width_s"):
        phase_steps((1.0,), width_s=0.0)
    with pytest.raises(InputError, match="rising positive currents"):
        tuning_curve((1e-6, 1e-6))
    with pytest.raises(InputError, match="Did you mean 'ss'"):
        set_up_time(condition=Condition(corner="sss"))
