"""The training bench: its table says what every interval is, whose experiment has changed, and which command made each part."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from record import PAGE

from neuronsim.training import load_experiment, train
from neuronsim.training.ttfs.deployed import checkpoints

HERE = Path(__file__).parent


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """train_networks.py, whose neighbors are imported from its folder."""
    monkeypatch.syspath_prepend(str(HERE))
    return importlib.import_module("train_networks")


@pytest.fixture
def table(bench: ModuleType) -> ModuleType:
    return sys.modules["training_table"]


@pytest.fixture
def results() -> dict:
    return json.loads((HERE / "training.json").read_text(encoding="utf-8"))


def row(text: str, start: str) -> str:
    (found,) = [line for line in text.splitlines() if line.startswith(f"| {start}")]
    return found


def test_every_part_has_its_own_provenance(table, results):
    for number, part in enumerate(results.values()):
        part.update(date=f"2030-01-0{number + 1}", command="make x" if number < 2 else f"make {number}")
        assert set(part["runs"])
        assert all(len(run["digest"]) == 64 for run in part["runs"].values())
    first, second, *_ = results
    results[second]["date"] = results[first]["date"]
    lines = [line for line in table.measured_table(results).splitlines() if line.startswith("- ")]
    assert len(lines) == len(results) - 1
    assert lines[0].startswith(f"- {first}, {second}: 2030-01-01")
    assert "`make x`" in lines[0]


def test_rows_of_changed_experiments_are_marked(table, results):
    for part in results.values():
        for run in part["runs"].values():
            today = load_experiment(run["experiment"]).model_copy(update={"seed": run["seed"]})
            run["digest"] = today.digest()
    assert "†" not in table.measured_table(results)
    results["mnist"]["runs"]["mnist_1"]["digest"] = "0" * 64
    results["noise"]["runs"]["on_card"]["digest"] = "0" * 64
    results["circuit"]["runs"]["mnist_0"]["digest"] = "0" * 64  # what the fine-tuned networks started from
    text = table.measured_table(results)
    assert "†" in row(text, "MNIST, 32 bit")
    assert "†" in row(text, "pll_nlif_averaged: on_card, card")
    assert "†" in row(text, "pll_nlif_averaged: on_card minus mnist_0")
    assert "†" not in row(text, "pll_nlif_averaged: mnist_0, card")
    assert "†" in row(text, "MNIST, fine-tuned 3 epochs: on exact neurons")
    results["mnist"]["runs"]["mnist_1"]["experiment"] = "no_longer_shipped"
    assert "†" in row(table.measured_table(results), "MNIST, 32 bit")


def test_rows_say_what_their_interval_is(table, results):
    part = results["noise"]
    text = table.measured_table({"noise": part})
    (gain,) = (gain for gain in part["results"]["gains"] if gain["network"] == "on_card")
    shown = row(text, "pll_nlif_averaged: on_card minus mnist_0")
    assert f"{100 * gain['mean']:+.2f} points [{100 * gain['low']:+.2f}, {100 * gain['high']:+.2f}]" in shown
    assert "20 chips" in shown
    assert "chips" not in row(text, "pll_nlif_averaged: mnist_0, temporal only")
    assert "5 temporal draws" in row(text, "pll_nlif_averaged: mnist_0, temporal only")
    assert "5 chips" in row(text, "pll_nlif_averaged: mnist_0, frozen only")
    assert "Wilson" in row(text, "pll_nlif_averaged: mnist_0, exact neurons")
    for point in part["results"]["points"]:
        point["interval"] = "draws and images" if point["draws"] else "images"
    assert "over 20 chips and the images" in row(
        table.measured_table({"noise": part}), "pll_nlif_averaged: on_card, card"
    )


def test_seeds_have_a_t_interval_and_the_longest_training(table, results):
    runs = results["mnist"]["results"]
    for run, accuracy, seconds in zip(runs.values(), (0.99, 0.992, 0.994), (3000, 3600, 4800), strict=True):
        run["test_accuracy"]["32"], run["seconds"] = accuracy, seconds
    text = table.measured_table({"mnist": results["mnist"]})
    assert "**99.20%** [98.70%, 99.70%], t over the seeds" in row(text, "MNIST, 32 bit, mean of 3")
    assert "63 min, longest 80 min" in row(text, "training time")
    del runs["1"], runs["2"]
    assert "Wilson over 10000 images" in row(
        table.measured_table({"mnist": results["mnist"]}), "MNIST, 32 bit, one seed"
    )


def test_circuit_rows_tell_epochs_and_the_paired_difference(table, results):
    part = results["circuit"]
    on = part["results"]["rows"][1]["on"]
    difference = {
        "run": "through_circuit",
        "reference": "finetuned",
        "on": on,
        "mean": -0.0004,
        "low": -0.002,
        "high": 0.001,
    }
    part["results"]["differences"] = [difference]
    text = table.measured_table({"circuit": part})
    assert "Wilson" in row(text, f"MNIST, fine-tuned 2 epochs: on the circuit ({on})")
    shown = row(text, "difference on the circuit")
    assert "(2 epochs) minus exact neurons (3 epochs)" in shown
    assert "-0.04 points [-0.20, +0.10], paired over 10000 images" in shown


def test_the_page_has_the_committed_results(table, results):
    assert table.measured_table(results) in PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train("digits_quick", out=tmp_path_factory.mktemp("runs") / "mnist_0", epochs=2, progress=False)


def test_a_silent_image_is_wrong_on_exact_neurons_and_on_a_card(bench, digits, tmp_path):
    """Without any spike every time is infinite; class 0 must not be right then."""
    run = tmp_path / "silent"
    shutil.copytree(digits, run)
    kept = torch.load(run / "best.ckpt", weights_only=True)
    for value in kept["state_dict"].values():
        value.zero_()
    torch.save(kept, run / "best.ckpt")
    made = bench.Bench(tmp_path, None, 1, (0,))
    for path in (None, HERE / "transistor_card.json"):
        right = made.answers(run, checkpoints(run)[-1], path)
        assert right.dtype == bool
        assert not right.any()


def test_robustness_part_goes_into_the_results_and_the_table(bench, digits, tmp_path, monkeypatch, capsys):
    for name in ("qat_0", "mnist_0", "in_range", "on_transistor"):
        shutil.copytree(digits, tmp_path / name)
    few = bench.stress

    def stress(runs, plan, *arguments, **named):
        return few(runs, plan.changed(draws=2, points=2, chips=2), *arguments, progress=False, **named)

    monkeypatch.setattr(bench, "stress", stress)
    out = tmp_path / "t.json"
    page = PAGE.read_bytes()
    bench.main(["--only", "robustness", "--images", "30", "--out", str(tmp_path), "--results", str(out), "--jobs", "1"])
    part = json.loads(out.read_text())["robustness"]
    assert set(part["results"]) == {"quantization", "snr", "jitter", "energy"}
    assert set(part["runs"]) == {"mnist_0", "qat_0", "in_range", "on_transistor"}
    assert "--only robustness" in part["command"]
    assert "--images 30" in part["command"]
    for use in part["results"]["energy"]["energy"]:
        assert use["card_chips"] == 2
        assert use["card_active_low_j"] < use["card_active_j"] < use["card_active_high_j"]
    shown = capsys.readouterr().out
    assert "95 % t interval" in shown
    assert "30 test images" in shown
    bench.main(["--table", "--results", str(out)])
    assert capsys.readouterr().out.strip() in shown
    assert PAGE.read_bytes() == page
    assert np.isfinite([p["accuracy"] for p in part["results"]["jitter"]["points"]]).all()
