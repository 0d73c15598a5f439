"""The neurons made of transistors, and the process under them."""

import numpy as np
import pytest

from neuronsim.analysis.corners import reset_rows, reset_verdict, shift_s
from neuronsim.circuits import characterize, load_manifest
from neuronsim.circuits.deck.deck import build
from neuronsim.circuits.deck.resolved import resolve
from neuronsim.circuits.deck.run import CurrentStimulus, NoiseDraw, Run, SpikeStimulus
from neuronsim.circuits.deck.sources import NOISE_STEPS_PER_UNIT, noise_sources
from neuronsim.circuits.neuron.manifest import netlist_folder
from neuronsim.circuits.neuron.manifest_sections import CurrentNoise
from neuronsim.circuits.neuron.netlist import read_netlist
from neuronsim.circuits.neuron.process import load_process
from neuronsim.circuits.ngspice import command_line as engine_cli
from neuronsim.circuits.plans import Transfer
from neuronsim.circuits.plans.registry import make_plan

MODELS = netlist_folder() / "models"


def _currents(tmp_path, corner):
    """(Idsat n, Idsat p, Ioff n, Ioff p) of transistors 1 um wide and 60 nm long at 1 V, in amperes."""
    values = load_process(MODELS / "generic65.toml").corner(corner)
    parameters = "\n".join(f".param {name}={value}" for name, value in values.items())
    deck = f"""* card
.include {MODELS}/generic65.lib
{parameters}
Von on 0 1
Vp s 0 1
Vn1 n1 0 1
Vn2 n2 0 1
Vp1 p1 0 0
Vp2 p2 0 0
Xn1 n1 on 0 0 nfet w=1u l=60n
Xn2 n2 0 0 0 nfet w=1u l=60n
Xp1 p1 0 s s pfet w=1u l=60n
Xp2 p2 on s s pfet w=1u l=60n
.save i(vn1) i(vp1) i(vn2) i(vp2)
.op
.end
"""
    (tmp_path / "card.cir").write_text(deck)
    engine_cli.ngspice(str(tmp_path), ["-b", "-r", "card.raw", "card.cir"], 60)
    found = engine_cli.read_raw(tmp_path / "card.raw")
    return [abs(float(found[f"{name}#branch"][0])) for name in ("vn1", "vp1", "vn2", "vp2")]


def test_the_card_is_a_65_nm_process(tmp_path):
    on_n, on_p, off_n, off_p = _currents(tmp_path, "tt")
    assert on_n == pytest.approx(514e-6, rel=0.1)
    assert on_p == pytest.approx(258e-6, rel=0.1)
    assert off_n == pytest.approx(0.14e-9, rel=0.3)
    assert off_p == pytest.approx(0.10e-9, rel=0.3)


def test_corners_are_ordered(tmp_path):
    at = {corner: _currents(tmp_path, corner) for corner in ("tt", "ss", "ff", "sf", "fs")}
    for i in range(4):
        assert at["ss"][i] < at["tt"][i] < at["ff"][i]
    assert at["sf"][0] < at["tt"][0] < at["fs"][0]  # slow n
    assert at["fs"][1] < at["tt"][1] < at["sf"][1]


def test_ring_of_inverters(tmp_path):
    stages = "\n".join(f"X{i} a{i} a{(i + 1) % 7} vdd inverter" for i in range(7))
    deck = f"""* ring
.include {MODELS}/generic65.lib
.include {netlist_folder()}/cells/inverter.lib
Vdd vdd 0 1
{stages}
.ic v(a0)=1 v(a1)=0 v(a2)=1 v(a3)=0 v(a4)=1 v(a5)=0 v(a6)=1
.save v(a0)
.tran 0.5p 1n 0 0.5p uic
.end
"""
    (tmp_path / "ring.cir").write_text(deck)
    engine_cli.ngspice(str(tmp_path), ["-b", "-r", "ring.raw", "ring.cir"], 300)
    wave = engine_cli.read_raw(tmp_path / "ring.raw")
    edges = np.flatnonzero((wave["a0"][:-1] < 0.5) & (wave["a0"][1:] >= 0.5))
    period = np.diff(wave["time"][edges])[1:].mean()
    assert period / 14 == pytest.approx(12.8e-12, rel=0.1)


