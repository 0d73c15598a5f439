"""Figures of merit of a noisy-weights study: falls of accuracy, frozen noise, slowdown, and how noise averages out."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..artifacts.noisy_weights_study import ANN_PAPER, ChipDifference, NoisyWeights, Row, SnrPoint, Spread
from ..statistics.proportions import wilson

SLOWDOWN_LOSS = {"fc": ("within_05", "0.5 %"), "cnn": ("within_1", "1 %")}
"""By network: field of a row and words for the loss of accuracy within which figure 5 of the paper takes its times."""


class Slowdown(NamedTuple):
    """Time until the accuracy is close to its end, without noise and under 100 %, at one threshold scale; None: not measured."""

    scale: float
    quiet: Spread | None
    noisy: Spread | None

    @property
    def ratio(self) -> float | None:
        """Time under noise over time without."""
        return self.noisy.mean / self.quiet.mean if self.quiet and self.noisy else None


def architectures(study: NoisyWeights) -> list[str]:
    """The networks of the study in its order."""
    return list(dict.fromkeys(network.architecture for network in study.networks))


def scales(study: NoisyWeights, architecture: str) -> list[float]:
    """Threshold scales at which a spiking network was run, rising."""
    return sorted({row.scale for row in study.rows if row.architecture == architecture and row.side == "snn"})


def networks_per_architecture(study: NoisyWeights) -> int:
    """Networks of each kind, trained from as many seeds."""
    return len({network.seed for network in study.networks})


def analog_draws(study: NoisyWeights) -> int:
    """Draws of noise of each analog network, one for all images."""
    rows = [row for row in study.rows if row.noise == ANN_PAPER and row.level > 0]
    return max((row.accuracy.n // networks_per_architecture(study) for row in rows), default=study.trials)


def fall(study: NoisyWeights, architecture: str, side: str, noise: str) -> tuple[Row, Row] | None:
    """Rows of one side without noise and under the largest; None unless both were run."""
    rows = study.select(architecture, side, noise)
    return (rows[0], rows[-1]) if len(rows) > 1 and rows[0].level == 0 else None


def paper_fall(ends: tuple[Row, Row]) -> tuple[float, ...]:
    """Accuracy of both rows in the paper; () unless it prints two numbers ("around" and "above" have no difference)."""
    said = [row.paper for row in ends]
    known = [p.accuracy for p in said if p is not None and p.accuracy is not None and not p.accuracy_note]
    return tuple(known) if len(known) == 2 else ()


def frozen_noise(study: NoisyWeights, architecture: str) -> tuple[ChipDifference | None, Row | None, Row | None]:
    """The largest frozen noise: the difference paired by chip, and the analog and the spiking network on draws of their own;
    None where that was not run."""
    paired = [d for d in study.frozen if d.architecture == architecture]
    sides = [study.select(architecture, side, "frozen") for side in ("ann", "snn")]
    ann, snn = (rows[-1] if rows else None for rows in sides)
    return max(paired, key=lambda d: d.level, default=None), ann, snn


def slowdowns(study: NoisyWeights, architecture: str) -> list[Slowdown]:
    """Times to within the loss of :data:`SLOWDOWN_LOSS`, at each threshold scale."""
    field, _ = SLOWDOWN_LOSS[architecture]
    results = []
    for scale in scales(study, architecture):
        times = {row.level: getattr(row, field) for row in study.select(architecture, "snn", "temporal", scale)}
        results.append(Slowdown(scale, times.get(0.0), times.get(1.0)))
    return results


def with_images(accuracy: Spread, images: int) -> tuple[float, float]:
    """95 % interval of chips (or draws) and of ``images`` together.

    The variance of a mean over both is at most that over the chips plus that over the images (whose Wilson interval holds
    the spread of single answers too): half widths add as squares.
    """
    low, high = wilson(accuracy.mean, images)
    if accuracy.n > 1 and accuracy.low is not None and accuracy.high is not None:
        low = accuracy.mean - math.hypot(accuracy.mean - low, accuracy.mean - accuracy.low)
        high = accuracy.mean + math.hypot(high - accuracy.mean, accuracy.high - accuracy.mean)
    return max(0.0, low), min(1.0, high)


def over_root(point: SnrPoint) -> float:
    """Signal-to-noise ratio over the root of the spike count: constant where noise averages out over spikes (paper 000, IV-A)."""
    return point.snr / point.spikes**0.5


def root_law(points: Sequence[SnrPoint]) -> float:
    """c of snr = c sqrt(spikes) through ``points``: the geometric mean of :func:`over_root`."""
    return float(np.exp(np.mean(np.log([over_root(point) for point in points]))))
