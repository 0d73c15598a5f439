"""Quantizer, its gradients and the noise adaptor (paper 003, equations 3 to 10)."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuronsim.errors import InputError
from neuronsim.training.low_latency.learned_step import LSQActivation, NoisyQuantization


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def by_hand(v: float, s: float, epsilon: float, p: int) -> tuple[float, float, float]:
    """(v_hat, d v_hat / d v, d v_hat / d s) of one value, equations 7, 9 and 10 as they are printed."""
    x = v / s + epsilon
    v_hat = s * round(min(max(x, 0.0), float(p)))
    if x <= 0:
        return v_hat, 0.0, 0.0
    if x < p:
        return v_hat, 1.0, -x + round(x)
    return v_hat, 0.0, float(p)


@settings(max_examples=40, deadline=None)
@given(
    p=st.integers(1, 5),
    s=st.floats(0.1, 3),
    values=st.lists(st.tuples(st.floats(-10, 10), st.floats(-0.499, 0.499)), min_size=1, max_size=20),
)
def test_forward_and_gradients_are_the_printed_equations(p, s, values):
    v = torch.tensor([value for value, _ in values], dtype=torch.float64, requires_grad=True)
    epsilon = torch.tensor([noise for _, noise in values], dtype=torch.float64)
    step = torch.tensor(s, dtype=torch.float64, requires_grad=True)
    out = NoisyQuantization.apply(v, step, epsilon, p)
    upstream = torch.linspace(0.5, 2.0, len(values), dtype=torch.float64)
    (out * upstream).sum().backward()
    expected = [by_hand(value, s, noise, p) for value, noise in values]
    assert out.tolist() == pytest.approx([e[0] for e in expected])
    assert v.grad.tolist() == pytest.approx([g * e[1] for g, e in zip(upstream.tolist(), expected, strict=True)])
    assert float(step.grad) == pytest.approx(
        sum(g * e[2] for g, e in zip(upstream.tolist(), expected, strict=True)), abs=1e-9
    )


def test_gradient_of_the_step_is_the_finite_difference_where_the_noise_is_averaged():
    """E over epsilon of s round(clip(v/s + eps)) is clip(v, 0, p s) away from the ends, so its derivative is known: p above,
    0 below and 0 inside; and equation 10, averaged over epsilon, gives the same."""
    p, n = 3, 100_000
    epsilon = torch.rand(n, generator=generator(0), dtype=torch.float64) - 0.5
    for v, derivative in ((-1.0, 0.0), (0.8, 0.0), (1.3, 0.0), (2.05, 0.0), (5.0, 3.0)):
        values = torch.full((n,), v, dtype=torch.float64)
        step = torch.tensor(1.0, dtype=torch.float64, requires_grad=True)
        NoisyQuantization.apply(values, step, epsilon, p).mean().backward()
        h = 1e-2
        ends = [float(NoisyQuantization.apply(values, step.detach() + d, epsilon, p).mean()) for d in (-h, h)]
        assert (ends[1] - ends[0]) / (2 * h) == pytest.approx(derivative, abs=0.08)
        assert float(step.grad) == pytest.approx(derivative, abs=0.01)


def test_straight_through_gradient_is_the_finite_difference_of_the_expectation():
    """With the noise, equation 9 is no approximation: the mean output is linear in v inside the range."""
    p, n = 2, 100_000
    epsilon = torch.rand(n, generator=generator(1), dtype=torch.float64) - 0.5
    step = torch.tensor(0.7, dtype=torch.float64)
    for v, derivative in ((-0.8, 0.0), (0.5, 1.0), (1.0, 1.0), (2.5, 0.0)):
        values = torch.full((n,), v, dtype=torch.float64, requires_grad=True)
        NoisyQuantization.apply(values, step, epsilon, p).sum().backward()
        h = 0.05
        ends = [float(NoisyQuantization.apply(values.detach() + d, step, epsilon, p).mean()) for d in (-h, h)]
        assert (ends[1] - ends[0]) / (2 * h) == pytest.approx(derivative, abs=0.04)
        assert float(values.grad.mean()) == pytest.approx(derivative, abs=0.01)


def test_at_the_ends_the_gradients_are_those_of_the_closed_cases():
    v = torch.tensor([0.0, 2.0], requires_grad=True)
    step = torch.tensor(1.0, requires_grad=True)
    NoisyQuantization.apply(v, step, None, 2).sum().backward()
    assert v.grad.tolist() == [0.0, 0.0]
    assert float(step.grad) == 2.0


def test_the_adaptor_is_unbiased_noise_while_training_and_silent_otherwise():
    quantizer = LSQActivation(3, adaptor=True)
    quantizer.mode = "quantized"
    v = torch.full((100_000, 1), 1.3)
    with pytest.raises(InputError, match="generator"):
        quantizer(v)
    quantizer.generator = generator(0)
    out = quantizer(v)
    assert set(out.unique().tolist()) == {1.0, 2.0}  # one level up or down, never more
    assert float(out.detach().mean()) == pytest.approx(1.3, abs=0.005)
    quantizer.eval()
    assert quantizer(v).unique().tolist() == [1.0]
    plain = LSQActivation(3)
    plain.mode = "quantized"
    assert plain(v).unique().tolist() == [1.0]


def test_the_same_seed_gives_the_same_noise():
    quantizer = LSQActivation(2, adaptor=True)
    quantizer.mode = "quantized"
    v = torch.rand(500, 3, generator=generator(5)) * 2
    found = []
    for seed in (1, 1, 2):
        quantizer.generator = generator(seed)
        found.append(quantizer(v).detach())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_the_learned_step_moves_with_the_scale_of_lsq():
    quantizer = LSQActivation(2)
    quantizer.mode = "quantized"
    v = torch.rand(40, 9, generator=generator(2)) * 3
    quantizer(v).sum().backward()
    plain = torch.tensor(1.0, requires_grad=True)
    NoisyQuantization.apply(v, plain, None, 2).sum().backward()
    assert float(quantizer.step.grad) == pytest.approx(float(plain.grad) / math.sqrt(9 * 2), rel=1e-5)


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
def test_levels(levels):
    quantizer = LSQActivation(levels)
    quantizer.mode = "quantized"
    out = quantizer(torch.linspace(-1, 6, 1000)[:, None])
    assert out.unique().tolist() == [float(k) for k in range(levels + 1)]
    assert quantizer.threshold == levels
    with pytest.raises(InputError, match="levels = 0"):
        LSQActivation(0)
