"""Conversion of quantized networks to spiking ones (paper 003, equations 1, 2 and 6), and the corrections during inference."""

from __future__ import annotations

import copy
import types

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuronsim.errors import InputError
from neuronsim.training.compiled.threads import use_threads
from neuronsim.training.layer_specs import Conv, GlobalPool, Linear, Pool, Residual
from neuronsim.training.low_latency.corrections import IFLayer, calibrated_start, fire
from neuronsim.training.low_latency.experiment import conversion_experiment, conversion_experiments
from neuronsim.training.low_latency.learned_step import LSQActivation
from neuronsim.training.low_latency.network import ConvertibleNetwork
from neuronsim.training.low_latency.simulate import SpikingNetwork
from neuronsim.training.rate.graph import Neuron
from neuronsim.training.rate.layers import IntegrateFire, clear_all
from neuronsim.training.rate.reference import ReferenceNetwork, simulate

SUBTRACT = Neuron(reset="subtract", precharge=0.5)
LAYERS = (
    Conv(channels=6, kernel=3),
    Pool(),
    Residual(channels=8, stride=2),
    Residual(channels=8),
    GlobalPool(),
    Linear(outputs=7),
    Linear(outputs=5),
)


@pytest.fixture(autouse=True)
def one_thread():
    """These networks are too small to share among threads."""
    with use_threads(1):
        yield


def images(n: int = 6, size: int = 8, channels: int = 1) -> torch.Tensor:
    return torch.rand((n, size, size, channels), generator=torch.Generator().manual_seed(3))


def network(levels: int = 2, layers=LAYERS, adaptor: bool = False) -> ConvertibleNetwork:
    """A quantized network whose batch normalization has seen images."""
    made = ConvertibleNetwork(
        layers, (8, 8, 1), 5, levels=levels, adaptor=adaptor, generator=torch.Generator().manual_seed(0)
    )
    pixels = images(20)
    made.standardize(pixels)
    made.train()
    with torch.no_grad():
        for _ in range(30):
            made(pixels)
    made.set_mode("quantized", "average")
    made.start_steps(pixels)
    return made.eval()


def spikes_of(drive: torch.Tensor, threshold: float, *, negative: bool = False, start: torch.Tensor | None = None):
    """(spikes, last membrane) of neurons under ``drive`` (steps, n)."""
    u = torch.full_like(drive[0], 0.5 * threshold) if start is None else start.clone()
    spikes = torch.empty(drive.shape, dtype=drive.dtype)
    fire(drive, u, threshold, spikes, torch.zeros_like(u) if negative else None)
    return spikes, u


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_a_neuron_at_t_equal_p_is_the_quantizer(levels):
    """Constant input, threshold p s, start at 0.5 th: after T = p steps the mean output is s round(clip(v / s, 0, p))."""
    quantizer = LSQActivation(levels)
    quantizer.mode = "quantized"
    with torch.no_grad():
        quantizer.step.fill_(0.7)
        v = torch.linspace(-1, 5, 401)[:, None] + 1e-4  # off the edges, where rounding is a matter of bits
        spikes, _ = spikes_of(v.expand(levels, -1, 1), quantizer.threshold)
        assert torch.allclose(spikes.mean(dim=0) * quantizer.threshold, quantizer(v))


