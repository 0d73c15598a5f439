"""The ReLU network on the very synapses of a spiking network's chip: the same frozen draw on both sides."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from neuronsim.errors import InputError
from neuronsim.training.rate.engine import EventEngine
from neuronsim.training.rate.wiring import Runs


def chip_outputs(engine: EventEngine, pixels: NDArray, *, batch: int = 500) -> NDArray[np.float32]:
    """Outputs (n, outputs) of the analog network for images ``pixels`` (n, height, width, channels).

    y_j = max(0, sum_i w_ij y_i) (paper 000, equation 1) with the weights of ``engine``'s chip; the outputs have no rectifier and
    thresholds play no part, as before conversion. Raises InputError for a network with biases.
    """
    network = engine.network
    if any(np.any(bias) for bias in network.biases):
        raise InputError("a converted network of paper 000 has no biases")
    last = len(network.layers) - 1
    matrices = []
    for number, layer in enumerate(network.layers):
        row = []
        for k, link in enumerate(layer.links):
            source = network.source(number, link)
            shape = math.prod(network.shapes[number]), math.prod(network.shape_of(source))
            row.append((source, _matrix(engine.synapses(number, k), shape)))
        matrices.append(row)
    x = np.asarray(pixels, np.float32).reshape(len(pixels), -1)
    outputs = np.empty((len(x), network.n_outputs), np.float32)
    for first in range(0, len(x), batch):
        values = [np.ascontiguousarray(x[first : first + batch].T)]
        for number, row in enumerate(matrices):
            y = np.sum([matrix @ values[source + 1] for source, matrix in row], axis=0)
            values.append(y if number == last else np.maximum(y, 0))
        outputs[first : first + batch] = values[-1].T
    return outputs


def _matrix(runs: Runs, shape: tuple[int, int]) -> csr_matrix:
    """Runs of synapses as a matrix (outputs, inputs)."""
    inside = np.arange(runs.length.sum()) - np.repeat(np.cumsum(runs.length) - runs.length, runs.length)
    target = np.repeat(runs.target, runs.length) + inside
    origin = np.repeat(runs.origin, runs.length) + inside
    source = np.repeat(np.arange(shape[1]), runs.fan_out)
    return csr_matrix((runs.weight[origin], (target, source)), shape=shape)
