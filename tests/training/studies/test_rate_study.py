"""Cells and rows of the noisy-weights study: draws, intervals, the same chip on both sides, and what the tables say."""

import dataclasses
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from neuronsim.artifacts.noisy_weights_study import ANN_PAPER, ANN_UNROLLED, SNN_SHARED, ChipDifference, NoisyWeights
from neuronsim.report.study_files import study_report
from neuronsim.statistics.proportions import wilson
from neuronsim.training.rate.conversion import convert, largest_inputs
from neuronsim.training.rate.engine import EventEngine
from neuronsim.training.rate.graph import Neuron
from neuronsim.training.rate.noise import WeightNoise
from neuronsim.training.studies.noisy_weights.cells import Cell, Conditions, Subject, cells, key_of
from neuronsim.training.studies.noisy_weights.noisy_ann import chip_outputs
from neuronsim.training.studies.noisy_weights.passes import compute
from neuronsim.training.studies.noisy_weights.plan import NoisyWeightsPlan
from neuronsim.training.studies.noisy_weights.rows import by_length, chip_differences, rows_of, snr_point, spread, times

COMMITTED = Path(__file__).parents[2] / "benchmarks"


def cnn(size=28):
    """A small network on images of ``size``, with the modules of the paper's."""
    side = (size - 2) // 2
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(3 * side**2, 10, bias=False)
    )
    g = torch.Generator().manual_seed(1)
    for weight in network.parameters():
        with torch.no_grad():
            weight.copy_(torch.randn(weight.shape, generator=g) * 0.3 + 0.05)
    return network


@pytest.fixture(scope="module")
def subject():
    network = cnn()
    images = torch.rand((12, 1, 28, 28), generator=torch.Generator().manual_seed(2))
    return Subject(
        architecture="cnn", seed=0, network=network, largest=largest_inputs(network, images), digest="x", images=images,
        labels=network(images).argmax(1), data_digest="y",
    )  # fmt: skip


def cell(**changes):
    return Cell(
        **{"architecture": "cnn", "network": 0, "side": "snn", "noise": "temporal", "scale": 1.0, "level": 1.0, "trial": 0,
           **changes}
    )  # fmt: skip


CONDITIONS = Conditions(plan=NoisyWeightsPlan(steps=30), seed=0)


def test_the_analog_network_stands_on_the_chip_of_the_spiking_one():
    """Without noise it is the ReLU network; with frozen noise its activations are the rates that the spiking chip settles at."""
    network, images = cnn(8), torch.rand((5, 1, 8, 8), generator=torch.Generator().manual_seed(1))
    largest = largest_inputs(network, images)
    spiking = convert(network, (8, 8, 1), [3 * value for value in largest], neuron=Neuron(), delay=0)
    pixels = images.permute(0, 2, 3, 1).numpy()
    exact = chip_outputs(EventEngine(spiking), pixels, batch=2)
    np.testing.assert_allclose(exact, network(images).detach().numpy(), rtol=1e-4, atol=1e-4)
    for kernels in ("unrolled", "shared"):
        engine = EventEngine(spiking, WeightNoise(level=0.4, kind="frozen", kernels=kernels), chip=3)
        noisy = chip_outputs(engine, pixels)
        counts = engine.run(pixels, 3000, encoding="constant").counts / 3000
        np.testing.assert_allclose(counts, np.maximum(noisy, 0) / (3 * largest[-1]), atol=0.005)
        assert np.abs(np.maximum(noisy, 0) - np.maximum(exact, 0)).max() / (3 * largest[-1]) > 0.05


def test_networks_draw_for_themselves_and_the_first_as_ever(subject):
    """The first network keeps seed and key of earlier results, whose passes are then found again."""
    first, second = cell(), cell(network=1)
    assert CONDITIONS.draws(0) == 0
    assert len({CONDITIONS.draws(k) for k in range(5)}) == 5
    old = ["noisy weights", "snn", "temporal", 1.0, 0, 0, "x", "y", 12, 1.0, 30, "bernoulli"]
    assert key_of(first, subject, CONDITIONS) == old
    old = ["noisy weights", "ann", ANN_PAPER, 1.0, 0, 0, "x", "y", 12]
    assert key_of(cell(side="ann", noise=ANN_PAPER), subject, CONDITIONS) == old
    assert compute(first, subject, CONDITIONS) != compute(second, subject, CONDITIONS)  # the same weights and images
    for noise in (ANN_PAPER, ANN_UNROLLED, "one draw per inference"):
        assert key_of(cell(side="ann", noise=noise), subject, CONDITIONS) != key_of(
            cell(side="ann", noise=noise, network=1), subject, CONDITIONS
        )


