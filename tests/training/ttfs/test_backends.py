"""Every backend against the same oracle: no flipped output, spikes, gradients; and the published algorithm beside them."""

from __future__ import annotations

import importlib
import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from neuronsim.errors import InputError
from neuronsim.training.ttfs.geometry import Geometry
from neuronsim.training.ttfs.kernels import backends

GPU = torch.cuda.is_available()
INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A small layer whose inputs hold ties and silence."""

    geometry: Geometry
    n_out: int
    bias: bool
    mean: float
    spread: float


LAYERS = {
    "dense": Layer(geometry=Geometry.dense(14), n_out=37, bias=False, mean=0.1, spread=0.4),
    "dense with bias": Layer(geometry=Geometry.dense(9), n_out=130, bias=True, mean=0.2, spread=0.5),
    "convolution": Layer(
        geometry=Geometry(height=5, width=3, channels=2, kernel=(3, 3), stride=2),
        n_out=7,
        bias=False,
        mean=0.2,
        spread=0.5,
    ),
    "convolution with bias": Layer(
        geometry=Geometry(height=3, width=2, channels=3, kernel=(3, 2)), n_out=5, bias=True, mean=0.1, spread=0.4
    ),
}


def draw(layer: Layer, dtype: torch.dtype, batch: int = 2 if INTERPRETED else 6) -> tuple[torch.Tensor, torch.Tensor]:
    """Spike times, half of them on a coarse grid (ties), a fifth of them silent, one image all silent; signed weights."""
    generator = np.random.default_rng(21)
    z = np.exp(generator.uniform(0, 3, (batch, layer.geometry.n_in)))
    z = np.where(generator.random(z.shape) < 0.5, np.round(z), z)
    z[generator.random(z.shape) < 0.2] = np.inf
    z[-1] = np.inf
    rows = layer.geometry.taps + layer.bias
    weight = generator.normal(layer.mean, layer.spread, (rows, layer.n_out))
    return torch.tensor(z, dtype=dtype), torch.tensor(weight, dtype=dtype)


def unfolded(z: torch.Tensor, layer: Layer) -> torch.Tensor:
    """Patches (batch * positions, rows) as the oracle takes them, differentiable: taps in order, then the bias."""
    g = layer.geometry
    padded = torch.cat([z, torch.full((len(z), 1), torch.inf, dtype=z.dtype)], dim=1)
    index = []
    for oy in range(g.out_height):
        for ox in range(g.out_width):
            for ky in range(g.kernel[0]):
                for kx in range(g.kernel[1]):
                    y, x = oy * g.stride + ky - g.pad[0], ox * g.stride + kx - g.pad[1]
                    held = 0 <= y < g.height and 0 <= x < g.width
                    index += [(y * g.width + x) * g.channels + c if held else g.n_in for c in range(g.channels)]
    patches = padded[:, index].reshape(len(z) * g.positions, g.taps)
    return torch.cat([patches, torch.ones(len(patches), 1, dtype=z.dtype)], dim=1) if layer.bias else patches


def backend_and_device(name: str) -> tuple[backends.Backend, str]:
    """The named backend and where to test it; skips where it cannot run."""
    if name == "triton" and name not in backends.available():
        pytest.skip("needs Triton and a GPU, or Triton's interpreter (TRITON_INTERPRET=1)")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(backends.VARIABLE, name)
        device = "cuda" if GPU and name != "compiled" else "cpu"
        return backends.for_device(device), device


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["single", "double"])
@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("name", ["compiled", "stepped", "triton"])
def test_backend_equals_the_oracle(oracle: ModuleType, name: str, kind: str, dtype: torch.dtype):
    backend, device = backend_and_device(name)
    layer = LAYERS[kind]
    z, weight = draw(layer, dtype)
    settings = {"bias": layer.bias, "geometry": layer.geometry}
    z_out, slope = backend.forward(z.to(device), weight.to(device), **settings)
    z64, w64 = (tensor.double().clone().requires_grad_() for tensor in (z, weight))
    patches = unfolded(z64, layer)
    expected = torch.from_numpy(oracle.first_spikes(patches.detach().numpy(), weight.numpy())).reshape(z_out.shape)
    fired = torch.isfinite(expected)
    assert 0.2 < fired.double().mean() < 0.9  # the comparison sees both outcomes
    assert torch.equal(torch.isfinite(z_out.cpu()), fired)
    double = dtype == torch.float64
    torch.testing.assert_close(z_out.cpu().double(), expected, rtol=1e-11 if double else 1e-6, atol=0)
    assert z_out.dtype == slope.dtype == dtype
    assert (slope.cpu()[~fired] == 0).all()
    assert (slope.cpu()[fired] > 0).all()

    # The loss is sum(factor * log z_out), so that late spikes do not drown the others.
    reference = oracle.differentiable(patches, w64, expected.reshape(len(patches), -1)).reshape(expected.shape)
    factor = torch.from_numpy(np.random.default_rng(22).normal(size=tuple(expected.shape)))
    (torch.log(reference[fired]) * factor[fired]).sum().backward()
    # S - 1 at the spike is what autograd divides by: the backend's own slope is compared along with the gradient.
    incoming = torch.where(fired, factor / expected, 0.0).to(dtype)
    outputs = backends.Outputs(z_out, slope, incoming.to(device), 1e-12)
    arguments = z.to(device), weight.to(device), outputs
    grad_z, grad_w = backend.backward(*arguments, **settings, need_z=True, need_w=True)
    assert z64.grad is not None
    assert w64.grad is not None
    z_reference = torch.where(torch.isfinite(z64.grad), z64.grad, 0.0)
    for got, wanted in ((grad_z, z_reference), (grad_w, w64.grad)):
        assert got is not None
        assert got.dtype == dtype
        assert wanted.abs().max() > 0
        error = (got.cpu().double() - wanted).abs().max() / wanted.abs().max()
        assert float(error) <= (1e-11 if double else 2e-5)
    for need_z, need_w in ((True, False), (False, True)):  # also: the backward pass repeats bit for bit
        again = backend.backward(*arguments, **settings, need_z=need_z, need_w=need_w)
        assert (again[0] is None) == (not need_z)
        assert (again[1] is None) == (not need_w)
        for first, second in zip((grad_z, grad_w), again, strict=True):
            assert second is None or torch.equal(second, torch.as_tensor(first))


@pytest.mark.parametrize("name", ["compiled", "stepped", "triton"])
def test_simultaneous_events_act_together(name: str):
    # One half of the pair alone would fire before the other half, at the same time, pulls it down.
    backend, device = backend_and_device(name)
    z = torch.tensor([[2.0, 2.0, 4.0], [2.0, torch.inf, torch.inf]], device=device)
    weight = torch.tensor([[3.0, 1.0], [-2.5, 0.0], [1.0, 0.0]], device=device)
    z_out, slope = backend.forward(z, weight, bias=False, geometry=Geometry.dense(3))
    # S = 1 exactly: the membrane approaches the threshold and never reaches it.
    assert z_out[:, 0].tolist() == [[(3 * 2 - 2.5 * 2 + 4) / (1.5 - 1), torch.inf], [3 * 2 / (3 - 1), torch.inf]]
    assert slope[:, 0].tolist() == [[0.5, 0.0], [2.0, 0.0]]


@pytest.mark.parametrize("name", ["compiled", "stepped", "triton"])
def test_an_empty_batch_is_no_error(name: str):
    backend, device = backend_and_device(name)
    z, weight = torch.ones((0, 4), device=device), torch.ones((4, 3), device=device)
    z_out, slope = backend.forward(z, weight, bias=False, geometry=Geometry.dense(4))
    assert z_out.shape == slope.shape == (0, 1, 3)
    outputs = backends.Outputs(z_out, slope, z_out, 1e-12)
    grad_z, grad_w = backend.backward(
        z, weight, outputs, bias=False, geometry=Geometry.dense(4), need_z=True, need_w=True
    )
    assert grad_z is not None
    assert grad_w is not None
    assert grad_z.shape == (0, 4)
    assert (grad_w == 0).all()


@pytest.mark.slow
@pytest.mark.skipif(GPU or INTERPRETED, reason="the tests above run on the GPU, or this is the interpreted run")
def test_triton_in_its_interpreter():
    pytest.importorskip("triton")
    # Each convolution in one precision: the interpreter takes seconds for each.
    chosen = "triton and not (convolution and (bias and double or single and not bias))"
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k", chosen, __file__]
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stdout[-4000:]
    assert f"{2 * len(LAYERS)} passed" in done.stdout, done.stdout[-500:]


@pytest.mark.skipif(INTERPRETED, reason="the interpreter does not compile")
def test_kernels_compile_for_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from neuronsim.training.ttfs.kernels import triton_kernel

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    constants = {"EPS": 2.0**-52, "LARGEST": 1e300, "TILE": 64, "STEPS": 8, "SITES": 16}
    indices = {"rows": "*i64", "reach": "*i64"}
    floats = ("times", "weight", "z_out", "slope", "z", "fires", "scaled", "result")
    for kernel in (triton_kernel._forward, triton_kernel._weight_gradient, triton_kernel._input_gradient):
        names = kernel.arg_names
        types = {name: "*fp64" if name in floats else indices.get(name, "i32") for name in names}
        types |= {name: "constexpr" for name in names if name in constants}
        source = ASTSource(kernel, types, {name: constants[name] for name in names if name in constants})
        compiled = triton.compile(source, target=GPUTarget("cuda", 80, 32))
        assert len(compiled.asm["cubin"]) > 1000


def test_the_device_and_the_user_choose(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(backends.VARIABLE, raising=False)
    names = {
        "cpu": "compiled",
        "mps": "stepped",
        "cuda": "triton_kernel" if "triton" in backends.available() else "stepped",
    }
    for device, name in names.items():
        assert backends.for_device(device) is importlib.import_module(f"neuronsim.training.ttfs.kernels.{name}")
    monkeypatch.setenv(backends.VARIABLE, "stepped")
    assert backends.for_device("cpu") is importlib.import_module("neuronsim.training.ttfs.kernels.stepped")
    monkeypatch.setenv(backends.VARIABLE, "compiled")
    with pytest.raises(InputError, match="'compiled' cannot work on tensors of device 'cuda'"):
        backends.for_device("cuda")
    monkeypatch.setenv(backends.VARIABLE, "steped")
    with pytest.raises(InputError, match="Did you mean 'stepped'"):
        backends.for_device("cpu")
    if "triton" not in backends.available():
        monkeypatch.setenv(backends.VARIABLE, "triton")
        with pytest.raises(InputError, match="not available here"):
            backends.for_device("cpu")


@pytest.fixture(scope="module")
def published() -> ModuleType:
    """The published algorithm, which lies with the benchmarks."""
    path = Path(__file__).parents[2] / "benchmarks" / "published.py"
    spec = importlib.util.spec_from_file_location("published", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("kind", LAYERS)
def test_the_published_algorithm_is_the_same_neuron(oracle: ModuleType, published: ModuleType, kind: str):
    layer = LAYERS[kind]
    z, weight = draw(layer, torch.float64)
    # It takes simultaneous inputs one by one, so they are moved apart.
    z = z * (1 + 1e-6 * torch.arange(z.shape[1]))
    weight.requires_grad_()
    z_out = published.layer(z, weight, bias=layer.bias, geometry=layer.geometry)
    patches = unfolded(z, layer)
    expected = oracle.first_spikes(patches.numpy(), weight.detach().numpy())
    assert expected[np.isfinite(expected)].max() < published.LATEST
    fired = torch.from_numpy(np.isfinite(expected))
    np.testing.assert_allclose(z_out.detach().numpy().reshape(expected.shape), expected, rtol=1e-9)
    z_out.reshape(expected.shape)[fired].log().sum().backward()
    w64 = weight.detach().clone().requires_grad_()
    reference = oracle.differentiable(patches, w64, torch.from_numpy(expected))
    reference[fired].log().sum().backward()
    torch.testing.assert_close(weight.grad, w64.grad, rtol=1e-8, atol=1e-8)
