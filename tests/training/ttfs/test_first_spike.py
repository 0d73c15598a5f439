"""The exact kernel against a brute-force oracle and autograd, both in double precision."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuronsim.errors import InputError
from neuronsim.training.compiled.threads import use_threads
from neuronsim.training.ttfs import first_spike


def draw(generator: np.random.Generator, batch: int, n_in: int, n_out: int, mean: float, spread: float):
    """Spike times on a coarse grid (many ties), a fifth of them silent, signed weights; float32."""
    z = np.exp(generator.uniform(0, 3, (batch, n_in)))
    z = np.where(generator.random(z.shape) < 0.5, np.round(z, 0), z)
    z[generator.random(z.shape) < 0.2] = np.inf
    weight = generator.normal(mean, spread, (n_in, n_out))
    return z.astype(np.float32), weight.astype(np.float32)


@pytest.mark.slow
def test_no_flip_and_small_error_on_80000_outputs(oracle):
    generator = np.random.default_rng(1)
    outputs = flips = fired = 0
    worst = 0.0
    for n_in, n_out, mean, spread in (
        (4, 400, 0.4, 0.6),
        (20, 400, 0.1, 0.4),
        (100, 400, 0.02, 0.15),
        (400, 400, 0.004, 0.06),
    ):
        z, weight = draw(generator, 60, n_in, n_out, mean, spread)
        got = first_spike(torch.from_numpy(z), torch.from_numpy(weight)).numpy().astype(np.float64)
        expected = oracle.first_spikes(z, weight)
        both = np.isfinite(got) & np.isfinite(expected)
        flips += int((np.isfinite(got) != np.isfinite(expected)).sum())
        worst = max(worst, float(np.abs(got[both] / expected[both] - 1).max()))
        outputs += got.size
        fired += int(both.sum())
    assert outputs >= 80_000
    assert 0.2 < fired / outputs < 0.95  # the comparison sees both outcomes
    assert flips == 0
    assert worst <= 1e-5


def test_double_precision_is_exact(oracle):
    z, weight = draw(np.random.default_rng(2), 20, 30, 50, 0.1, 0.4)
    got = first_spike(torch.from_numpy(z).double(), torch.from_numpy(weight).double()).numpy()
    np.testing.assert_allclose(got, oracle.first_spikes(z, weight), rtol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_equal_autograd_of_equation_4(oracle, dtype: torch.dtype):
    generator = np.random.default_rng(3)
    z_np, w_np = draw(generator, 30, 20, 40, 0.15, 0.3)
    z = torch.tensor(z_np, dtype=dtype, requires_grad=True)
    weight = torch.tensor(w_np, dtype=dtype, requires_grad=True)
    out = first_spike(z, weight)
    fired = torch.isfinite(out)
    assert 0.1 < fired.double().mean() < 1
    factor = torch.from_numpy(generator.normal(size=tuple(out.shape))).to(dtype)
    loss = (torch.log(out[fired]) * factor[fired]).sum()
    loss.backward()
    z64 = torch.tensor(z_np.astype(np.float64), requires_grad=True)
    w64 = torch.tensor(w_np.astype(np.float64), requires_grad=True)
    reference = oracle.differentiable(z64, w64, torch.from_numpy(oracle.first_spikes(z_np, w_np)))
    (torch.log(reference[fired]) * factor[fired].double()).sum().backward()
    for got, expected in ((z.grad, z64.grad), (weight.grad, w64.grad)):
        assert got is not None
        assert expected is not None
        error = (got.double() - expected).abs() / (expected.abs() + 1e-2 * expected.abs().max())
        assert float(error.max()) <= 1e-4


def test_silent_outputs_pass_no_gradient():
    z = torch.tensor([[2.0, 3.0]], requires_grad=True)
    weight = torch.tensor([[0.3, 1.5], [0.3, 1.5]], requires_grad=True)
    out = first_spike(z, weight)
    assert torch.isinf(out[0, 0])
    out.backward(torch.ones_like(out))
    assert weight.grad is not None
    assert weight.grad[:, 0].tolist() == [0, 0]
    assert (weight.grad[:, 1] != 0).all()


def test_slope_floor_limits_the_gradient_only():
    z = torch.tensor([[1.0]])
    weight = torch.tensor([[1.001]], requires_grad=True)
    exact, floored = first_spike(z, weight), first_spike(z, weight, slope_floor=0.1)
    assert exact.item() == floored.item() == pytest.approx(1001, rel=1e-3)
    (large,) = torch.autograd.grad(exact.sum(), weight)
    (small,) = torch.autograd.grad(floored.sum(), weight)
    assert large.item() / small.item() == pytest.approx(0.1 / 0.001, rel=1e-3)


def test_a_tie_counts_as_one_event():
    # One half of the pair alone would fire before the other half, at the same time, pulls it down.
    z = torch.tensor([[2.0, 2.0, 4.0]])
    weight = torch.tensor([[3.0], [-2.5], [1.0]])
    assert first_spike(z, weight).item() == pytest.approx((3 * 2 - 2.5 * 2 + 4) / (1.5 - 1))


def test_spike_follows_its_last_cause():
    generator = np.random.default_rng(4)
    z, weight = draw(generator, 50, 10, 50, 3.0, 30.0)
    out = first_spike(torch.from_numpy(z), torch.from_numpy(weight)).numpy()
    fired = np.isfinite(out)
    assert fired.any()
    first = np.where(np.isfinite(z), z, np.inf).min(axis=1)
    assert (out > first[:, None])[fired].all()


def test_results_do_not_depend_on_threads():
    z, weight = draw(np.random.default_rng(5), 33, 50, 70, 0.05, 0.2)
    results = []
    for threads in (1, 2, 5):
        with use_threads(threads):
            z_t, w_t = torch.tensor(z, requires_grad=True), torch.tensor(weight, requires_grad=True)
            out = first_spike(z_t, w_t)
            out.nan_to_num(posinf=0).sum().backward()
            assert z_t.grad is not None
            assert w_t.grad is not None
            results.append((out.detach().numpy(), z_t.grad.numpy(), w_t.grad.numpy()))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("z", "weight", "message"),
    [
        (torch.tensor([[torch.nan]]), torch.ones(1, 1), "NaN"),
        (torch.tensor([[0.0]]), torch.ones(1, 1), "> 0"),
        (torch.tensor([[-torch.inf]]), torch.ones(1, 1), "-inf"),
        (torch.ones(2), torch.ones(2, 1), "batch"),
        (torch.ones(1, 2), torch.ones(3, 1), "shape"),
        (torch.ones(1, 2), torch.ones(2, 1).double(), "float64"),
        (torch.ones(1, 2, dtype=torch.int64), torch.ones(2, 1), "float32 or float64"),
        (torch.ones(1, 1), torch.tensor([[torch.inf]]), "finite"),
    ],
)
def test_bad_input_is_named(z: torch.Tensor, weight: torch.Tensor, message: str):
    with pytest.raises(InputError, match=message):
        first_spike(z, weight)


def test_gpu_tensors_give_the_same_result():
    if not torch.cuda.is_available():
        pytest.skip("no GPU here; runs where torch sees one")
    z, weight = draw(np.random.default_rng(6), 8, 20, 30, 0.1, 0.3)
    here = first_spike(torch.from_numpy(z), torch.from_numpy(weight))
    there = first_spike(torch.from_numpy(z).cuda(), torch.from_numpy(weight).cuda())
    assert there.is_cuda
    torch.testing.assert_close(there.cpu(), here, rtol=1e-6, atol=0)


def test_gradients_beyond_rounding_count_as_none():
    z = torch.tensor([[2.0, 3.0]])
    weight = torch.tensor([[0.8, 0.8], [0.8, 0.8]], requires_grad=True)
    out = first_spike(z, weight)
    out.backward(torch.tensor([[1e-3, 1e-38]]))  # a subnormal product would take a hundred times as long
    assert weight.grad is not None
    assert (weight.grad[:, 0] != 0).all()
    assert weight.grad[:, 1].tolist() == [0, 0]
