"""Figures of paper 004 (phase-locked-loop neuron): tables 3 and 4, and energies."""

from __future__ import annotations

import math

SPIKE_J = 10e-12
"""Energy per spike, section 3.1 ("less than 10 pJ/spike in 65nm")."""
MNIST_INFERENCE_J = 205e-9
"""Energy per inference of the MNIST network, section 4.1: 21K weights, sparsity 0.94, :data:`SPIKE_J` each."""

TABLE_3: dict[str, dict[float, float]] = {
    "jitter": {0.01: 0.00024, 0.03: 0.00189, 0.05: 0.00397, 0.07: 0.00789, 0.09: 0.00997},
    "quantization": {4: 0.00957, 8: 0.00268, 16: 0.00008, 24: 0.00004, 32: 0.00004},
}
"""Output jitter as a fraction, by level (jitter: fraction of the input time; quantization: bits)."""

CITATION = "paper 004, table 4"
BITS_TO_DB = 6.02
"""Quantization SNR per bit, in dB, as the paper counts it (8, 4, 2 bit: 48, 24, 12 dB)."""

TABLE_4: dict[str, dict[int, float]] = {
    "MNIST": {32: 0.9933, 8: 0.9932, 4: 0.9921, 2: 0.9911},
    "CIFAR10": {32: 0.9268, 8: 0.9187, 4: 0.9138, 2: 0.9093},
    "ImageNet": {32: 0.688, 8: 0.661, 4: 0.652, 2: 0.600},
}
"""Accuracy by data set, as the paper names it, and bits; retrained at each width (section 4.2)."""

_NAMES = {"mnist": "MNIST", "mnist-5k": "MNIST", "cifar10": "CIFAR10"}


def output_jitter(plan: str, level: float) -> float | None:
    """Output jitter in table 3 for ``plan`` ("jitter", "quantization") at ``level``; None where the table has none."""
    return next((value for known, value in TABLE_3[plan].items() if math.isclose(known, level, rel_tol=1e-6)), None)


def accuracy_by_bits(data: str) -> tuple[str, dict[int, float]] | None:
    """(the paper's name of the data set, row of table 4) for one of our data sets; None where the paper has none."""
    name = _NAMES.get(data)
    return (name, TABLE_4[name]) if name else None
