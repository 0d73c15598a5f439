"""The layers of a network as the event engine needs them: weights of one chip laid out for the kernels, thresholds filled up."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..compiled.random_numbers import stream
from . import kernels
from .graph import Dense, Layer, RateNetwork
from .noise import WeightNoise
from .wiring import Runs, runs_of, tiles

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
    links = tuple(
        _link(network, layer, k, network.source(number, link), noise, tiled, (seed, _FROZEN, chip, number, k))
        for k, link in enumerate(layer.links)
    )
    return PreparedLayer(number=number, layer=layer, n=n, tiled=tiled, links=links, theta=theta, bias=bias)


def _link(
    network: RateNetwork,
    layer: Layer,
    k: int,
    source: int,
    noise: WeightNoise | None,
    tiled: bool,
    key: tuple[int, ...],
) -> PreparedLink:
    synapses = layer.links[k].synapses
    noise = noise if synapses.noisy else None
    own = noise is not None and noise.kind in ("frozen", "inference") and noise.kernels == "unrolled"
    runs = runs_of(synapses, network.shape_of(source), unrolled=own)
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