@settings(max_examples=40, deadline=None)
@given(v=st.floats(-2, 3), steps=st.integers(1, 40))
def test_spike_count_of_a_constant_input(v, steps):
    """count = clip(floor(T v / th + 0.5), 0, T), from equations 1 and 2 with the start 0.5 th."""
    ratio = steps * v / 1.5 + 0.5
    if abs(ratio - round(ratio)) < 1e-3:
        return
    spikes, _ = spikes_of(torch.full((steps, 1), v, dtype=torch.float64), 1.5)
    assert int(spikes.sum()) == min(max(int(ratio // 1), 0), steps)


def test_folded_batch_normalization_gives_the_same_network():
    plain = network()
    folded = copy.deepcopy(plain)
    for layer in folded.weighted:
        layer.fold()
        assert layer.norm is None
    with torch.no_grad():
        assert torch.allclose(plain(images()), folded(images()), atol=1e-5)


def test_one_simulation_gives_every_t_and_is_that_of_the_reference_neurons():
    """Step by step with the rate code's own neuron in the place of each activation, on the unfolded network."""
    trained, pixels = network(), images()
    times = (1, 2, 5, 16, 17, 40)  # across the borders of chunks
    found = SpikingNetwork(trained).potentials(pixels, times)
    reference = copy.deepcopy(trained)
    for parent in list(reference.modules()):
        for name, child in parent.named_children():
            if isinstance(child, LSQActivation):
                setattr(parent, name, IntegrateFire(child.threshold, SUBTRACT, amplitude=None))
    clear_all(reference)
    total = torch.zeros(len(pixels), 5, dtype=torch.float64)
    with torch.no_grad():
        for step in range(1, times[-1] + 1):
            total += reference(pixels)
            if step in times:
                # A membrane within rounding of the threshold may fire a step apart; none does here.
                assert torch.allclose(found[times.index(step)], total, atol=1e-3)


def test_long_simulations_approach_the_clipped_relu():
    """The second target of section 4.4: for T -> infinity the rate is clip(v, 0, p s)."""
    trained, pixels = network(), images(3)
    time = 1000
    rates = SpikingNetwork(trained).potentials(pixels, (time,))[0] / time
    clipped = copy.deepcopy(trained)
    for activation in clipped.activations:
        activation.forward = types.MethodType(lambda self, v: v.clamp(0, self.threshold), activation)
    with torch.no_grad():
        expected = clipped(pixels).to(torch.float64)
    assert float((rates - expected).abs().max()) < 0.02 * float(expected.abs().max())


def test_a_network_after_another_batch_starts_anew():
    spiking = SpikingNetwork(network())
    first = spiking.potentials(images(), (4,))
    spiking.potentials(1 - images(), (4,))
    assert torch.equal(spiking.potentials(images(), (4,)), first)
    with pytest.raises(InputError, match="rising"):
        spiking.potentials(images(), (4, 2))


@settings(max_examples=40, deadline=None)
@given(drives=st.lists(st.floats(-3, 3), min_size=1, max_size=12))
def test_negative_spikes_leave_the_count_of_the_mean_input(drives):
    """After enough silent steps the count is that of the summed input, however it came: nothing is fired too early for good."""
    total = sum(drives) / 1.0 + 0.5
    if abs(total - round(total)) < 1e-3:
        return
    drive = torch.tensor([*drives, *[0.0] * 80], dtype=torch.float64)[:, None]
    spikes, _ = spikes_of(drive, 1.0, negative=True)
    assert int(spikes.sum()) == max(int(total // 1), 0)
    plain, _ = spikes_of(drive, 1.0)
    assert int(plain.sum()) >= int(spikes.sum())


def test_negative_spikes_wait_for_a_positive_one():
    spikes, _ = spikes_of(torch.tensor([[-2.0], [-2.0], [1.0], [9.0], [-9.0]]), 1.0, negative=True)
    assert spikes[:, 0].tolist() == [0, 0, 0, 1, -1]


@settings(max_examples=60, deadline=None)
@given(drives=st.lists(st.floats(-2, 2), min_size=2, max_size=8))
def test_calibrated_start_changes_exactly_one_spike_where_one_is_wrong(drives):
    drive = torch.tensor(drives, dtype=torch.float64)[:, None]
    start = torch.full_like(drive[0], 0.5)
    before, u = spikes_of(drive, 1.0, start=start)
    shifted = calibrated_start(drive, start, 1.0)
    after, _ = spikes_of(drive, 1.0, start=shifted)
    count, residual = int(before.sum()), float(u)
    if residual < 0 and count > 0:
        assert int(after.sum()) == count - 1
    elif residual >= 1 and count < len(drives):
        assert int(after.sum()) == count + 1
    else:
        assert torch.equal(shifted, start)


def test_corrections_change_the_network_only_where_asked():
    trained, pixels = network(), images()
    plain = SpikingNetwork(trained).potentials(pixels, (2, 8))
    for correction in ("negative-spikes", "offset-spikes"):
        assert not torch.equal(SpikingNetwork(trained, correction=correction).potentials(pixels, (2, 8)), plain)
    layer = IFLayer(1.0, correction="offset-spikes", rho=4)
    layer.steps = 2
    with pytest.raises(InputError, match="rho = 4"):
        layer(torch.zeros(6, 3))
    with pytest.raises(InputError, match="threshold"):
        IFLayer(0.0, correction="none")


def test_pools_and_activations_switch_with_the_phase():
    made = network(layers=(Pool(size=4), Linear(outputs=5)))
    pixels = images()
    with torch.no_grad():
        average = made(pixels)
        made.set_mode("relu", "max")
        maximum = made(pixels)
    assert not torch.allclose(average, maximum)
    x = made.inputs(pixels)
    assert torch.equal(made.layers[0](x), torch.nn.functional.max_pool2d(x, 4))


def test_layers_that_do_not_fit_are_refused():
    for layers, message in (
        ((Conv(channels=2, kernel=2), Linear(outputs=5)), "must be odd"),
        ((Linear(outputs=5), GlobalPool()), r"layers\[1\]"),
        ((Linear(outputs=4),), "one per class"),
        ((Pool(size=9), Linear(outputs=5)), "a pool of 9"),
        ((Pool(size=2, stride=1), Linear(outputs=5)), "stride = 1"),
    ):
        with pytest.raises(InputError, match=message):
            network(layers=layers)


def test_every_shipped_experiment_can_be_read_and_names_itself():
    for name in conversion_experiments():
        assert conversion_experiment(name).name == name
    with pytest.raises(InputError, match="Did you mean 'mnist_cnn'"):
        conversion_experiment("mnist_cn")


def test_resnet_18_runs_forward_backward_and_converted():
    experiment = conversion_experiment("cifar10_resnet18")
    made = ConvertibleNetwork(
        experiment.layers, (32, 32, 3), 10, levels=2, adaptor=True, generator=torch.Generator().manual_seed(0)
    )
    assert made.n_weights == 11_164_362  # ResNet-18 for CIFAR-10; batch normalization not counted
    assert len(made.activations) == 17
    pixels = images(2, 32, 3)
    made.set_mode("quantized", "average")
    made.start_steps(pixels)
    for activation in made.activations:
        activation.generator = torch.Generator().manual_seed(1)
    made.train()
    loss = torch.nn.functional.cross_entropy(made(pixels), torch.tensor([3, 4]))
    loss.backward()
    gradients = [p.grad for p in made.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)
    assert all(float(a.step.grad.abs()) > 0 for a in made.activations)
    for activation in made.activations:
        activation.generator = None
    potentials = SpikingNetwork(made).potentials(pixels, (1, 2))
    assert potentials.shape == (2, 2, 10)
    assert torch.isfinite(potentials).all()


def test_the_rate_codes_description_of_a_converted_network_decides_alike(spiking_graph):
    """Layers and links on the rate code's own simulator: the same class after every step, residual blocks and pools included."""
    trained, pixels = network(), images()
    steps = 12
    described = spiking_graph.rate_network(trained, (8, 8, 1))
    drive = trained.inputs(pixels).permute(0, 2, 3, 1).contiguous()
    found = simulate(
        ReferenceNetwork(described, dtype=torch.float64), drive.to(torch.float64).expand(steps, *drive.shape)
    )
    expected = SpikingNetwork(trained).potentials(pixels, tuple(range(1, steps + 1)))
    assert torch.equal(found.prediction, expected.argmax(dim=2))
    assert float(found.counts.sum()) == 0
    flat = network(layers=(Conv(channels=3, kernel=3, stride=2), Linear(outputs=6), Linear(outputs=5)))
    described = spiking_graph.rate_network(flat, (8, 8, 1))
    found = simulate(
        ReferenceNetwork(described, dtype=torch.float64), drive.to(torch.float64).expand(steps, *drive.shape)
    )
    expected = SpikingNetwork(flat).potentials(pixels, tuple(range(1, steps + 1)))
    assert torch.equal(found.prediction, expected.argmax(dim=2))
