"""One pass of a network over the test images, exact neurons, with perturbed weights, inputs or spikes."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuronsim.training.packed_answers import pack
from neuronsim.training.ttfs.chip import generator_for
from neuronsim.training.ttfs.network import TTFSNetwork
from neuronsim.training.ttfs.trials import decide_times

from .subjects import Batches

_WEIGHTS, _INPUTS, _SPIKES = 21, 22, 23
_EXPONENT = 80.0  # largest t in tau: keeps exp(t) finite in single precision


def accuracy(
    network: TTFSNetwork, batches: Batches, *, inputs: Callable[[Tensor, int], Tensor] | None = None
) -> dict[str, Any]:
    """``accuracy`` and ``silent`` (fractions) over ``n`` images, ``right`` (packed answers).

    ``inputs`` maps z of one batch, given its number.
    """
    right, silent = [], 0
    with torch.no_grad():
        for number, (z, labels) in enumerate(batches):
            out = network(z if inputs is None else inputs(z, number)).numpy()
            decided = decide_times(out)
            right.append(decided == labels.numpy())
            silent += int((decided < 0).sum())
    answers = np.concatenate(right)
    n = len(answers)
    return {"accuracy": int(answers.sum()) / n, "silent": silent / n, "n": n, "right": pack(answers)}


@contextmanager
def weight_noise(network: TTFSNetwork, snr_db: float, seed: int, draw: int) -> Iterator[None]:
    """Add frozen Gaussian noise to the weights as deployed: SNR = mean(w^2) / variance in each layer, the same for all layers.

    Draw ``draw`` uses the same normal numbers at every SNR and in every network of equal layers.
    """
    noisy = []
    for number, layer in enumerate(network.spiking):
        weight = network.deployed(layer.weight).detach()
        normal = generator_for(seed, _WEIGHTS, draw, number).standard_normal(tuple(weight.shape), dtype=np.float32)
        sigma = float((weight.double() ** 2).mean()) ** 0.5 * 10 ** (-snr_db / 20)
        noisy.append(weight + sigma * torch.from_numpy(normal))
    with _replaced(network, "transform", [lambda _, fixed=fixed: fixed for fixed in noisy]):
        yield


def input_jitter(level: float, seed: int, draw: int) -> Callable[[Tensor, int], Tensor]:
    """Input spikes t -> t (1 + level * N(0, 1)), not before 0: the jitter of table 3, one draw per spike and image."""

    def jitter(z: Tensor, batch: int) -> Tensor:
        normal = generator_for(seed, _INPUTS, draw, batch).standard_normal(tuple(z.shape), dtype=np.float32)
        t = torch.log(z) * (1 + level * torch.from_numpy(normal))
        return torch.exp(t.clamp(0, _EXPONENT)).masked_fill(torch.isinf(z), torch.inf)

    return jitter


@contextmanager
def output_jitter(network: TTFSNetwork, level_tau: float, seed: int, draw: int) -> Iterator[None]:
    """Output spikes of every neuron t -> t + level * N(0, 1), in tau, not before 0; one draw per spike and image."""

    def jittered(z: Tensor, _: Tensor, generator: np.random.Generator) -> Tensor:
        normal = torch.from_numpy(generator.standard_normal(tuple(z.shape), dtype=np.float32))
        return (z * torch.exp(level_tau * normal)).clamp(min=1.0)

    generators = [generator_for(seed, _SPIKES, draw, number) for number in range(len(network.spiking))]
    with _replaced(network, "jitter", [partial(jittered, generator=generator) for generator in generators]):
        yield


def quantization_snr_db(network: TTFSNetwork) -> float:
    """10 log10(sum w^2 / sum (w_deployed - w)^2) over all weights; inf without quantization error."""
    signal, noise = 0.0, 0.0
    for layer in network.spiking:
        weight = layer.weight.detach().double()
        signal += float((weight**2).sum())
        noise += float(((network.deployed(layer.weight).detach().double() - weight) ** 2).sum())
    return 10 * math.log10(signal / noise) if noise > 0 else math.inf


@contextmanager
def _replaced(network: TTFSNetwork, attribute: str, values: Sequence[Callable[..., Tensor]]) -> Iterator[None]:
    """Give the spiking layers other values of an attribute for a while."""
    before = [getattr(layer, attribute) for layer in network.spiking]
    try:
        for layer, value in zip(network.spiking, values, strict=True):
            setattr(layer, attribute, value)
        yield
    finally:
        for layer, value in zip(network.spiking, before, strict=True):
            setattr(layer, attribute, value)
