"""Frozen mismatch: chips drawn from the manifest's spreads, the same stimuli on each."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from neuronsim.errors import InputError

from ..manifest import Manifest
from ..run import Run
from .base import TTFSPlan
from .transfer import Transfer


def draw_parameters(manifest: Manifest, parameters: dict[str, float], rng) -> dict[str, float]:
    """One chip's parameters: each with a ``sigma`` varies relatively, or absolutely where its nominal value is 0."""
    nominal = manifest.checked(parameters)
    drawn = dict(parameters)
    for name, parameter in sorted(manifest.parameters.items()):
        if parameter.sigma > 0:
            value = nominal[name]
            drawn[name] = (
                value * (1 + parameter.sigma * rng.standard_normal())
                if value
                else parameter.sigma * rng.standard_normal()
            )
    return drawn


class Mismatch(TTFSPlan):
    """``chips`` draws of every parameter with a ``sigma`` and of each synapse (bench parameter ``weight_sigma``).

    Chip -1 is the nominal circuit. The dataset's ``weight`` holds the programmed weight; what a chip makes of it is
    its secret.
    """

    kind: ClassVar[str] = "mismatch"
    summary: ClassVar[str] = "frozen spread from chip to chip (Monte Carlo over the manifest's sigmas)"
    chips: int = Field(default=40, ge=2, le=10_000)
    trials: int = Field(default=8, ge=3, le=1000, description="stimuli per chip")

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        """See the base class."""
        weight_sigma = manifest.checked(parameters).get("weight_sigma", 0.0)
        if weight_sigma == 0 and not any(p.sigma for p in manifest.parameters.values()):
            raise InputError(f"plan 'mismatch' needs a sigma in the manifest of {manifest.name}; none is set")
        stimuli = Transfer(trials=self.trials, silent=0.0, settle=self.settle).runs(manifest, parameters, seed + 2)
        most = max(len(run.weights) for run in stimuli)
        found = [replace(run, plan=self.kind) for run in stimuli]
        for chip in range(self.chips):
            rng = self.rng(seed, chip)
            drawn = draw_parameters(manifest, parameters, rng)
            errors = weight_sigma * rng.standard_normal(most)
            for run in stimuli:
                weight_errors = tuple(errors[: len(run.weights)])
                found.append(replace(run, plan=self.kind, chip=chip, parameters=drawn, weight_errors=weight_errors))
        return found
