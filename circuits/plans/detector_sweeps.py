"""Sweeps of one stimulus: over the threshold ramp, and out of the linear range of the phase detector."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from neuronsim.errors import InputError

from ..deck.run import Run
from ..neuron.manifest import Manifest
from .base import Times, TTFSPlan, Weights, check_valid


class Ramp(TTFSPlan):
    """One stimulus under threshold ramps of ``levels`` thresholds per tau (netlist parameter ``ramp``)."""

    kind: ClassVar[str] = "ramp"
    summary: ClassVar[str] = "spike time against the threshold ramp set by I_th"
    levels: tuple[float, ...] = Field(
        default=(-0.05, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.05),
        min_length=1,
        description="threshold ramps, in thresholds per tau",
    )
    times: Times = (0.3, 0.6)
    weights: Weights = (0.9, 0.8)

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        """Deterministic: the seed is not used."""
        if "ramp" not in manifest.parameters:
            raise InputError(f"plan 'ramp' sweeps the parameter 'ramp', which {manifest.name} does not have")
        unit = self.unit_s(manifest, parameters)
        times, weights = np.array(self.times), np.array(self.weights)
        check_valid(self.kind, manifest, times, weights)
        return [
            self.run(unit, times, weights, trial=0, level=level, parameters={**parameters, "ramp": level})
            for level in self.levels
        ]


class Saturation(TTFSPlan):
    """Two strong excitatory inputs close together after a strong inhibition, scaled up until the detector folds back.

    The stimulus is an inhibitory input at t = 0.05 tau and an equal pair of excitatory ones at 0.4 and 0.45 tau whose
    sum exceeds it by ``level``: the summed phase error at the last input is then close to ``level`` unit weights.
    Without inhibition the neuron would fire long before the error is large.
    """

    kind: ClassVar[str] = "saturation"
    summary: ClassVar[str] = "spike time as the phase error leaves the linear range of the XOR detector"
    levels: tuple[float, ...] = Field(
        default=(1.5, 2.5, 3.5, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 8.0),
        min_length=1,
        description="phase errors at the last input, about, in unit weights",
    )
    inhibition: float = Field(
        default=1.5, ge=0, le=5, description="weight of the inhibitory input that comes first, in unit weights"
    )

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        """Deterministic: the seed is not used."""
        unit = self.unit_s(manifest, parameters)
        times = np.array([0.05, 0.4, 0.45])
        runs = []
        for trial, level in enumerate(self.levels):
            remaining = self.inhibition * np.exp(times[0] - times[2])
            pair = (level + remaining) / (1 + np.exp(times[1] - times[2]))
            weights = np.array([-self.inhibition, pair, pair])
            runs.append(self.run(unit, times, weights, trial=trial, level=level, parameters=parameters))
        return runs
