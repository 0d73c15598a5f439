"""Training: kill -9 and resume, runs that must not be mixed, damaged files, noise-aware training."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from neuronsim.errors import DataError, InputError
from neuronsim.training import load_experiment, train
from neuronsim.training.ttfs.deployed import build, load_network
from neuronsim.training.ttfs.experiment_sections import NoiseAware
from neuronsim.training.ttfs.run_folder import read_checkpoint

ROOT = Path(__file__).parents[3]


def weights(run: Path, name: str) -> dict[str, torch.Tensor]:
    return read_checkpoint(run / name)["state_dict"]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def small(optimizer="adamw"):
    """Digits with everything random switched on: augmentation, input noise, dropout, averaging, clipping, two stages."""
    base = load_experiment("digits_quick").model_dump()
    base.update(
        name="small",
        augmentation={"shift_px": 0.5, "rotation_deg": 5.0},
        layers=[{"kind": "linear", "outputs": 24}, {"kind": "dropout", "p": 0.1}, {"kind": "linear", "outputs": 10}],
        optimizer={"name": optimizer, "clip": "row-norm", "clip_value": 10.0},
        stages=[{"epochs": 3, "lr": 6e-3, "lr_end": 3e-3}, {"epochs": 3, "lr": 3e-3, "lr_end": 1e-3, "bits": 4}],
    )
    return type(load_experiment("digits_quick")).model_validate(base)


def test_run_folder_is_complete(quick_run):
    assert {path.name for path in quick_run.iterdir()} == {
        "experiment.toml",
        "metrics.csv",
        "run.json",
        "last.ckpt",
        "best.ckpt",
        "best-0-full.ckpt",
    }
    with (quick_run / "metrics.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == [
        "stage",
        "epoch",
        "train_loss",
        "train_accuracy",
        "val_loss",
        "val_accuracy",
        "lr",
        "seconds",
    ]
    experiment = load_experiment(quick_run / "experiment.toml")
    assert len(rows) == experiment.epochs
    run = json.loads((quick_run / "run.json").read_text())
    assert run["finished"]
    last_stage = [float(row["val_accuracy"]) for row in rows if row["stage"] == "1"]
    assert run["bests"][-1]["val_accuracy"] == max(last_stage) > 0.9


def test_training_starts_from_the_weights_of_another_run(quick_run, tmp_path):
    experiment = load_experiment(quick_run / "experiment.toml")
    still = experiment.stages[0].model_copy(update={"epochs": 1, "lr": 1e-9, "lr_end": 1e-9})
    fine = experiment.model_copy(update={"stages": (still,), "ema": None})
    run = train(fine, out=tmp_path / "fine", start=quick_run / "best-0-full.ckpt", progress=False)
    tuned, dataset = load_network(run)
    origin = build(experiment, dataset, quick_run / "best-0-full.ckpt")
    for before, after in zip(origin.spiking, tuned.spiking, strict=True):
        torch.testing.assert_close(after.weight, before.weight, rtol=0, atol=1e-5)  # 1e-9 per step moves nothing
    assert train(fine, out=run, start=quick_run / "best-0-full.ckpt", progress=False) == run
    with pytest.raises(InputError, match="start"):
        train(fine, out=run, progress=False)
    other = fine.model_copy(update={"layers": fine.layers[-1:]})
    with pytest.raises(DataError, match="does not fit the layers"):
        train(other, out=tmp_path / "other", start=quick_run, progress=False)


def test_a_finished_run_is_not_trained_again(quick_run):
    before = {path.name: path.stat().st_mtime_ns for path in quick_run.iterdir()}
    assert train("digits_quick", out=quick_run, progress=False) == quick_run
    assert before == {path.name: path.stat().st_mtime_ns for path in quick_run.iterdir()}


def test_another_experiment_in_the_folder_is_refused(quick_run):
    with pytest.raises(InputError, match="another experiment"):
        train("digits_quick", out=quick_run, seed=5, progress=False)
    with pytest.raises(InputError, match="already holds"):
        train("digits_quick", out=quick_run, resume=False, progress=False)


@pytest.mark.slow
def test_kill_and_resume_gives_identical_weights(tmp_path):
    experiment = small("soap")  # that of mnist_ttfs
    whole = train(experiment, out=tmp_path / "whole", progress=False, threads=1)
    file = tmp_path / "small.toml"
    shutil.copy(whole / "experiment.toml", file)
    out = tmp_path / "killed"
    code = "import sys; from neuronsim import training; training.train(sys.argv[1], out=sys.argv[2], progress=False)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    kills = 0
    for wait_for in (1, 4):
        process = subprocess.Popen([sys.executable, "-c", code, str(file), str(out)], env=environment)
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            rows = (out / "metrics.csv").read_text().count("\n") - 1 if (out / "metrics.csv").is_file() else 0
            if rows >= wait_for:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        kills += process.wait() == -signal.SIGKILL
    assert kills >= 1
    # In this process, with other threads: neither shows in the weights.
    train(file, out=out, progress=False, threads=3)
    assert same(weights(whole, "last.ckpt"), weights(out, "last.ckpt"))
    assert same(weights(whole, "best.ckpt"), weights(out, "best.ckpt"))
    columns = [row.rsplit(",", 1)[0] for row in (whole / "metrics.csv").read_text().splitlines()]
    assert columns == [row.rsplit(",", 1)[0] for row in (out / "metrics.csv").read_text().splitlines()]
    assert not list(out.glob("lightning_logs*"))


@pytest.mark.parametrize("on_card", [False, True])
def test_interrupt_leaves_a_run_that_can_go_on(tmp_path, monkeypatch, card, on_card):
    from neuronsim.training.ttfs.lightning_module import TTFSModule

    experiment, options = small().with_epochs(3), {}
    if on_card:  # chips and timing noise of each batch are drawn anew, the same after an interruption
        experiment = experiment.model_copy(update={"noise_aware": NoiseAware(kernel="card")})
        options = {"card": card(mismatch_sigma=0.05, sigma_v=0.02, ramp_per_tau=0.02)}
    whole = train(experiment, out=tmp_path / "whole", progress=False, **options)
    step = TTFSModule.training_step

    def interrupted(self, batch, index):
        if self.current_epoch == 1 and index == 3:
            raise KeyboardInterrupt
        return step(self, batch, index)

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(TTFSModule, "training_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(experiment, out=tmp_path / "cut", progress=False, **options)
    assert signal.getsignal(signal.SIGINT) is handler
    assert not json.loads((tmp_path / "cut" / "run.json").read_text())["finished"]
    monkeypatch.setattr(TTFSModule, "training_step", step)
    train(experiment, out=tmp_path / "cut", progress=False, **options)
    assert same(weights(whole, "last.ckpt"), weights(tmp_path / "cut", "last.ckpt"))


def test_damaged_checkpoint_and_run_file_are_named(quick_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(quick_run, run)
    raw = (run / "last.ckpt").read_bytes()
    (run / "last.ckpt").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(DataError, match=r"last\.ckpt is corrupt.*delete it"):
        train("digits_quick", out=run, progress=False)
    middle = len(raw) // 2
    (run / "last.ckpt").write_bytes(
        raw[:middle] + bytes(255 - b for b in raw[middle : middle + 64]) + raw[middle + 64 :]
    )
    with pytest.raises(DataError, match=r"last\.ckpt is corrupt.*checksum"):
        train("digits_quick", out=run, progress=False)
    (run / "run.json").write_text("{")
    with pytest.raises(DataError, match=r"run\.json is no training run: corrupt"):
        train("digits_quick", out=run, progress=False)


def test_training_is_silent(tmp_path, capfd):
    train("digits_quick", out=tmp_path / "run", epochs=2, progress=False)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_noise_aware_training_uses_the_card(tmp_path, card):
    runs = {}
    for name, change in {"a": {}, "b": {"sigma_v": 0.02}, "c": {"mismatch_sigma": 0.1}}.items():
        runs[name] = train("digits_quick", out=tmp_path / name, epochs=2, card=card(**change), progress=False)
    final = {name: weights(run, "last.ckpt") for name, run in runs.items()}
    assert not same(final["a"], final["b"])
    assert not same(final["a"], final["c"])
    again = train("digits_quick", out=tmp_path / "again", epochs=2, card=card(), progress=False)
    assert same(final["a"], weights(again, "last.ckpt"))
    network, dataset = load_network(runs["a"])
    assert network.n_weights == (64 + 1) * 64 + (64 + 1) * 10
    assert dataset.name == "digits"


def test_arguments_are_checked(tmp_path):
    with pytest.raises(InputError, match="seed = -1"):
        train("digits_quick", out=tmp_path / "x", seed=-1)
    with pytest.raises(InputError, match="threads = 0"):
        train("digits_quick", out=tmp_path / "x", threads=0, progress=False)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        train("digits_quick", out=tmp_path / "file")
    noisy = load_experiment("digits_quick").model_dump()
    noisy["noise_aware"] = {}
    with pytest.raises(InputError, match="--card"):
        train(type(load_experiment("digits_quick")).model_validate(noisy), out=tmp_path / "y")


def test_training_on_a_gpu_learns(tmp_path):
    if not torch.cuda.is_available():
        pytest.skip("no GPU here; runs where torch sees one")
    run = train("digits_quick", out=tmp_path / "gpu", epochs=2, progress=False)
    assert json.loads((run / "run.json").read_text())["bests"][-1]["val_accuracy"] > 0.8
