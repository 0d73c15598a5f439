"""Figures of merit of a trained network: stages of its training, its confusions, and when it decides."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..arrays import Array
from ..artifacts.evaluation import Evaluation
from ..artifacts.training_run import Epoch


class Stage(NamedTuple):
    """One stage of a training. ``best``: epoch of the highest validation accuracy; None where none was measured."""

    name: str
    n_epochs: int
    last: Epoch
    best: Epoch | None
    seconds: float


class Confusion(NamedTuple):
    """``counts`` (true classes, decided classes), ``share``: the same with rows normalized; ``recall`` (true classes,): NaN for a
    class without images or without a decision of its own."""

    counts: Array
    share: Array
    recall: Array

    @property
    def right(self) -> int:
        """Images decided as their class."""
        return int(np.trace(self.counts))


def stages(epochs: Sequence[Epoch]) -> list[Stage]:
    """The stages of a training in the order in which they ran."""
    results = []
    for name in dict.fromkeys(epoch.stage for epoch in epochs):
        own = [epoch for epoch in epochs if epoch.stage == name]
        validation = np.array([epoch.val_accuracy for epoch in own])
        best = own[int(np.nanargmax(validation))] if np.isfinite(validation).any() else None
        seconds = float(np.nansum([epoch.seconds for epoch in own]))
        results.append(Stage(name, len(own), own[-1], best, seconds))
    return results


def confusion(evaluation: Evaluation) -> Confusion:
    """Confusions of the clean network as deployed."""
    counts = np.array(evaluation.confusion, dtype=np.float64)
    images = counts.sum(axis=1)
    share = counts / np.maximum(images, 1)[:, None]
    recall = np.full(len(counts), np.nan)
    known = min(counts.shape)
    recall[:known] = np.where(images[:known] > 0, np.diagonal(share), np.nan)
    return Confusion(counts, share, recall)


def decision_times(evaluation: Evaluation) -> Array:
    """First output spike of each image of the clean network, in tau; silent images are left out."""
    times = np.array(evaluation.class_times_tau, dtype=np.float64)
    return times[np.isfinite(times)]
