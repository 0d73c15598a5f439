"""Robustness studies: known limits of every sweep, resuming, pairing, and what is refused."""

from __future__ import annotations

import csv
import json
import math
import shutil

import numpy as np
import pytest
import torch
from scipy import stats

from neuronsim.artifacts.robustness_study import Point, Study
from neuronsim.errors import DataError, InputError
from neuronsim.report import discover, write_report, write_study_files
from neuronsim.training import evaluate, stress
from neuronsim.training import pass_store as store
from neuronsim.training.datasets.catalogue import load
from neuronsim.training.studies.robustness import sweeps
from neuronsim.training.studies.robustness.passes import input_jitter, output_jitter, quantization_snr_db, weight_noise
from neuronsim.training.studies.robustness.plan import RobustnessPlan
from neuronsim.training.studies.robustness.subjects import subjects
from neuronsim.training.ttfs.deployed import build, checkpoints
from neuronsim.training.ttfs.experiment import load_experiment

QUICK = RobustnessPlan(images=100, draws=3, points=2, chips=3)


def study(runs, folder, kind, *, card=None, seed=0, **changes) -> Study:
    plan = QUICK.changed(only=(kind,), **changes)
    (path,) = stress(runs, plan, folder, card=card, seed=seed, progress=False)
    found = Study.load(path)
    write_study_files(found, folder)
    return found


def only(found: Study, series: str, level: float | None = None) -> Point:
    (point,) = [p for p in found.points if p.series == series and p.level == level]
    return point


@pytest.fixture(scope="session")
def single_run(quick_run, tmp_path_factory):
    """The digits run with its deployed checkpoint only."""
    folder = tmp_path_factory.mktemp("single") / "digits"
    shutil.copytree(quick_run, folder, ignore=shutil.ignore_patterns("robustness", "evaluation*", "best-*"))
    return folder


@pytest.fixture(scope="session")
def staged_run(single_run, tmp_path_factory):
    """The same with a checkpoint of its full-precision stage, whose weights are not those of the deployed one."""
    folder = tmp_path_factory.mktemp("staged") / "staged"
    shutil.copytree(single_run, folder)
    kept = torch.load(folder / "best.ckpt", weights_only=True)
    first = [row for row in kept["neuronsim"]["history"] if row["stage"] == 0]
    with torch.no_grad():
        for name, value in kept["state_dict"].items():
            if "layers.1" in name:
                value *= 1.1
    torch.save({**kept, "neuronsim": {**kept["neuronsim"], "history": first}}, folder / "best-first.ckpt")
    return folder


@pytest.fixture
def network(single_run):
    experiment = load_experiment(single_run / "experiment.toml")
    return build(experiment, load(experiment.data), single_run / "best.ckpt")


def test_checkpoints_are_known_by_their_stage_and_not_by_name(staged_run, single_run):
    kept = checkpoints(staged_run)
    assert [(k.path.name, k.stage, k.bits) for k in kept] == [("best-first.ckpt", 0, None), ("best.ckpt", 1, 4)]
    assert [k.path.name for k in checkpoints(single_run)] == ["best.ckpt"]


def test_quantization_of_full_precision_weights_and_of_trained_ones(staged_run, tmp_path):
    found = study(staged_run, tmp_path, "quantization")
    full, trained = (origin.label for origin in found.networks)
    assert (full, trained) == ("staged (full precision)", "staged (4 bit)")
    assert [p.bits for p in found.series(full, "after training, per layer")] == sorted(sweeps.BITS)
    assert found.series(trained, "after training, per neuron") == []
    precise, wide = only(found, "full precision"), only(found, "after training, per neuron", 16)
    assert wide.accuracy == precise.accuracy
    two = only(found, "after training, per layer", 2)
    assert two.accuracy < precise.accuracy - 0.05
    low, high = stats.binomtest(round(two.accuracy * 100), 100).proportion_ci(method="wilson")
    assert (two.low, two.high) == (pytest.approx(low), pytest.approx(high))
    deployed = evaluate(staged_run, images=100, out=tmp_path / "e.json", progress=False)
    assert (
        only(found, "trained at this width", 4).accuracy
        == json.loads(deployed.read_text())["conditions"][1]["accuracy"]
    )