def test_axon_hillock_fires_in_proportion_to_its_current():
    manifest = load_manifest("axon_hillock")
    netlist = read_netlist(manifest)
    rates = []
    for current, window in ((50e-9, 1.1e-6), (500e-9, 0.16e-6)):
        run = Run(plan="x", trial=0, window_s=window, stimulus=CurrentStimulus(current_a=current))
        spikes = engine_cli.run(build(resolve(manifest, run), netlist), 120).spikes_s
        rates.append(1 / np.diff(spikes).mean())
    # at least the charge of the feedback capacitor per spike, and what the reset draws too much
    assert 16e-15 < 50e-9 / rates[0] < 26e-15
    assert 7 < rates[1] / rates[0] < 10


def test_the_threshold_pulse_is_an_input_pulse_after_the_reset():
    manifest = load_manifest("pll_nlif_transistor")
    run = Run(plan="x", trial=0, window_s=50e-9, stimulus=SpikeStimulus(times_s=(20e-9,), weights=(1.0,)))
    deck = build(resolve(manifest, run), read_netlist(manifest)).deck.splitlines()
    start, width = manifest.time.lead_in * manifest.bench["tau"].default, manifest.bench["width"].default
    found = {}
    for name in ("Vthreshold thr", "Vs0 s0"):
        text = next(line for line in deck if line.startswith(name))
        found[name] = np.array(text[text.index("(") + 1 : -1].split(), dtype=float).reshape(-1, 2)[1:]
    threshold, pulse = found.values()
    assert np.diff(threshold[:, 0]) == pytest.approx(np.diff(pulse[:, 0]))
    assert (threshold[:, 1] == pulse[:, 1]).all()
    assert threshold[:, 0].mean() == pytest.approx(start + width)


def test_noise_of_before_time_zero_is_part_of_a_run():
    """The charge that a loop of time constant T still holds of white noise of one-sided density S: variance S T/4."""
    manifest = load_manifest("pll_nlif_transistor")
    spec = manifest.noise
    assert isinstance(spec, CurrentNoise)
    values, unit_s = manifest.defaults(), 26e-9
    step_s = unit_s / NOISE_STEPS_PER_UNIT

    def first_samples(one):
        found = []
        for seed in range(400):
            run = Run(plan="x", trial=0, window_s=unit_s, noise=NoiseDraw(seed=seed))
            ((_, text),) = noise_sources(resolve(one, run), 0.0)
            found.append(np.array(text.replace("+", "")[4:-1].split(), dtype=float)[1::2])
        return np.array(found)

    density = values["noise_density"]
    samples = first_samples(manifest)
    held = samples[:, 0] * step_s / 2  # joined linearly, half a step of it
    fresh = density**2 / 2 / step_s * (step_s / 2) ** 2
    assert held.var() == pytest.approx(density**2 * unit_s / 4 + fresh, rel=4 * np.sqrt(2 / 400))
    assert samples[:, 1:].var() == pytest.approx(density**2 / 2 / step_s, rel=0.1)
    without = first_samples(manifest.model_copy(update={"noise": spec.model_copy(update={"memory": None})}))
    np.testing.assert_array_equal(without[:, 1:], samples[:, 1:])
    assert without[:, 0].var() == pytest.approx(without[:, 1:].var(), rel=0.4)


@pytest.mark.slow
def test_the_transistor_neuron_locks_integrates_and_fires():
    stimuli = Transfer(trials=1, silent=0.0, settle=2.0)  # two minutes of ngspice
    data = characterize("pll_nlif_transistor", [stimuli], jobs=1, timeout_s=600)
    assert (data["status"] == "ok").all()
    assert np.isfinite(data["spike_time_s"]).all()
    assert (data["energy_j"] > 1e-12).all()
    assert (data["energy_j"] < 30e-12).all()


@pytest.mark.slow
def test_after_a_spike_and_a_reset_the_transistor_neuron_starts_afresh():
    """Two minutes of ngspice: q falls with the reset, stays low until the stimulus comes again, and rises as late as before."""
    plan = make_plan("reset", {"corners": ("tt",), "temperatures_c": (27.0,), "supplies": (1.0,)})
    rows = reset_rows(characterize("pll_nlif_transistor", [plan], jobs=1, timeout_s=600))
    assert reset_verdict(rows).tolist() == ["again"]
    # one period of VCO3 is 2.118 ns
    assert abs(shift_s(rows)) < 2.2e-9
