"""Frozen mismatch: chips drawn from the manifest's spreads, the same stimuli on each."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field

from neuronsim.errors import InputError

from ..deck.operating_point import Chip, OperatingPoint
from ..deck.run import Run, SpikeStimulus
from ..neuron.manifest import Manifest
from .base import Beyond, Plan
from .constant_currents import current_runs
from .transfer import Transfer


def draw_parameters(manifest: Manifest, parameters: dict[str, float], rng) -> dict[str, float]:
    """One chip's parameters: each with a ``sigma`` varies relatively, or absolutely where its nominal value is 0."""
    nominal = manifest.checked(parameters)
    drawn = dict(parameters)
    for name, parameter in sorted(manifest.parameters.items()):
        if parameter.sigma > 0:
            error = parameter.sigma * rng.standard_normal()
            drawn[name] = nominal[name] * (1 + error) if nominal[name] else error
    return drawn


class Mismatch(Plan):
    """``chips`` draws, the same ``trials`` stimuli on each. Two mechanisms, chosen by the manifest:

    - a process with mismatch laws: every transistor's threshold is shifted, frozen by seed and its name (:class:`.Chip`);
    - otherwise every parameter with a ``sigma``, and each synapse (bench parameter ``weight_sigma``).

    Where the manifest has [[trim]], every chip of the first kind is trimmed first, as a real one at start-up
    (neuronsim.circuits.campaign.trimming),
    and all its runs use its trims, which are in the dataset (``trim_...``). A chip that cannot be trimmed has failed runs with
    the reason "not_trimmed" and is not good. ``trim = false``: chips as they are made, for the yield without trimming.

    Chip -1 is the nominal circuit. The dataset's ``weight`` holds the programmed weight; what a chip makes of it is
    its secret. A chip is good when it fires at every stimulus, within ``tolerance`` of the nominal chip's spike time
    (rate neuron: of its rate).
    """

    kind: ClassVar[str] = "mismatch"
    code: ClassVar[str] = "any"
    summary: ClassVar[str] = "frozen spread from chip to chip (Monte Carlo over transistors or the manifest's sigmas)"
    settle: float = Field(default=5.0, gt=0, le=100, description="how long to watch after the last input, in tau")
    beyond: Beyond = None
    chips: int = Field(default=40, ge=2, le=10_000, description="chips drawn; 'calibrate' needs 8 that fire")
    trials: int = Field(default=8, ge=1, le=1000, description="stimuli per chip; rate: currents from the middle up")
    tolerance: float = Field(default=0.1, gt=0, lt=10, description="relative deviation from nominal of a good chip")
    window: float = Field(default=5.0, gt=0, le=1e5, description="length of a run of a rate neuron, in time units")
    trim: bool = Field(default=True, description="trim each chip first, where the manifest says how ([[trim]])")

    def obstacle(self, manifest: Manifest) -> str | None:
        sigmas = any(p.sigma for p in manifest.parameters.values()) or manifest.defaults().get("weight_sigma", 0.0)
        return super().obstacle(manifest) or (None if manifest.process or sigmas else "nothing in the manifest varies")

    def runs(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        stimuli = self._stimuli(manifest, parameters, seed)
        if manifest.process is not None and manifest.required_process("a chip").mismatch:
            chips = [OperatingPoint(chip=Chip(seed=seed, number=number)) for number in range(self.chips)]
            return [*stimuli, *(replace(run, operating=chip, trim=self.trim) for chip in chips for run in stimuli)]
        weight_sigma = manifest.checked(parameters).get("weight_sigma", 0.0)
        if weight_sigma == 0 and not any(p.sigma for p in manifest.parameters.values()):
            raise InputError(
                f"plan 'mismatch' needs a sigma in the manifest of {manifest.name}, or a process with mismatch; none is set"
            )
        most = max(len(run.spikes.weights) for run in stimuli)
        runs = list(stimuli)
        for chip in range(self.chips):
            rng = self.rng(seed, chip)
            drawn = draw_parameters(manifest, parameters, rng)
            errors = weight_sigma * rng.standard_normal(most)
            for run in stimuli:
                stimulus = run.stimulus
                if isinstance(stimulus, SpikeStimulus):
                    stimulus = replace(stimulus, weight_errors=tuple(errors[: len(stimulus.weights)]))
                runs.append(replace(run, chip=chip, parameters=drawn, stimulus=stimulus))
        return runs

    def _stimuli(self, manifest: Manifest, parameters: dict[str, float], seed: int) -> list[Run]:
        if manifest.code == "ttfs":
            stimuli = Transfer(trials=self.trials, silent=0.0, settle=self.settle, beyond=self.beyond)
            drawn = stimuli.runs(manifest, parameters, seed + 2)
        else:
            low, high = manifest.validity.current_a or (0.0, 0.0)
            middle = np.sqrt(low * high)
            currents = np.geomspace(middle, high, self.trials) if self.trials > 1 else np.array([middle])
            window_s = self.window * self.unit_s(manifest, parameters)
            watched = {"window_s": window_s, "at_a": middle, "shortest": 0.2}
            drawn = current_runs(self.kind, currents, **watched, parameters=parameters)
        return [replace(run, plan=self.kind) for run in drawn]
