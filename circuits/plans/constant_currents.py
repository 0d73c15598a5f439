"""Runs of a rate neuron at constant currents, the higher the shorter; its rate against the current."""

from collections.abc import Sequence
from typing import ClassVar, Self

import numpy as np
from pydantic import Field, model_validator

from neuronsim.errors import InputError

from ..deck.run import CurrentStimulus, Run
from ..neuron.manifest import Manifest
from .base import Plan

SHORTEST = 0.15  # part of the window that the highest currents are watched at least


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
    parameters: dict[str, float],
    shortest: float = SHORTEST,
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


class FICurve(Plan):
    """Constant currents, logarithmically spaced over the manifest's validity range."""

    kind: ClassVar[str] = "fi"
    code: ClassVar[str] = "rate"
    summary: ClassVar[str] = "firing rate against input current (f-I curve)"
    points: int = Field(
        default=40, ge=4, le=10_000, description="currents; 'calibrate' needs at least 10 at which the neuron fires"
    )
    low_a: float | None = Field(
        default=None, gt=0, description="lowest current, in A; left out: the lower end of the manifest's current_a"
    )
    high_a: float | None = Field(
        default=None, gt=0, description="highest current, in A; left out: the upper end of the manifest's current_a"
    )
    window: float = Field(
        default=60.0, gt=1, le=1e5, description="length of the run at the lowest current, in time units"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.low_a is not None and self.high_a is not None and self.low_a >= self.high_a:
            raise ValueError(f"low_a = {self.low_a:g} must be below high_a = {self.high_a:g}")
        return self

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        low, high = manifest.validity.current_a or (0.0, 0.0)
        for name, value in (("low_a", self.low_a), ("high_a", self.high_a)):
            if value is not None:
                check_current("fi", manifest, value, f"{name} = ")
        currents = np.geomspace(self.low_a or low, self.high_a or high, self.points)
        window_s = self.window * self.unit_s(manifest, parameters)
        return current_runs(self.kind, currents, window_s=window_s, at_a=currents[0], parameters=parameters)
