"""The event engine against the plain oracle and the torch network; noisy synapses against naive sampling."""

import numpy as np
import pytest
import torch
from scipy import stats

from neuronsim.errors import InputError
from neuronsim.training.rate import Conv, Dense, Layer, Link, Neuron, RateNetwork, ReferenceNetwork, encode, simulate
from neuronsim.training.rate.engine import _INPUT, EventEngine
from neuronsim.training.rate.event_trains import encode_events
from neuronsim.training.rate.noise import WeightNoise


@pytest.mark.parametrize("delay", [0, 1])
@pytest.mark.parametrize("kind", ["dense", "residual"])
@pytest.mark.parametrize("name", ["subtract", "paper 000", "half", "refractory", "leaky"])
def test_event_engine_equals_the_oracle(rate_oracle, name, kind, delay):
    network = rate_oracle.networks(rate_oracle.NEURONS[name], delay)[kind]
    pixels = torch.rand((2, *network.input_shape), generator=torch.Generator().manual_seed(1))
    found = EventEngine(network).run(pixels.numpy(), 24)
    for image in range(2):
        key = np.array((0, 0, image, _INPUT), np.int64)  # seed, trial
        start, index = encode_events(pixels[image].flatten().numpy(), 24, True, key)
        train = np.zeros((24, network.n_inputs))
        train[np.repeat(np.arange(24), np.diff(start)), index] = 1
        counts, prediction, history = rate_oracle.run(network, train)
        assert found.counts[image].tolist() == counts.tolist()
        assert found.prediction[image].tolist() == prediction.tolist()
        # A passive layer delivers values, not spikes: those that are not zero count.
        assert found.spikes[image, 1:].tolist() == [np.count_nonzero(h) for h in history]
    assert found.counts.sum() > 0


@pytest.mark.parametrize("encoding", ["deterministic", "constant"])
def test_both_engines_encode_alike(rate_oracle, encoding):
    """Weights that fill several tiles and none of them evenly."""
    g = np.random.default_rng(0)
    shapes = [(150, 49), (70, 150), (10, 70)]
    layers = [Layer(links=(Link(synapses=Dense(weight=rate_oracle.dyadic(g, s, 0.2))),), threshold=2.0) for s in shapes]
    network = RateNetwork((7, 7, 1), layers, delay=1)
    pixels = np.round(g.random((6, 7, 7, 1)) * 8).astype(np.float32) / 8
    trains = encode(torch.from_numpy(pixels), 40, encoding)
    expected = simulate(ReferenceNetwork(network), trains)
    found = EventEngine(network).run(pixels, 40, encoding=encoding)
    assert found.counts.tolist() == expected.counts.int().tolist()
    assert found.prediction.T.tolist() == expected.prediction.tolist()
    assert found.counts.sum() > 100


def test_bernoulli_inputs_have_their_rate_and_depend_on_the_image_only():
    network = RateNetwork((1, 1, 2), [Layer(links=(Link(synapses=Dense(weight=np.eye(2, dtype=np.float32))),))])
    pixels = np.tile(np.array([[0.3, 0.8]], np.float32), (50, 1))
    engine = EventEngine(network, seed=3)
    whole = engine.run(pixels, 400)
    part = engine.run(pixels[20:30], 400, first=20)
    assert np.array_equal(part.counts, whole.counts[20:30])
    assert not np.array_equal(engine.run(pixels, 400, trial=1).counts, whole.counts)
    # 1 / steps: the first input of every image stays within 5 sigma of its rate.
    np.testing.assert_allclose(whole.counts.mean(0) / 400, [0.3, 0.8], atol=5 * (0.21 / 400 / 50) ** 0.5)
    assert whole.counts[:, 0].std() == pytest.approx((400 * 0.21) ** 0.5, rel=0.3)


def test_constant_inputs_may_be_any_finite_values(rate_oracle):
    """A standardized image has negative values and values above 1: the torch network gives the same."""
    g = np.random.default_rng(5)
    network = RateNetwork(
        (1, 1, 16), [Layer(links=(Link(synapses=Dense(weight=rate_oracle.dyadic(g, (6, 16), 0.3))),))]
    )
    drive = np.round(g.normal(0, 1.5, (4, 1, 1, 16)) * 8).astype(np.float32) / 8
    assert drive.min() < 0
    assert drive.max() > 1
    expected = simulate(ReferenceNetwork(network), torch.from_numpy(drive).expand(30, *drive.shape))
    found = EventEngine(network).run(drive, 30, encoding="constant")
    assert found.counts.tolist() == expected.counts.int().tolist()
    assert found.counts.sum() > 20
    with pytest.raises(InputError, match="not finite"):
        EventEngine(network).run(np.full((1, 16), np.inf), 5, encoding="constant")


