"""Plans are data: they reject contradictions and depend on their seed only."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from neuronsim.circuits import KINDS, load_manifest, load_plans, make_plan
from neuronsim.circuits.characterize import _runs_with_waveforms
from neuronsim.circuits.deck.deck import build
from neuronsim.circuits.deck.resolved import resolve
from neuronsim.circuits.neuron.netlist import read_netlist
from neuronsim.circuits.plans import FICurve, Jitter, Mismatch, Quantization, Saturation, Transfer
from neuronsim.circuits.plans.base import membrane_extremes
from neuronsim.errors import DataError, InputError
from neuronsim.neuron.closed_form import spike_time

AVERAGED = load_manifest("pll_nlif_averaged")


def test_groups_lists_and_files(tmp_path):
    assert [plan.kind for plan in load_plans("table3,transfer")] == ["jitter", "quantization", "transfer"]
    path = tmp_path / "mine.toml"
    path.write_text("[transfer]\ntrials = 3\n[jitter]\nlevels = [0.02]\n")
    mine = load_plans(str(path))
    assert mine == [Transfer(trials=3), Jitter(levels=(0.02,))]


@pytest.mark.parametrize(
    ("text", "kind", "says"),
    [
        ("[transfr]\n", InputError, "Did you mean 'transfer'"),
        ("[transfer]\ntrails = 3\n", InputError, "trails.*Did you mean 'trials'"),
        ("[transfer]\ntrials = 0\n", InputError, "trials = 0 is out of range: at least 1"),
        ("[transfer]\nweight = [1.0, 0.5]\n", InputError, "must rise"),
        ("[jitter]\nlevels = [9]\n", InputError, "as a fraction"),
        ("[jitter]\nweights = [0.3, 0.3]\n", InputError, "never fires"),
        ("[quantization]\nlevels = [64]\n", InputError, "1 to 32"),
        ("trials = 3\n", InputError, "one table per plan"),
        ("[transfer\n", DataError, "not valid TOML"),
    ],
)
def test_bad_plan_file(tmp_path, text, kind, says):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(kind, match=says):
        load_plans(str(path))


def test_unknown_and_repeated_plans():
    with pytest.raises(InputError, match="Did you mean 'quantization'"):
        load_plans("quantisation")
    with pytest.raises(InputError, match="asked for twice"):
        load_plans("table3,jitter")
    with pytest.raises(InputError, match="no plan file"):
        load_plans("nowhere.toml")


def test_plans_are_frozen_and_survive_plain_data():
    for kind, plan in KINDS.items():
        made = plan()
        assert make_plan(kind, made.model_dump()) == made
        with pytest.raises(ValidationError):
            made.settle = 3.0  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", [k for k, p in KINDS.items() if p.code == "ttfs"])
def test_runs_depend_on_the_seed_only(kind):
    plan = KINDS[kind](**({"trials": 4} if "trials" in KINDS[kind].model_fields else {}))
    manifest = load_manifest("pll_nlif_transistor") if plan.obstacle(AVERAGED) else AVERAGED
    assert plan.runs(manifest, {}, 3) == plan.runs(manifest, {}, 3)
    if kind not in ("ramp", "saturation", "reset"):
        assert plan.runs(manifest, {}, 3) != plan.runs(manifest, {}, 4)


def test_a_plan_may_stop_watching_after_the_ideal_spike():
    whole = Transfer(trials=40, silent=0.3, settle=3.0).runs(AVERAGED, {}, 0)
    brief = Transfer(trials=40, silent=0.3, settle=3.0, beyond=0.5).runs(AVERAGED, {}, 0)
    tau = AVERAGED.defaults()["tau"]
    silent = 0
    for long, short in zip(whole, brief, strict=True):
        assert replace(short, window_s=long.window_s) == long
        ideal = float(spike_time(long.spikes.times_s, long.spikes.weights, tau=tau))
        assert short.window_s == pytest.approx(min(long.window_s, ideal + 0.5 * tau))
        silent += np.isinf(ideal)
    assert silent > 3  # these are watched to the end
    assert sum(run.window_s for run in brief) < 0.7 * sum(run.window_s for run in whole)


def test_groups_keep_the_steps_of_transistors_with_a_carrier():
    assert all(plan.fine for plan in load_plans("datasheet", AVERAGED) if plan.kind == "transfer")
    transistor = load_plans("datasheet", load_manifest("pll_nlif_transistor"))
    assert not any(plan.fine for plan in transistor)
    assert {"transfer", "corners", "jitter", "phase_noise", "mismatch"} <= {plan.kind for plan in transistor}


def test_transfer_stimuli_are_what_they_say():
    runs = Transfer(trials=300).runs(AVERAGED, {}, 0)
    totals = np.array([sum(run.spikes.weights) for run in runs])
    assert {len(run.spikes.times_s) for run in runs} == set(range(2, 9))
    assert (np.abs(totals - 1) >= 0.2).all()
    assert 0.03 < (totals < 1).mean() < 0.2
    assert any(min(run.spikes.weights) < 0 for run in runs)
    assert all(membrane_extremes(np.array(r.spikes.times_s) / 50e-9, np.array(r.spikes.weights))[0] <= 5 for r in runs)


def test_quantization_uses_the_same_weights_at_every_level():
    runs = Quantization(trials=5).runs(AVERAGED, {}, 0)
    by_trial = [run.spikes.nominal_weights for run in runs if run.trial == 2]
    assert len(by_trial) == 6
    assert len(set(by_trial)) == 1
    four_bits = [run.spikes for run in runs if run.level == 4]
    assert all(
        abs(w - n) <= 1 / 15 + 1e-12 for run in four_bits for w, n in zip(run.weights, run.nominal_weights, strict=True)
    )


def test_mismatch_hides_its_errors():
    runs = Mismatch(chips=3, trials=3).runs(AVERAGED, {}, 0)
    nominal, chips = [r for r in runs if r.chip is None], [r for r in runs if r.chip is not None]
    assert (len(nominal), len(chips)) == (3, 9)
    assert all(r.spikes.weights == r.spikes.nominal_weights for r in chips)
    assert len({r.parameters["theta"] for r in chips}) == 3
    assert len({r.spikes.weight_errors[:2] for r in chips}) == 3


def test_saturation_reaches_its_level():
    runs = Saturation(levels=(5.0, 8.0)).runs(AVERAGED, {}, 0)
    for run in runs:
        error, _ = membrane_extremes(np.array(run.spikes.times_s) / 50e-9, np.array(run.spikes.weights))
        assert error == pytest.approx(run.level)


def test_outside_the_validity_range():
    with pytest.raises(InputError, match="validity range of pll_nlif_averaged"):
        Jitter(times=(0.3, 0.31), weights=(4.0, 4.0)).runs(AVERAGED, {}, 0)
    with pytest.raises(InputError, match="validity range"):
        Transfer(weight=(5.5, 6.0), silent=0.0).runs(AVERAGED, {}, 0)
    with pytest.raises(InputError, match=r"low_a = 1e-09 A leaves the validity range"):
        FICurve(low_a=1e-9).runs(load_manifest("if_behavioral"), {}, 0)


def test_plans_that_the_neuron_cannot_do():
    with pytest.raises(InputError, match=r"needs a \[noise\] port"):
        KINDS["phase_noise"]().runs(load_manifest("pll_nlif_pwm"), {}, 0)


def test_membrane_noise_has_its_floor_and_fresh_seeds():
    manifest = load_manifest("lif_behavioral")
    plan = KINDS["membrane_noise"](points=3, repeats=4)
    runs = plan.runs(manifest, {}, 5)
    assert runs == plan.runs(manifest, {}, 5)
    assert runs != plan.runs(manifest, {}, 6)
    quiet = [run for run in runs if run.noise is None]
    low, high = manifest.validity.current_a
    assert [run.stimulus.current_a for run in quiet] == pytest.approx([low, (low * high) ** 0.5, high])
    assert len({run.noise for run in runs}) == 1 + 3 * 4
    deck = build(resolve(manifest, runs[1]), read_netlist(manifest)).deck
    assert "Inoise 0 in PWL(" in deck
    assert "Inoise" not in build(resolve(manifest, quiet[0]), read_netlist(manifest)).deck
    with pytest.raises(InputError, match="'density'"):
        plan.runs(manifest.model_copy(update={"noise": None}), {}, 0)
    with pytest.raises(InputError, match="no noise to measure"):
        plan.runs(manifest, {"noise_a_per_rthz": 0.0}, 0)


def test_mismatch_of_a_rate_neuron_draws_threshold_and_capacitor():
    runs = KINDS["mismatch"](chips=300, trials=2).runs(load_manifest("if_behavioral"), {}, 1)
    drawn = {run.chip: run.parameters for run in runs if run.chip is not None}
    assert len(drawn) == 300
    assert len(runs) == 602
    for name, nominal, sigma in (("vth", 1.0, 0.02), ("cmem", 1e-12, 0.01)):
        values = np.array([parameters[name] for parameters in drawn.values()]) / nominal
        assert values.std() == pytest.approx(sigma, rel=0.15)


def test_jitter_with_weights_of_its_own_in_each_trial():
    """The same weights at every level of a trial, others in another trial; times as without."""
    drawn, fixed = (
        Jitter(trials=3, levels=(0.01, 0.05), **more).runs(AVERAGED, {}, 4) for more in ({"weight": (0.6, 1.0)}, {})
    )
    by_trial = {trial: {run.spikes.weights for run in drawn if run.trial == trial} for trial in range(3)}
    assert all(len(found) == 1 for found in by_trial.values())
    assert len(set.union(*by_trial.values())) == 3
    assert all(0.6 <= w <= 1.0 for run in drawn for w in run.spikes.weights)
    assert [run.spikes.times_s for run in drawn] == [run.spikes.times_s for run in fixed]
    with pytest.raises(ValueError, match="never fires"):
        Jitter(weight=(0.4, 1.0))
    with pytest.raises(ValueError, match="must rise"):
        Jitter(weight=(1.0, 0.6))


def test_the_example_waveform_of_a_rate_neuron_is_at_the_middle_current():
    """The lowest current of a sweep that reaches below the rheobase is silent."""
    manifest = load_manifest("lif_behavioral")
    runs = [run for plan in load_plans("fi,membrane_noise") for run in plan.runs(manifest, {}, 0)]
    shown = sorted(_runs_with_waveforms(runs))
    assert [runs[index].plan for index in shown] == ["fi", "membrane_noise"]
    assert runs[shown[0]].stimulus.current_a == pytest.approx(np.sqrt(10.5e-6 * 300e-6), rel=0.1)
    assert runs[shown[1]].noise is None
    ttfs = [run for plan in load_plans("transfer,ramp") for run in plan.runs(load_manifest("pll_nlif_averaged"), {}, 0)]
    assert _runs_with_waveforms(ttfs) == {0, 200}