def test_quantization_snr_rises_by_6_db_per_bit(network):
    ratios = {}
    for bits in (6, 8, 10):
        network.bits = bits
        ratios[bits] = quantization_snr_db(network)
    assert ratios[8] - ratios[6] == pytest.approx(12.04, abs=0.7)
    assert ratios[10] - ratios[8] == pytest.approx(12.04, abs=0.7)
    network.bits = None
    assert quantization_snr_db(network) == math.inf


@pytest.mark.parametrize("bits", [None, 4])
def test_weight_noise_has_the_snr_it_says_and_is_taken_back(network, bits):
    network.bits = bits
    before = [layer.effective_weight().detach().clone() for layer in network.spiking]
    with weight_noise(network, 20.0, seed=3, draw=1):
        noisy = [layer.effective_weight().clone() for layer in network.spiking]
        assert torch.equal(noisy[0], network.spiking[0].effective_weight())
    with weight_noise(network, 30.0, seed=3, draw=1):
        less = [layer.effective_weight().clone() for layer in network.spiking]
    with weight_noise(network, 20.0, seed=3, draw=2):
        other = network.spiking[0].effective_weight().clone()
    for layer, weight, loud, quiet in zip(network.spiking, before, noisy, less, strict=True):
        ratio = float((weight**2).mean() / ((loud - weight) ** 2).mean())
        assert 10 * math.log10(ratio) == pytest.approx(20, abs=0.5)
        # The same draw at every level: only its size changes.
        assert torch.allclose((loud - weight) / math.sqrt(10), quiet - weight, atol=1e-5)
        assert torch.equal(layer.effective_weight(), weight)
    assert not torch.equal(other, noisy[0])


def test_input_jitter_is_relative_to_t():
    t = torch.linspace(0.1, 3.0, 20_000).reshape(1, -1)
    z = torch.cat([torch.exp(t), torch.tensor([[torch.inf, 1.0]])], dim=1)
    out = input_jitter(0.05, seed=1, draw=0)(z, 0)
    shift = torch.log(out[:, :-2]) / t - 1
    assert float(shift.std()) == pytest.approx(0.05, rel=0.03)
    assert abs(float(shift.mean())) < 0.002
    assert torch.isinf(out[0, -2])
    assert out[0, -1] == 1
    assert torch.equal(out, input_jitter(0.05, seed=1, draw=0)(z, 0))
    assert not torch.equal(out, input_jitter(0.05, seed=1, draw=0)(z, 1))


