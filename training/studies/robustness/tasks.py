"""Passes of a study, and the points of accuracy that they add up to."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from neuronsim.artifacts.robustness_study import Point
from neuronsim.neuron.conductance_bank import FullScale
from neuronsim.statistics.crossed import accuracy_interval
from neuronsim.statistics.proportions import wilson
from neuronsim.training.packed_answers import unpack

from .subjects import Subject


@dataclass(frozen=True, kw_only=True)
class Task:
    """One pass. Tasks that differ only in ``draw`` make one point; ``draw`` None: nothing is drawn, one pass is the point.

    ``scope``: full scale of the weights, None: that of the experiment. ``key``: what decides the result, beside the subject and
    the images.
    """

    subject: Subject
    series: str
    level: float | None = None
    bits: int | None
    scope: FullScale | None = None
    draw: int | None = None
    key: list[Any]
    compute: Callable[[], dict[str, Any]]

    @property
    def point(self) -> tuple[Any, ...]:
        """What tasks of one point share."""
        return self.subject.label, self.series, self.level, self.bits, self.scope


def points(tasks: Sequence[Task], results: Sequence[dict[str, Any]]) -> list[Point]:
    """The points of ``tasks``, in their order."""
    pairs = groupby(zip(tasks, results, strict=True), key=lambda pair: pair[0].point)
    members = [list(group) for _, group in pairs]
    return [_point(group[0][0], [result for _, result in group]) for group in members]


def _point(task: Task, results: list[dict[str, Any]]) -> Point:
    draws = [float(result["accuracy"]) for result in results]
    if task.draw is None:
        mean, (low, high) = draws[0], wilson(draws[0], int(results[0]["n"]))
    else:
        mean, low, high = accuracy_interval([unpack(result["right"]) for result in results])
    snr = results[0].get("snr_db")
    beyond = [result["out_of_range"] for result in results if result.get("out_of_range") is not None]
    return Point(
        network=task.subject.label,
        series=task.series,
        level=task.level,
        bits=task.bits,
        full_scale=task.scope or task.subject.full_scale,
        accuracy=mean,
        low=low,
        high=high,
        worst=min(draws),
        draws=[] if task.draw is None else draws,
        interval="images" if task.draw is None else "draws and images",
        silent_outputs=float(np.mean([result["silent"] for result in results])),
        weight_snr_db=snr if snr is not None and math.isfinite(snr) else None,
        out_of_range=float(np.mean(beyond)) if beyond else None,
    )
