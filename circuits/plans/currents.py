"""Runs of a rate neuron at constant currents, the higher the shorter."""

from collections.abc import Sequence

import numpy as np

from neuronsim.errors import InputError

from ..deck.run import CurrentStimulus, Run
from ..neuron.manifest import Manifest


def check_current(kind: str, manifest: Manifest, current_a: float, name: str = "") -> None:
    """Raise InputError when ``current_a`` (field ``name`` of plan ``kind``) leaves the validity range of a rate neuron."""
    low, high = manifest.validity.current_a or (0.0, 0.0)
    if not low <= current_a <= high:
        raise InputError(
            f"plan '{kind}': {name}{current_a:g} A leaves the validity range of {manifest.name}, {low:g} to {high:g} A"
        )


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
