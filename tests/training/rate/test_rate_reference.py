"""Encodings, the integrate-and-fire layer and the torch network against the plain oracle."""

import numpy as np
import pytest
import torch

from neuronsim.errors import InputError
from neuronsim.training.rate import (
    Dense,
    Identity,
    IntegrateFire,
    Layer,
    Link,
    Neuron,
    RateNetwork,
    ReferenceNetwork,
    encode,
    simulate,
)


@pytest.mark.parametrize("delay", [0, 1])
@pytest.mark.parametrize("kind", ["dense", "residual"])
@pytest.mark.parametrize("name", ["subtract", "paper 000", "half", "refractory", "leaky"])
def test_torch_network_equals_the_oracle(rate_oracle, name, kind, delay):
    network = rate_oracle.networks(rate_oracle.NEURONS[name], delay)[kind]
    pixels = torch.rand((2, *network.input_shape), generator=torch.Generator().manual_seed(1))
    trains = encode(pixels, 24, "bernoulli", torch.Generator().manual_seed(2))
    found = simulate(ReferenceNetwork(network), trains)
    layers = 0
    for image in range(2):
        counts, prediction, history = rate_oracle.run(network, trains[:, image].reshape(24, -1).numpy().astype(float))
        assert found.counts[image].tolist() == counts.tolist()
        assert found.prediction[:, image].tolist() == prediction.tolist()
        layers += np.array([h.sum() for h in history])
    np.testing.assert_allclose(found.spikes, layers)
    assert layers[0] > 20
    assert layers[-1] > 0


def test_deterministic_trains_have_the_exact_rate_and_are_regular():
    pixels = torch.arange(256) / 255
    trains = encode(pixels, 255, "deterministic")
    assert trains.sum(0).tolist() == list(range(256))
    gaps = torch.nonzero(trains[:, 51]).flatten().diff()
    assert gaps.unique().tolist() == [5]


def test_bernoulli_trains_have_the_rate():
    pixels = torch.tensor([0.0, 0.1, 0.5, 1.0])
    counts = encode(pixels, 20000, "bernoulli", torch.Generator().manual_seed(3)).sum(0)
    assert counts[0] == 0
    assert counts[3] == 20000
    assert abs(counts[1] - 2000) < 5 * (2000 * 0.9) ** 0.5
    assert abs(counts[2] - 10000) < 5 * (10000 * 0.5) ** 0.5


@pytest.mark.parametrize(
    ("pixels", "arguments", "said"),
    [
        ([1.5], {"steps": 4}, "1.5"),
        ([0.5], {"steps": 0}, "steps = 0"),
        ([0.5], {"steps": 4, "encoding": "bernoulli"}, "generator"),
        ([0.5], {"steps": 4, "encoding": "phase"}, "phase"),
    ],
)
def test_bad_encodings_are_refused(pixels, arguments, said):
    with pytest.raises(InputError, match=said):
        encode(torch.tensor(pixels), **arguments)


def test_subtraction_keeps_the_rate_that_reset_to_rest_loses():
    """Drive 0.7 at threshold 1: 0.7 spikes per step by subtraction, one in two steps when the rest is thrown away."""
    drive = torch.full((1, 1), 0.7, dtype=torch.float64)
    rates = {}
    for reset in ("subtract", "rest"):
        layer = IntegrateFire(1.0, Neuron(reset=reset))
        for _ in range(1000):
            layer(drive)
        rates[reset] = float(layer.count) / 1000
    assert rates["subtract"] == pytest.approx(0.7, abs=2e-3)
    assert rates["rest"] == pytest.approx(0.5, abs=1e-3)


def test_leak_sets_the_rheobase():
    """With decay d the membrane settles at drive/(1 - d): it fires when that exceeds the threshold."""
    for drive, fires in ((0.099, False), (0.11, True)):
        layer = IntegrateFire(1.0, Neuron(decay=0.9))
        for _ in range(200):
            layer(torch.tensor([[drive]]))
        assert bool(layer.count > 0) is fires


def test_half_precharge_rounds_instead_of_truncating():
    """T = 4 steps of a drive x give round(4 x) spikes with the membrane charged to 0.5, floor(4 x) without."""
    x = torch.tensor([[0.10, 0.20, 0.40, 0.65, 0.90]], dtype=torch.float64)
    for precharge, expected in ((0.5, [0, 1, 2, 3, 4]), (0.0, [0, 0, 1, 2, 3])):
        layer = IntegrateFire(torch.tensor(1.0, dtype=torch.float64), Neuron(precharge=precharge))
        for _ in range(4):
            layer(x)
        assert layer.count[0].tolist() == expected


def test_threshold_jitter_spreads_the_intervals_by_its_fraction():
    layer = IntegrateFire(1.0, Neuron(threshold_jitter=0.05), generator=torch.Generator().manual_seed(4))
    spikes = torch.stack([layer(torch.full((200,), 0.002)) for _ in range(4000)])
    intervals = torch.cat([torch.nonzero(spikes[:, k]).flatten().diff() for k in range(200)]).double()
    # The residual beyond the threshold is kept, so intervals are theta/drive to within one step of 1/500.
    assert float(intervals.mean()) == pytest.approx(500, rel=0.01)
    assert float(intervals.std() / intervals.mean()) == pytest.approx(0.05, rel=0.1)


def test_surrogate_gradient_trains_a_layer():
    """Gradient descent through the spikes brings the rate of a neuron to a target."""
    weight = torch.tensor([0.1], requires_grad=True)
    for _ in range(60):
        layer = IntegrateFire(1.0)
        rate = torch.stack([layer(weight) for _ in range(20)]).mean()
        (rate - 0.5).square().backward()
        with torch.no_grad():
            weight -= 0.2 * weight.grad
            weight.grad = None
    assert float(rate.detach()) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([Layer(links=(Link(synapses=Dense(weight=np.zeros((2, 5), np.float32))),))], "layer 0.*dense weight"),
        ([Layer(links=(Link(synapses=Dense(weight=np.zeros((2, 4), np.float32)), source=0),))], "source = 0"),
        ([Layer(links=(Link(synapses=Identity()),), threshold=0.0)], "threshold = 0"),
        ([Layer(links=(Link(synapses=Identity()),), threshold=np.ones(3))], "do not fit"),
        ([Layer(links=(Link(synapses=Identity()),), spiking=False)], "must be spiking"),
        ([], "at least one layer"),
    ],
)
def test_networks_that_contradict_themselves_are_refused(layers, said):
    with pytest.raises(InputError, match=said):
        RateNetwork((1, 1, 4), layers)
