"""ngspice against theory, and one engine against the other."""

import logging

import numpy as np
import pytest

from neuronsim import spike_time
from neuronsim.circuits import characterize, load_manifest
from neuronsim.circuits.deck.deck import build
from neuronsim.circuits.deck.resolved import resolve
from neuronsim.circuits.deck.run import CurrentStimulus, Run, SpikeStimulus
from neuronsim.circuits.neuron.netlist import read_netlist
from neuronsim.circuits.ngspice import command_line as engine_cli
from neuronsim.circuits.ngspice import shared_library as engine_shared
from neuronsim.circuits.plans import FICurve, Ramp, Saturation, Transfer
from neuronsim.errors import MissingToolError
from neuronsim.neuron.event_solver import first_crossing

TAU = 50e-9


def _errors(data):
    measured = data["spike_time_s"].values
    theory = spike_time(data["input_time_s"].values, data["weight"].values, tau=TAU)
    assert (data["status"] == "ok").all()
    assert (np.isfinite(measured) == np.isfinite(theory)).all()
    fired = np.isfinite(theory)
    return np.abs(measured[fired] / theory[fired] - 1)


def test_averaged_neuron_obeys_equation_4():
    errors = _errors(characterize("pll_nlif_averaged", [Transfer(trials=20, silent=0.0)], seed=1))
    assert errors.size == 20
    assert errors.mean() <= 2e-5
    assert errors.max() <= 1e-4


@pytest.mark.slow
def test_switching_neuron_at_1_ghz():
    errors = _errors(characterize("pll_nlif_pwm", [Transfer(trials=20, silent=0.0, settle=4.0)], seed=1))
    assert errors.size == 20
    assert errors.mean() <= 0.01


def test_both_engines_agree():
    for neuron, trials in (("pll_nlif_averaged", 8), ("pll_nlif_pwm", 2)):
        plan = [Transfer(trials=trials, silent=0.0, settle=3.0)]
        shared = characterize(neuron, plan, engine="ngspice-shared", seed=2, cache=False)
        command = characterize(neuron, plan, engine="ngspice-cli", seed=2, cache=False)
        assert np.isfinite(shared["spike_time_s"]).all()
        assert command["spike_time_s"].values == pytest.approx(shared["spike_time_s"].values, rel=1e-6)


def test_ramp_follows_the_event_solver():
    data = characterize("pll_nlif_averaged", [Ramp()])
    for measured, ramp in zip(data["spike_time_s"].values, data["level"].values, strict=True):
        row = data.isel(run=0)
        times, weights = row["input_time_s"].values, row["weight"].values
        theory = first_crossing(times, weights, tau=TAU, second_pole_ratio=200.0, ramp=ramp)
        assert measured == pytest.approx(theory, rel=5e-5)


def test_beyond_the_detector_range_the_spike_comes_late():
    data = characterize("pll_nlif_averaged", [Saturation(levels=(4.0, 8.0))])
    theory = spike_time(data["input_time_s"].values, data["weight"].values, tau=TAU)
    inside, outside = data["spike_time_s"].values / theory - 1
    assert abs(inside) < 1e-3
    assert outside > 0.01


@pytest.mark.parametrize(("neuron", "leak"), [("if_behavioral", None), ("lif_behavioral", 100e3)])
def test_rate_of_the_voltage_domain_neurons(neuron, leak):
    data = characterize(neuron, [FICurve(points=8, low_a=12e-6, high_a=100e-6)])
    current = data["input_current_a"].values
    interval = 1e-12 * 1.0 / current if leak is None else leak * 1e-12 * np.log(current / (current - 1.0 / leak))
    assert data["rate_hz"].values == pytest.approx(1 / (5e-9 + interval), rel=1e-3)


def test_silent_below_the_rheobase():
    manifest = load_manifest("lif_behavioral")
    run = Run(plan="x", trial=0, window_s=1e-6, stimulus=CurrentStimulus(current_a=9.9e-6))
    job = build(resolve(manifest, run), read_netlist(manifest))
    assert engine_cli.run(job, 30).spikes_s == ()


def test_latch_and_reset(tmp_path):
    """The output stays high after the crossing until rst, which also empties the membrane."""
    manifest = load_manifest("pll_nlif_averaged")
    run = Run(plan="x", trial=0, window_s=6 * TAU, stimulus=SpikeStimulus(times_s=(20e-9,), weights=(1.5,)))
    job = build(resolve(manifest, run), read_netlist(manifest))
    raw = tmp_path / "run.raw"
    (tmp_path / "deck.cir").write_text(job.deck.replace("Vreset rst 0 DC 0", "Vreset rst 0 PULSE(0 1 200n 1n 1n 50n)"))
    import subprocess

    subprocess.run(
        ["ngspice", "-n", "-b", "-r", str(raw), str(tmp_path / "deck.cir")],
        check=True,
        capture_output=True,
        cwd=tmp_path,
    )
    wave = engine_cli.read_raw(raw)
    at = {t: np.interp(t, wave["time"], wave["out"]) for t in (50e-9, 150e-9, 230e-9)}
    assert at[50e-9] < 0.1
    assert at[150e-9] > 0.9
    assert at[230e-9] < 0.1
    assert abs(np.interp(240e-9, wave["time"], wave["mem"])) < 1e-3


def test_spiceinit_of_the_user_changes_nothing(tmp_path, monkeypatch):
    manifest = load_manifest("pll_nlif_averaged")
    run = Run(plan="x", trial=0, window_s=4 * TAU, stimulus=SpikeStimulus(times_s=(20e-9,), weights=(1.5,)))
    job = build(resolve(manifest, run), read_netlist(manifest))
    before = engine_cli.run(job, 30).spikes_s
    (tmp_path / ".spiceinit").write_text("option reltol=0.1\nset ngbehavior=hs\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert engine_cli.run(job, 30).spikes_s == before
    plan = [Transfer(trials=2, silent=0.0)]
    disturbed = characterize("pll_nlif_averaged", plan, cache=False)
    monkeypatch.undo()
    assert (characterize("pll_nlif_averaged", plan, cache=False)["spike_time_s"] == disturbed["spike_time_s"]).all()


def test_missing_ngspice_says_what_to_do(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    engine_cli.version.cache_clear()
    with pytest.raises(MissingToolError, match="apt-get install ngspice"):
        characterize("pll_nlif_averaged", [Transfer(trials=1)], engine="ngspice-cli")
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    monkeypatch.delenv("NGSPICE_LIBRARY_PATH", raising=False)
    with pytest.raises(MissingToolError, match="apt-get install ngspice"):
        engine_shared.library_path()
    engine_cli.version.cache_clear()


def test_engine_leaves_logging_alone():
    assert logging.root.manager.disable == logging.NOTSET
