"""Temporal noise: the same stimulus again and again under fresh oscillator noise."""

from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from neuronsim.errors import InputError

from ..deck.run import NoiseDraw, Run
from ..neuron.manifest import Manifest
from .base import TTFSPlan
from .transfer import Transfer


class PhaseNoise(TTFSPlan):
    """``trials`` random stimuli, each once without noise and ``repeats`` times under seeded phase noise (see
    neuronsim.circuits.deck.white_noise)."""

    kind: ClassVar[str] = "phase_noise"
    summary: ClassVar[str] = "spike-time spread under seeded oscillator phase noise"
    trials: int = Field(default=20, ge=2, le=10_000, description="random stimuli, drawn as in plan 'transfer'")
    repeats: int = Field(default=20, ge=2, le=10_000, description="runs of each stimulus under noise")

    def obstacle(self, manifest: Manifest) -> str | None:
        return super().obstacle(manifest) or (None if manifest.noise else "the manifest has no [noise] port")

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        if manifest.noise is None:
            raise InputError(f"plan 'phase_noise' needs a [noise] port, which {manifest.name} does not have")
        stimuli = Transfer(trials=self.trials, silent=0.0, settle=self.settle, beyond=self.beyond).runs(
            manifest, parameters, seed + 1
        )
        runs = []
        for run in stimuli:
            runs.append(replace(run, plan=self.kind, level=0.0))
            draws = [NoiseDraw(seed=s) for s in self.seeds(self.repeats, seed, run.trial)]
            runs += [replace(run, plan=self.kind, level=1.0, noise=draw) for draw in draws]
        return runs