@pytest.mark.parametrize(
    ("changes", "noise"),
    [
        ({"law": "fixed"}, "temporal"),
        ({"law": "sqrt"}, "frozen"),
        ({"kernels": "shared"}, "frozen"),
        ({"kernels": "shared"}, "temporal"),
        ({"reset": "subtract"}, "temporal"),
        ({"precharge": 0.5}, "temporal"),
    ],
)
def test_every_option_acts_and_is_in_the_key(subject, changes, noise):
    changed = dataclasses.replace(CONDITIONS, plan=CONDITIONS.plan.changed(**changes))
    one = cell(noise=noise)
    assert key_of(one, subject, changed) != key_of(one, subject, CONDITIONS)
    assert compute(one, subject.first(4), changed)["spikes"] != compute(one, subject.first(4), CONDITIONS)["spikes"]


def test_frozen_passes_are_paired_chips_of_few_images():
    plan = NoisyWeightsPlan(networks=1, trials=2, levels=(0.0, 1.0), scales=(1.0,), chips=4)
    passes = cells(plan)
    for architecture in ("fc", "cnn"):
        frozen = {(c.side, c.trial) for c in passes if c.architecture == architecture and c.noise == "frozen"}
        assert frozen == {(side, chip) for side in ("ann", "snn") for chip in range(4)}
    assert {c.architecture for c in passes if c.noise in (SNN_SHARED, ANN_UNROLLED)} == {"cnn"}
    assert len(passes) == len(set(passes))
    assert SNN_SHARED not in {c.noise for c in cells(plan.changed(kernels="shared"))}


def test_a_shared_kernel_under_temporal_noise_counts_images_and_spikes(subject):
    exact = compute(cell(noise=SNN_SHARED, level=0.0), subject.first(3), CONDITIONS)
    engine = compute(cell(level=0.0), subject.first(3), CONDITIONS)
    assert exact["n"] == 3
    assert exact["spikes"] == pytest.approx(engine["spikes"], rel=0.1)  # other input trains, the same network


