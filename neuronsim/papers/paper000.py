"""Figures of paper 000 (noisy synaptic weights): its text, and tables II and III. Its plots are not read off."""

from __future__ import annotations

from ..artifacts.noisy_weights_study import ANN_PAPER, Published

CITATION = "paper 000"

_TIMES = ("convergence", "convergence_std", "within_1", "within_1_std")
_TABLES = {
    "fc": {
        0.0: (30.8, 4.6, 16, 0.0),
        0.2: (40.2, 3.1, 16, 0.0),
        0.4: (41.4, 9.8, 16, 0.0),
        0.6: (60.2, 26.3, 16.8, 0.3),
        0.8: (69.0, 16.4, 17.0, 0.0),
        1.0: (64.8, 18.2, 17.6, 0.9),
    },
    "cnn": {
        0.0: (206.5, 32.5, 28, 0.0),
        0.2: (196.8, 60.2, 29.6, 1.1),
        0.4: (222.0, 57.2, 39.6, 1.7),
        0.6: (312.0, 76.0, 71.7, 1.7),
        0.8: (654.8, 168.6, 111.4, 9.1),
        1.0: (701.3, 134.8, 173.5, 11.3),
    },
}
"""Tables II (fc) and III (cnn), by noise level: convergence time and time within 1 %, each with its standard deviation, in ms."""

_ANN = {
    ("fc", 0.0): Published(accuracy=0.9877),
    ("fc", 1.0): Published(accuracy=0.9474),
    ("cnn", 0.0): Published(accuracy=0.9909),
    ("cnn", 0.2): Published(accuracy=0.99, accuracy_note="below"),
}
_SNN_CNN = {0.2: (0.99, "above"), 1.0: (0.988, "greater than")}


def published(architecture: str, side: str, noise: str, scale: float, level: float) -> Published | None:
    """What the paper prints for a row of the study in its text and tables; None where it prints nothing.

    ``architecture`` "fc" or "cnn"; ``side`` "ann" or "snn"; ``scale``: threshold scale of the first hidden layer; ``level``:
    standard deviation of the noise over the weight.
    """
    level = round(level, 6)
    if side == "ann":
        return _ANN.get((architecture, level)) if noise == ANN_PAPER else None
    if noise != "temporal":
        return None
    if scale != 1.0:
        return (
            Published(accuracy=0.9877, accuracy_note="around, all scales and levels") if architecture == "fc" else None
        )
    times = dict(zip(_TIMES, _TABLES[architecture].get(level, ()), strict=False))
    if architecture == "fc":
        return Published(accuracy=0.9876, accuracy_note="around, all levels", **times)
    accuracy, note = _SNN_CNN.get(level, (None, ""))
    return Published(accuracy=accuracy, accuracy_note=note, **times) if times else None
