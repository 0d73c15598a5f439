"""A rate card on a network: rates against the card's own f-I curve, mismatch, jitter, energy, and that edits act."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from neuronsim.artifacts.base import UNSIGNED
from neuronsim.artifacts.card_base import ModelCard
from neuronsim.artifacts.card_parts import Energy, Provenance, Quality, Range
from neuronsim.artifacts.rate_card import RateCard
from neuronsim.calibration.prediction import reference_current
from neuronsim.errors import InputError
from neuronsim.neuron.firing_rate import rate
from neuronsim.statistics.estimate import Estimate
from neuronsim.training.cards import as_card
from neuronsim.training.datasets.catalogue import load
from neuronsim.training.layer_specs import Conv, Linear, Pool
from neuronsim.training.low_latency.network import ConvertibleNetwork
from neuronsim.training.rate.conversion import convert, largest_inputs
from neuronsim.training.rate.engine import EventEngine
from neuronsim.training.rate.graph import Dense, Layer, Link, Neuron, RateNetwork
from neuronsim.training.rate.on_card import circuit_neuron, energy_per_inference, on_card


def make_card(**changes):
    values = {
        "charge_per_spike_c": 1e-12, "rheobase_a": 0.0, "refractory_s": 0.0, "isi_jitter": 0.0, "threshold_mismatch": 0.0,
        **changes,
    }  # fmt: skip
    energy = Energy(per_spike_j=Estimate.exact(2e-12), static_w=Estimate.exact(1e-6))
    about = Provenance(
        dataset_digest="0",
        netlist_sha256="0",
        engine="test",
        engine_version="0",
        plans={},
        parameters={},
        seed=0,
        versions={},
    )
    return RateCard(
        neuron="test_neuron",
        not_fitted={},
        quality=Quality(n_fit=1, n_held_out=1, median_error=0, p95_error=0, spike_agreement=1),
        provenance=about,
        energy=energy,
        valid_current_a=Range(low=3e-6, high=300e-6),
        **{name: Estimate.exact(value) for name, value in values.items()},
    ).signed()


def one_to_one(n, gain=1.0):
    weight = gain * np.eye(n, dtype=np.float32)
    return RateNetwork((1, 1, n), [Layer(links=(Link(synapses=Dense(weight=weight)),), neuron=Neuron(reset="rest"))])


@pytest.mark.parametrize(
    "changes", [{}, {"refractory_s": 40e-9}, {"rheobase_a": 1e-6}, {"rheobase_a": 1e-6, "refractory_s": 40e-9}]
)
def test_rates_follow_the_card_s_curve(changes):
    """Constant drives, a hundredth of a threshold per step: the steps are short against the intervals."""
    card = make_card(**changes)
    network = on_card(one_to_one(5, 0.05), card, chip=None, step_s=4e-9)
    x = np.array([[0.1, 0.2, 0.4, 0.7, 1.0]], np.float32)
    steps = 40_000
    hertz = EventEngine(network).run(x, steps, encoding="constant").counts[0] / (steps * 4e-9)
    current = 0.05 * x[0] * 1e-12 / 4e-9
    refractory = {
        "charge_per_spike": 1e-12,
        "rheobase": changes.get("rheobase_a", 0),
        "refractory": changes.get("refractory_s", 0),
    }
    np.testing.assert_allclose(hertz, rate(current, **refractory), rtol=0.03, atol=2e4)


def test_mismatch_is_one_draw_per_chip():
    card = make_card(threshold_mismatch=0.1)
    thetas = [on_card(one_to_one(2000), card, chip=chip).thresholds[0] for chip in (0, 0, 1)]
    assert np.array_equal(thetas[0], thetas[1])
    assert not np.array_equal(thetas[0], thetas[2])
    assert thetas[0].std() == pytest.approx(0.1, rel=0.1)
    assert (on_card(one_to_one(5), card, chip=None).thresholds[0] == 1).all()


def test_interval_jitter_is_the_card_s():
    card = make_card(isi_jitter=0.2)  # large against the rounding of a count
    network = on_card(one_to_one(1, 0.01), card, step_s=4e-9, jitter="interval")
    # the number of intervals in a long run scatters like CV sqrt(n)
    counts = EventEngine(network).run(np.ones((200, 1), np.float32), 4000, encoding="constant").counts[:, 0]
    assert counts.std() == pytest.approx(0.2 * counts.mean() ** 0.5, rel=0.15)


@pytest.mark.parametrize("refractory_s", [0.0, 40e-9])
@pytest.mark.parametrize("jitter", ["membrane", "interval"])
def test_intervals_at_the_reference_current_scatter_as_the_card_says(jitter, refractory_s):
    """The count of n intervals has the variance CV^2 n; by subtraction, so that steps do not round the intervals."""
    card, step_s = make_card(isi_jitter=0.2, refractory_s=refractory_s), 4e-9
    current = reference_current(card.valid_current_a.low, card.valid_current_a.high)
    network = one_to_one(1, current * step_s / 1e-12)
    network = RateNetwork((1, 1, 1), [replace(network.layers[0], neuron=Neuron(reset="subtract"))])
    network = on_card(network, card, chip=None, step_s=step_s, jitter=jitter)
    counts = EventEngine(network).run(np.ones((1000, 1), np.float32), 4000, encoding="constant").counts[:, 0]
    interval_s = 1e-12 / current + refractory_s
    assert counts.mean() == pytest.approx(4000 * step_s / interval_s, rel=0.02)
    assert counts.std() / counts.mean() ** 0.5 == pytest.approx(0.2, rel=0.08)  # 3.6 standard errors of 1000 counts


def test_the_step_fits_the_refractory_time_and_the_range():
    assert circuit_neuron(make_card()).step_s == pytest.approx(1e-12 / 300e-6)
    short = circuit_neuron(make_card(refractory_s=0.5e-9))  # 3.3 ns would lose 15 % of a step unseen
    assert (short.step_s, short.refractory) == (pytest.approx(10e-9), 0)
    found = circuit_neuron(make_card(refractory_s=5e-9, rheobase_a=10e-6))
    assert (found.step_s, found.refractory) == (pytest.approx(5e-9), 1)
    assert found.decay == pytest.approx(np.exp(-5e-9 * 10e-6 / 1e-12))
    with pytest.raises(InputError, match="range of currents"):
        circuit_neuron(make_card(), step_s=1e-6)
    with pytest.raises(InputError, match="refractory time"):
        circuit_neuron(make_card(refractory_s=5e-9), step_s=3.4e-9)


def test_energy_counts_spikes_and_time():
    card = make_card()
    network = on_card(one_to_one(4), card, step_s=4e-9)
    result = EventEngine(network).run(np.ones((2, 4), np.float32), 100, encoding="deterministic")
    spikes, static = energy_per_inference(card, network, result, 100, step_s=4e-9)
    assert spikes == pytest.approx(400 * 2e-12)
    assert static == pytest.approx(4 * 1e-6 * 100 * 4e-9)


@pytest.fixture(scope="module")
def digits():
    """A network trained in a second on 8 x 8 digits: (network, test pixels, labels)."""
    data = load("digits")
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(64, 60, bias=False), torch.nn.ReLU(), torch.nn.Linear(60, 10, bias=False)
    )
    x = torch.from_numpy(data.train.pixels / np.float32(255)).permute(0, 3, 1, 2)
    y = torch.from_numpy(data.train.labels)
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(80):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x), y).backward()
        optimizer.step()
    spiking = convert(network, (8, 8, 1), largest_inputs(network, x))
    return spiking, data.test.pixels[:200] / np.float32(255), data.test.labels[:200]


@pytest.mark.parametrize(("field", "large"), [("isi_jitter", 1.0), ("threshold_mismatch", 0.9)])
def test_editing_the_card_changes_the_accuracy(digits, tmp_path, field, large):
    """Through the file, as a person edits it: large jitter or mismatch costs accuracy, a small one next to none."""
    network, pixels, labels = digits
    accuracy = {}
    for value in (0.0, 0.01, large):
        path = make_card().save(tmp_path / f"card{value}.json")
        content = json.loads(path.read_text())
        content[field] = {"value": value, "low": value, "high": value}
        content["digest"] = UNSIGNED
        path.write_text(json.dumps(content))
        card = as_card(path, RateCard)
        assert card.edited
        right = [
            EventEngine(on_card(network, card, chip=c)).run(pixels, 40, trial=c).accuracy(labels)[-1] for c in range(3)
        ]
        accuracy[value] = float(np.mean(right))
    assert accuracy[0.0] > 0.9
    assert abs(accuracy[0.01] - accuracy[0.0]) < 0.02
    assert accuracy[large] < accuracy[0.0] - 0.01


def test_membrane_jitter_acts_too(digits):
    network, pixels, labels = digits
    card = make_card(isi_jitter=1.0)
    quiet = EventEngine(on_card(network, card, chip=None, temporal=False)).run(pixels, 40)
    noisy = EventEngine(on_card(network, card, chip=None, jitter="membrane")).run(pixels, 40)
    assert not np.array_equal(quiet.counts, noisy.counts)
    assert noisy.accuracy(labels)[-1] < quiet.accuracy(labels)[-1] + 0.01


def test_a_card_for_spike_times_is_refused(card, tmp_path):
    path = card().save(tmp_path / "ttfs.json")
    assert ModelCard.load(path).code == "ttfs"
    with pytest.raises(InputError, match="rate card"):
        as_card(path, RateCard)


def test_the_readout_of_a_converted_network_stays_ideal(spiking_graph):
    """It has no threshold, so noise in thresholds must not reach it: a jitter of 0.1 % leaves the classes alone."""
    layers = (Conv(channels=8, kernel=3), Pool(), Linear(outputs=20), Linear(outputs=5))
    made = ConvertibleNetwork(layers, (8, 8, 1), 5, levels=2, adaptor=False, generator=torch.Generator().manual_seed(0))
    pixels = torch.rand((200, 8, 8, 1), generator=torch.Generator().manual_seed(3))
    made.standardize(pixels)
    made.set_mode("quantized", "average")
    made.start_steps(pixels)
    with torch.no_grad():
        for _ in range(20):
            made(pixels)
    network = spiking_graph.rate_network(made.eval(), (8, 8, 1))
    drive = made.inputs(pixels).permute(0, 2, 3, 1).numpy()
    assert drive.min() < -1 < 1 < drive.max()

    def classes(described):
        return EventEngine(described).run(drive, 16, encoding="constant").prediction[:, -1]

    clean = classes(network)
    assert np.bincount(clean).max() < 180  # else any readout would do
    for jitter in ("membrane", "interval"):
        placed = on_card(network, make_card(isi_jitter=1e-3, threshold_mismatch=1e-4), jitter=jitter)
        assert (classes(placed) == clean).mean() >= 0.95
    loud = on_card(network, make_card(isi_jitter=0.5), jitter="membrane")
    assert (classes(loud) == clean).mean() < 0.95  # the hidden neurons are the card's
    static = energy_per_inference(make_card(), placed, EventEngine(placed).run(drive[:1], 2, encoding="constant"), 2)[1]
    neurons = (
        sum(np.prod(shape) for shape, layer in zip(placed.shapes, placed.layers, strict=True) if layer.spiking) - 5
    )
    assert static == pytest.approx(neurons * 1e-6 * 2 * circuit_neuron(make_card()).step_s)


def test_a_readout_within_a_network_or_with_noise_is_refused():
    link = (Link(synapses=Dense(weight=np.eye(2, dtype=np.float32))),)
    with pytest.raises(InputError, match="last layer"):
        RateNetwork((1, 1, 2), [Layer(links=link, readout=True), Layer(links=link)])
    with pytest.raises(InputError, match="ideal"):
        RateNetwork((1, 1, 2), [Layer(links=link, readout=True, neuron=Neuron(membrane_noise=0.1))])
