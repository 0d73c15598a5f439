"""The layers of a network laid out for the compiled kernels: tiles of dense weights, runs of synapses, weights of one chip, and
thresholds filled up.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neuronsim.errors import InputError

from ..compiled.random_numbers import stream
from . import kernels
from .graph import AvgPool, Conv, Dense, Layer, RateNetwork, Shape, Synapses
from .noise import WeightNoise

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Runs:
    """Input i reaches runs[i]:runs[i+1]; a run is ``length`` neighboring outputs from ``target`` on, whose weights lie side by
    side from ``origin`` on in ``weight`` (flat)."""

    weight: Floats
    runs: Integers
    target: Integers
    origin: Integers
    length: Integers

    @property
    def wires(self) -> tuple[Integers, Integers, Integers, Integers]:
        """(runs, target, origin, length), as the kernels take them."""
        return self.runs, self.target, self.origin, self.length

    @property
    def fan_out(self) -> Integers:
        """Synapses of each input."""
        total = np.concatenate(([0], np.cumsum(self.length)))
        return total[self.runs[1:]] - total[self.runs[:-1]]


def tiles(weight: Floats) -> Floats:
    """Dense (outputs, inputs) as (tiles, inputs, kernels.TILE), the last tile filled with zeros."""
    outputs, inputs = weight.shape
    n = -(-outputs // kernels.TILE)
    padded = np.zeros((n * kernels.TILE, inputs), np.float32)
    padded[:outputs] = weight
    return np.ascontiguousarray(padded.reshape(n, kernels.TILE, inputs).transpose(0, 2, 1))


def runs_of(synapses: Synapses, shape: Shape, *, unrolled: bool = False) -> Runs:
    """Runs of a link from a source of ``shape``; ``unrolled``: every position of a convolution with weights of its own."""
    n = math.prod(shape)
    if isinstance(synapses, Dense):
        outputs = synapses.weight.shape[0]
        one = np.arange(n, dtype=np.int64)
        flat = np.ascontiguousarray(synapses.weight.T, dtype=np.float32).reshape(-1)
        length = np.full(n, outputs, np.int64)
        return Runs(weight=flat, runs=np.arange(n + 1), target=0 * one, origin=one * outputs, length=length)
    if isinstance(synapses, Conv):
        return _convolution(synapses, shape, unrolled)
    out_height, out_width, channels = synapses.output(shape)
    size = synapses.size if isinstance(synapses, AvgPool) else 1
    value = 1 / size**2 if isinstance(synapses, AvgPool) else synapses.scale
    y, x, c = np.unravel_index(np.arange(n), shape)
    y, x = y // size, x // size
    inside = (y < out_height) & (x < out_width)
    target = ((y * out_width + x) * channels + c)[inside]
    weight = np.full(n if unrolled else 1, value, np.float32)
    origin = np.flatnonzero(inside) if unrolled else np.zeros(len(target), np.int64)
    runs = np.concatenate(([0], np.cumsum(inside)))
    return Runs(weight=weight, runs=runs, target=target, origin=origin, length=np.ones(len(target), np.int64))


def _convolution(synapses: Conv, shape: Shape, unrolled: bool) -> Runs:
    """With stride 1 the outputs that an input reaches through one row of the kernel lie side by side, kernel columns reversed."""
    height, width, channels = shape
    out_height, out_width, outputs = synapses.output(shape)
    k, stride, padding = synapses.weight.shape[2], synapses.stride, synapses.padding
    # (inputs, kernel row, kernel column reversed, outputs)
    bank = np.ascontiguousarray(synapses.weight[:, :, :, ::-1].transpose(1, 2, 3, 0), dtype=np.float32)
    runs, target, origin, length = [0], [], [], []
    for y in range(height):
        for x in range(width):
            pieces = []
            for a in range(k):
                row, off = divmod(y + padding - a, stride)
                if off or not 0 <= row < out_height:
                    continue
                columns = [(q, x + padding - q * stride) for q in range(out_width) if 0 <= x + padding - q * stride < k]
                groups = [columns] if stride == 1 and columns else [[column] for column in columns]
                for group in groups:
                    first, b = group[0]
                    tap = (a * k + (k - 1 - b)) * outputs
                    pieces.append(((row * out_width + first) * outputs, tap, len(group) * outputs))
            for c in range(channels):
                block = ((y * width + x) * channels + c if unrolled else c) * k * k * outputs
                for t, o, n in pieces:
                    target.append(t)
                    origin.append(block + o)
                    length.append(n)
                runs.append(len(target))
    flat = bank.reshape(-1)
    if unrolled:
        flat = np.tile(bank.reshape(1, -1), (height * width, 1)).reshape(-1)
    runs, target, origin, length = (np.array(values, np.int64) for values in (runs, target, origin, length))
    return Runs(weight=flat, runs=runs, target=target, origin=origin, length=length)


def fan_outs(network: RateNetwork) -> list[Integers]:
    """Synapses that a spike of each neuron drives: of the input, then of each layer. Passive layers count as wires."""
    total = [np.zeros(math.prod(shape), np.int64) for shape in (network.input_shape, *network.shapes)]
    for number, layer in enumerate(network.layers):
        for link in layer.links:
            source = network.source(number, link)
            total[source + 1] += runs_of(link.synapses, network.shape_of(source)).fan_out
    return total


def check_inputs(pixels: NDArray, network: RateNetwork, *, rates: bool = True) -> Floats:
    """Images as (n, inputs). Raises InputError for a wrong shape, values that are not finite, or ``rates`` outside [0, 1]."""
    values = np.asarray(pixels, dtype=np.float32)
    if values.ndim < 2 or math.prod(values.shape[1:]) != network.n_inputs:
        raise InputError(f"images {values.shape} do not fit the network's input {network.input_shape}")
    if not np.isfinite(values).all():
        raise InputError(f"{np.count_nonzero(~np.isfinite(values))} input values are not finite")
    if rates and not (np.all(values >= 0) and np.all(values <= 1)):
        raise InputError(f"pixels reach from {values.min():g} to {values.max():g}: a firing probability lies in [0, 1]")
    return np.ascontiguousarray(values.reshape(len(values), -1))


_FROZEN = 3


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedLink:
    """``mode``: of the kernels' noise; ``listed``: variances of the tiles, or of the weights of the runs; ``sigma``: None where
    the synapses are exact."""

    source: int
    mode: int
    tiles: NDArray[np.float32] | None
    listed: NDArray[np.float32] | None
    runs: Runs
    sigma: NDArray[np.float32] | None


@dataclass(frozen=True, kw_only=True, eq=False)
class PreparedLayer:
    """``n`` neurons, with thresholds and biases filled up to whole tiles where its one dense link is ``tiled``."""

    number: int
    layer: Layer
    n: int
    tiled: bool
    links: tuple[PreparedLink, ...]
    theta: NDArray[np.float32]
    bias: NDArray[np.float32]


def prepare(network: RateNetwork, number: int, noise: WeightNoise | None, seed: int, chip: int) -> PreparedLayer:
    """Layer ``number`` with the weights it has on a chip: frozen noise is in them, drawn from the stream of (seed, chip)."""
    layer = network.layers[number]
    n = math.prod(network.shapes[number])
    by_synapse = noise is not None and noise.kind == "temporal" and noise.sampling == "synapse"
    tiled = len(layer.links) == 1 and isinstance(layer.links[0].synapses, Dense) and layer.spiking and not by_synapse
    width = -(-n // kernels.TILE) * kernels.TILE if tiled else n
    theta, bias = np.full(width, 1.0, np.float32), np.zeros(width, np.float32)
    theta[:n], bias[:n] = network.thresholds[number], network.biases[number]
    links = []
    for k, link in enumerate(layer.links):
        source = network.source(number, link)
        key = seed, _FROZEN, chip, number, k
        links.append(_link(link.synapses, source, network.shape_of(source), noise, tiled, key))
    return PreparedLayer(number=number, layer=layer, n=n, tiled=tiled, links=tuple(links), theta=theta, bias=bias)


def _link(
    synapses: Synapses, source: int, shape: Shape, noise: WeightNoise | None, tiled: bool, key: tuple[int, ...]
) -> PreparedLink:
    noise = noise if synapses.noisy else None
    own = noise is not None and noise.kind in ("frozen", "inference") and noise.kernels == "unrolled"
    runs = runs_of(synapses, shape, unrolled=own)
    weight, mode, sigma, listed = runs.weight, kernels.PLAIN, None, None
    if noise is not None:
        sigma = np.sqrt(noise.variance(weight))
        if noise.kind == "frozen":
            weight = np.empty_like(weight)
            kernels.perturb(runs.weight, sigma, weight, stream(np.array(key, np.int64)))
        if noise.kind == "temporal":
            mode = kernels.SQUARED if noise.law == "proportional" else kernels.LISTED
        listed = sigma * sigma if mode == kernels.LISTED else None
    tiled_weight = None
    if tiled and isinstance(synapses, Dense):
        tiled_weight = dense_tiles(weight, synapses)
        listed = None if listed is None else dense_tiles(listed, synapses)
    runs = replace(runs, weight=weight)
    return PreparedLink(source=source, mode=mode, tiles=tiled_weight, listed=listed, runs=runs, sigma=sigma)


def dense_tiles(weight: NDArray[np.float32], synapses: Dense) -> NDArray[np.float32]:
    """The flat weights of the runs of a dense link, as tiles."""
    outputs, inputs = synapses.weight.shape
    return tiles(weight.reshape(inputs, outputs).T)
