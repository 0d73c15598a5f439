"""How well a card predicts runs that were not used in its fit."""

from __future__ import annotations

import numpy as np

from ..arrays import Array, Mask
from ..artifacts.card_parts import Quality
from ..errors import DataError
from ..statistics.bootstrap import bias_and_spread


def held_out_quality(measured: Array, predicted: Array, *, silent: float, n_fit: int) -> tuple[Quality, Array, Mask]:
    """(Quality, signed relative errors, the runs that these are of), from (runs,) spike times or rates; ``silent``: no spike.

    The errors are over the runs in which both circuit and card fire. Raises DataError where there is none.
    """
    fires, due = measured != silent, predicted != silent
    both = fires & due
    if not both.any():
        raise DataError(
            f"no held-out run fires in both circuit and card ({measured.size} held out): the card does not describe this "
            "circuit, or too few runs were held out"
        )
    errors = predicted[both] / measured[both] - 1.0
    p95 = float(np.quantile(np.abs(errors), 0.95))
    bias, spread = bias_and_spread(errors, p95)
    quality = Quality(
        n_fit=n_fit,
        n_held_out=measured.size,
        median_error=float(np.median(np.abs(errors))),
        p95_error=p95,
        spike_agreement=float((fires == due).mean()),
        n_compared=errors.size,
        bias=bias,
        spread=spread,
    )
    return quality, errors, both


def over_targets(measured: Array, predicted: Array, resolution_s: float) -> dict[str, float]:
    """Spike-time errors over their targets (fields of Quality): median 1 %, 95th percentile 3 %.

    ``resolution_s``: the period of a sampled output (0: none), whose spike times no card predicts better than half of it.
    """
    late = np.abs(predicted - measured)
    return {
        "median_over_target": float(np.median(late / np.maximum(0.01 * measured, resolution_s / 2))),
        "p95_over_target": float(np.quantile(late / np.maximum(0.03 * measured, resolution_s), 0.95)),
    }
