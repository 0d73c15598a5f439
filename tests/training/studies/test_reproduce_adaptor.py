"""``neuronsim reproduce noise-adaptor`` on the digits: training in two phases, resuming, the study, and its report section."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
import torch

from neuronsim.artifacts.conversion_study import ConversionStudy, Difference, Mean
from neuronsim.cli import main
from neuronsim.errors import DataError, InputError
from neuronsim.papers import paper003
from neuronsim.report import discover, write_report, write_study_files
from neuronsim.report.study_files import study_report
from neuronsim.training.datasets.catalogue import load
from neuronsim.training.datasets.pixels import as_pixels
from neuronsim.training.layer_specs import Conv, Linear, Pool
from neuronsim.training.low_latency.batches import crop
from neuronsim.training.low_latency.experiment import ConversionExperiment, Crop, Schedule
from neuronsim.training.low_latency.lightning_module import ConvertibleModule, accuracy
from neuronsim.training.low_latency.train import make_network, train_phase
from neuronsim.training.studies.noise_adaptor.plan import NoiseAdaptorPlan
from neuronsim.training.studies.noise_adaptor.run import reproduce_noise_adaptor, simulate, summary

EXPERIMENT = ConversionExperiment(
    name="digits_tiny",
    data="digits",
    batch_size=40,
    crop=Crop(shift_px=1),
    pretraining=Schedule(epochs=2, lr=0.1),
    quantization=Schedule(epochs=2, lr=0.05),
    layers=(Conv(channels=6, kernel=3), Pool(), Linear(outputs=10)),
)
PLAN = NoiseAdaptorPlan(experiment=EXPERIMENT, seeds=2, images=120, times=(1, 2, 4, 8))


def reproduce(out, plan=PLAN):
    return reproduce_noise_adaptor(plan, out, jobs=1, progress=False, command="neuronsim reproduce noise-adaptor")


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folder of a finished study."""
    out = tmp_path_factory.mktemp("adaptor")
    write_study_files(ConversionStudy.load(reproduce(out)), out)
    return out


@pytest.fixture(scope="module")
def study(made):
    return ConversionStudy.load(made / "conversion.json")


def test_the_study_has_every_variant_and_its_means_are_those_of_its_networks(study):
    variants = {(c.adaptor, c.correction, c.seed) for c in study.converted}
    corrections = ("none", "negative-spikes", "offset-spikes")
    assert variants == {(a, c, s) for a in (False, True) for c in corrections for s in (0, 1)}
    for m in study.means:
        same = [c for c in study.converted if (c.adaptor, c.correction) == (m.adaptor, m.correction)]
        values = [c.ann if m.time is None else c.accuracy[c.times.index(m.time)] for c in same]
        assert m.mean == pytest.approx(np.mean(values))
        assert m.low <= m.mean <= m.high
        assert m.n == 2
    for d in study.differences:
        both = {
            m.adaptor: m.mean
            for m in study.means
            if (m.levels, m.correction, m.time) == (d.levels, d.correction, d.time)
        }
        assert d.mean == pytest.approx(both[True] - both[False])
    assert all(c.ann == c.ann_noisy for c in study.converted if not c.adaptor)
    # Far above chance: the networks are trained and the conversion keeps what they learned.
    assert all(c.ann > 0.6 and c.accuracy[-1] > 0.6 for c in study.converted)


def test_variants_of_a_seed_share_the_pretrained_network_and_differ(study):
    plain = [c for c in study.converted if c.correction == "none"]
    for seed in (0, 1):
        of_seed = [c for c in plain if c.seed == seed]
        assert len({c.full_precision for c in of_seed}) == 1
        assert len({c.checkpoint_sha256 for c in of_seed}) == 2