def test_output_jitter_moves_every_neuron_and_is_taken_back(network):
    z = torch.exp(3 * torch.rand((50, 8, 8, 1), generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        calm = network.layer_outputs(z)[0]
        with output_jitter(network, 0.02, seed=1, draw=0):
            moved = network.layer_outputs(z)[0]
        again = network.layer_outputs(z)[0]
    shift = (torch.log(moved) - torch.log(calm))[torch.isfinite(calm) & (calm > 1.2)]
    assert float(shift.std()) == pytest.approx(0.02, rel=0.05)
    assert torch.equal(calm, again)


def test_noise_lowers_accuracy_and_vanishes_with_it(single_run, tmp_path):
    noise = study(single_run, tmp_path, "snr")
    for series in ("full precision", "4 bit"):
        quiet = only(noise, f"{series}, no noise").accuracy
        strong, weak = only(noise, series, 10.0), only(noise, series, 40.0)
        assert strong.accuracy < quiet
        assert abs(weak.accuracy - quiet) <= 0.02
        assert len(strong.draws) == 3
        assert strong.worst == min(strong.draws)
        assert strong.interval == "draws and images"
        half = stats.t.ppf(0.975, 2) * np.std(strong.draws, ddof=1) / math.sqrt(3)
        assert strong.low is not None
        assert strong.high is not None
        assert strong.high - strong.low > 1.5 * half  # never much less than the draws alone, cut to [0, 1]
        assert strong.low < strong.accuracy < strong.high
    jitter = study(single_run, tmp_path, "jitter")
    quiet = only(jitter, "no jitter").accuracy
    assert only(jitter, "inputs", 0.64).accuracy < quiet - 0.1
    assert only(jitter, "outputs", 0.128).accuracy < quiet
    assert abs(only(jitter, "inputs", 0.01).accuracy - quiet) <= 0.02


def test_runs_under_one_card_are_compared_chip_by_chip(single_run, staged_run, tmp_path, card):
    noisy = card(mismatch_sigma=0.3, gain_sigma=0.05, per_spike_j=4e-12, static_w=1e-6)
    found = study([single_run, staged_run], tmp_path, "card", card=noisy)
    one, two = (origin.label for origin in found.networks)
    assert two == "staged (4 bit)"
    # The same deployed weights on the same chips: equal to the last image, and a difference of exactly 0.
    a, b = (found.series(label, "card")[0] for label in (one, two))
    assert a.draws == b.draws
    assert len(set(a.draws)) > 1
    (gain,) = found.gains
    assert (gain.mean, gain.low, gain.high, gain.paired, gain.chips) == (0, 0, 0, True, 3)
    assert found.series(one, "no noise")[0].interval == "images"
    assert a.accuracy < found.series(one, "exact neurons")[0].accuracy
    assert found.repeats(a) == "chips"
    assert found.repeats(found.series(one, "temporal only")[0]) == "temporal draws"
    text = (tmp_path / "card.md").read_text()
    assert "3 chips" in text
    assert "3 temporal draws" in text
    rows = list(csv.DictReader((tmp_path / "card.csv").open()))
    assert {row["out_of_range"] for row in rows} == {""}  # this card has no limit of the detector
    assert {line.split("|")[-2].strip() for line in text.splitlines() if line.startswith(f"| {one} |")} == {"–"}
    energy = study(single_run, tmp_path, "energy", card=noisy).energy[0]
    assert energy.card_chips == 3
    passes = json.loads((tmp_path / "passes.progress").read_text()).values()
    each = {p["energy_j"] for p in passes if p.get("energy_j") and p["accuracy"] in a.draws}
    assert energy.card_active_j is not None
    assert energy.card_active_low_j is not None
    assert energy.card_active_high_j is not None
    assert energy.card_active_low_j < energy.card_active_j < energy.card_active_high_j
    assert min(each) <= energy.card_active_j <= max(each)
    assert "mean over 3 chips" in (tmp_path / "energy.md").read_text()
    assert energy.card_spikes is not None
    assert energy.card_always_on_j is not None
    assert energy.card_active_j is not None
    assert energy.card_always_on_j > energy.card_active_j > 4e-12 * energy.card_spikes
    assert energy.rule_spikes_j == pytest.approx(energy.spikes * 10e-12)
    assert energy.rule_weights_j == pytest.approx(4810 * energy.mean_sparsity * 10e-12)


def test_a_second_call_makes_no_pass_and_more_draws_only_the_new_ones(single_run, tmp_path, monkeypatch):
    study(single_run, tmp_path, "snr")
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    passed = []
    original = sweeps.accuracy
    monkeypatch.setattr(sweeps, "accuracy", lambda *a, **k: passed.append(1) or original(*a, **k))
    (tmp_path / "snr.png").unlink()
    study(single_run, tmp_path, "snr")
    assert passed == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first
    study(single_run, tmp_path, "snr", draws=4)
    assert len(passed) == 4  # two widths, two levels, one draw more
    study(single_run, tmp_path, "snr", seed=1)
    assert len(passed) == 4 + 12  # the passes without noise do not depend on the seed


def test_an_interrupted_study_goes_on_at_the_next_pass(single_run, tmp_path, monkeypatch):
    whole = study(single_run, tmp_path / "whole", "jitter")
    original, passed = sweeps.accuracy, []

    def limited(*arguments, **named):
        if len(passed) == 5:
            raise KeyboardInterrupt
        passed.append(1)
        return original(*arguments, **named)

    monkeypatch.setattr(sweeps, "accuracy", limited)
    with pytest.raises(KeyboardInterrupt):
        study(single_run, tmp_path / "cut", "jitter")
    assert not (tmp_path / "cut" / "jitter.json").exists()
    monkeypatch.setattr(sweeps, "accuracy", lambda *a, **k: passed.append(1) or original(*a, **k))
    assert study(single_run, tmp_path / "cut", "jitter") == whole
    assert len(passed) == 1 + 2 * 2 * 3


def test_a_damaged_store_is_made_again(tmp_path):
    path = tmp_path / "passes.progress"
    path.write_text("{ not json")
    kept = store.Store(path)
    assert kept.result(["a", 1], lambda: {"accuracy": 0.5}) == {"accuracy": 0.5}
    again = store.Store(path)
    assert again.known(["a", 1])
    assert not again.known(["a", 2])
    assert again.result(["a", 1], lambda: {"accuracy": 0.9}) == {"accuracy": 0.5}


def test_files_hold_the_same_numbers_and_the_report_shows_them(single_run, tmp_path):
    found = study(single_run, tmp_path, "quantization")
    rows = list(csv.DictReader((tmp_path / "quantization.csv").open()))
    assert [float(row["accuracy"]) for row in rows] == [p.accuracy for p in found.points]
    two = only(found, "after training, per neuron", 2)
    text = (tmp_path / "quantization.md").read_text()
    assert f"| 2 bit | {100 * two.accuracy:.2f} |" in text
    assert (tmp_path / "quantization.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in discover(tmp_path)] == ["quantization.json"]
    page = write_report(tmp_path / "r.html", [*discover(tmp_path), single_run]).read_text()
    assert "Accuracy with b-bit weights" in page
    assert "No run kept a full-precision checkpoint" in page
    assert "same digest" in page


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chips": 1}, "chips = 1"),
        ({"draws": 1}, "draws = 1"),
        ({"points": 1}, "points = 1"),
        ({"images": 0}, "images = 0"),
        ({"only": ("jiter",)}, "Did you mean 'jitter'"),
        ({"chip": 5}, "Did you mean 'chips'"),
    ],
)
def test_plans_are_checked(change, message):
    with pytest.raises(InputError, match=message):
        RobustnessPlan(**change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": -1}, "seed = -1"),
        ({"plan": QUICK.changed(only=("card",))}, "needs a model card"),
        ({"jobs": 0}, "threads = 0"),
    ],
)
def test_arguments_are_checked(single_run, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        stress(single_run, **{"plan": QUICK, "out": tmp_path, "progress": False, **change})


def test_runs_are_checked(single_run, tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no run given"):
        stress([])
    with pytest.raises(InputError, match="given twice"):
        stress([single_run, single_run / "."])
    with pytest.raises(InputError, match="no training run"):
        stress(tmp_path)
    other = tmp_path / "digits"
    shutil.copytree(single_run, other)
    assert {s.label for s in subjects([single_run, other])} == {f"{p.parent.name}/digits" for p in (single_run, other)}
    record = json.loads((other / "run.json").read_text())
    (other / "run.json").write_text(json.dumps({**record, "digest": "unsigned", "finished": False}))
    with pytest.raises(InputError, match="not finished"):
        stress(other)
    (other / "run.json").write_text(json.dumps({**record, "digest": "unsigned", "data_sha256": "0"}))
    with pytest.raises(InputError, match="of one data set"):
        stress([single_run, other])
    with pytest.raises(DataError, match="other images"):
        stress(other, QUICK, progress=False)
    (other / "best.ckpt").write_bytes(b"no")
    with pytest.raises(DataError, match="corrupt"):
        stress(other)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        stress(single_run, QUICK, tmp_path / "file")


def test_a_study_file_is_checked(tmp_path):
    with pytest.raises(InputError, match="no robustness study"):
        Study.load(tmp_path / "snr.json")
    (tmp_path / "snr.json").write_text("{}")
    with pytest.raises(DataError, match="is no robustness study"):
        Study.load(tmp_path / "snr.json")
