"""Evaluation: conditions, intervals, energy, resuming, and what noise does to accuracy."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy import stats

from neuronsim.artifacts.evaluation import Evaluation
from neuronsim.cli.networks import show_evaluation
from neuronsim.errors import InputError
from neuronsim.report import write_report
from neuronsim.training import evaluate
from neuronsim.training.ttfs import evaluate as evaluation
from neuronsim.training.ttfs.energy import waiting
from neuronsim.training.ttfs.trials import decide_times


def result(run, tmp_path, name="e", **changes) -> Evaluation:
    arguments = {"chips": 3, "images": 150, "progress": False, **changes}
    return Evaluation.load(evaluate(run, out=tmp_path / f"{name}.json", **arguments))


def test_clean_and_quantized_without_a_card(quick_run, tmp_path):
    found = result(quick_run, tmp_path, images=None)
    assert [c.name for c in found.conditions] == ["clean", "quantized"]
    clean, quantized = found.conditions
    assert clean.accuracy > 0.93
    assert quantized.accuracy > 0.9
    assert (clean.bits, quantized.bits) == (None, 4)
    low, high = stats.binomtest(round(clean.accuracy * found.n_images), found.n_images).proportion_ci(method="wilson")
    assert (clean.low, clean.high) == pytest.approx((low, high), rel=1e-9)
    table = np.array(found.confusion)
    assert table.shape == (10, 10)
    assert np.trace(table) / found.n_images == pytest.approx(quantized.accuracy)
    assert 0 < len(found.class_times_tau) <= 500
    assert min(found.class_times_tau) > 0


def test_fewer_bits_are_worse(quick_run, tmp_path):
    coarse = result(quick_run, tmp_path, bits=1, images=None)
    assert coarse.condition("quantized").bits == 1
    assert coarse.condition("quantized").accuracy < coarse.condition("clean").accuracy - 0.05


def test_card_conditions(quick_run, tmp_path, card):
    found = result(
        quick_run, tmp_path, card=card(mismatch_sigma=0.05, gain_sigma=0.02, per_spike_j=4e-12, static_w=1e-6)
    )
    assert [c.name for c in found.conditions] == ["clean", "quantized", "card", "frozen only", "temporal only"]
    on_card = found.condition("card")
    accuracy = np.array(on_card.per_chip)
    assert len(accuracy) == 3
    assert on_card.accuracy == pytest.approx(accuracy.mean())
    assert on_card.worst == accuracy.min()
    assert on_card.low is not None
    assert on_card.high is not None
    # three chips on the same images do not make them 450: only errors that are a chip's own average out
    low, high = stats.binomtest(round(accuracy.mean() * 150), 150).proportion_ci(method="wilson")
    assert on_card.high - on_card.low > 0.7 * (high - low)
    assert on_card.low < on_card.accuracy < on_card.high
    assert (on_card.frozen, found.condition("temporal only").frozen) == (True, False)
    assert found.card == "test_neuron"
    assert not found.card_edited


def energy(found: Evaluation) -> float:
    value = found.condition("card").energy_per_inference_j
    assert value is not None
    return value


def test_energy_counts_spikes_and_static_power(quick_run, tmp_path, card):
    calm = {"sigma_v": 0.0, "diffusion_v": 0.0, "second_pole_ratio": None, "per_spike_j": 4e-12}
    spikes = result(quick_run, tmp_path, "a", card=card(**calm), chips=1)
    sparsity = spikes.condition("card").sparsity
    assert energy(spikes) == pytest.approx(4e-12 * (sparsity[0] * 64 + sparsity[1] * 10))
    both = result(quick_run, tmp_path, "b", card=card(**calm, static_w=1e-6), chips=1)
    static = energy(both) - energy(spikes)
    # Decision times of the clean network; those on the card, with 4-bit weights, differ a little.
    assert static == pytest.approx(1e-6 * 74 * 50e-9 * np.mean(both.class_times_tau), rel=0.1)
    slower = result(quick_run, tmp_path, "c", card=card(**calm, static_w=1e-6, tau_s=100e-9), chips=1)
    assert energy(slower) - energy(spikes) == pytest.approx(2 * static)
    without = result(quick_run, tmp_path, "d", card=card(), chips=1)
    assert without.condition("card").energy_per_inference_j is None


def test_out_of_range_is_reported(quick_run, tmp_path, card):
    unknown = result(quick_run, tmp_path, card=card(), chips=1).condition("card")
    wide = result(quick_run, tmp_path, "a", card=card(xor_limit_weight=1000.0), chips=1).condition("card")
    narrow = result(quick_run, tmp_path, "b", card=card(xor_limit_weight=0.3), chips=1).condition("card")
    assert wide.out_of_range == 0
    assert narrow.out_of_range is not None
    assert narrow.out_of_range > 0.1
    assert unknown.out_of_range is None  # the card has no limit: that is not "never left"


def test_a_single_chip_has_no_interval_anywhere(quick_run, tmp_path, card, capsys):
    path = evaluate(quick_run, card=card(), chips=1, images=100, out=tmp_path / "e.json", progress=False)
    condition = Evaluation.load(path).condition("card")
    assert (condition.low, condition.high) == (None, None)
    show_evaluation(path)
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("card "))
    assert "none: one chip" in row
    page = write_report(tmp_path / "r.html", [path]).read_text()
    assert "one chip: no interval" in page


def test_a_silent_image_waits_as_long_as_the_slowest_decided_one():
    """The docstring of ``evaluate`` and ``energy.waiting`` say the same; an all-silent image is right for no class."""
    times = np.array([[1.0, np.inf], [np.inf, np.inf], [4.0, 3.0]])
    assert waiting(times.min(axis=1)) == (pytest.approx((1 + 3 + 3) / 3), 3.0)
    assert decide_times(times).tolist() == [0, -1, 1]
    assert "slowest" in (evaluate.__doc__ or "").split("Energy per inference")[1]


@pytest.mark.slow
def test_thirty_times_the_timing_noise_lowers_accuracy(quick_run, tmp_path, card):
    once = result(quick_run, tmp_path, "once", card=card(), chips=5, images=None).condition("card")
    thirty = result(quick_run, tmp_path, "thirty", card=card(), chips=5, images=None, noise_scale=30.0).condition(
        "card"
    )
    assert thirty.noise_scale == 30
    assert thirty.high is not None
    assert once.low is not None
    assert thirty.high < once.low
    assert once.accuracy - thirty.accuracy > 0.1


def test_the_same_call_returns_at_once_and_another_does_not(quick_run, tmp_path, card, monkeypatch):
    result(quick_run, tmp_path, card=card())
    calls = []
    original = evaluation.load_network
    monkeypatch.setattr(evaluation, "load_network", lambda *a: calls.append(a) or original(*a))
    first = (tmp_path / "e.json").read_bytes()
    result(quick_run, tmp_path, card=card())
    assert calls == []
    assert (tmp_path / "e.json").read_bytes() == first
    result(quick_run, tmp_path, card=card(sigma_v=0.02))
    assert len(calls) == 1
    # A file that someone changed is made again.
    (tmp_path / "e.json").write_text("{}")
    result(quick_run, tmp_path, card=card(sigma_v=0.02))
    assert len(calls) == 2


def test_an_interrupted_evaluation_goes_on_at_the_next_chip(quick_run, tmp_path, card, monkeypatch):
    whole = result(quick_run, tmp_path, "whole", card=card(mismatch_sigma=0.05))
    original = evaluation.Trials.chip
    done = []

    def limited(self, number, frozen, temporal):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(number)
        return original(self, number, frozen, temporal)

    monkeypatch.setattr(evaluation.Trials, "chip", limited)
    with pytest.raises(KeyboardInterrupt):
        result(quick_run, tmp_path, "cut", card=card(mismatch_sigma=0.05))
    assert not (tmp_path / "cut.json").exists()
    repeated = []
    monkeypatch.setattr(evaluation.Trials, "chip", lambda self, *a: repeated.append(a) or original(self, *a))
    assert result(quick_run, tmp_path, "cut", card=card(mismatch_sigma=0.05)) == whole
    assert len(repeated) == 3 * 3 - 2


def test_seed_changes_the_chips_only(quick_run, tmp_path, card):
    noisy = card(mismatch_sigma=0.2)
    one = result(quick_run, tmp_path, "one", card=noisy, seed=1)
    two = result(quick_run, tmp_path, "two", card=noisy, seed=2)
    assert one.condition("quantized") == two.condition("quantized")
    assert one.condition("card").per_chip != two.condition("card").per_chip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"chips": 0}, "chips = 0"),
        ({"bits": 40}, "bits = 40"),
        ({"noise_scale": -1.0}, "noise_scale"),
        ({"images": 0}, "images = 0"),
    ],
)
def test_arguments_are_checked(quick_run, tmp_path, change, message):
    with pytest.raises(InputError, match=message):
        result(quick_run, tmp_path, **change)


def test_only_finished_runs(quick_run, tmp_path):
    with pytest.raises(InputError, match="no training run at"):
        evaluate(tmp_path)
    run = json.loads((quick_run / "run.json").read_text())
    (tmp_path / "run.json").write_text(json.dumps({**run, "digest": "unsigned", "finished": False}))
    with pytest.raises(InputError, match="not finished"):
        evaluate(tmp_path)