def small(seed, kind="dense"):
    """One noisy layer whose outputs are independent given the inputs."""
    g = np.random.default_rng(seed)
    if kind == "dense":
        weight = g.normal(0.1, 0.3, (20, 30)).astype(np.float32)
        return RateNetwork((1, 1, 30), [Layer(links=(Link(synapses=Dense(weight=weight)),), threshold=1.3)])
    weight = g.normal(0.1, 0.4, (5, 2, 3, 3)).astype(np.float32)
    neuron = Neuron(reset="rest")
    return RateNetwork((4, 4, 2), [Layer(links=(Link(synapses=Conv(weight=weight)),), threshold=1.1, neuron=neuron)])


def p_values(a, b):
    """Chi-square test of every output's spike counts, cells of fewer than 20 taken together."""
    found = []
    for one, other in zip(a.T, b.T, strict=True):
        table = np.array([np.bincount(x, minlength=max(a.max(), b.max()) + 1) for x in (one, other)])
        cells, running = [], np.zeros(2, int)
        for column in table.T:
            running = running + column
            if running.sum() >= 20:
                cells.append(running)
                running = np.zeros(2, int)
        if cells:
            cells[-1] = cells[-1] + running
        if len(cells) > 1:
            found.append(stats.chi2_contingency(np.array(cells).T, correction=False).pvalue)
    return found


RUNS, STEPS = 3000, 12


@pytest.mark.parametrize("kind", ["dense", "conv"])
@pytest.mark.parametrize("law", ["proportional", "fixed", "sqrt"])
def test_sums_have_the_distribution_of_single_synapses(law, kind):
    """>= 3000 runs each of fast and naive sampling: p-values uniform; with 15 % more noise they are not."""
    network = small(1, kind)
    pixels = np.tile(np.random.default_rng(2).random((1, network.n_inputs)).astype(np.float32), (RUNS, 1))

    def counts(seed, **changes):
        noise = WeightNoise(**{"level": 0.8, "law": law, **changes})
        return EventEngine(network, noise, seed=seed).run(pixels, STEPS, encoding="deterministic").counts

    naive = counts(11, sampling="synapse")
    p = p_values(counts(12), naive)
    assert len(p) >= 15
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert stats.kstest(p_values(counts(13, level=0.92), naive), "uniform").pvalue < 1e-4


@pytest.mark.parametrize("kind", ["dense", "conv"])
@pytest.mark.parametrize("law", ["proportional", "fixed", "sqrt"])
def test_sums_have_the_distribution_that_numpy_draws_synapse_by_synapse(law, kind):
    """Nothing of the engine on the other side: the synapses as a matrix, a normal number for each at every step, plain numpy."""
    network = small(1, kind)
    layer = network.layers[0]
    weight = layer.links[0].synapses.weight
    if kind == "conv":  # every position of the 2 x 2 outputs with synapses of its own
        matrix = np.zeros((2, 2, 5, 4, 4, 2))
        for y, x in np.ndindex(2, 2):
            matrix[y, x, :, y : y + 3, x : x + 3] = weight.transpose(0, 2, 3, 1)
        matrix = matrix.reshape(20, 32)
    else:
        matrix = weight.astype(np.float64)
    rms = np.sqrt(np.mean(weight.astype(np.float64) ** 2))
    size = {"proportional": np.abs(matrix), "fixed": rms * (matrix != 0), "sqrt": np.sqrt(np.abs(matrix) * rms)}[law]
    pixels = np.random.default_rng(2).random((1, network.n_inputs)).astype(np.float32)
    trains = encode(torch.from_numpy(pixels[0]), STEPS, "deterministic").numpy()
    g, theta = np.random.default_rng(20), float(network.thresholds[0][0])
    u, naive = np.zeros((RUNS, len(matrix))), np.zeros((RUNS, len(matrix)), int)
    for train in trains:
        on = train > 0
        draws = g.standard_normal((RUNS, len(matrix), int(on.sum())))
        u += matrix[:, on].sum(axis=1) + 0.8 * (size[:, on] * draws).sum(axis=2)
        fired = u >= theta
        u = np.where(fired, 0 if layer.neuron.reset == "rest" else u - theta, u)
        naive += fired

    def counts(level):
        engine = EventEngine(network, WeightNoise(level=level, law=law), seed=21)
        return engine.run(np.tile(pixels, (RUNS, 1)), STEPS, encoding="deterministic").counts

    assert stats.kstest(p_values(counts(0.8), naive), "uniform").pvalue > 0.01
    assert stats.kstest(p_values(counts(0.92), naive), "uniform").pvalue < 1e-4


