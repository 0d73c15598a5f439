"""Runs of a rate neuron at constant currents, the higher the shorter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..deck.run import CurrentStimulus, Run


def current_runs(
    kind: str,
    currents_a: Sequence[float] | np.ndarray,
    *,
    window_s: float,
    at_a: float,
    shortest: float,
    parameters: dict[str, float],
) -> list[Run]:
    """One run of plan ``kind`` per current; ``level`` is the current, ``trial`` counts them.

    ``window_s`` is watched at the current ``at_a``; in proportion less at a higher one, for as many spikes, but no less than the
    fraction ``shortest`` of it.
    """
    return [
        Run(
            plan=kind,
            trial=trial,
            level=float(current),
            window_s=window_s * max(at_a / current, shortest),
            stimulus=CurrentStimulus(current_a=float(current)),
            parameters=parameters,
        )
        for trial, current in enumerate(currents_a)
    ]