def test_differences_are_paired_by_seed(study):
    base = next(c for c in study.converted if c.correction == "none" and not c.adaptor and c.seed == 0)
    rows = []
    for seed, accuracy_ in ((0, 0.5), (1, 0.7)):  # the adaptor adds 0.1 to each: paired, no spread is left
        for adaptor in (False, True):
            value = accuracy_ + 0.1 * adaptor
            update = {"seed": seed, "adaptor": adaptor, "ann": value, "accuracy": (value,), "times": (1,)}
            rows.append(base.model_copy(update=update))
    means, differences = summary(rows)
    assert {(d.time, round(d.low, 9), round(d.high, 9)) for d in differences} == {(None, 0.1, 0.1), (1, 0.1, 0.1)}
    assert next(m for m in means if m.adaptor and m.time == 1).high == 1.0  # two seeds far apart: a wide interval


def test_a_second_call_only_reads(made, study, monkeypatch):
    def never(*_):
        raise RuntimeError("trained again")

    monkeypatch.setattr(ConvertibleModule, "training_step", never)
    before = (made / "conversion.json").read_bytes()
    reproduce(made)
    assert (made / "conversion.json").read_bytes() == before
    with pytest.raises(InputError, match="another experiment"):
        reproduce(made, PLAN.changed(experiment=EXPERIMENT.model_copy(update={"batch_size": 50})))


def test_files_beside_the_study(made, study):
    with (made / "conversion.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == sum(len(c.times) for c in study.converted)
    text = (made / "conversion.md").read_text()
    assert "difference [95 %]" in text
    assert "neuronsim reproduce noise-adaptor" in text
    assert (made / "conversion.png").read_bytes().startswith(b"\x89PNG")


def test_the_report_shows_it(made, tmp_path):
    assert [path.name for path in discover(made)] == ["conversion.json"]
    page = write_report(tmp_path / "report.html", discover(made)).read_text()
    assert "Accuracy against time, with and without the noise adaptor" in page
    assert "digits_tiny" in page


def test_tables_hold_the_papers_values_where_they_compare(study):
    table = study_report(study).tables[0]
    assert list(table.header[-2:]) == ["paper: without", "paper: with"]
    assert [list(row[-2:]) for row in table.rows][:3] == [["95.50", "94.97"], ["91.62", "93.71"], ["93.65", "95.26"]]
    assert paper003.value(2, True, 4) == paper003.TABLE_3[2][4]
    assert paper003.gain(2, 1) == pytest.approx(0.0209)
    assert paper003.gain(3, 1) is None


def test_tables_show_the_corrections_beside_the_paper_s(study):
    table = next(t for t in study_report(study).tables if t.caption.startswith("Corrections"))
    assert list(table.header[-3:]) == ["paper: no correction", "paper: negative spikes", "paper: offset spikes"]
    cells = {row[0]: list(row[-3:]) for row in table.rows}
    assert cells["quantized ANN"] == ["73.72"] * 3
    assert cells["2"] == ["9.97", "53.42", "64.84"]
    assert "75.24, 74.72, 73.37" in table.caption


def test_half_widths_of_cut_intervals_are_those_of_the_open_side(study):
    """98 +- 5 percent is cut at 100: the mean of both sides would say 3.5."""
    cut = Mean(levels=2, adaptor=False, correction="none", time=1, mean=0.98, low=0.93, high=1.0, n=3)
    means = [m for m in study.means if (m.adaptor, m.correction, m.time) != (False, "none", 1)]
    changed = study.model_copy(update={"means": [*means, cut]})
    rows = {row[0]: row for row in study_report(changed).tables[0].rows}
    assert rows["1"][1] == "98.00 ± 5.00"


def test_sentences_follow_the_numbers(study):
    def difference(time, mean, half=0.01):
        return Difference(levels=2, correction="none", time=time, mean=mean, low=mean - half, high=mean + half, n=2)

    better = study.model_copy(update={"differences": [difference(1, 0.02), difference(2, 0.005), difference(4, -0.03)]})
    (text,) = study_report(better).findings
    assert "higher at T = 1, 2 of T <= 4" in text
    assert "above 0 at T = 1, below 0 at T = 4 (of 3 times" in text
    worse = study.model_copy(update={"differences": [difference(1, -0.02), difference(None, 0.0123)]})
    assert "higher at no T" in study_report(worse).findings[0]
    assert "ANN changes by +1.23 points" in study_report(worse).findings[0]


def test_an_interrupted_training_ends_with_the_same_weights(tmp_path, digits, monkeypatch):
    experiment = EXPERIMENT.model_copy(update={"train_images": 200, "adaptor": True})
    start = train_phase(experiment, "pretraining", out=tmp_path / "start", dataset=digits, progress=False)
    arguments = {"dataset": digits, "start": start, "progress": False}
    whole = train_phase(experiment, "quantization", out=tmp_path / "whole", **arguments)
    step = ConvertibleModule.training_step

    def stop(self, batch, batch_idx):
        if self.current_epoch == 1 and batch_idx == 2:
            raise KeyboardInterrupt
        return step(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(ConvertibleModule, "training_step", stop)
        with pytest.raises(KeyboardInterrupt):
            train_phase(experiment, "quantization", out=tmp_path / "cut", **arguments)
    resumed = train_phase(experiment, "quantization", out=tmp_path / "cut", **arguments)
    expected = whole.network.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in resumed.network.state_dict().items())
    (tmp_path / "cut" / "last.ckpt").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"last\.ckpt"):
        train_phase(experiment, "quantization", out=tmp_path / "cut", **arguments)


