"""Table 4 of paper 004: accuracy of its networks with 32, 8, 4 and 2 bit weights, retrained at each width (section 4.2)."""

from __future__ import annotations

CITATION = "paper 004, table 4"
BITS_TO_DB = 6.02
"""Quantization SNR per bit, in dB, as the paper counts it (8, 4, 2 bit: 48, 24, 12 dB)."""

PAPER: dict[str, dict[int, float]] = {
    "MNIST": {32: 0.9933, 8: 0.9932, 4: 0.9921, 2: 0.9911},
    "CIFAR10": {32: 0.9268, 8: 0.9187, 4: 0.9138, 2: 0.9093},
    "ImageNet": {32: 0.688, 8: 0.661, 4: 0.652, 2: 0.600},
}
"""Accuracy by data set, as the paper names it, and bits."""

_NAMES = {"mnist": "MNIST", "mnist-5k": "MNIST", "cifar10": "CIFAR10"}


def paper_row(data: str) -> tuple[str, dict[int, float]] | None:
    """(the paper's name of the data set, accuracy by bits) for one of our data sets; None where the paper has none."""
    name = _NAMES.get(data)
    return (name, PAPER[name]) if name else None
