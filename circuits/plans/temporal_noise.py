"""Temporal noise: the same stimulus again and again, each time under fresh seeded noise."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from neuronsim.errors import InputError

from ..deck.run import CurrentStimulus, NoiseDraw, Run
from ..neuron.manifest import Manifest
from ..neuron.manifest_sections import CurrentNoise
from .base import Plan, TTFSPlan
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
        stimuli = Transfer(trials=self.trials, silent=0.0, settle=self.settle, beyond=self.beyond)
        runs = []
        for run in stimuli.runs(manifest, parameters, seed + 1):
            runs.append(replace(run, plan=self.kind, level=0.0))
            draws = [NoiseDraw(seed=s) for s in self.seeds(self.repeats, seed, run.trial)]
            runs += [replace(run, plan=self.kind, level=1.0, noise=draw) for draw in draws]
        return runs


class MembraneNoise(Plan):
    """``points`` currents, logarithmically spaced over the manifest's validity range; at each one run without noise, whose
    interval jitter is the numerical floor of the deck, and ``repeats`` under white current noise (see
    neuronsim.circuits.deck.white_noise).

    A run at current I lasts ``window`` time units times the ratio of the middle current (geometric mean of the range, where
    an interval lasts about one unit) to I, so that each has about as many intervals; the noise has ``samples`` values per
    unit, scaled likewise. Noise is white up to half its sampling rate only: the jitter of an interval of n samples comes
    out low by about 1/(4 n). Many short runs cost less than a few long ones: ngspice searches all samples at each step.
    """

    kind: ClassVar[str] = "membrane_noise"
    code: ClassVar[str] = "rate"
    summary: ClassVar[str] = "spread of the inter-spike interval under seeded membrane noise, against current"
    points: int = Field(default=8, ge=1, le=1000, description="currents over the manifest's current_a")
    repeats: int = Field(default=10, ge=1, le=10_000, description="runs at each current under noise")
    window: float = Field(
        default=20.0, gt=3, le=1e5, description="length of the run at the middle current, in time units"
    )
    samples: float = Field(default=60.0, ge=10, le=1e4, description="noise samples per time unit at the middle current")

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        if not isinstance(manifest.noise, CurrentNoise):
            raise InputError(
                f"plan 'membrane_noise' needs [noise] with 'port' and 'density' (A/sqrt(Hz)) in the manifest of "
                f"{manifest.name}, which does not have it"
            )
        if manifest.checked(parameters)[manifest.noise.density] == 0:
            raise InputError(f"plan 'membrane_noise': {manifest.noise.density} = 0, so there is no noise to measure")
        low, high = manifest.validity.current_a or (0.0, 0.0)
        middle = float(np.sqrt(low * high))
        currents = np.geomspace(low, high, self.points) if self.points > 1 else np.array([middle])
        runs = []
        for trial, current in enumerate(currents):
            unit = self.unit_s(manifest, parameters) * middle / current
            quiet = Run(
                plan=self.kind,
                trial=trial,
                level=0.0,
                window_s=self.window * unit,
                stimulus=CurrentStimulus(current_a=float(current)),
                parameters=parameters,
            )
            draws = [NoiseDraw(seed=s, step_s=unit / self.samples) for s in self.seeds(self.repeats, seed, trial)]
            runs += [quiet, *(replace(quiet, level=1.0, noise=draw) for draw in draws)]
        return runs
