"""Threshold ramp: the rest frequencies of VCO3 and VCO4 differ."""

from typing import ClassVar

import numpy as np
from pydantic import Field

from neuronsim.errors import InputError

from ..deck.run import Run
from ..neuron.manifest import Manifest
from .base import TTFSPlan, check_valid


class Ramp(TTFSPlan):
    """One stimulus under threshold ramps of ``levels`` thresholds per tau (netlist parameter ``ramp``)."""

    kind: ClassVar[str] = "ramp"
    summary: ClassVar[str] = "spike time against the threshold ramp set by I_th"
    levels: tuple[float, ...] = Field(
        default=(-0.05, -0.03, -0.02, -0.01, 0.0, 0.01, 0.02, 0.03, 0.05),
        min_length=1,
        description="threshold ramps, in thresholds per tau",
    )
    times: tuple[float, ...] = Field(default=(0.3, 0.6), description="input times, in tau")
    weights: tuple[float, ...] = Field(
        default=(0.9, 0.8), description="weights of the inputs, in unit weights; one per time"
    )

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