def test_a_deep_noisy_network_decides_alike(rate_oracle):
    """Class histograms of fast and naive sampling through convolution, residual link, pooling and a dense readout."""
    network = rate_oracle.networks(Neuron(), 1)["residual"]
    g = np.random.default_rng(4)
    p = []
    for k in range(10):
        pixels = np.tile(g.random((1, network.n_inputs)).astype(np.float32), (400, 1))
        fast, naive = (
            EventEngine(network, WeightNoise(level=1.0, sampling=s), seed=k).run(pixels, 10, encoding="deterministic")
            for s in ("neuron", "synapse")
        )
        p += p_values(fast.prediction[:, -1:], naive.prediction[:, -1:])
    assert len(p) > 5
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_frozen_noise_is_one_draw_per_chip():
    network = small(1)
    pixels = np.tile(np.random.default_rng(2).random((1, 30)).astype(np.float32), (40, 1))
    noise = WeightNoise(level=0.5, kind="frozen")
    counts = [EventEngine(network, noise, chip=c).run(pixels, 50, encoding="deterministic").counts for c in (0, 0, 1)]
    assert (counts[0] == counts[0][0]).all()
    assert np.array_equal(counts[0], counts[1])
    assert not np.array_equal(counts[0], counts[2])
    each = (
        EventEngine(network, noise.model_copy(update={"kind": "inference"}))
        .run(pixels, 50, encoding="deterministic")
        .counts
    )
    assert len(np.unique(each, axis=0)) > 30


def test_unrolled_kernels_have_independent_errors_and_shared_ones_equal_errors():
    """Frozen: equal inputs everywhere give equal counts at every position only where the kernel is one physical device."""
    weight = np.full((3, 1, 3, 3), 0.1, np.float32)
    network = RateNetwork((5, 5, 1), [Layer(links=(Link(synapses=Conv(weight=weight)),))])
    pixels = np.full((1, 25), 0.5, np.float32)
    for kernels, equal in (("shared", True), ("unrolled", False)):
        noise = WeightNoise(level=0.5, kind="frozen", kernels=kernels)
        counts = EventEngine(network, noise).run(pixels, 200, encoding="deterministic").counts.reshape(9, 3)
        assert bool((counts == counts[0]).all()) is equal


def test_frozen_errors_stay_where_temporal_ones_average_out():
    """Relative error of a rate after n spikes: level / sqrt(n) for temporal noise, level for frozen noise (paper 000, IV-A)."""
    weight = np.full((400, 1), 1 / 64, np.float32)
    network = RateNetwork((1, 1, 1), [Layer(links=(Link(synapses=Dense(weight=weight)),))])
    pixels = np.ones((1, 1), np.float32)
    for kind, expected in (("temporal", 0.5 / 6400**0.5), ("frozen", 0.5)):
        counts = (
            EventEngine(network, WeightNoise(level=0.5, kind=kind))
            .run(pixels, 6400, encoding="deterministic")
            .counts[0]
        )
        # 100 spikes: counting rounds each to 1 %, and the noise-free error of 1/sqrt(12) spikes stays.
        spread = np.hypot(expected, 0.01 / 12**0.5) if kind == "temporal" else expected
        assert counts.std() / 100 == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize(
    "changes", [{"scope": "batch"}, {"kernels": "shared"}, {"kind": "inference", "kernels": "shared"}]
)
def test_what_the_event_engine_cannot_draw_is_refused(changes):
    with pytest.raises(InputError, match="NoisyNetwork"):
        EventEngine(small(1, "conv"), WeightNoise(level=0.5, **changes))


def test_contradictory_noise_is_refused():
    with pytest.raises(ValueError, match="contradicts"):
        WeightNoise(level=0.5, kind="frozen", scope="batch")


@pytest.mark.parametrize(
    ("pixels", "arguments", "said"),
    [
        (np.zeros((2, 29)), {"steps": 5}, "do not fit"),
        (np.full((2, 30), 1.5), {"steps": 5}, "1.5"),
        (np.zeros((2, 30)), {"steps": 0}, "steps = 0"),
        (np.zeros((2, 30)), {"steps": 5, "encoding": "x"}, "encoding"),
    ],
)
def test_bad_inputs_are_refused(pixels, arguments, said):
    with pytest.raises(InputError, match=said):
        EventEngine(small(1)).run(pixels, **arguments)