def test_initial_weights_depend_on_the_seed_alone(digits):
    a, b = (make_network(EXPERIMENT, digits, "pretraining") for _ in range(2))
    c = make_network(EXPERIMENT.model_copy(update={"seed": 1}), digits, "pretraining")
    assert all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))
    assert not torch.equal(a.weighted[0].linear.weight, c.weighted[0].linear.weight)


def test_noise_in_evaluation_is_seeded_and_only_the_adaptors(tmp_path, digits):
    experiment = EXPERIMENT.model_copy(update={"train_images": 200, "adaptor": True})
    trained = train_phase(experiment, "pretraining", out=tmp_path / "p", dataset=digits, progress=False)
    network = trained.network
    network.set_mode("quantized", "average")
    network.start_steps(as_pixels(digits.train)[:100])
    noisy = [accuracy(network, digits.test, noise_seed=seed) for seed in (1, 1)]
    assert noisy[0] == noisy[1] != accuracy(network, digits.test)
    result = simulate(trained, digits.test, "none", (1, 2), progress=False)
    assert 0 < result["spikes_per_neuron"] < 1


def test_crop_shifts_whole_pixels_and_mirrors():
    pixels = torch.zeros(200, 5, 5, 1)
    pixels[:, 2, 1] = 1.0
    found = crop(pixels, Crop(shift_px=1, mirror=True), torch.Generator().manual_seed(0))
    places = found[..., 0].nonzero()[:, 1:]
    assert len(places) == 200
    assert set(places[:, 0].tolist()) == {1, 2, 3}
    assert set(places[:, 1].tolist()) == {0, 1, 2, 3, 4}
    assert torch.equal(crop(pixels, Crop(), torch.Generator()), pixels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": 1}, "seeds = 1"),
        ({"levels": (2, 2)}, "levels"),
        ({"images": 0}, "images = 0"),
        ({"times": (2, 1)}, "times"),
        ({"experiment": "no_such"}, "unknown experiment"),
        ({"experiment": None, "data": "imagenet"}, "data = 'imagenet'"),
    ],
)
def test_bad_arguments_are_named(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        reproduce(tmp_path, PLAN.changed(**changes))


def test_a_study_file_that_is_none(tmp_path):
    with pytest.raises(InputError, match="no conversion study"):
        ConversionStudy.load(tmp_path / "none.json")
    path = tmp_path / "conversion.json"
    path.write_text(json.dumps({"kind": "conversion", "converted": 3}))
    with pytest.raises(DataError, match="conversion study"):
        ConversionStudy.load(path)


def test_the_command_refuses_what_cannot_be(capsys, tmp_path):
    for arguments in (["--seeds", "1"], ["--data", "imagenet"], ["-p", "0"], ["--experiment", "no_such"]):
        with pytest.raises(SystemExit) as stopped:
            main(["reproduce", "noise-adaptor", *arguments, "--out", str(tmp_path)])
        assert stopped.value.code == 2
        assert arguments[0] == "--experiment" or arguments[0] in capsys.readouterr().err.replace("'", "")