def test_differences_are_paired_by_chip():
    """Chips far apart, the SNN 1 % above on each: no width is left; over two networks the width is that of their means."""
    plan, results = [], []
    for network, gain in ((0, 0.01), (1, 0.01)):
        for chip, level in enumerate((0.5, 0.7, 0.9)):
            for side, value in (("ann", level), ("snn", level + gain)):
                plan.append(cell(network=network, side=side, noise="frozen", trial=chip))
                results.append({"right": [round(1000 * value)] * (1 if side == "ann" else 20), "n": 1000})
    for count, over in ((6, "draws"), (12, "networks")):
        (found,) = chip_differences(plan[:count], results[:count])
        assert (found.n, found.over) == (count // 2, over)
        assert (found.mean, found.low, found.high) == pytest.approx((0.01, 0.01, 0.01))


def test_intervals_are_over_what_is_independent():
    networks = np.repeat([0, 1, 2], 5)
    values = np.array([0.90, 0.95, 0.97])[networks] + np.tile([-0.001, 0, 0, 0, 0.001], 3)
    found = spread(values.tolist(), networks.tolist(), 1000)
    half = stats.t.ppf(0.975, 2) * np.std([0.90, 0.95, 0.97], ddof=1) / 3**0.5
    assert (found.n, found.over) == (15, "networks")
    assert found.low == pytest.approx(found.mean - half)
    assert found.high == 1.0  # an accuracy
    one = spread(values[:5].tolist(), [0] * 5, 1000)
    assert one.over == "draws"
    assert one.high - one.low == pytest.approx(2 * stats.t.ppf(0.975, 4) * values[:5].std(ddof=1) / 5**0.5)
    alone = spread([0.95], [0], 1000)
    assert (alone.low, alone.high, alone.over) == (*wilson(0.95, 1000), "images")
    assert times([None, 10, 20], [0, 0, 1]).over == "networks"


def test_convergence_depends_on_the_length_and_is_told_for_several():
    """An accuracy that creeps up: each length has its own end, and another first step of its range."""
    curve = 0.98 - 0.02 * np.exp(-np.arange(1, 1001) / 150)
    found = {entry.steps: entry for entry in by_length(curve, 10_000)}
    assert list(found) == [100, 300, 500, 1000]
    assert found[100].convergence is None
    assert 100 < found[300].convergence < 300
    assert found[1000].convergence > 400
    flat = by_length(np.r_[np.linspace(0, 0.9, 50), np.full(350, 0.9)], 100)
    assert [entry.convergence for entry in flat] == [50, 50, 50]


def test_rows_average_curves_before_they_look_for_convergence():
    plan = [cell(trial=k) for k in range(2)]
    steps = np.arange(400)
    up = np.where(steps % 2, 9805, 9795) * (steps > 20)
    results = [
        {"right": c.tolist(), "n": 10_000, "spikes": 1.0, "events": 1.0} for c in (up, 19_600 * (steps > 20) - up)
    ]
    (row,) = rows_of(plan, results, [1, 400], 10_000, True)
    assert row.not_converged == 2  # each swings by 0.05 %
    assert row.by_length[-1].convergence == 22  # their mean does not


def test_signal_to_noise_follows_the_square_root_and_covers_the_truth():
    """Counts that are sums of n independent parts; 95 % intervals hold the ratio in about 95 % of studies."""
    g = np.random.default_rng(0)
    spikes = np.array([4, 16, 64, 256])
    found = [snr_point("fc", "temporal", int(n), g.normal(n, 0.8 * n**0.5, (4, 4000))) for n in spikes]
    slope = np.polyfit(np.log(spikes), [np.log(p.snr) for p in found], 1)[0]
    assert slope == pytest.approx(0.5, abs=0.01)
    # At a ratio of 1 the error of the mean is twice that of the deviation: without it 65 % would hold.
    points = [snr_point("fc", "frozen", 1, g.normal(2.0, 2.0, (2, 60))) for _ in range(400)]
    held = np.mean([p.low < 1 < p.high for p in points if p])
    assert 0.91 < held < 0.985


def test_committed_results_load_and_say_what_they_are_made_of():
    study = NoisyWeights.load(COMMITTED / "noisy_weights.json")
    assert "SNN, temporal (%)" in study_report(study).tables[0].header
    text = "\n".join(table.markdown() for table in study_report(study).tables)
    assert "ANN, one draw per trial, shared kernel (%)" in text
    snn = study.select("fc", "snn", "temporal")[0].accuracy
    low, high = wilson(snn.mean, study.n_images)
    assert f"{100 * snn.mean:.2f} [{100 * low:.2f}, {100 * high:.2f}]" in text
    card = NoisyWeights.load(COMMITTED / "noisy_weights_card.json")
    rows = next(table for table in study_report(card).tables if "rate card" in table.caption).rows
    chips, images = (tuple(map(float, cell.split("[")[1].split("]")[0].split(","))) for cell in rows[0][2:4])
    assert images[0] < chips[0] < chips[1] < images[1]
    assert images[1] - images[0] > 1.0  # 1000 images: +- 0.7 points, however many chips


def test_sentences_follow_the_chips_and_the_falls():
    study = NoisyWeights.load(COMMITTED / "noisy_weights.json")
    first, last = (study.select("fc", "ann", ANN_PAPER)[k].accuracy.mean for k in (0, -1))
    alone = study.model_copy(update={"frozen": []})
    assert f"{100 * (last - first):+.2f} points" in study_report(alone).findings[0]
    assert "in the paper -4.03 points" in study_report(alone).findings[0]
    many = ChipDifference(architecture="fc", level=1.0, n=10, mean=-0.008, low=-0.012, high=-0.004)
    text = study_report(study.model_copy(update={"frozen": [many]})).findings[0]
    assert (
        "the same 10 chips on both sides: spiking minus analog -0.80 points [-1.20, -0.40] over the chips, 0 lies outside"
        in text
    )


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_passes_the_network_and_the_extent_on():
    root = COMMITTED.parents[1]
    for options in ((), ("CHECKPOINT=net.ckpt", "WHOLE=1")):
        said = subprocess.run(
            ["make", "-n", "bench-rate", *options], cwd=root, capture_output=True, text=True, check=True
        )
        assert ("--checkpoint net.ckpt --whole" in said.stdout) is bool(options)
