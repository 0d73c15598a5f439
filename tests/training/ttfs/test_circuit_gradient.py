"""Gradients through circuit neurons: the implicit function theorem against finite differences of the event solvers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from analytic import sensitivity

from neuronsim.errors import InputError
from neuronsim.neuron.event_solver import first_crossing
from neuronsim.training.compiled.threads import use_threads
from neuronsim.training.ttfs import Circuit, circuit_layer, first_spike
from neuronsim.training.ttfs.geometry import Geometry

KERNELS = [(None, 0.0), (None, 0.08), (4.0, 0.0), (20.0, 0.05), (20.0, -0.04), (200.0, 0.02)]


def example(seed, n, n_out, batch=1):
    generator = np.random.default_rng(seed)
    t = generator.uniform(0, 2.5, (batch, n))
    t[:, 1:3] = 0.5  # ties
    t[generator.random(t.shape) < 0.1] = np.inf
    return t, generator.normal(0.35, 0.5, (n, n_out))


def run(t, weight, circuit, grad, **options):
    z = torch.from_numpy(np.exp(t)).requires_grad_()
    w = torch.from_numpy(weight).requires_grad_()
    geometry = options.pop("geometry", Geometry.dense(t.shape[1]))
    out, _, left = circuit_layer(z, w, circuit, bias=options.pop("bias", False), geometry=geometry, **options)
    fired = torch.isfinite(out)
    (out.log().masked_fill(~fired, 0.0) * torch.from_numpy(grad)).sum().backward()
    assert z.grad is not None
    assert w.grad is not None
    by_t = z.grad.numpy() * np.where(np.isfinite(t), np.exp(t), 0)
    return out.detach().log().numpy(), by_t, w.grad.numpy(), left.numpy()


@pytest.mark.parametrize(("r", "ramp"), KERNELS)
def test_gradients_are_those_of_the_event_solver(r, ramp):
    t, weight = example(1, 12, 20)
    gain = np.linspace(0.9, 1.2, 20)
    grad = np.random.default_rng(2).normal(size=(1, 1, 20))
    circuit = Circuit(second_pole_ratio=r, ramp=ramp, gain=gain[None])
    out, by_t, by_w, _ = run(t, weight, circuit, grad)
    times = np.repeat(t, 20, axis=0)
    oracle = first_crossing(times, weight.T, second_pole_ratio=r, ramp=ramp, gain=gain)
    np.testing.assert_allclose(out[0, 0], oracle, rtol=1e-9)
    assert np.isfinite(oracle).sum() > 5
    by_time, by_weight = sensitivity(times, weight.T, oracle, second_pole_ratio=r, ramp=ramp, gain=gain)
    np.testing.assert_allclose(by_w, (by_weight * grad[0, 0, :, None]).T, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(by_t[0], (by_time * grad[0, 0, :, None]).sum(axis=0), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("r", [None, 4.0, 20.0])
@pytest.mark.parametrize("limit", [None, 0.8])
def test_gradients_equal_finite_differences_also_beyond_the_detector_range(r, limit):
    t, weight = example(3, 10, 30)
    t[0, 1:3] = 0.5, 0.55  # a tie has one-sided derivatives where the detector folds
    circuit = Circuit(second_pole_ratio=r, ramp=0.03, gain=1.1, limit=limit)

    def solve(times, weights):
        return first_crossing(times, weights, second_pole_ratio=r, ramp=0.03, gain=1.1, xor_limit=limit)

    base = solve(np.repeat(t, 30, axis=0), weight.T)
    left = np.zeros(30, bool)
    checked = 0
    for j in range(30):
        grad = np.zeros((1, 1, 30))
        grad[0, 0, j] = 1.0
        out, by_t, by_w, beyond = run(t, weight, circuit, grad)
        left[j] = beyond[0, 0, j]
        if not np.isfinite(base[j]):
            assert np.isinf(out[0, 0, j])
            assert not by_t.any()
            assert not by_w.any()
            continue
        assert out[0, 0, j] == pytest.approx(base[j], rel=1e-9)
        if base[j] > 5:
            continue  # so flat a crossing that a finite step is not small
        step = 1e-6
        for i in np.flatnonzero(np.isfinite(t[0])):
            moves = []
            for sign in (1, -1):
                later, heavier = t[0].copy(), weight[:, j].copy()
                later[i] += sign * step
                heavier[i] += sign * step
                moves.append((solve(later, weight[:, j]), solve(t[0], heavier)))
            by_time, by_weight = (np.array(moves[0]) - np.array(moves[1])) / (2 * step)
            assert by_t[0, i] == pytest.approx(by_time, rel=1e-3, abs=1e-5)
            assert by_w[i, j] == pytest.approx(by_weight, rel=1e-3, abs=1e-5)
            checked += 1
    assert checked > 50
    assert left.any() == (limit is not None)


def test_ideal_circuit_is_first_spike_with_its_gradients():
    t, weight = example(5, 60, 40, batch=6)
    z, w = torch.from_numpy(np.exp(t)), torch.from_numpy(weight * 0.3)
    dense, results = Geometry.dense(60), []
    for name in ("ideal", "circuit"):
        inputs = z.clone().requires_grad_(), w.clone().requires_grad_()
        if name == "ideal":
            out = first_spike(*inputs, slope_floor=0.1)
        else:
            out = circuit_layer(*inputs, Circuit(), bias=False, geometry=dense, slope_floor=0.1)[0][:, 0]
        weighting = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).reshape(out.shape)
        (out.masked_fill(torch.isinf(out), 0.0) * weighting).sum().backward()
        results.append([out.detach(), inputs[0].grad, inputs[1].grad])
    assert torch.isfinite(results[0][0]).any()
    for ideal, circuit in zip(*results, strict=True):
        torch.testing.assert_close(circuit, ideal, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("unrolled", [False, True])
def test_convolution_equals_dense_layers_on_its_patches(unrolled):
    geometry = Geometry(height=6, width=5, channels=2, kernel=(3, 3), stride=2)
    generator = np.random.default_rng(6)
    t = generator.uniform(0, 3, (3, geometry.n_in))
    sets = geometry.positions if unrolled else 1
    weight = generator.normal(0.35, 0.5, (sets, geometry.taps + 1, 20))
    grad = generator.normal(size=(3, geometry.positions, 20))
    circuit = Circuit(second_pole_ratio=20.0, ramp=0.04, limit=1.5)
    out, by_t, by_w, left = run(t, weight, circuit, grad, bias=True, geometry=geometry)
    assert left.any()
    assert not left.all()
    sums_t, sums_w = np.zeros_like(t), np.zeros_like(weight)
    reach = geometry.reach()
    for p in range(geometry.positions):
        oy, ox = divmod(p, reach.out_width)
        inside = (reach.inputs[:, 0] <= oy) & (oy <= reach.inputs[:, 1])
        inside &= (reach.inputs[:, 2] <= ox) & (ox <= reach.inputs[:, 3])
        index = np.flatnonzero(inside)
        rows = reach.inputs[index, 4] - oy * reach.row_step - ox * reach.column_step
        own = p if unrolled else 0
        part = np.concatenate([weight[own][rows], weight[own][-1:]])
        alone = run(t[:, index], part, circuit, grad[:, p : p + 1], bias=True)
        np.testing.assert_allclose(out[:, p], alone[0][:, 0], rtol=1e-12)
        sums_t[:, index] += alone[1]
        sums_w[own][rows] += alone[2][:-1]
        sums_w[own][-1] += alone[2][-1]
    np.testing.assert_allclose(by_t, sums_t, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(by_w, sums_w, rtol=1e-9, atol=1e-12)


def test_result_does_not_depend_on_the_threads():
    geometry = Geometry(height=12, width=12, channels=8, kernel=(5, 5), stride=2)
    generator = np.random.default_rng(7)
    t = generator.uniform(0, 3, (24, geometry.n_in)).astype(np.float32)
    weight = generator.normal(0.03, 0.05, (geometry.taps + 1, 16)).astype(np.float32)
    results = []
    for threads in (1, 3):
        with use_threads(threads):
            z, w = torch.from_numpy(np.exp(t)).requires_grad_(), torch.from_numpy(weight).requires_grad_()
            circuit = Circuit(second_pole_ratio=20.0, ramp=0.05, limit=3.0)
            out, _, _ = circuit_layer(z, w, circuit, bias=True, geometry=geometry)
            out.masked_fill(torch.isinf(out), 0.0).log1p().sum().backward()
            results.append((out.detach(), z.grad, w.grad))
    for one, three in zip(*results, strict=True):
        assert torch.equal(one, three)


def test_slope_floor_and_delay():
    z, w = torch.ones(1, 1, dtype=torch.float64), torch.tensor([[1.05]], dtype=torch.float64, requires_grad=True)
    gradients = []
    for floor in (0.0, 0.5):
        out, slope, _ = circuit_layer(
            z, w, Circuit(delay=0.3), bias=False, geometry=Geometry.dense(1), slope_floor=floor
        )
        assert out.item() == pytest.approx(1.05 / 0.05 * np.exp(0.3))
        assert slope.item() == pytest.approx(0.05)
        gradients.append(float(torch.autograd.grad(out.sum(), w)[0]))
    assert gradients[0] / gradients[1] == pytest.approx(0.5 / 0.05)
    early = circuit_layer(z, w, Circuit(delay=-9.0), bias=False, geometry=Geometry.dense(1))[0]
    assert early.item() == 1.0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": torch.full((1, 1), 0.5)}, ">= 1"),
        ({"z": torch.ones(1, 2)}, "z has shape"),
        ({"weight": torch.ones(1, 1, dtype=torch.float64)}, "same type"),
        ({"weight": torch.ones(2, 1)}, "must be \\(1, n_out\\)"),
        ({"weight": torch.full((1, 1), torch.inf)}, "finite"),
        ({"slope_floor": -1.0}, "slope_floor"),
        ({"circuit": {"gain": np.ones((2, 1))}}, "gain has shape"),
        ({"circuit": {"second_pole_ratio": 3.9}}, "second_pole_ratio"),
        ({"circuit": {"gain": -1.0}}, "gain"),
        ({"circuit": {"ramp": np.nan}}, "ramp"),
        ({"circuit": {"limit": -1.0}}, "limit"),
        ({"circuit": {"delay": np.inf}}, "delay"),
    ],
)
def test_bad_input_is_named(change, message):
    options = {"z": torch.ones(1, 1), "weight": torch.ones(1, 1), "circuit": {}, "slope_floor": 0.0, **change}
    with pytest.raises(InputError, match=message):
        circuit_layer(
            options["z"],
            options["weight"],
            Circuit(**options["circuit"]),
            bias=False,
            geometry=Geometry.dense(1),
            slope_floor=options["slope_floor"],
        )
