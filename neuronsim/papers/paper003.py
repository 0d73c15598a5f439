"""Figures of paper 003 (noise adaptor): ResNet-18 on CIFAR-10, tables 1 and 3; ResNet-50 on ImageNet, table 5.

Table 4 has no figures in our copy.
"""

from __future__ import annotations

CITATION = "paper 003, ResNet-18, CIFAR-10"
TIMES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

TABLE_1: dict[int | None, float] = {None: 0.9550, 1: 0.9162, 2: 0.9365, 4: 0.9518, 8: 0.9608, 16: 0.9638}
"""Accuracy without the adaptor by T, p = 2; None: the quantized ANN. Its row with the adaptor stands in :data:`TABLE_3` too."""

_TABLE_3 = {
    1: (0.9365, 0.9438, 0.9496, 0.9535, 0.9557, 0.9569, 0.9569, 0.9568, 0.9563, 0.9566),
    2: (0.9497, 0.9371, 0.9526, 0.9595, 0.9661, 0.9672, 0.9674, 0.9672, 0.9669, 0.9668),
    3: (0.9600, 0.9060, 0.9335, 0.9508, 0.9612, 0.9652, 0.9644, 0.9647, 0.9646, 0.9644),
    4: (0.9598, 0.8711, 0.9140, 0.9398, 0.9567, 0.9619, 0.9630, 0.9629, 0.9625, 0.9624),
}
TABLE_3: dict[int, dict[int | None, float]] = {
    p: dict(zip((None, *TIMES), row, strict=True)) for p, row in _TABLE_3.items()
}
"""Accuracy with the adaptor by p and T; None: the quantized ANN; 256 stands for the paper's T >= 256."""

CITATION_5 = "paper 003, table 5, ResNet-50, ImageNet, p = 3"
_TABLE_5 = {
    "none": (0.7372, 0.0779, 0.0997, 0.1700, 0.3599, 0.5905, 0.7524),
    "negative-spikes": (0.7372, 0.0779, 0.5342, 0.6974, 0.7288, 0.7394, 0.7472),
    "offset-spikes": (0.7372, 0.6342, 0.6484, 0.6634, 0.6843, 0.7060, 0.7337),
}
TABLE_5: dict[str, dict[int | None, float]] = {
    correction: dict(zip((None, 1, 2, 4, 8, 16, 256), row, strict=True)) for correction, row in _TABLE_5.items()
}
"""Accuracy with the adaptor by correction and T; None: the quantized ANN; 256: the paper's T >= 256."""


def value(levels: int, adaptor: bool, time: int | None) -> float | None:
    """The paper's accuracy; None where it gives none."""
    row = TABLE_3.get(levels, {}) if adaptor else TABLE_1 if levels == 2 else {}
    return row.get(time)


def gain(levels: int, time: int | None) -> float | None:
    """The paper's accuracy with the adaptor minus that without; None where it gives none."""
    with_, without = value(levels, True, time), value(levels, False, time)
    return None if with_ is None or without is None else with_ - without
